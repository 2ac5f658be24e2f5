// A real server with one small data set, two finished runs and a map, and callers of every role: what there is to fuzz.
import {readFileSync, rmSync} from 'node:fs';
import {join} from 'node:path';
import {createChannel, createClientFactory, Metadata} from 'nice-grpc';
import {DynamicsFormat, ImportDynamicsRequest} from '../../src/server/gen/ftft/v1/dynamics.js';
import {type FtftServiceClient, FtftServiceDefinition} from '../../src/server/gen/ftft/v1/ftft_service.js';
import {Run_State} from '../../src/server/gen/ftft/v1/run.js';
import {roleTokens} from '../server/access/secure-client.js';
import {importText} from '../support/import-text.js';
import {type ServerProcess, startServer, temporaryFolder} from '../support/server-process.js';
import {waitForEnd} from '../support/small-run.js';
import {tinyLines, writeTinyModel} from '../support/tiny-model.js';

export interface World {
  server: ServerProcess;
  admin: FtftServiceClient;
  tokens: Record<'viewer' | 'trainer' | 'admin', string>;
  /** Below it lies all that the server has; no answer may tell it. */
  folder: string;
  /** Of runs/ref, after each of its events. */
  resumeTokens: string[];
  /** Resident memory of the server, MiB. */
  residentMiB(): number;
  stop(): Promise<void>;
}

const spec = {
  ...{dataset: 'datasets/pets', model: 'local:tiny', maxLength: 16, epochs: 2, batchSize: 8, learningRate: 1e-3},
};

/** Dynamics of a run that a call may delete. */
async function* doomed(runId: string) {
  const header = {runId, model: 'm', format: DynamicsFormat.DYNAMICS_FORMAT_P_TRUE_CSV};
  yield ImportDynamicsRequest.fromPartial({part: {$case: 'header', value: header}});
  const value = Buffer.from('guid,epoch,p_true,correct\na,0,0.5,1\na,1,0.25,0\n');
  yield ImportDynamicsRequest.fromPartial({part: {$case: 'table', value}});
}

export async function startWorld(): Promise<World> {
  const folder = temporaryFolder();
  await writeTinyModel(join(folder, 'models', 'tiny'));
  const {tokens, file} = roleTokens();
  const server = await startServer(join(folder, 'data'), {
    ...{FTFT_MODEL_DIR: join(folder, 'models'), FTFT_CACHE_DIR: join(folder, 'cache'), FTFT_AUTH_FILE: file},
    ...{FTFT_MAX_CALLS_PER_SECOND: '1000000', FTFT_MAX_OPEN_CALLS: '100000', FTFT_MAX_PENDING_RUNS: '5'},
    // A leak ends the process long before it fills the machine.
    NODE_OPTIONS: '--max-old-space-size=256',
  });
  const channel = createChannel(server.address);
  const metadata = Metadata({authorization: `Bearer ${tokens.admin}`});
  const admin = createClientFactory().create(FtftServiceDefinition, channel, {'*': {metadata}});
  await importText(admin, {}, tinyLines(24).join('\n'));
  await importText(admin, {split: 'ood', outOfDistribution: true}, tinyLines(24).join('\n'));
  for (const runId of ['ref', 'other']) {
    await admin.trainReference({runId, spec});
    const run = await waitForEnd(admin, `runs/${runId}`);
    if (run.state !== Run_State.STATE_SUCCEEDED) throw new Error(`runs/${runId} failed: ${run.error?.message}`);
  }
  await admin.buildDataMap({
    dataMapId: 'map',
    run: 'runs/ref',
    selection: {criterion: undefined, fraction: 0.5, rule: 2},
  });
  for (let i = 0; i < 20; i++) await admin.importDynamics(doomed(`doomed-${i}`));
  const resumeTokens: string[] = [];
  for await (const {resumeToken} of admin.streamDynamics({name: 'runs/ref'})) resumeTokens.push(resumeToken);
  return {
    ...{server, admin, tokens, folder, resumeTokens},
    residentMiB() {
      const status = readFileSync(`/proc/${server.child.pid}/status`, 'utf8');
      return Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]) / 1024;
    },
    async stop() {
      channel.close();
      await server.stop();
      rmSync(folder, {recursive: true, force: true, maxRetries: 3});
    },
  };
}
