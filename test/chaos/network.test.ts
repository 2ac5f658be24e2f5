import assert from 'node:assert/strict';
import {once} from 'node:events';
import {type AddressInfo, connect, createServer} from 'node:net';
import {test} from 'node:test';
import {setTimeout as sleep} from 'node:timers/promises';
import {proxyLink} from './network.js';

test('a link that is cut holds back what is said over it, old connections and new, and delivers it once mended', async t => {
  const server = createServer(socket => void socket.pipe(socket)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const link = proxyLink();
  t.after(() => {
    link.close();
    server.close();
  });
  const {port} = server.address() as AddressInfo;
  const url = new URL(await link.url(`postgresql://ftft@127.0.0.1:${port}/db`));
  assert.equal(url.pathname, '/db');
  assert.notEqual(url.port, String(port));
  const open = () => {
    const socket = connect(Number(url.port), '127.0.0.1');
    t.after(() => socket.destroy());
    let heard = '';
    socket.on('data', bytes => {
      heard += bytes;
    });
    return {say: (word: string) => socket.write(word), heard: () => heard};
  };
  const until = async (holds: () => boolean) => {
    while (!holds()) await sleep(5);
  };
  const before = open();
  before.say('a');
  await until(() => before.heard() === 'a');
  link.cut();
  const during = open();
  before.say('b');
  during.say('c');
  await sleep(100);
  assert.deepEqual([before.heard(), during.heard()], ['a', '']);
  link.mend();
  await until(() => before.heard() === 'ab' && during.heard() === 'c');
});
