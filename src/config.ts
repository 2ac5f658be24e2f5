// Environment → one frozen, typed Config; the only reader of process.env.
import {existsSync, readdirSync} from 'node:fs';
import {homedir} from 'node:os';
import {join} from 'node:path';
import {FtftError} from './errors.js';
import type {DiagnosticThresholds, WarningThresholds} from './pipeline/types.js';
import type {Retention} from './runs/retention.js';

export interface Config {
  /** all: the API and workers in one process; api: the API alone; worker: workers alone. */
  role: 'all' | 'api' | 'worker';
  host: string;
  grpcPort: number;
  httpPort: number;
  healthPort: number;
  /** State: database, datasets, runs. */
  dataDir: string;
  /** PostgreSQL, which any number of processes share; SQLite in dataDir when undefined. */
  databaseUrl: string | undefined;
  /** An S3-compatible bucket for data sets, data maps, checkpoints and models; folders of dataDir when undefined. */
  bucket: {bucket: string; prefix: string; isPathStyle: boolean; region: string | undefined} | undefined;
  /** What can be fetched again. */
  cacheDir: string;
  /** Copies from the bucket: bytes of data sets, and of data maps, at most. */
  maxCacheBytes: number;
  /** Presets and local: folders. */
  modelDir: string;
  /** Never open a connection. */
  isOffline: boolean;
  /** Listening beyond loopback without TLS was asked for in words. */
  allowInsecure: boolean;
  /** PEM files; plaintext when undefined. */
  tls: {certFile: string; keyFile: string; clientCaFile: string | undefined; requiresClientCert: boolean} | undefined;
  /** Who may call, and as what; undefined: everybody, everything. */
  authFile: string | undefined;
  /** Where /metrics is; by default the loopback, or host where that is loopback or insecure hosts are allowed. */
  httpHost: string | undefined;
  servesMetrics: boolean;
  /** On the gRPC port, nowhere, or on a port of its own. */
  reflection: 'on' | 'off' | number;
  limits: {callsPerSecond: number; openCalls: number; connections: number; connectionAgeMs: number};
  /** undefined: another process sees to it. */
  retention: Retention | undefined;
  leaseMs: number;
  /** Between two checkpoints inside an epoch. */
  checkpointMs: number;
  /** How long a trainer has, once its process is to stop, to bring its run to where another can go on. */
  graceMs: number;
  /** Environments of the trainers that may work at once: one for each accelerator that this process may use. */
  accelerators: NodeJS.ProcessEnv[];
  /** Accepted but unfinished runs at most. */
  maxPendingRuns: number;
  /** Of those that one caller started. */
  maxPendingRunsPerCaller: number;
  /** Where diagnostics of data maps draw the line, as far as that is set: docs/data-maps.md. */
  thresholds: Partial<DiagnosticThresholds>;
  /** Where trainings are warned of; our defaults where left out. */
  warningThresholds: Partial<WarningThresholds>;
  /** OTLP/HTTP endpoint of the trace collector; no spans when undefined. */
  otlpEndpoint: string | undefined;
  hubToken: string | undefined;
  /** Another Hugging Face hub than the public one, such as a mirror. */
  hubUrl: string | undefined;
  /** What trains: FTFT_DEVICE, else by whether the machine has an NVIDIA device. */
  device: 'cpu' | 'gpu';
  /** Commit that the image was built from. */
  commit: string;
  logLevel: 'debug' | 'info' | 'warn' | 'error' | 'silent';
}

