// Environment → one frozen, typed Config; the only reader of process.env.
import {existsSync} from 'node:fs';
import {homedir} from 'node:os';
import {join} from 'node:path';
import {FtftError} from './errors.js';

export interface Config {
  host: string;
  grpcPort: number;
  httpPort: number;
  healthPort: number;
  /** State: database, datasets, runs. */
  dataDir: string;
  /** What can be fetched again. */
  cacheDir: string;
  /** Presets and local: folders. */
  modelDir: string;
  /** Never open a connection. */
  isOffline: boolean;
  /** Listening beyond loopback without TLS was asked for in words. */
  allowInsecure: boolean;
  leaseMs: number;
  /** Accepted but unfinished runs at most. */
  maxPendingRuns: number;
  /** OTLP/HTTP endpoint of the trace collector; no spans when undefined. */
  otlpEndpoint: string | undefined;
  hubToken: string | undefined;
  /** What trains: FTFT_DEVICE, else by whether the machine has an NVIDIA device. */
  device: 'cpu' | 'gpu';
  /** Commit that the image was built from. */
  commit: string;
  logLevel: 'debug' | 'info' | 'warn' | 'error' | 'silent';
}

export function readConfig(env: NodeJS.ProcessEnv): Config {
  const cacheDir = env.FTFT_CACHE_DIR ?? join(env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'ftft');
  return Object.freeze({
    host: env.FTFT_HOST ?? '127.0.0.1',
    grpcPort: integer(env, 'FTFT_GRPC_PORT', 50051, 0, 65535),
    httpPort: integer(env, 'FTFT_HTTP_PORT', 8080, 0, 65535),
    healthPort: integer(env, 'FTFT_HEALTH_PORT', 8081, 0, 65535),
    dataDir: env.FTFT_DATA_DIR ?? join(env.XDG_DATA_HOME ?? join(homedir(), '.local', 'share'), 'ftft'),
    cacheDir,
    modelDir: env.FTFT_MODEL_DIR ?? join(cacheDir, 'models'),
    isOffline: flag(env, 'FTFT_OFFLINE'),
    allowInsecure: flag(env, 'FTFT_ALLOW_INSECURE'),
    leaseMs: integer(env, 'FTFT_LEASE_MS', 12_000, 500, 600_000),
    maxPendingRuns: integer(env, 'FTFT_MAX_PENDING_RUNS', 100, 1, 100_000),
    otlpEndpoint: env.FTFT_OTLP_ENDPOINT || undefined,
    hubToken: env.FTFT_HF_TOKEN || env.HF_TOKEN || undefined,
    device: oneOf(env, 'FTFT_DEVICE', ['cpu', 'gpu'], existsSync('/dev/nvidiactl') ? 'gpu' : 'cpu'),
    commit: env.FTFT_COMMIT || 'unknown',
    logLevel: oneOf(env, 'FTFT_LOG_LEVEL', ['debug', 'info', 'warn', 'error', 'silent'], 'info'),
  });
}

function integer(env: NodeJS.ProcessEnv, name: string, fallback: number, least: number, most: number): number {
  const text = env[name];
  if (text === undefined || text === '') return fallback;
  const value = Number(text);
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw wrong(name, `a whole number from ${least} to ${most}`, text);
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
