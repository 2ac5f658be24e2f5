// Every test/**/*.test.ts through Node's own runner → exit status. Arguments narrow it to paths that begin with them.
// Beyond what Node checks: no test may be skipped for want of ../shared where it lies beside the checkout, and a run that
// found fewer tests than we have fails.
import {spawnSync} from 'node:child_process';
import {chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';

/** Tests passed on a machine without ../shared; raise it with the suite. */
const minNumPassed = 400;
/** Files at once: training tests fill two cores each for a while. */
const concurrency = 2;
const timeoutMs = 300_000;

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const prefixes = process.argv.slice(2);
const files = readdirSync(join(root, 'test'), {recursive: true})
  .map(name => join('test', name))
  .filter(
    name => name.endsWith('.test.ts') && (prefixes.length === 0 || prefixes.some(prefix => name.startsWith(prefix))),
  )
  .sort();
if (files.length === 0) {
  console.error(`No test file begins with ${prefixes.join(' or ') || 'test/'}`);
  process.exit(1);
}

// Whatever the tests put into the temporary folder goes when they are through, those that were killed included. Others may pass through it:
// the tests' PostgreSQL does not run as root.
const folder = mkdtempSync(join(tmpdir(), 'ftft-tests-'));
chmodSync(folder, 0o755);
const outcomesFile = join(folder, 'outcomes.jsonl');
const {status, signal} = spawnSync(
  process.execPath,
  [
    '--import',
    'tsx',
    '--test',
    `--test-concurrency=${concurrency}`,
    `--test-timeout=${timeoutMs}`,
    '--test-reporter=spec',
    '--test-reporter-destination=stdout',
    `--test-reporter=${new URL('./test-outcomes.mjs', import.meta.url).href}`,
    `--test-reporter-destination=${outcomesFile}`,
    ...files,
  ],
  {cwd: root, stdio: 'inherit', env: {...process.env, TMPDIR: folder}},
);
const outcomes = readFileSync(outcomesFile, 'utf8')
  .split('\n')
  .filter(Boolean)
  .map(line => JSON.parse(line));
rmSync(folder, {recursive: true});

const faults = [];
if (status !== 0) faults.push(`Node's test runner ended with ${signal ?? `exit status ${status}`}`);
const numPassed = outcomes.filter(({outcome}) => outcome === 'passed').length;
if (prefixes.length === 0 && numPassed < minNumPassed) {
  faults.push(`${numPassed} tests passed, at least ${minNumPassed} are expected: were test files lost?`);
}
if (existsSync(join(root, '..', 'shared'))) {
  for (const {name, reason} of outcomes.filter(({outcome}) => outcome === 'skipped')) {
    if (/\.\.\/shared/.test(reason)) faults.push(`../shared is there, yet a test was skipped for want of it: ${name}`);
  }
}
for (const fault of faults) console.error(`run-tests: ${fault}`);
process.exit(faults.length === 0 ? 0 : 1);