export function readConfig(env: NodeJS.ProcessEnv): Config {
  const cacheDir = env.FTFT_CACHE_DIR ?? join(env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'ftft');
  const role = oneOf(env, 'FTFT_ROLE', ['all', 'api', 'worker'], 'all');
  const device = oneOf(env, 'FTFT_DEVICE', ['cpu', 'gpu'], existsSync('/dev/nvidiactl') ? 'gpu' : 'cpu');
  const maxPendingRuns = integer(env, 'FTFT_MAX_PENDING_RUNS', 100, 1, 100_000);
  return Object.freeze({
    role,
    host: env.FTFT_HOST ?? '127.0.0.1',
    grpcPort: integer(env, 'FTFT_GRPC_PORT', 50051, 0, 65535),
    // Several workers may share a machine, and are told apart by nothing else.
    httpPort: integer(env, 'FTFT_HTTP_PORT', role === 'worker' ? 0 : 8080, 0, 65535),
    healthPort: integer(env, 'FTFT_HEALTH_PORT', role === 'worker' ? 0 : 8081, 0, 65535),
    dataDir: env.FTFT_DATA_DIR ?? join(env.XDG_DATA_HOME ?? join(homedir(), '.local', 'share'), 'ftft'),
    databaseUrl: databaseUrl(env),
    bucket: bucket(env),
    cacheDir,
    maxCacheBytes: 1e9 * integer(env, 'FTFT_MAX_CACHE_GB', 20, 1, 1_000_000),
    modelDir: env.FTFT_MODEL_DIR ?? join(cacheDir, 'models'),
    isOffline: flag(env, 'FTFT_OFFLINE'),
    allowInsecure: flag(env, 'FTFT_ALLOW_INSECURE'),
    tls: tlsFiles(env),
    authFile: env.FTFT_AUTH_FILE || undefined,
    httpHost: env.FTFT_HTTP_HOST || undefined,
    servesMetrics: oneOf(env, 'FTFT_METRICS', ['on', 'off'], 'on') === 'on',
    reflection: /^\d+$/.test(env.FTFT_REFLECTION ?? '')
      ? integer(env, 'FTFT_REFLECTION', 0, 0, 65535)
      : oneOf(env, 'FTFT_REFLECTION', ['on', 'off'], 'on'),
    limits: {
      // Without authentication callers are but addresses, and many may share one.
      callsPerSecond: integer(env, 'FTFT_MAX_CALLS_PER_SECOND', env.FTFT_AUTH_FILE ? 1000 : 0, 0, 1_000_000),
      openCalls: integer(env, 'FTFT_MAX_OPEN_CALLS', 1000, 1, 1_000_000),
      connections: integer(env, 'FTFT_MAX_CONNECTIONS', 2000, 1, 1_000_000),
      connectionAgeMs: 1000 * integer(env, 'FTFT_MAX_CONNECTION_AGE_S', 0, 0, 1_000_000),
    },
    retention: role === 'worker' ? undefined : retention(env),
    leaseMs: integer(env, 'FTFT_LEASE_MS', 12_000, 500, 600_000),
    checkpointMs: 1000 * integer(env, 'FTFT_CHECKPOINT_INTERVAL_S', 600, 1, 1_000_000),
    graceMs: 1000 * integer(env, 'FTFT_GRACE_S', 20, 0, 3600),
    accelerators: role === 'api' ? [] : accelerators(env, device),
    maxPendingRuns,
    // So that no caller fills the queue alone.
    maxPendingRunsPerCaller: integer(
      env,
      'FTFT_MAX_PENDING_RUNS_PER_CALLER',
      Math.ceil(maxPendingRuns / 2),
      1,
      100_000,
    ),
    thresholds: Object.freeze(thresholds(env)),
    warningThresholds: Object.freeze(warningThresholds(env)),
    otlpEndpoint: env.FTFT_OTLP_ENDPOINT || undefined,
    hubUrl: env.FTFT_HUB_URL || env.HF_ENDPOINT || undefined,
    hubToken: env.FTFT_HF_TOKEN || env.HF_TOKEN || undefined,
    device,
    commit: env.FTFT_COMMIT || 'unknown',
    logLevel: oneOf(env, 'FTFT_LOG_LEVEL', ['debug', 'info', 'warn', 'error', 'silent'], 'info'),
  });
}

