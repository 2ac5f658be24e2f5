// Environment → configuration, and what is refused.
import assert from 'node:assert/strict';
import {test} from 'node:test';
import {readConfig} from '../src/config.js';

test('thresholds of diagnostics are set one by one, and are shares', () => {
  assert.deepEqual(readConfig({}).thresholds, {});
  const env = {FTFT_VERDICT_OVERLAP: '0.5', FTFT_VERDICT_ACCURACY: '0', FTFT_WARN_EPOCH_GAIN: ''};
  assert.deepEqual(readConfig(env).thresholds, {overlapExcess: 0.5, accuracySkill: 0});
  const others = {FTFT_WARN_EPOCH_GAIN: '0.1', FTFT_WARN_LABEL_SHIFT: '1', FTFT_WARN_NEVER_LEARNED: '0.2'};
  assert.deepEqual(readConfig(others).thresholds, {lastEpochGain: 0.1, labelShift: 1, neverLearned: 0.2});
  for (const value of ['1.5', '-0.1', 'half', 'NaN'])
    assert.throws(() => readConfig({FTFT_WARN_LABEL_SHIFT: value}), {
      code: 'INVALID_ARGUMENT',
      message: `Cannot read FTFT_WARN_LABEL_SHIFT: it must be a number from 0 to 1, current value is ${value}`,
    });
});

test('the bucket of artefacts is an s3: URL; a service of one’s own is spoken to by path, AWS by host', () => {
  const bucketOf = (env: NodeJS.ProcessEnv) => readConfig(env).bucket;
  assert.equal(bucketOf({}), undefined);
  assert.equal(bucketOf({FTFT_ARTIFACTS_URL: ''}), undefined);
  assert.deepEqual(bucketOf({FTFT_ARTIFACTS_URL: 's3://team/ftft/prod/', AWS_REGION: 'eu-west-1'}), {
    ...{bucket: 'team', prefix: 'ftft/prod/', isPathStyle: false, region: 'eu-west-1'},
  });
  const own = {FTFT_ARTIFACTS_URL: 's3://team', AWS_ENDPOINT_URL_S3: 'http://127.0.0.1:9000'};
  assert.deepEqual(bucketOf(own), {bucket: 'team', prefix: '', isPathStyle: true, region: 'us-east-1'});
  assert.equal(bucketOf({...own, FTFT_S3_ADDRESSING: 'virtual'})?.isPathStyle, false);
  for (const value of ['team', 'http://team', 's3://', 's3://T', 's3://team?x=1'])
    assert.throws(() => bucketOf({FTFT_ARTIFACTS_URL: value}), {
      code: 'INVALID_ARGUMENT',
      message: `Cannot read FTFT_ARTIFACTS_URL: it must be of the form s3://bucket/prefix, current value is ${value}`,
    });
});

test('a process that trains has one trainer for each accelerator, and one that takes calls alone has none', () => {
  const devices = (env: NodeJS.ProcessEnv) => readConfig({FTFT_DEVICE: 'gpu', ...env}).accelerators;
  const seen = (env: NodeJS.ProcessEnv) => devices(env).map(({CUDA_VISIBLE_DEVICES}) => CUDA_VISIBLE_DEVICES);
  assert.deepEqual(seen({CUDA_VISIBLE_DEVICES: '2, 3'}), ['2', '3']);
  assert.deepEqual(seen({CUDA_VISIBLE_DEVICES: '2,3', FTFT_ACCELERATORS: '3'}), ['3']);
  assert.equal(devices({FTFT_DEVICE: 'cpu', FTFT_ACCELERATORS: '0,1'}).length, 1);
  assert.deepEqual(devices({FTFT_ROLE: 'api', FTFT_ACCELERATORS: '0,1'}), []);
});

test('what expires is said in days, and a worker leaves it to servers', () => {
  const env = {FTFT_RETAIN_RUNS_DAYS: '30', FTFT_RETAIN_MODELS_DAYS: '0'};
  const day = 24 * 3_600_000;
  assert.deepEqual(readConfig(env).retention, {runsMs: 30 * day, dynamicsMs: undefined, modelsMs: undefined});
  assert.equal(readConfig({...env, FTFT_ROLE: 'worker'}).retention, undefined);
  assert.throws(() => readConfig({FTFT_RETAIN_RUNS_DAYS: 'long'}), /FTFT_RETAIN_RUNS_DAYS: it must be a whole number/);
});

test('trainers are told no secret of their parent', () => {
  const secrets = {
    FTFT_DATABASE_URL: 'postgresql://u:p@h/d',
    HF_TOKEN: 'a',
    AWS_SECRET_ACCESS_KEY: 'b',
    PGPASSWORD: 'e',
  };
  const others = {FTFT_TOKEN: 'f', OTEL_EXPORTER_OTLP_HEADERS: 'g', OTEL_EXPORTER_OTLP_TRACES_HEADERS: 'h'};
  const env = {...secrets, ...others, FTFT_HF_TOKEN: 'c', AWS_SESSION_TOKEN: 'd', PATH: '/bin', FTFT_DEVICE: 'cpu'};
  assert.deepEqual(readConfig(env).accelerators, [{PATH: '/bin', FTFT_DEVICE: 'cpu'}]);
});

test('thresholds of warnings are set one by one, and are shares', () => {
  assert.deepEqual(readConfig({FTFT_WARN_LOSS_DROP: ''}).warningThresholds, {});
  const env = {FTFT_WARN_OOD_GAP: '0.02', FTFT_WARN_LOSS_DROP: '0.5'};
  assert.deepEqual(readConfig(env).warningThresholds, {outOfDistributionGap: 0.02, lossDrop: 0.5});
  assert.throws(
    () => readConfig({FTFT_WARN_OOD_GAP: '5'}),
    /Cannot read FTFT_WARN_OOD_GAP: it must be a number from 0 to 1/,
  );
});
