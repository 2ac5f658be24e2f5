// Dockerfile, chart and manifests by the tools that judge them. Each is optional, and its absence is said.
import assert from 'node:assert/strict';
import {spawnSync} from 'node:child_process';
import {readdirSync, readFileSync} from 'node:fs';
import {join} from 'node:path';
import {test} from 'node:test';
import {root, temporaryFolder} from './setup-process.js';

const without = (program: string) =>
  spawnSync(program, ['--help']).error ? `${program} is not installed here` : false;

function passes(program: string, ...args: string[]) {
  const {status, stdout, stderr} = spawnSync(program, args, {cwd: root, encoding: 'utf8'});
  assert.equal(status, 0, `${program} ${args.join(' ')}\n${stdout}${stderr}`);
}

/** A helm that was not built by its makers takes a very old Kubernetes for granted. */
const kubernetes = ['--kube-version', '1.31.0'];
const manifests = join(root, 'deploy', 'manifests');

test('hadolint finds no fault in the Dockerfile', {skip: without('hadolint')}, () => {
  passes('hadolint', 'Dockerfile');
});

test('the chart passes helm lint --strict', {skip: without('helm')}, () => {
  passes('helm', 'lint', '--strict', 'helm/ftft', '--set', 'allowInsecure=true');
});

test('the chart refuses to expose a server without authentication until told so', {skip: without('helm')}, () => {
  const {status, stderr} = spawnSync('helm', ['template', 'ftft', 'helm/ftft', ...kubernetes], {
    cwd: root,
    encoding: 'utf8',
  });
  assert.notEqual(status, 0);
  assert.match(stderr, /tls\.existingSecret and auth\.existingSecret; or .* set allowInsecure=true/);
});

test('with TLS and authentication the chart needs no other word, and mounts both', {skip: without('helm')}, () => {
  const secure = ['--set', 'tls.existingSecret=certs', '--set', 'auth.existingSecret=callers'];
  const args = ['template', 'ftft', 'helm/ftft', ...kubernetes, ...secure, '--set', 'tls.clientCertificates=optional'];
  const {status, stdout, stderr} = spawnSync('helm', args, {cwd: root, encoding: 'utf8'});
  assert.equal(status, 0, stderr);
  assert.doesNotMatch(stdout, /FTFT_ALLOW_INSECURE/);
  for (const found of [
    /FTFT_TLS_CLIENT_CA_FILE/,
    /FTFT_AUTH_FILE, value: \/etc\/ftft\/auth\/auth\.json/,
    /secretName: certs/,
  ])
    assert.match(stdout, found);
});

test('the values refuse what cannot be: SQLite in several pods, pods without a place for their files, an unknown key', {
  skip: without('helm'),
}, () => {
  for (const [setting, fault] of [
    ['gpu.count=-1', /gpu.*count/s],
    ['replicas=2', /replicas/],
    ['worker.replicas=1', /worker.*replicas/s],
    ['database.existingSecret=db,worker.replicas=1', /set artifacts\.url to a bucket, or persistence\.accessMode/],
    ['wishes=1', /wishes/],
  ] as const) {
    const args = ['template', 'ftft', 'helm/ftft', ...kubernetes, '--set', 'allowInsecure=true', '--set', setting];
    const {status, stderr} = spawnSync('helm', args, {cwd: root, encoding: 'utf8'});
    assert.notEqual(status, 0);
    assert.match(stderr, fault);
  }
});

test('servers and workers over PostgreSQL: each with its role, its probe and the accelerator where it trains', {
  skip: without('helm'),
}, () => {
  const shared = 'database.existingSecret=db,artifacts.url=s3://b,replicas=2,worker.replicas=3,gpu.count=2';
  const args = ['template', 'ftft', 'helm/ftft', ...kubernetes, '--set', 'allowInsecure=true', '--set', shared];
  const {status, stdout, stderr} = spawnSync('helm', args, {cwd: root, encoding: 'utf8'});
  assert.equal(status, 0, stderr);
  const deployments = stdout.split(/^---$/m).filter(text => text.includes('kind: Deployment'));
  const worker = deployments.find(text => text.includes('FTFT_ROLE, value: worker'))!;
  const server = deployments.find(text => text.includes('FTFT_ROLE, value: api'))!;
  assert.equal(deployments.length, 2);
  for (const found of [
    /replicas: 3/,
    /service: ftft\.Worker/,
    /nvidia\.com\/gpu: 2/,
    /FTFT_DATABASE_URL/,
    /emptyDir: \{sizeLimit/,
  ])
    assert.match(worker, found);
  for (const found of [/replicas: 2/, /service: ftft\.v1\.FtftService/, /FTFT_DATABASE_URL/, /s3:\/\/b/])
    assert.match(server, found);
  assert.doesNotMatch(server, /nvidia/);
  assert.doesNotMatch(stdout, /PersistentVolumeClaim/);
});

test('rendering the chart again gives the manifests that are committed', {skip: without('helm')}, t => {
  const folder = temporaryFolder(t);
  passes('deploy/render', folder);
  for (const name of readdirSync(folder)) {
    const isSame = readFileSync(join(folder, name), 'utf8') === readFileSync(join(manifests, name), 'utf8');
    assert.ok(isSame, `deploy/manifests/${name} differs: run deploy/render`);
  }
});

test('the manifests are valid Kubernetes objects', {skip: without('kubernetes-validate')}, () => {
  for (const name of readdirSync(manifests)) passes('kubernetes-validate', '--strict', join(manifests, name));
});