function tlsFiles(env: NodeJS.ProcessEnv): Config['tls'] {
  const {FTFT_TLS_CERT_FILE: certFile, FTFT_TLS_KEY_FILE: keyFile, FTFT_TLS_CLIENT_CA_FILE: clientCaFile} = env;
  const requiresClientCert = flag(env, 'FTFT_TLS_REQUIRE_CLIENT_CERT');
  if (certFile && keyFile && (clientCaFile || !requiresClientCert))
    return {certFile, keyFile, clientCaFile: clientCaFile || undefined, requiresClientCert};
  if (requiresClientCert && !clientCaFile)
    throw wrong('FTFT_TLS_CLIENT_CA_FILE', 'set where FTFT_TLS_REQUIRE_CLIENT_CERT is', 'none');
  if (certFile || keyFile || clientCaFile)
    throw wrong(certFile ? 'FTFT_TLS_KEY_FILE' : 'FTFT_TLS_CERT_FILE', 'set where another file of TLS is', 'none');
  return undefined;
}

/** For ever where nothing else is said. */
function retention(env: NodeJS.ProcessEnv): Retention {
  const days = (name: string) => {
    const number = integer(env, name, 0, 0, 100_000);
    return number === 0 ? undefined : number * 24 * 3_600_000;
  };
  return {
    runsMs: days('FTFT_RETAIN_RUNS_DAYS'),
    dynamicsMs: days('FTFT_RETAIN_DYNAMICS_DAYS'),
    modelsMs: days('FTFT_RETAIN_MODELS_DAYS'),
  };
}

