// A proxy before an HTTP service that lets some requests down: refused, never answered, or broken off within their answer.
import {once} from 'node:events';
import {createServer, type IncomingMessage, request} from 'node:http';
import type {TestContext} from 'node:test';

export type Fault = 'refused' | 'unanswered' | 'stalled' | 'broken off' | undefined;

/** faultOf: what is to become of a request. Answers are stalled or broken off after their first bytes. */
export async function startFaultyProxy(
  t: TestContext,
  target: string,
  faultOf: (request: IncomingMessage) => Fault,
): Promise<string> {
  const {hostname, port} = new URL(target);
  const server = createServer((incoming, answer) => {
    const fault = faultOf(incoming);
    if (fault === 'unanswered') return;
    if (fault === 'refused') {
      incoming.resume();
      answer.writeHead(503).end();
      return;
    }
    const {method, url: path, headers} = incoming;
    const onward = request({hostname, port, method, path, headers}, found => {
      answer.writeHead(found.statusCode!, found.headers);
      if (fault === undefined) return found.pipe(answer);
      found.once('data', (bytes: Buffer) => {
        answer.write(bytes.subarray(0, 10));
        found.pause();
        if (fault === 'broken off') setTimeout(() => answer.destroy(), 20);
      });
      return;
    });
    onward.on('error', () => answer.destroy());
    incoming.pipe(onward);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return `http://127.0.0.1:${address.port}`;
}
