// A hub on loopback: one repository, served by the routes that @huggingface/hub asks, with a log of requests and switches for faults.
import {createHash} from 'node:crypto';
import {readdirSync, readFileSync} from 'node:fs';
import {createServer} from 'node:http';
import type {AddressInfo} from 'node:net';
import {join} from 'node:path';
import type {TestContext} from 'node:test';

export const commit = '0123456789abcdef0123456789abcdef01234567';
export const repository = 'owner/tiny-bert';

export interface FakeHub {
  url: string;
  requests: string[];
  /** Set to the status that all requests get, or to what goes wrong with file contents. */
  fault: number | 'damaged' | 'cut' | undefined;
  close(): void;
}

/** Serves the files of a folder; those over 1,000 bytes as large-file storage does. */
export async function startFakeHub(t: TestContext, folder: string): Promise<FakeHub> {
  const files = new Map(readdirSync(folder).map(name => [name, readFileSync(join(folder, name))]));
  const digest = (algorithm: string, ...parts: (string | Buffer)[]) =>
    parts.reduce((hash, part) => hash.update(part), createHash(algorithm)).digest('hex');
  const describe = (path: string, bytes: Buffer) => ({
    type: 'file',
    path,
    size: bytes.length,
    oid: digest('sha1', `blob ${bytes.length}\0`, bytes),
    ...(bytes.length > 1000 && {lfs: {oid: digest('sha256', bytes), size: bytes.length}}),
  });
  const server = createServer(async (request, response) => {
    const {pathname} = new URL(request.url ?? '', 'http://hub');
    hub.requests.push(`${request.method} ${pathname}`);
    const json = (status: number, value: unknown) =>
      response.writeHead(status, {'content-type': 'application/json'}).end(JSON.stringify(value));
    if (typeof hub.fault === 'number') return json(hub.fault, {error: 'no'});
    if (new RegExp(`^/api/models/${repository}/revision/(main|v1|${commit})$`).test(pathname))
      return json(200, {
        _id: '1',
        id: repository,
        sha: commit,
        siblings: [...files.keys()].map(rfilename => ({rfilename})),
      });
    if (pathname === `/api/models/${repository}/paths-info/${commit}`) {
      let body = '';
      for await (const chunk of request) body += chunk;
      const {paths} = JSON.parse(body) as {paths: string[]};
      return json(
        200,
        paths.map(path => describe(path, files.get(path)!)),
      );
    }
    const bytes = files.get(pathname.replace(`/${repository}/resolve/${commit}/`, ''));
    if (!bytes) return json(404, {error: 'Repository not found'});
    const headers = {etag: '"x"', 'content-type': 'application/octet-stream'};
    if (request.headers.range === 'bytes=0-0')
      return response
        .writeHead(206, {...headers, 'content-range': `bytes 0-0/${bytes.length}`})
        .end(bytes.subarray(0, 1));
    const sent = Buffer.from(bytes);
    if (hub.fault === 'damaged') sent[sent.length - 1] ^= 1;
    response.writeHead(200, {...headers, 'content-length': sent.length});
    if (hub.fault !== 'cut') return response.end(sent);
    response.write(sent.subarray(0, sent.length / 2), () => response.destroy());
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const close = () => {
    server.close();
    server.closeAllConnections();
  };
  t.after(close);
  const hub: FakeHub = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests: [],
    fault: undefined,
    close,
  };
  return hub;
}
