// The service as it is run, over one database: its processes, their networks, clocks and disk, all of which faults can reach.
import {mkdirSync, mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import type {TrainingSpec} from '../../src/server/gen/ftft/v1/run.js';
import {importText} from '../support/import-text.js';
import {type PostgresServer, startPostgres} from '../support/postgres.js';
import {mayNotMount, mount, unmount} from '../support/small-disk.js';
import {tinyLines, writeTinyModel} from '../support/tiny-model.js';
import {Clocks, findFaketime} from './clock.js';
import {type Evidence, postgresEvidence, sqliteEvidence} from './evidence.js';
import {Member} from './member.js';
import {type Link, openLink} from './network.js';
import type {FaultKind} from './schedule.js';

export type Engine = 'sqlite' | 'postgres';

export const leaseMs = 1500;
const diskBytes = 256 << 20;
const numInstances = 240;

/** Some tenths of a second of training each; any number of attempts, or chance would decide which runs end. */
const base = {dataset: 'datasets/pets', model: 'local:tiny', maxLength: 16, batchSize: 8, maxAttempts: 1000};
export const variants: Partial<TrainingSpec>[] = [
  {...base, epochs: 6, seed: 3, learningRate: 1e-3, layers: 1},
  {...base, epochs: 8, seed: 1, learningRate: 1e-3},
  {...base, epochs: 12, seed: 2, learningRate: 1e-3, evaluationIntervalSteps: 7},
];

/** No PostgreSQL can be started on this machine; the message says why. */
export class NoPostgres extends Error {}

function withoutPostgres(error: Error): never {
  throw new NoPostgres(`no PostgreSQL can be started: ${error.message}`);
}

export interface World {
  engine: Engine;
  /** What the processes say. */
  logFolder: string;
  members: Member[];
  /** Those that answer calls, and those that train. */
  apis: Member[];
  workers: Member[];
  links: Map<Member, Link>;
  clocks: Clocks;
  postgres: PostgresServer | undefined;
  disk: string | undefined;
  evidence: Evidence;
  /** Faults that cannot be made here, and why. */
  skipped: Map<FaultKind, string>;
  /** Ends everything; its folder stays where the logs are to be read. */
  end(keepLogs: boolean): Promise<void>;
}

const roles = {
  sqlite: [
    {name: 'server', role: 'all'},
    {name: 'worker', role: 'worker'},
  ],
  postgres: [
    {name: 'api-0', role: 'api'},
    {name: 'api-1', role: 'api'},
    {name: 'worker-0', role: 'worker'},
    {name: 'worker-1', role: 'worker'},
  ],
} as const;

/** program: of the service, as Node is to be called for it. */
export async function startWorld(engine: Engine, program: string[]): Promise<World> {
  const folder = mkdtempSync(join(tmpdir(), 'ftft-chaos-'));
  const endings: (() => unknown)[] = [];
  const end = async () => {
    for (const ending of endings.splice(0).reverse()) await ending();
  };
  try {
    const world = await build(engine, program, folder, endings);
    return {
      ...world,
      async end(keepLogs) {
        await end();
        if (!keepLogs) rmSync(folder, {recursive: true, force: true, maxRetries: 5});
      },
    };
  } catch (error) {
    await end();
    throw error;
  }
}

async function build(
  engine: Engine,
  program: string[],
  folder: string,
  endings: (() => unknown)[],
): Promise<Omit<World, 'end'>> {
  const skipped: World['skipped'] = new Map();
  const faketime = findFaketime();
  if (!faketime) skipped.set('move-clock', 'needs libfaketime: apt-get install libfaketime');
  const disk = join(folder, 'disk');
  const isMounted = mount(disk, diskBytes);
  if (isMounted) endings.push(() => unmount(disk));
  const clocks = new Clocks(folder, faketime);
  const [modelDir, logFolder] = [join(folder, 'models'), join(folder, 'logs')];
  mkdirSync(logFolder);
  await writeTinyModel(join(modelDir, 'tiny'));

  const links = roles[engine].map(({role}, i) =>
    engine === 'postgres' && role === 'worker' ? openLink(i) : undefined,
  );
  for (const link of links) if (link) endings.push(() => link.close());
  const networks = links.flatMap(link => (link?.host && link.peer ? [{host: link.host, peer: link.peer}] : []));
  const environment = clocks.environment('database');
  const postgres =
    engine === 'postgres' ? await startPostgres({networks, environment}).catch(withoutPostgres) : undefined;
  if (postgres) endings.push(() => postgres.stop());
  const url = await postgres?.database();

  const members: Member[] = [];
  const linkOf = new Map<Member, Link>();
  for (const [i, {name, role}] of roles[engine].entries()) {
    const link = links[i];
    const databaseUrl = url && `${link ? await link.url(url) : url}?application_name=${name}`;
    const member = new Member({
      name,
      command: [...(link?.prefix ?? []), process.execPath, ...program],
      logFolder,
      environment: {
        ...process.env,
        ...{FTFT_GRPC_PORT: '0', FTFT_HTTP_PORT: '0', FTFT_HEALTH_PORT: '0', FTFT_OFFLINE: '1', FTFT_DEVICE: 'cpu'},
        ...{FTFT_DATA_DIR: join(disk, 'data'), FTFT_CACHE_DIR: join(disk, 'cache'), FTFT_MODEL_DIR: modelDir},
        ...{FTFT_LEASE_MS: String(leaseMs), FTFT_ROLE: role},
        ...(databaseUrl && {FTFT_DATABASE_URL: databaseUrl}),
        ...clocks.environment(name),
      },
    });
    endings.push(() => member.end());
    members.push(member);
    if (link) linkOf.set(member, link);
  }
  const byRole = (...wanted: string[]) => members.filter((_, i) => wanted.includes(roles[engine][i].role));
  const [apis, workers] = [byRole('all', 'api'), byRole('all', 'worker')];
  for (const member of members) await within(60_000, member.listening(), `${member.name} does not listen`);
  await importText(apis[0].client!, {}, tinyLines(numInstances).join('\n'));
  await importText(apis[0].client!, {split: 'ood', outOfDistribution: true}, tinyLines(24).join('\n'));
  const evidence = url ? await postgresEvidence(url) : sqliteEvidence(join(disk, 'data', 'ftft.db'));
  endings.push(() => evidence.close());
  if (!isMounted) skipped.set('fill-disk', mayNotMount);
  return {
    ...{engine, logFolder, members, apis, workers, links: linkOf, clocks, postgres, disk, evidence, skipped},
  };
}

/** Rejects when it takes longer. */
export async function within<T>(milliseconds: number, promise: Promise<T>, what: string): Promise<T> {
  const timer = new AbortController();
  const late = sleep(milliseconds, undefined, {signal: timer.signal}).then(() => {
    throw new Error(`${what} within ${milliseconds / 1000} s`);
  });
  late.catch(() => {});
  try {
    return await Promise.race([promise, late]);
  } finally {
    timer.abort();
  }
}
