// Checks against Python's transformers: makes its environment at first use (several GB, kept in the cache), then runs test/peers/.
// Called by `npm run test:peers` after set-up; no part of `npm test`.
import {spawnSync} from 'node:child_process';
import {readdirSync} from 'node:fs';
import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const folder = join('test', 'peers');
// Not *.test.ts: what needs PyTorch is not for everybody's test run.
const checks = readdirSync(join(root, folder))
  .filter(name => name.endsWith('.peer.ts'))
  .map(name => join(folder, name));

function node(args) {
  const {status} = spawnSync(process.execPath, ['--import', 'tsx', ...args], {cwd: root, stdio: 'inherit'});
  if (status !== 0) process.exit(status ?? 1);
}

node([join('bench', 'peers', 'environment.ts')]);
node(['--test', '--test-reporter=spec', ...checks]);
