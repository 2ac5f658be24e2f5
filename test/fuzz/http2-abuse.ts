// What a hostile peer may do below gRPC: resets, floods, headers and bodies out of all proportion. Each ends by itself.
import {once} from 'node:events';
import {type ClientHttp2Session, constants, connect as http2Connect} from 'node:http2';
import {connect, type Socket} from 'node:net';
import {setTimeout as sleep} from 'node:timers/promises';
import {gzipSync} from 'node:zlib';
import {below, type Random, randomBytes} from './mutate.js';

const path = '/ftft.v1.FtftService/GetRun';
const headers = {':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers'};
const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');

export interface Attack {
  name: string;
  /** share: of its size; 1 for all of it. */
  run(port: number, random: Random, share: number): Promise<void>;
}

export const attacks: Attack[] = [
  {
    name: 'rapid reset: 20,000 streams, each reset at once',
    run: (port, _, share) =>
      withSession(port, async session => {
        for (let i = 0; i < 20_000 * share && !session.destroyed && !session.closed; i++) {
          const stream = session.request(headers);
          stream.on('error', () => {});
          stream.close(constants.NGHTTP2_CANCEL);
          if (i % 500 === 0) await sleep(1);
        }
        await sleep(200);
      }),
  },
  {
    name: 'headers: 1,000 pairs, and one of 60 KB, and one of 1 MB',
    run: async port => {
      const pairs = Object.fromEntries(Array.from({length: 1000}, (_, i) => [`x-${i}`, 'v']));
      for (const more of [pairs, {'x-large': 'v'.repeat(60_000)}, {'x-huge': 'v'.repeat(1_000_000)}])
        await withSession(port, session => answer(session, {...headers, ...more}), {maxSendHeaderBlockLength: 2 ** 22});
    },
  },
  {
    name: 'headers that gRPC gives a meaning to, with values that have none',
    run: async (port, random) => {
      const odd = [
        ...[
          {'grpc-timeout': 'soon'},
          {'grpc-timeout': '99999999999H'},
          {'grpc-timeout': '-1S'},
          {'grpc-encoding': 'gzip'},
        ],
        ...[{'grpc-encoding': 'br'}, {'x-bin': '%%%'}, {'x-bin': randomBytes(50, random).toString('base64')}],
        ...[
          {'content-type': 'text/html'},
          {'content-type': 'application/grpc+json'},
          {':method': 'GET'},
          {':path': '/'},
        ],
        ...[
          {':path': '/%00'},
          {':path': '//'},
          {':path': `/${'a'.repeat(20_000)}`},
          {te: 'gzip'},
          {traceparent: 'x'.repeat(5000)},
        ],
        ...[{authorization: 'Bearer'}, {authorization: `Bearer ${'\u00ff'.repeat(100)}`}],
      ];
      for (const more of odd)
        await withSession(port, session => answer(session, {...headers, ...more}, framed(Buffer.alloc(0))));
    },
  },
  {
    name: 'messages whose length lies, whose flag is unknown, and a bomb of 1 GB in 1 MB',
    run: async port => {
      const bomb = gzipSync(Buffer.alloc(1 << 28), {level: 9});
      const bodies = [
        ...[
          Buffer.from([0, 0xff, 0xff, 0xff, 0xff, 1]),
          Buffer.from([0, 0, 0, 0, 9, 1]),
          Buffer.from([7, 0, 0, 0, 1, 1]),
        ],
        ...[Buffer.from([0, 0]), Buffer.concat([framed(Buffer.alloc(0)), framed(Buffer.alloc(0))]), framed(bomb, 1)],
        framed(Buffer.from('no gzip'), 1),
      ];
      for (const body of bodies)
        await withSession(port, session => answer(session, {...headers, 'grpc-encoding': 'gzip'}, body));
    },
  },
  {
    name: 'slow bodies: 900 calls whose message never ends, then a connection that says nothing',
    run: port =>
      withSession(port, async session => {
        for (let i = 0; i < 900 && !session.destroyed; i++) {
          const stream = session.request(headers);
          stream.on('error', () => {});
          stream.write(Buffer.from([0, 0, 0, 0, 9]));
        }
        await sleep(300);
      }),
  },
  {
    name: 'floods of PING, SETTINGS, PRIORITY, empty DATA and CONTINUATION without end',
    run: async (port, _, share) => {
      const frame = (type: number, flags: number, stream: number, body = Buffer.alloc(0)) => {
        const head = Buffer.alloc(9);
        head.writeUIntBE(body.length, 0, 3);
        head.writeUInt8(type, 3);
        head.writeUInt8(flags, 4);
        head.writeUInt32BE(stream, 5);
        return Buffer.concat([head, body]);
      };
      const settings = frame(4, 0, 0);
      const floods = [
        frame(6, 0, 0, Buffer.alloc(8)),
        settings,
        frame(2, 0, 3, Buffer.alloc(5)),
        frame(0, 0, 1),
        Buffer.concat([
          frame(1, 0, 1, Buffer.from([0x82])),
          ...Array.from({length: 100}, () => frame(9, 0, 1, Buffer.alloc(1000))),
        ]),
      ];
      for (const flood of floods)
        await pour(port, [
          preface,
          settings,
          ...Array.from({length: 20_000}, () => flood).slice(0, Math.ceil((4e6 * share) / flood.length)),
        ]);
    },
  },
  {
    name: 'bytes that are no HTTP/2: 200 connections of noise, with the preface and without',
    run: async (port, random, share) => {
      for (let i = 0; i < 200 * share; i++)
        await pour(port, [i % 2 === 0 ? preface : Buffer.alloc(0), randomBytes(1 + below(3000, random), random)], 20);
    },
  },
  {
    name: '300 connections at once that say nothing',
    run: async port => {
      const sockets = Array.from({length: 300}, () => connect(port, '127.0.0.1').on('error', () => {}));
      await sleep(500);
      for (const socket of sockets) socket.destroy();
    },
  },
];

function framed(message: Buffer, flag = 0): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt8(flag, 0);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

async function withSession(
  port: number,
  body: (session: ClientHttp2Session) => Promise<unknown>,
  options = {},
): Promise<void> {
  const session = http2Connect(`http://127.0.0.1:${port}`, options);
  session.on('error', () => {});
  session.on('goaway', () => {});
  try {
    await Promise.race([body(session), once(session, 'close').catch(() => {}), sleep(20_000, undefined, {ref: false})]);
  } finally {
    session.destroy();
  }
}

/** One call, however it ends. */
async function answer(session: ClientHttp2Session, head: object, body?: Buffer): Promise<void> {
  await new Promise<void>(resolve => {
    try {
      const stream = session.request({...head});
      stream.on('error', () => resolve()).on('close', () => resolve());
      stream.resume().end(body);
      setTimeout(resolve, 3000).unref();
    } catch {
      // Node itself does not send some of them.
      resolve();
    }
  });
}

/** Writes as fast as the peer takes it, and leaves when it has enough. */
async function pour(port: number, pieces: Buffer[], thenMs = 100): Promise<void> {
  const socket: Socket = connect(port, '127.0.0.1');
  socket.on('error', () => {}).resume();
  const closed = new Promise<void>(resolve => socket.once('close', () => resolve()));
  const poured = (async () => {
    for (const piece of pieces) {
      if (socket.destroyed) return;
      if (!socket.write(piece)) await Promise.race([once(socket, 'drain'), closed]);
    }
    await sleep(thenMs);
  })();
  await Promise.race([poured.catch(() => {}), closed, sleep(10_000, undefined, {ref: false})]);
  socket.destroy();
}