function databaseUrl({FTFT_DATABASE_URL: url}: NodeJS.ProcessEnv): string | undefined {
  if (url === undefined || url === '') return undefined;
  // Not shown: it may hold a password.
  if (!/^postgres(ql)?:\/\//.test(url)) throw wrong('FTFT_DATABASE_URL', 'of the form postgresql://…', 'another');
  return url;
}

/** Endpoint, region and credentials are AWS's variables and files. A service of one's own seldom has a host name for each bucket. */
function bucket(env: NodeJS.ProcessEnv): Config['bucket'] {
  const {FTFT_ARTIFACTS_URL: url, AWS_REGION, AWS_DEFAULT_REGION} = env;
  if (url === undefined || url === '') return undefined;
  const [, name, path = ''] = /^s3:\/\/([a-z0-9][a-z0-9._-]+)(?:\/([^?#]*))?$/.exec(url) ?? [];
  if (name === undefined) throw wrong('FTFT_ARTIFACTS_URL', 'of the form s3://bucket/prefix', url);
  const hasEndpoint = Boolean(env.AWS_ENDPOINT_URL_S3 || env.AWS_ENDPOINT_URL);
  const prefix = path.replace(/^\/+|\/+$/g, '');
  return {
    bucket: name,
    prefix: prefix === '' ? '' : `${prefix}/`,
    isPathStyle: oneOf(env, 'FTFT_S3_ADDRESSING', ['path', 'virtual'], hasEndpoint ? 'path' : 'virtual') === 'path',
    region: AWS_REGION || AWS_DEFAULT_REGION || (hasEndpoint ? 'us-east-1' : undefined),
  };
}

const secretNames =
  /^(FTFT_DATABASE_URL|PGPASSWORD|(FTFT_)?HF_TOKEN|FTFT_TOKEN|AWS_(SECRET_ACCESS_KEY|SESSION_TOKEN|CONTAINER_AUTHORIZATION_TOKEN)|OTEL_EXPORTER_OTLP_(.+_)?HEADERS)$/;

/** A trainer sees one accelerator, and no secret that is for its parent alone. */
function accelerators(env: NodeJS.ProcessEnv, device: 'cpu' | 'gpu'): NodeJS.ProcessEnv[] {
  const plain = Object.fromEntries(Object.entries(env).filter(([name]) => !secretNames.test(name)));
  if (device === 'cpu') return [plain];
  const named = env.FTFT_ACCELERATORS || env.CUDA_VISIBLE_DEVICES;
  const ids = named ? named.split(',').map(id => id.trim()) : deviceNumbers();
  return ids.length === 0 ? [plain] : ids.map(id => ({...plain, CUDA_VISIBLE_DEVICES: id}));
}

/** Of /dev/nvidia0, /dev/nvidia1, …; none where the container's runtime hides them behind other names. */
function deviceNumbers(): string[] {
  const found = readdirSync('/dev').flatMap(name => /^nvidia(\d+)$/.exec(name)?.[1] ?? []);
  return found.length > 1 ? found.sort((a, b) => Number(a) - Number(b)).map((_, i) => String(i)) : [];
}

function integer(env: NodeJS.ProcessEnv, name: string, fallback: number, least: number, most: number): number {
  const text = env[name];
  if (text === undefined || text === '') return fallback;
  const value = Number(text);
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw wrong(name, `a whole number from ${least} to ${most}`, text);
}

function thresholds(env: NodeJS.ProcessEnv): Partial<DiagnosticThresholds> {
  const given = {
    overlapExcess: share(env, 'FTFT_VERDICT_OVERLAP'),
    accuracySkill: share(env, 'FTFT_VERDICT_ACCURACY'),
    lastEpochGain: share(env, 'FTFT_WARN_EPOCH_GAIN'),
    labelShift: share(env, 'FTFT_WARN_LABEL_SHIFT'),
    neverLearned: share(env, 'FTFT_WARN_NEVER_LEARNED'),
  };
  return withoutUndefined(given);
}

function warningThresholds(env: NodeJS.ProcessEnv): Partial<WarningThresholds> {
  return withoutUndefined({
    outOfDistributionGap: share(env, 'FTFT_WARN_OOD_GAP'),
    lossDrop: share(env, 'FTFT_WARN_LOSS_DROP'),
  });
}

const withoutUndefined = <T extends object>(given: T): Partial<T> =>
  Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as Partial<T>;

function share(env: NodeJS.ProcessEnv, name: string): number | undefined {
  const text = env[name];
  if (text === undefined || text === '') return undefined;
  const value = Number(text);
  if (value >= 0 && value <= 1) return value;
  throw wrong(name, 'a number from 0 to 1', text);
}

function flag(env: NodeJS.ProcessEnv, name: string): boolean {
  const text = env[name] ?? '';
  if (['', '0', 'false'].includes(text)) return false;
  if (['1', 'true'].includes(text)) return true;
  throw wrong(name, '1 or 0', text);
}

function oneOf<T extends string>(env: NodeJS.ProcessEnv, name: string, choices: readonly T[], fallback: T): T {
  const text = env[name];
  if (text === undefined || text === '') return fallback;
  const found = choices.find(choice => choice === text);
  if (found) return found;
  throw wrong(name, `one of ${choices.join(', ')}`, text);
}

function wrong(name: string, expected: string, found: string): FtftError {
  return new FtftError('INVALID_ARGUMENT', `Cannot read ${name}: it must be ${expected}, current value is ${found}`, {
    reason: 'INVALID_FIELD',
  });
}

/** What the command line needs to speak to a server, beside its address. */
export interface ClientSettings {
  /** Bearer token. */
  token: string | undefined;
  isTls: boolean;
  /** PEM: who signs the server's certificate; the system's authorities when undefined. */
  caFile: string | undefined;
  /** PEM: the caller's own certificate and key. */
  certFile: string | undefined;
  keyFile: string | undefined;
}

export function readClientSettings(env: NodeJS.ProcessEnv): ClientSettings {
  return {
    token: env.FTFT_TOKEN || undefined,
    isTls: flag(env, 'FTFT_TLS'),
    caFile: env.FTFT_CA_FILE || undefined,
    certFile: env.FTFT_CLIENT_CERT_FILE || undefined,
    keyFile: env.FTFT_CLIENT_KEY_FILE || undefined,
  };
}
