// Python's transformers as the judge: the demo's texts and a model folder that we trained and saved in, the same ids and logits out.
process.env.TF_CPP_MIN_LOG_LEVEL ??= '2';

import assert from 'node:assert/strict';
import {spawnSync} from 'node:child_process';
import {mkdtempSync, readFileSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, before, test} from 'node:test';
import {fileURLToPath} from 'node:url';
import {peerEnvironment, python} from '../../bench/peers/environment.js';
import {readConfig} from '../../src/config.js';
import {padBatch} from '../../src/data/batches.js';
import {saveModelFolder} from '../../src/data/checkpoint.js';
import {loadTokenizer} from '../../src/data/tokenizer.js';
import type {Tokenizer} from '../../src/data/types.js';
import {loadClassifier} from '../../src/pipeline/load-classifier.js';
import {tokenize} from '../../src/pipeline/tokenize.js';

const maxLength = 300;
const classNames = ['negative', 'positive'];
const script = fileURLToPath(new URL('transformers_peer.py', import.meta.url));
const {cacheDir, modelDir} = readConfig(process.env);
const modelFolder = join(modelDir, 'minilm-l6');
const rows: {text: string; label: string}[] = readFileSync(join(cacheDir, 'demo-data', 'train.jsonl'), 'utf8')
  .split('\n')
  .filter(line => line !== '')
  .map(line => JSON.parse(line));

let environment: NodeJS.ProcessEnv;
let tokenizer: Tokenizer;
let folder: string;
before(async () => {
  environment = await peerEnvironment();
  tokenizer = await loadTokenizer(modelFolder);
  folder = mkdtempSync(join(tmpdir(), 'ftft-peers-'));
});
after(() => rmSync(folder, {recursive: true, force: true}));

function transformers<Answer>(mode: 'ids' | 'logits', model: string, texts: string[]): Answer {
  const {status, stdout, stderr} = spawnSync(python, [script, mode, model, String(maxLength)], {
    env: environment,
    input: JSON.stringify(texts),
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  assert.equal(status, 0, `${python} failed: ${stderr}`);
  return JSON.parse(stdout);
}

test('every training text of the demo has the token ids that transformers gives it', () => {
  assert.equal(rows.length, 8000);
  const texts = rows.map(row => row.text);
  const {ids} = transformers<{ids: number[][]}>('ids', modelFolder, texts);
  for (const [i, text] of texts.entries())
    assert.deepEqual(tokenizer.encode(text, undefined, maxLength).ids, ids[i], `row ${i}: ${text}`);
});

for (const layers of [undefined, 3])
  test(`a model of ${layers ?? 'all'} layers, fine-tuned and saved, gives in transformers the logits that it gives here`, async () => {
    const examples = rows
      .slice(0, 32)
      .map(({text, label}, i) => ({uid: String(i), text, label: classNames.indexOf(label)}));
    const dataset = tokenize(examples, tokenizer, {maxLength, numClasses: 2});
    const classifier = await loadClassifier(modelFolder, {layers, classNames, seed: 3, weightDecay: 0});
    const saved = join(folder, `model-${layers ?? 'all'}`);
    const ours: Float32Array[] = [];
    try {
      const trained = padBatch(
        dataset,
        Int32Array.from({length: 16}, (_, i) => 16 + i),
      );
      for (let step = 0; step < 3; step++) await classifier.trainStep(trained, {step, learningRate: 5e-5});
      await saveModelFolder(saved, {
        config: classifier.config(),
        tensors: classifier.weights(),
        tokenizerFolder: modelFolder,
      });
      for (let i = 0; i < 16; i++) ours.push(await classifier.predict(padBatch(dataset, Int32Array.of(i))));
    } finally {
      classifier.dispose();
    }
    const texts = examples.slice(0, 16).map(({text}) => text);
    const peer = transformers<{logits: number[][]; labels: Record<string, string>}>('logits', saved, texts);
    assert.deepEqual(peer.labels, {0: 'negative', 1: 'positive'});
    for (const [i, logits] of peer.logits.entries())
      for (const [c, logit] of logits.entries())
        assert.ok(Math.abs(ours[i][c] - logit) <= 1e-4, `text ${i}, class ${c}: ${ours[i][c]} here, ${logit} there`);
  });
