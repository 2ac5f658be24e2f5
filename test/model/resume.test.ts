// A run that stops after any step and goes on gives the very bits of one that does not stop: in this process, and in one that reads the
// state from a file.
import assert from 'node:assert/strict';
import {execFile} from 'node:child_process';
import {mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {test} from 'node:test';
import {fileURLToPath} from 'node:url';
import {promisify} from 'node:util';
import {writeSafetensors} from '../../src/data/safetensors.js';
import type {NamedTensor} from '../../src/data/types.js';
import {numSteps, resumable, trainSteps} from './resumable-run.js';
import {weightsDigest} from './weights-digest.js';

for (const precision of ['float32', 'bfloat16'] as const)
  test(`in ${precision}, a run stopped after any step and resumed gives the bits of the uninterrupted one`, async () => {
    const whole = resumable(precision);
    const states: NamedTensor[][] = [];
    for (let step = 0; step < numSteps; step++) {
      states.push(copied(whole.state()));
      await trainSteps(whole, step, step + 1);
    }
    const expected = weightsDigest(whole);
    whole.dispose();
    for (const [step, state] of states.entries()) {
      const resumed = resumable(precision);
      resumed.restore(state);
      await trainSteps(resumed, step, numSteps);
      assert.equal(weightsDigest(resumed), expected, `stopped after ${step} steps`);
      resumed.dispose();
    }

    const folder = await mkdtemp(join(tmpdir(), 'ftft-resume-'));
    try {
      const step = numSteps >> 1;
      const file = join(folder, 'state.safetensors');
      await writeSafetensors(file, states[step]);
      const program = fileURLToPath(new URL('resumable-run.ts', import.meta.url));
      const args = ['--import', 'tsx', program, precision, String(step), file];
      const {stdout} = await promisify(execFile)(process.execPath, args);
      assert.equal(
        stdout.trim().split('\n').at(-1),
        expected,
        `stopped after ${step} steps, resumed by another process`,
      );
    } finally {
      await rm(folder, {recursive: true});
    }
  });

function copied(state: NamedTensor[]): NamedTensor[] {
  return state.map(({name, shape, read}) => {
    const values = read();
    return {name, shape, read: () => values};
  });
}
