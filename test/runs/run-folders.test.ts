// What becomes of a run's folder when two attempts meet in it.
import assert from 'node:assert/strict';
import {mkdirSync, readFileSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {test} from 'node:test';
import {RunFolders} from '../../src/runs/run-folders.js';
import {temporaryFolder} from './support/open-runs.js';

test('an attempt that slept while a later one ended the run does not take away its model', async t => {
  const files = new RunFolders(await temporaryFolder(t));
  const trained = (attempt: number) => {
    const folder = join(files.folder('uid'), `model-attempt-${attempt}`);
    mkdirSync(folder, {recursive: true});
    writeFileSync(join(folder, 'weights'), `of ${attempt}`);
    return folder;
  };
  const [first, second] = [trained(1), trained(2)];
  await files.keepModel('uid', second);
  await files.removeLeftovers({uid: 'uid'});
  await assert.rejects(files.keepModel('uid', first), {code: 'ENOENT'});
  assert.equal(readFileSync(join(files.folder('uid'), 'model', 'weights'), 'utf8'), 'of 2');
});
