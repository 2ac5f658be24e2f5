{{- /* A pod of one role: all (calls and training), api or worker. root: the chart's; replicas: how many such pods; selector: of them. */ -}}
{{- define "ftft.pod" -}}
{{- $v := .root.Values }}
{{- $c := .root.Chart }}
{{- $isWorker := eq .role "worker" }}
{{- $trains := ne .role "api" }}
{{- $hasGpu := and $trains (gt (int $v.gpu.count) 0) }}
automountServiceAccountToken: false
enableServiceLinks: false
terminationGracePeriodSeconds: {{ ternary $v.worker.terminationGracePeriodSeconds $v.terminationGracePeriodSeconds $isWorker }}
securityContext:
  runAsNonRoot: true
  runAsUser: 1000
  runAsGroup: 1000
  fsGroup: 1000
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile:
    type: RuntimeDefault
{{- with $v.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with (ternary $v.runtimeClassName "" $trains) }}
runtimeClassName: {{ . }}
{{- end }}
containers:
  - name: ftft
    image: {{ printf "%s:%s" $v.image.repository ($v.image.tag | default $c.AppVersion) | quote }}
    imagePullPolicy: {{ $v.image.pullPolicy }}
    securityContext:
      allowPrivilegeEscalation: false
      readOnlyRootFilesystem: true
      capabilities:
        drop: [ALL]
    env:
      - {name: FTFT_ROLE, value: {{ .role }}}
      - {name: FTFT_HTTP_PORT, value: "8080"}
      - {name: FTFT_HEALTH_PORT, value: "8081"}
      - {name: FTFT_HOST, value: 0.0.0.0}
      - {name: FTFT_HTTP_HOST, value: 0.0.0.0}
      {{- if $v.allowInsecure }}
      - {name: FTFT_ALLOW_INSECURE, value: "1"}
      {{- end }}
      {{- if not $isWorker }}
      {{- if $v.tls.existingSecret }}
      - {name: FTFT_TLS_CERT_FILE, value: /etc/ftft/tls/tls.crt}
      - {name: FTFT_TLS_KEY_FILE, value: /etc/ftft/tls/tls.key}
      {{- if ne $v.tls.clientCertificates "none" }}
      - {name: FTFT_TLS_CLIENT_CA_FILE, value: /etc/ftft/tls/ca.crt}
      - {name: FTFT_TLS_REQUIRE_CLIENT_CERT, value: {{ ternary "1" "0" (eq $v.tls.clientCertificates "required") | quote }}}
      {{- end }}
      {{- end }}
      {{- if $v.auth.existingSecret }}
      - {name: FTFT_AUTH_FILE, value: {{ printf "/etc/ftft/auth/%s" $v.auth.key }}}
      {{- end }}
      {{- end }}
      - {name: FTFT_METRICS, value: {{ ternary "on" "off" $v.metrics | quote }}}
      {{- if not $isWorker }}
      - {name: FTFT_REFLECTION, value: {{ ternary "on" "off" $v.reflection | quote }}}
      - {name: FTFT_MAX_CALLS_PER_SECOND, value: {{ $v.limits.callsPerSecond | int | quote }}}
      - {name: FTFT_MAX_OPEN_CALLS, value: {{ $v.limits.openCalls | int | quote }}}
      - {name: FTFT_MAX_CONNECTIONS, value: {{ $v.limits.connections | int | quote }}}
      - {name: FTFT_MAX_CONNECTION_AGE_S, value: {{ $v.limits.connectionAgeSeconds | int | quote }}}
      - {name: FTFT_MAX_PENDING_RUNS, value: {{ $v.config.maxPendingRuns | int | quote }}}
      {{- with $v.config.maxPendingRunsPerCaller }}
      - {name: FTFT_MAX_PENDING_RUNS_PER_CALLER, value: {{ . | int | quote }}}
      {{- end }}
      {{- end }}
      - {name: FTFT_DEVICE, value: {{ ternary "gpu" "cpu" $hasGpu }}}
      - {name: FTFT_MAX_CACHE_GB, value: {{ $v.config.maxCacheGb | int | quote }}}
      - {name: FTFT_OFFLINE, value: {{ ternary "1" "0" $v.config.isOffline | quote }}}
      - {name: FTFT_LOG_LEVEL, value: {{ $v.config.logLevel }}}
      - {name: FTFT_LEASE_MS, value: {{ $v.config.leaseMs | int | quote }}}
      - {name: FTFT_CHECKPOINT_INTERVAL_S, value: {{ $v.config.checkpointIntervalSeconds | int | quote }}}
      - {name: FTFT_GRACE_S, value: {{ $v.config.graceSeconds | int | quote }}}
      - {name: FTFT_RETAIN_RUNS_DAYS, value: {{ $v.retention.runsDays | int | quote }}}
      - {name: FTFT_RETAIN_DYNAMICS_DAYS, value: {{ $v.retention.dynamicsDays | int | quote }}}
      - {name: FTFT_RETAIN_MODELS_DAYS, value: {{ $v.retention.modelsDays | int | quote }}}
      {{- with $v.database.existingSecret }}
      - name: FTFT_DATABASE_URL
        valueFrom:
          secretKeyRef: {name: {{ . }}, key: {{ $v.database.key }}}
      {{- end }}
      {{- with $v.artifacts.url }}
      - {name: FTFT_ARTIFACTS_URL, value: {{ . | quote }}}
      {{- end }}
      {{- with $v.artifacts.endpoint }}
      - {name: AWS_ENDPOINT_URL_S3, value: {{ . | quote }}}
      {{- end }}
      {{- with $v.artifacts.region }}
      - {name: AWS_REGION, value: {{ . | quote }}}
      {{- end }}
      {{- with $v.artifacts.existingSecret }}
      - name: AWS_ACCESS_KEY_ID
        valueFrom:
          secretKeyRef: {name: {{ . }}, key: access-key-id}
      - name: AWS_SECRET_ACCESS_KEY
        valueFrom:
          secretKeyRef: {name: {{ . }}, key: secret-access-key}
      {{- end }}
      {{- with $v.config.otlpEndpoint }}
      - {name: FTFT_OTLP_ENDPOINT, value: {{ . | quote }}}
      {{- end }}
      {{- with $v.hubToken.existingSecret }}
      - name: FTFT_HF_TOKEN
        valueFrom:
          secretKeyRef: {name: {{ . }}, key: {{ $v.hubToken.key }}}
      {{- end }}
      {{- with $v.extraEnv }}{{ toYaml . | nindent 6 }}{{ end }}
    ports:
      {{- if not $isWorker }}
      - {name: grpc, containerPort: 50051}
      {{- end }}
      - {name: http, containerPort: 8080}
      - {name: health, containerPort: 8081}
    # Opening the database after a hard stop may take a while.
    startupProbe:
      grpc: {port: 8081}
      periodSeconds: 2
      failureThreshold: 60
    # Off at the first sign of draining, while a process that still answers is left alive.
    readinessProbe:
      grpc: {port: 8081, service: {{ ternary "ftft.Worker" "ftft.v1.FtftService" $isWorker }}}
      periodSeconds: 5
      timeoutSeconds: 3
      failureThreshold: 1
    livenessProbe:
      grpc: {port: 8081}
      periodSeconds: 20
      timeoutSeconds: 10
      failureThreshold: 6
    resources:
      {{- $resources := deepCopy (ternary $v.worker.resources $v.resources $isWorker) }}
      {{- if $hasGpu }}
      {{- $gpu := dict $v.gpu.resource ($v.gpu.count | int) }}
      {{- $resources = merge $resources (dict "limits" $gpu "requests" $gpu) }}
      {{- end }}
      {{- toYaml $resources | nindent 6 }}
    volumeMounts:
      - {name: state, mountPath: /var/lib/ftft}
      - {name: temporary, mountPath: /tmp}
      {{- if and $v.tls.existingSecret (not $isWorker) }}
      - {name: tls, mountPath: /etc/ftft/tls, readOnly: true}
      {{- end }}
      {{- if and $v.auth.existingSecret (not $isWorker) }}
      - {name: auth, mountPath: /etc/ftft/auth, readOnly: true}
      {{- end }}
      {{- with $v.extraVolumeMounts }}{{ toYaml . | nindent 6 }}{{ end }}
volumes:
  - name: state
    {{- if include "ftft.hasClaim" .root }}
    persistentVolumeClaim:
      claimName: {{ $v.persistence.existingClaim | default (include "ftft.name" .root) }}
    {{- else }}
    # What matters lies in the database and in the bucket: this is cache.
    emptyDir: {sizeLimit: {{ $v.persistence.size }}}
    {{- end }}
  - name: temporary
    emptyDir: {}
  {{- if not $isWorker }}
  {{- with $v.tls.existingSecret }}
  - name: tls
    secret: {secretName: {{ . }}, defaultMode: 0440}
  {{- end }}
  {{- with $v.auth.existingSecret }}
  - name: auth
    secret: {secretName: {{ . }}, defaultMode: 0440}
  {{- end }}
  {{- end }}
  {{- with $v.extraVolumes }}{{ toYaml . | nindent 2 }}{{ end }}
{{- if $trains }}
{{- with $v.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $v.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $v.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- if gt (int .replicas) 1 }}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{- include .selector .root | nindent 8 }}
{{- end }}
{{- end }}
