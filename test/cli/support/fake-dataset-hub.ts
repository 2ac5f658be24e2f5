// A hub on loopback with one data set: the routes that @huggingface/hub asks, a log of requests and switches for faults.
import {createHash} from 'node:crypto';
import {createServer} from 'node:http';
import type {AddressInfo} from 'node:net';
import type {TestContext} from 'node:test';

export const commit = '0123456789abcdef0123456789abcdef01234567';

export interface FakeDatasetHub {
  url: string;
  requests: string[];
  fault: number | 'damaged' | 'cut' | 'longer' | 'escape' | undefined;
}

/** Files by path; those over 500 bytes as large-file storage has them. */
export async function startFakeDatasetHub(
  t: TestContext,
  name: string,
  revision: string,
  files: Record<string, Uint8Array | string>,
): Promise<FakeDatasetHub> {
  const contents = new Map(Object.entries(files).map(([path, content]) => [path, Buffer.from(content)]));
  const hex = (algorithm: string, ...parts: (string | Buffer)[]) =>
    parts.reduce((hash, part) => hash.update(part), createHash(algorithm)).digest('hex');
  const hub: FakeDatasetHub = {url: '', requests: [], fault: undefined};
  const server = createServer((request, response) => {
    const pathname = decodeURIComponent(new URL(request.url ?? '', 'http://hub').pathname);
    hub.requests.push(`${request.method} ${pathname}`);
    const json = (status: number, value: unknown) =>
      response.writeHead(status, {'content-type': 'application/json'}).end(JSON.stringify(value));
    if (typeof hub.fault === 'number') return json(hub.fault, {error: 'no'});
    if (pathname === `/api/datasets/${name}/revision/${revision}`) return json(200, {_id: '1', id: name, sha: commit});
    if (pathname === `/api/datasets/${name}/tree/${commit}`)
      return json(
        200,
        [...contents].map(([path, bytes]) => ({
          type: 'file',
          path: hub.fault === 'escape' ? `../../${path}` : path,
          size: bytes.length,
          oid: hex('sha1', `blob ${bytes.length}\0`, bytes),
          ...(bytes.length > 500 && {lfs: {oid: hex('sha256', bytes), size: bytes.length, pointerSize: 100}}),
        })),
      );
    const bytes = contents.get(pathname.replace(`/datasets/${name}/resolve/${commit}/`, ''));
    if (!bytes) return json(404, {error: 'Repository not found'});
    const sent = hub.fault === 'longer' ? Buffer.concat([bytes, Buffer.from('x')]) : Buffer.from(bytes);
    if (hub.fault === 'damaged') sent[0] ^= 1;
    const headers = {etag: '"x"', 'content-type': 'application/octet-stream'};
    const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? [];
    if (first !== undefined) {
      response.writeHead(206, {...headers, 'content-range': `bytes ${first}-${last}/${sent.length}`});
      return response.end(sent.subarray(Number(first), Number(last) + 1));
    }
    response.writeHead(200, {...headers, 'content-length': sent.length});
    if (hub.fault !== 'cut') return response.end(sent);
    response.write(sent.subarray(0, sent.length / 2), () => setTimeout(() => response.destroy(), 20));
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  hub.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return hub;
}
