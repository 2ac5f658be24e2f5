// Logs that pandas wrote → ImportDynamics → map → export → pandas, as cartography's plotting script reads it: its columns, types and numbers.
import assert from 'node:assert/strict';
import {spawnSync} from 'node:child_process';
import {rmSync} from 'node:fs';
import {join} from 'node:path';
import {after, before, test} from 'node:test';
import {fileURLToPath} from 'node:url';
import {peerEnvironment, python} from '../../bench/peers/environment.js';
import {runJson} from '../cli/support/terminal.js';
import {type ServerProcess, startServer, temporaryFolder} from '../support/server-process.js';

const [numInstances, numEpochs] = [500, 5];
const folder = temporaryFolder();
const path = (name: string) => join(folder, name);
let server: ServerProcess;
before(async () => {
  server = await startServer(path('state'));
});
after(async () => {
  await server.stop();
  rmSync(folder, {recursive: true});
});

const ftft = (...args: string[]) => runJson(server.address, args);

async function peer(job: object) {
  const script = fileURLToPath(new URL('cartography_peer.py', import.meta.url));
  const {status, stdout, stderr} = spawnSync(python, [script], {
    input: JSON.stringify(job),
    env: await peerEnvironment(),
    encoding: 'utf8',
  });
  assert.equal(status, 0, stderr);
  return JSON.parse(stdout);
}

test("what pandas logged comes back as a map that cartography's plotting script reads, with its numbers", async () => {
  const original = path('model/training_dynamics');
  await peer({write: {folder: original, epochs: numEpochs, instances: numInstances}});
  const {run: imported} = await ftft('import-dynamics', path('model'));
  const map = await ftft('build-data-map', imported.name, '--estimator', 'population-stddev');
  await ftft('export-map', map.name, path('td_metrics.jsonl'));
  await ftft('export-dynamics', imported.name, path('exported'));
  const logs = path('exported/training_dynamics');
  const read = await peer({coordinates: path('td_metrics.jsonl'), logs});
  assert.deepEqual(read.columns, [
    'guid',
    'index',
    'threshold_closeness',
    'confidence',
    'variability',
    'correctness',
    'forgetfulness',
  ]);
  assert.deepEqual(read.types, ['int64', 'int64', 'float64', 'float64', 'float64', 'int64', 'int64']);
  assert.ok(read.hues.length > 2 && read.hues.at(-1) === '1.0', read.hues);
  assert.equal(read.wholeAreEqual, true);
  assert.ok(read.greatestDifference < 1e-6, `${read.greatestDifference}`);
  assert.deepEqual(read.sorted, read.expected);
  console.log(`largest difference of a number: ${read.greatestDifference.toExponential(1)}`);
});
