# syntax=docker/dockerfile:1
# The server. CPU:  docker build -t ftft:cpu .
#             GPU:  docker build -t ftft:gpu --build-arg DEVICE=gpu .      (run it with --gpus all)
ARG NODE_IMAGE=node:22-bookworm-slim

FROM ${NODE_IMAGE} AS build
ARG DEVICE=cpu
ENV FTFT_DEVICE=${DEVICE} FTFT_CACHE_DIR=/opt/ftft/cache
# Compiler versions are the base image's: what they build is checked by loading it.
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates g++ make python3 python3-pip \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /opt/ftft/app
COPY package.json package-lock.json .npmrc ./
COPY scripts scripts
COPY src/model/kernels src/model/kernels
RUN node scripts/setup.mjs
COPY tsconfig.json tsconfig.build.json ./
COPY src src
# Headers are needed to compile alone. What set-up linked into node_modules stays: pruning takes whole packages.
RUN npm run build \
 && npm prune --omit=dev \
 && rm -rf /opt/ftft/cache/tensorflow/*/tensorflow/include /opt/ftft/cache/downloads

FROM ${NODE_IMAGE}
ARG DEVICE=cpu
ARG COMMIT=unknown
# 0.0.0.0, since a container's loopback is reached by nobody. Without TLS and authentication the server refuses that
# address until it is told so in words: pass FTFT_ALLOW_INSECURE=1 where the network around it keeps strangers out.
ENV NODE_ENV=production \
    FTFT_HOST=0.0.0.0 \
    FTFT_DEVICE=${DEVICE} \
    FTFT_COMMIT=${COMMIT} \
    FTFT_MODEL_DIR=/opt/ftft/cache/models \
    FTFT_CACHE_DIR=/var/lib/ftft/cache \
    FTFT_DATA_DIR=/var/lib/ftft/data \
    HF_HOME=/var/lib/ftft/cache/huggingface \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility
RUN install -d -o node -g node /var/lib/ftft /var/lib/ftft/cache /var/lib/ftft/data
WORKDIR /opt/ftft/app
# The same paths as in the build stage: the links in node_modules lead into the cache.
COPY --from=build /opt/ftft/cache/tensorflow /opt/ftft/cache/tensorflow
COPY --from=build /opt/ftft/cache/models /opt/ftft/cache/models
COPY --from=build /opt/ftft/app/node_modules node_modules
COPY --from=build /opt/ftft/app/dist dist
COPY package.json ./
COPY scripts/ftft.mjs scripts/ftft.mjs
USER 1000:1000
VOLUME /var/lib/ftft
# gRPC, HTTP (/metrics, /healthz), gRPC health
EXPOSE 50051 8080 8081
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.FTFT_HTTP_PORT || 8080}/healthz`).then(({ok}) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "dist/main.js"]
