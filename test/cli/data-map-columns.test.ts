// ReadDataMap in blocks → columns → lines with the names of allenai/cartography.
import assert from 'node:assert/strict';
import {test} from 'node:test';
import {connect} from '../../src/cli/connect.js';
import {jsonLines, readColumns} from '../../src/cli/data-map-columns.js';
import {Run_Kind} from '../../src/server/gen/ftft/v1/run.js';
import {addRun, startFakeService} from './support/fake-service.js';
import {fakeMap} from './support/fake-tale.js';

test('blocks of any size become one line an instance, in order, keys as cartography names them', async () => {
  const fake = await startFakeService();
  const run = addRun(fake, 'ref', Run_Kind.KIND_REFERENCE, {});
  fake.maps.set('dataMaps/m', fakeMap('dataMaps/m', run, undefined));
  const {client, close} = connect(fake.address);
  const columns = await readColumns(client, 'dataMaps/m', new AbortController().signal);
  close();
  await fake.stop();
  assert.deepEqual(columns.isSelected, [...Array(7).fill(false), true, true, true]);
  const lines = [...jsonLines(columns)];
  assert.equal(lines.length, 10);
  assert.equal(
    lines[9],
    '{"guid":"movie-9","index":9,"threshold_closeness":0.234375,"confidence":0.625,"variability":0.28125,"correctness":4,"forgetfulness":1}\n',
  );
  assert.equal(JSON.parse(lines[0]).forgetfulness, 1000, 'right at no epoch');
  assert.equal(JSON.parse(lines[2]).forgetfulness, 0, 'right, and never forgotten');
});
