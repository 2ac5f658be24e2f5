// A few rounds of what `npm run chaos` does at length.
import assert from 'node:assert/strict';
import {test} from 'node:test';
import {fileURLToPath} from 'node:url';
import {chaos} from './chaos.js';
import {invariants} from './invariants.js';

const program = ['--import', 'tsx', fileURLToPath(new URL('../../src/main.ts', import.meta.url))];
/** Rounds in which processes die: full disks and paused servers have tests of their own. */
const chosen = {sqlite: {seed: 3, rounds: [0]}} as const;

for (const [engine, {seed, rounds}] of Object.entries(chosen))
  test(`nothing is lost or doubled while processes are killed, over ${engine}`, async () => {
    const lines: string[] = [];
    const options = {seed, program, rounds: [...rounds], numVariants: 1, tell: (line: string) => void lines.push(line)};
    const {findings, counts} = await chaos(engine as keyof typeof chosen, options);
    assert.deepEqual(findings.broken, [], lines.join('\n'));
    assert.equal(counts.rounds, rounds.length);
    assert.ok(counts.faults.size > 0);
    for (const name of invariants) assert.ok(findings.checked.get(name)! > 0, name);
  });
