// The server process: reads the configuration, wires runs, servers and telemetry, listens, drains. TensorFlow is loaded in child
// processes only. One line on stdout says which ports were taken; logs go to stderr.
import {readFileSync, realpathSync} from 'node:fs';
import {type Config, readConfig} from './config.js';
import {FtftError} from './errors.js';
import {createRuns} from './runs/create-runs.js';
import {address} from './server/listen.js';
import {startServers} from './server/start-servers.js';
import {createLog} from './telemetry/log.js';
import type {BuildInfo} from './telemetry/metrics.js';
import {createRunTelemetry} from './telemetry/run-telemetry.js';
import {createTelemetry} from './telemetry/telemetry.js';

/** How long the trainer has to stop at a batch boundary; with the drain of calls inside Kubernetes' default of 30 s. */
const trainerGraceMs = 15_000;

async function main(): Promise<void> {
  const config = readConfig(process.env);
  const log = createLog(config.logLevel);
  // Runs tell telemetry what they append, and telemetry asks runs for counts.
  const telemetry = createTelemetry({
    log,
    countRuns: () => runs.countRuns(),
    build: buildInfo(config),
    otlpEndpoint: config.otlpEndpoint,
  });
  const runTelemetry = createRunTelemetry({
    metrics: telemetry.metrics,
    spans: telemetry.spans,
    device: config.device,
  });
  const runs = await createRuns({...config, logger: log});
  runs.onEvent(runTelemetry.appended);
  runs.onStep(runTelemetry.stepped);
  const servers = await startServers({runs, telemetry, ...config}).catch(async (error: unknown) => {
    await runs.close({graceMs: 0});
    throw error;
  });
  runs.start();
  const {grpc, http, health, reflection} = servers.ports;
  const {host} = config;
  const places = {grpc: address(host, grpc), http: address(servers.httpHost, http), health: address(host, health)};
  const own = reflection === undefined ? {} : {reflection: address(servers.httpHost, reflection)};
  process.stdout.write(`${JSON.stringify({event: 'listening', ...places, ...own})}\n`);

  let isDraining = false;
  const drain = async (signal: NodeJS.Signals) => {
    if (isDraining) process.exit(1);
    isDraining = true;
    log.info({signal}, 'draining');
    // Calls have a while to end: a run that began meanwhile would be handed back with its work lost.
    runs.stopClaiming();
    await servers.drain();
    await runs.close({graceMs: trainerGraceMs});
    runTelemetry.close();
    await telemetry.spans.shutdown().catch((error: unknown) => log.warn({err: error}, 'spans were lost'));
    log.info({}, 'stopped');
    process.exit(0);
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const)
    process.on(signal, () => {
      drain(signal).catch(fail);
    });
}

/** What is running, for the metric. The library's folder is named by device, version and architecture. */
function buildInfo({commit}: Config): BuildInfo {
  const {version} = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {version: string};
  return {version, commit, tensorflow: /\b\d+\.\d+\.\d+\b/.exec(tensorflowLibrary())?.[0] ?? 'unknown'};
}

function tensorflowLibrary(): string {
  try {
    const link = new URL('../node_modules/@tensorflow/tfjs-node-gpu/deps/lib/libtensorflow.so', import.meta.url);
    return realpathSync(link);
  } catch {
    return '';
  }
}

/** One line for what the operator can mend; a stack for a bug. */
function fail(error: unknown): void {
  const text = error instanceof FtftError ? error.message : error instanceof Error ? error.stack : String(error);
  process.stderr.write(`ftft: ${text}\n`);
  process.exit(1);
}

main().catch(fail);
