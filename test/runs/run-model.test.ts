import assert from 'node:assert/strict';
import {mkdir, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import {test} from 'node:test';
import {runModel} from '../../src/runs/run-model.js';
import type {StoredRun} from '../../src/runs/store.js';
import {writeTinyModel} from '../support/tiny-model.js';
import {temporaryFolder} from './support/open-runs.js';

const commit = 'a'.repeat(40);
const stored = (model: string, modelFolder: string) => ({run: {spec: {model}}, work: {modelFolder}}) as StoredRun;
const options = (modelDir: string) => ({modelDir, isOffline: true});

test('a model that was accepted on another machine is found here by its name, or in the hub at the commit that was accepted', async t => {
  const modelDir = await temporaryFolder(t);
  const here = join(modelDir, 'tiny');
  await mkdir(here, {recursive: true});
  await writeFile(join(here, 'config.json'), '{}');
  assert.equal(await runModel(stored('local:other', here), options(modelDir)), here, 'where it is there, that is it');
  assert.equal(await runModel(stored('local:tiny', '/elsewhere/models/tiny'), options(modelDir)), here);
  const snapshot = `/elsewhere/hub/models--someone--a-model/snapshots/${commit}`;
  const cacheDir = join(modelDir, 'hub');
  const kept = join(cacheDir, 'models--someone--a-model', 'snapshots', commit);
  await writeTinyModel(kept);
  const found = await runModel(stored('someone/a-model@branch', snapshot), {...options(modelDir), cacheDir});
  assert.equal(found, kept, 'the commit, though nobody knows where the branch is by now');
  await assert.rejects(
    runModel(stored('someone/a-model', snapshot), options(modelDir)),
    /someone\/a-model.* it is not in the cache/,
  );
});
