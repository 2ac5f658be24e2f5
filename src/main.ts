// The server process, or one that only trains: reads the configuration, wires runs, servers and telemetry, listens, drains. TensorFlow
// is loaded in child processes only. One line on stdout says which ports were taken; logs go to stderr.
import {readFileSync, realpathSync} from 'node:fs';
import {type Config, readConfig} from './config.js';
import {FtftError} from './errors.js';
import {createRuns} from './runs/create-runs.js';
import {address} from './server/listen.js';
import {startServers} from './server/start-servers.js';
import {startWorkerServers} from './server/start-worker-servers.js';
import {createLog} from './telemetry/log.js';
import type {BuildInfo} from './telemetry/metrics.js';
import {createRunTelemetry} from './telemetry/run-telemetry.js';
import {createTelemetry} from './telemetry/telemetry.js';

async function main(): Promise<void> {
  const config = readConfig(process.env);
  const log = createLog(config.logLevel);
  // Runs tell telemetry what they append, and telemetry asks runs for counts.
  const telemetry = createTelemetry({
    log,
    // Counted once: a process that only trains leaves it to those that are called.
    countRuns: async () => (config.role === 'worker' ? [] : await runs.countRuns()),
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
  const start = config.role === 'worker' ? startWorkerServers : startServers;
  const servers = await start({runs, telemetry, isReady: () => runs.isQueueServed(), ...config}).catch(
    async (error: unknown) => {
      await runs.close({graceMs: 0});
      throw error;
    },
  );
  runs.start();
  // The port of metrics and of reflection may be on an address of its own.
  const hostOf = (name: string) => (name === 'http' || name === 'reflection' ? servers.httpHost : config.host);
  const places = Object.entries(servers.ports).map(([name, port]) => [name, address(hostOf(name), port)]);
  process.stdout.write(`${JSON.stringify({event: 'listening', ...Object.fromEntries(places)})}\n`);

  let isDraining = false;
  const drain = async (signal: NodeJS.Signals) => {
    if (isDraining) process.exit(1);
    isDraining = true;
    log.info({signal}, 'draining');
    // Calls have a while to end: a run that began meanwhile would be handed back with its work lost.
    runs.stopClaiming();
    await servers.drain();
    await runs.close({graceMs: config.graceMs});
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
