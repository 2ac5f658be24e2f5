// ftft import-known without a folder: a hub on this machine that has the Parquet files of each data set → its splits.
import assert from 'node:assert/strict';
import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, before, test} from 'node:test';
import {parquetWriteBuffer} from 'hyparquet-writer';
import {startFakeDatasetHub} from './support/fake-dataset-hub.js';
import {type FakeService, startFakeService} from './support/fake-service.js';
import {importedSplits} from './support/imported-splits.js';
import {run} from './support/terminal.js';

let fake: FakeService;
before(async () => {
  fake = await startFakeService();
});
after(() => fake.stop());

const parquet = (columns: Record<string, string[] | bigint[] | number[]>) =>
  new Uint8Array(
    parquetWriteBuffer({
      columnData: Object.entries(columns).map(([name, data]) => ({
        name,
        data,
        type:
          typeof data[0] === 'string'
            ? ('STRING' as const)
            : typeof data[0] === 'bigint'
              ? ('INT64' as const)
              : ('INT32' as const),
      })),
    }),
  );

test('without a folder the files come from the hub', async t => {
  const cache = mkdtempSync(join(tmpdir(), 'ftft-hub-'));
  t.after(() => rmSync(cache, {recursive: true}));
  process.env.HF_HUB_CACHE = cache;
  t.after(() => delete process.env.HF_HUB_CACHE);
  const nli = (pairs: string[][]) =>
    parquet({
      uid: pairs.map((_, i) => `u${i}`),
      premise: pairs.map(([premise]) => premise),
      hypothesis: pairs.map(([, hypothesis]) => hypothesis),
      label: pairs.map((_, i) => BigInt(i % 3)),
    });
  const hate = (texts: string[]) =>
    parquet({
      'acl.id': texts.map((_, i) => `acl${i}`),
      text: texts,
      label: texts.map((_, i) => BigInt(i % 2)),
      level: texts.map((_, i) => (i < 2 ? 'original' : 'perturbation')),
      'round.base': texts.map(() => 2),
    });
  const hubs: Record<
    string,
    {repository: string; revision: string; files: Record<string, Uint8Array>; splits: string[]}
  > = {
    mnli: {
      repository: 'nyu-mll/multi_nli',
      revision: 'main',
      files: {
        'data/train-00000-of-00001.parquet': nli([['a', 'b']]),
        'data/validation_matched-00000-of-00001.parquet': nli([['c', 'd']]),
        'data/validation_mismatched-00000-of-00001.parquet': nli([['e', 'f']]),
      },
      splits: ['train', 'dev', 'dev_mismatched'],
    },
    anli: {
      repository: 'facebook/anli',
      revision: 'main',
      files: {
        'plain_text/dev_r1-00000-of-00001.parquet': nli([['a', 'b']]),
        'plain_text/test_r3-00000-of-00001.parquet': nli([['c', 'd']]),
        'plain_text/train_r1-00000-of-00001.parquet': nli([['e', 'f']]),
      },
      splits: ['anli_r1_dev', 'anli_r3_test'],
    },
    dynahate: {
      repository: 'aps/dynahate',
      revision: 'refs/convert/parquet',
      files: {
        '0.2.2/validation/0000.parquet': hate(['a', 'b', 'c', 'd']),
        '0.2.3/validation/0000.parquet': hate(['not this version']),
      },
      splits: ['dynahate_r2_original_dev', 'dynahate_r2_perturbation_dev'],
    },
  };
  for (const [name, {repository, revision, files, splits}] of Object.entries(hubs)) {
    fake.imports.length = 0;
    const hub = await startFakeDatasetHub(t, repository, revision, files);
    const args = ['import-known', name, ...(name === 'dynahate' ? ['--splits', splits.join()] : [])];
    const {exitCode, err} = await run(fake.address, args, {env: {HF_ENDPOINT: hub.url}});
    assert.equal(exitCode, 0, err);
    const found = await importedSplits(fake);
    assert.deepEqual(
      found.map(({split}) => split),
      splits,
    );
    assert.deepEqual(
      found
        .at(-1)!
        .examples.map(({uid, text, textPair, label}) =>
          [uid, text, textPair, label].filter(value => value !== undefined),
        ),
      {
        mnli: [['0', 'e', 'f', 0]],
        anli: [['u0', 'c', 'd', 0]],
        dynahate: [
          ['acl2', 'c', 0],
          ['acl3', 'd', 1],
        ],
      }[name],
    );
  }
});
