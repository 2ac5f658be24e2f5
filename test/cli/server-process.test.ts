// A server as a child process: where it listens, why it does not, and that it never stays behind.
import assert from 'node:assert/strict';
import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {readFileSync} from 'node:fs';
import {test} from 'node:test';
import {startServer} from '../../src/cli/server-process.js';

const script = (text: string) => [process.execPath, '-e', text];
const listening = `console.log('{"level":"info"}'); console.log('not json'); console.log('{"event":"listening","grpc":"127.0.0.1:4711","http":"x"}');`;

test('the address is read from the line that says it, between other lines', async () => {
  const server = await startServer({}, script(`${listening} setInterval(() => {}, 1000);`));
  assert.equal(server.address, '127.0.0.1:4711');
  await server.stop();
  await server.ended;
});

test('a server that ends before it listens is one error with its last lines', async () => {
  const start = startServer({}, script(`console.error('Port 50051 is taken'); process.exitCode = 3;`));
  await assert.rejects(start, /Cannot start the server: it ended with exit code 3\n {2}Port 50051 is taken/);
});

test('stop lets the server drain; kill takes its children with it', async () => {
  const draining = await startServer(
    {},
    script(
      `process.on('SIGTERM', () => { console.log('drained'); process.exit(0); }); ${listening} setInterval(() => {}, 1000);`,
    ),
  );
  await draining.stop();
  await until(() => draining.log().includes('drained'));
  const parent = await startServer(
    {},
    script(
      `const child = require('node:child_process').spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']); console.log('child ' + child.pid); ${listening} setInterval(() => {}, 1000);`,
    ),
  );
  const pid = Number(
    parent
      .log()
      .find(line => line.startsWith('child '))!
      .slice('child '.length),
  );
  parent.kill();
  await parent.ended;
  await until(() => isDead(pid));
});

/** Gone, or dead and not yet collected. */
function isDead(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].startsWith('Z');
  } catch {
    return true;
  }
}

/** The test's own time limit is the last word. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise(resolve => setTimeout(resolve, 10));
}

test('ftft serve refuses a port that is none', async () => {
  const {fileURLToPath} = await import('node:url');
  const entry = fileURLToPath(new URL('../../scripts/ftft.mjs', import.meta.url));
  const child = spawn(process.execPath, [entry, 'serve', '--port', '99999'], {stdio: ['ignore', 'ignore', 'pipe']});
  const [code] = await once(child, 'exit');
  assert.equal(code, 2);
});
