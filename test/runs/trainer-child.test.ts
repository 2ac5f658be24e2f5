// What a trainer writes to standard error reaches the server's, but for TensorFlow's words about itself.
import assert from 'node:assert/strict';
import {spawnSync} from 'node:child_process';
import {writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {test} from 'node:test';
import {withFolder} from '../support/server-process.js';

test('a trainer that cannot start says why on standard error, without the notices of every start', () =>
  withFolder(async folder => {
    const entry = join(folder, 'entry.mjs');
    const lines = [
      'WARNING: All log messages before absl::InitializeLog() is called are written to STDERR',
      'I0000 00:00:1.2 3 port.cc:153] oneDNN custom operations are on. You may see slightly different results',
      'the cause of the failure',
    ];
    writeFileSync(entry, `console.error(${JSON.stringify(lines.join('\n'))}); process.exit(3);`);
    const parent = join(folder, 'parent.mjs');
    const childModule = new URL('../../src/runs/trainer-child.ts', import.meta.url).href;
    writeFileSync(
      parent,
      `const {TrainerChild} = await import(${JSON.stringify(childModule)});
       console.log(await new TrainerChild(${JSON.stringify(entry)}, {}, () => {}).ended);`,
    );
    const tsx = import.meta.resolve('tsx');
    const {stdout, stderr} = spawnSync(process.execPath, ['--import', tsx, parent], {encoding: 'utf8'});
    assert.equal(stdout.trim(), 'it exited with code 3');
    assert.equal(stderr.trim(), 'the cause of the failure');
  }));

test('a process without a file to spare hears that its trainer could not be started, and lives on', () =>
  withFolder(async folder => {
    const parent = join(folder, 'parent.mjs');
    const childModule = new URL('../../src/runs/trainer-child.ts', import.meta.url).href;
    writeFileSync(
      parent,
      `import {openSync, writeSync} from 'node:fs';
       const {TrainerChild} = await import(${JSON.stringify(childModule)});
       try { while (true) openSync('/dev/null'); } catch {}
       writeSync(1, await new TrainerChild('entry.mjs', {}, () => {}).ended);`,
    );
    const command = [process.execPath, '--import', import.meta.resolve('tsx'), parent];
    const {status, stdout} = spawnSync('sh', ['-c', 'ulimit -n 128; exec "$@"', 'sh', ...command], {encoding: 'utf8'});
    assert.match(stdout, /^it could not be started: .*EMFILE/);
    assert.equal(status, 0);
  }));
