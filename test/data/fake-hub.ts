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
  /** First bytes that were asked for, of files fetched from elsewhere than the start. */
  rangeStarts: number[];
  /** Set to the status that all requests get, or to what goes wrong with file contents: cut is half of what was asked for. */
  fault: number | 'damaged' | 'cut' | 'cut once' | 'no ranges' | 'gated' | undefined;
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
    if (hub.fault === 'gated') return json(403, {error: `Access to model ${repository} is restricted`});
    const headers = {etag: '"x"', 'content-type': 'application/octet-stream'};
    const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? [];
    const start = Number(first ?? 0);
    if (start > 0) hub.rangeStarts.push(start);
    const isRange = first !== undefined && (hub.fault !== 'no ranges' || last === '0');
    const sent = Buffer.from(isRange ? bytes.subarray(start, Number(last) + 1) : bytes);
    if (hub.fault === 'damaged') sent[sent.length - 1] ^= 1;
    if (isRange) response.writeHead(206, {...headers, 'content-range': `bytes ${first}-${last}/${bytes.length}`});
    else response.writeHead(200, {...headers, 'content-length': sent.length});
    if (last === '0' || !hub.fault?.toString().startsWith('cut')) return response.end(sent);
    if (hub.fault === 'cut once') hub.fault = undefined;
    response.write(sent.subarray(0, sent.length / 2), () => setTimeout(() => response.destroy(), 20));
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
    rangeStarts: [],
    fault: undefined,
    close,
  };
  return hub;
}
