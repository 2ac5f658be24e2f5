// Go modules, pinned by go.sum → the S3 server of the tests, in the cache. Where there is no Go the tests that need it are skipped.
import {createHash} from 'node:crypto';
import {existsSync, mkdirSync, readdirSync, readFileSync} from 'node:fs';
import {join} from 'node:path';
import {firstLine, remove, run} from './command.mjs';
import {isWhole, replaceFolder} from './fetch.mjs';

const sources = root => join(root, 'scripts', 'setup', 's3-server');
const folderOf = cache => join(cache, 's3-server');

function stampOf(root) {
  const digest = createHash('sha256');
  for (const name of readdirSync(sources(root)).sort()) digest.update(readFileSync(join(sources(root), name)));
  return digest.digest('hex');
}

/** True too where it cannot be built. */
export const isS3ServerBuilt = (root, cache) =>
  isWhole(folderOf(cache), stampOf(root)) || firstLine('go', ['version']) === undefined;

/** Without optimizations, which take half the time. What Go fetches and compiles lies in the cache and goes when it is done. */
export async function buildS3Server(root, cache, isOffline) {
  const work = join(cache, 's3-server.work');
  const env = {
    ...process.env,
    GOFLAGS: '-modcacherw -mod=readonly -buildvcs=false',
    GOTOOLCHAIN: 'local',
    GOMODCACHE: join(work, 'modules'),
    GOCACHE: join(work, 'objects'),
    CGO_ENABLED: '0',
    ...(isOffline && {GOPROXY: 'off'}),
  };
  remove(work);
  mkdirSync(work, {recursive: true});
  try {
    await replaceFolder(folderOf(cache), stampOf(root), partial =>
      run(
        'Building the S3 server of the tests',
        'go',
        ['build', '-trimpath', '-gcflags=all=-N -l', '-o', join(partial, 's3-server'), '.'],
        {cwd: sources(root), env},
      ),
    );
  } finally {
    if (existsSync(work)) remove(work);
  }
  return 'versitygw, for the tests';
}
