// Ten rounds, five over each database, of what `npm run chaos` does at length.
import assert from 'node:assert/strict';
import {test} from 'node:test';
import {fileURLToPath} from 'node:url';
import {chaos} from './chaos.js';
import {invariants} from './invariants.js';
import {NoPostgres} from './world.js';

const rounds = [0, 1, 2, 3, 4];
const program = ['--import', 'tsx', fileURLToPath(new URL('../../src/main.ts', import.meta.url))];
/** The first round of each finds something to strike on every machine, and has runs that nobody cancels: their weights are compared. */
const chosen = {
  sqlite: {what: 'trainer, server and more are struck', seed: 18},
  postgres: {what: 'a worker is cut off, one killed and more struck', seed: 2},
} as const;

for (const [engine, {what, seed}] of Object.entries(chosen))
  test(`over ${engine}, nothing is lost or doubled while ${what}`, async t => {
    const lines: string[] = [];
    const options = {seed, program, rounds, numVariants: 1, tell: (line: string) => void lines.push(line)};
    try {
      const {findings, counts} = await chaos(engine as keyof typeof chosen, options);
      assert.deepEqual(findings.broken, [], lines.join('\n'));
      assert.equal(counts.rounds, rounds.length);
      assert.ok(counts.faults.size > 0, lines.join('\n'));
      for (const name of invariants) assert.ok(findings.checked.get(name)! > 0, name);
    } catch (error) {
      if (!(error instanceof NoPostgres)) throw error;
      t.skip(error.message);
    }
  });
