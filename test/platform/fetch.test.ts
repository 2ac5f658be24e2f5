import assert from 'node:assert/strict';
import {execFileSync} from 'node:child_process';
import {createHash} from 'node:crypto';
import {existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync} from 'node:fs';
import {delimiter, join} from 'node:path';
import {type TestContext, test} from 'node:test';
import {programs, runNode, startNode, temporaryFolder, until, withModule} from './setup-process.js';

interface Pin {
  name: string;
  version: string;
  sha256: string;
  tags?: string[];
  isSource?: boolean;
}

const download = (cache: string, pin: Pin): string[] =>
  withModule(
    'fetch.mjs',
    `console.log(await setup.download(${JSON.stringify(cache)}, ${JSON.stringify(pin)}, false, () => {}))`,
  );

/** A source archive whose setup.py leaves a mark when it is run, in a folder that pip takes for its index. */
function sourceArchive(t: TestContext) {
  const folder = temporaryFolder(t);
  const mark = join(folder, 'executed');
  mkdirSync(join(folder, 'marked-1.0'));
  mkdirSync(join(folder, 'index'));
  writeFileSync(join(folder, 'marked-1.0', 'setup.py'), `open(${JSON.stringify(mark)}, "w")\n`);
  writeFileSync(join(folder, 'marked-1.0', 'PKG-INFO'), 'Metadata-Version: 2.1\nName: marked\nVersion: 1.0\n');
  const archive = join(folder, 'index', 'marked-1.0.tar.gz');
  execFileSync('tar', ['-czf', archive, '-C', folder, 'marked-1.0']);
  const sha256 = createHash('sha256').update(readFileSync(archive)).digest('hex');
  const env = {PIP_NO_INDEX: '1', PIP_FIND_LINKS: join(folder, 'index')};
  return {cache: join(folder, 'cache'), mark, env, pin: {name: 'marked', version: '1.0', sha256, isSource: true}};
}

test('a source archive is fetched without running anything in it', async t => {
  const {cache, mark, env, pin} = sourceArchive(t);
  const {code, stdout, stderr} = await runNode(download(cache, pin), env);
  assert.equal(code, 0, stderr);
  assert.ok(existsSync(stdout.trim()));
  assert.ok(!existsSync(mark));
});

test('an archive of another sha256 is refused and nothing of it stays', async t => {
  const {cache, env, pin} = sourceArchive(t);
  const {code, stderr} = await runNode(download(cache, {...pin, sha256: '0'.repeat(64)}), env);
  assert.equal(code, 1);
  assert.match(stderr, /Fetching marked 1\.0 failed/);
  assert.deepEqual(
    readdirSync(join(cache, 'downloads')).filter(name => !name.endsWith('.partial')),
    [],
  );
});

test('an interrupted download leaves no half file, and the next one begins anew', async t => {
  const folder = temporaryFolder(t);
  const cache = join(folder, 'cache');
  const pin = {name: 'some', version: '1.0', sha256: 'f'.repeat(64), tags: []};
  const destination = 'while [ $# -gt 1 ]; do shift; done;';
  const stalls = programs(join(folder, 'stalls'), {
    python3: `${destination} echo half > "$1/some.whl"; echo > ${folder}/begun; exec sleep 60`,
  });
  const works = programs(join(folder, 'works'), {python3: `${destination} echo whole > "$1/some.whl"`});
  const path = (bin: string) => ({PATH: bin + delimiter + process.env.PATH});

  const interrupted = startNode(download(cache, pin), path(stalls));
  await until('the download has begun', () => existsSync(join(folder, 'begun')));
  interrupted.child.kill('SIGTERM');
  assert.equal(await interrupted.ended, 143);
  assert.ok(readdirSync(join(cache, 'downloads')).every(name => name.endsWith('.partial')));

  const {stdout} = await runNode(download(cache, pin), path(works));
  assert.equal(readFileSync(stdout.trim(), 'utf8'), 'whole\n');
  assert.equal(readdirSync(join(cache, 'downloads')).length, 1);

  const again = await runNode(download(cache, pin), path(stalls));
  assert.equal(again.stdout, stdout, 'what is there is not fetched again');
});

test('a folder of the cache is whole or as it was before', async t => {
  const folder = join(temporaryFolder(t), 'model');
  const fill = (stamp: string, code: string) =>
    withModule(
      'fetch.mjs',
      `import {writeFileSync} from 'node:fs';
      await setup.replaceFolder(${JSON.stringify(folder)}, '${stamp}', async partial => {
        writeFileSync(partial + '/weights', '${stamp}'); ${code}
      }); console.log(setup.isWhole(${JSON.stringify(folder)}, '${stamp}'));`,
    );
  assert.equal((await runNode(fill('first', ''))).stdout, 'true\n');
  assert.notEqual((await runNode(fill('second', `throw new Error('disk full')`))).code, 0);
  assert.equal(readFileSync(join(folder, 'weights'), 'utf8'), 'first');
  assert.equal((await runNode(fill('third', ''))).stdout, 'true\n');
  assert.equal(readFileSync(join(folder, 'weights'), 'utf8'), 'third');
});
