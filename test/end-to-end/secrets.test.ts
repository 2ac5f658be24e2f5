// The real server, told everything that is secret and made to speak of everything: no secret is in what it says.
import assert from 'node:assert/strict';
import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {copyFileSync, readdirSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {createServer} from 'node:http';
import type {AddressInfo} from 'node:net';
import {join} from 'node:path';
import {createInterface} from 'node:readline';
import {test} from 'node:test';
import {setTimeout as sleep} from 'node:timers/promises';
import {exportJWK, generateKeyPair, SignJWT} from 'jose';
import {authFile, newToken, secureClient, sha256} from '../server/access/secure-client.js';
import {collect, errorOf} from '../server/start-test-server.js';
import {makeAuthority, serverNames, withoutOpenssl} from '../support/certificates.js';
import {temporaryFolder} from '../support/server-process.js';

test('no token, key or password is in logs, errors, metrics, traces or state', {skip: withoutOpenssl}, async t => {
  const {privateKey, publicKey} = await generateKeyPair('ES256');
  const jwt = await new SignJWT({})
    .setProtectedHeader({alg: 'ES256', kid: 'k'})
    .setIssuer('issuer')
    .setAudience('ftft')
    .setSubject('alice')
    .setExpirationTime('-1h')
    .sign(privateKey);
  const secrets = {good: newToken(), wrong: newToken(), hub: `hf_${newToken()}`, bucket: newToken(), jwt};
  const authority = makeAuthority();
  const pair = authority.issue('server', ...serverNames);
  const folder = temporaryFolder();
  t.after(() => rmSync(folder, {recursive: true, force: true}));
  const tlsFile = {cert: join(folder, 'tls.crt'), key: join(folder, 'tls.key')};
  copyFileSync(pair.certFile, tlsFile.cert);
  copyFileSync(pair.keyFile, tlsFile.key);
  const auth = authFile({
    tokens: [{name: 'ci', role: 'admin', sha256: sha256(secrets.good)}],
    jwt: {issuer: 'issuer', audience: 'ftft', jwks: 'jwks.json'},
  });
  writeFileSync(join(auth, '..', 'jwks.json'), JSON.stringify({keys: [{...(await exportJWK(publicKey)), kid: 'k'}]}));

  const said: string[] = [];
  const collector = createServer((request, response) => {
    request.on('data', chunk => said.push(String(chunk))).on('end', () => response.end('{}'));
  }).listen(0, '127.0.0.1');
  await once(collector, 'listening');
  t.after(() => collector.close());
  const child = spawn(process.execPath, ['--import', 'tsx', 'src/main.ts'], {
    env: {
      ...process.env,
      ...{FTFT_GRPC_PORT: '0', FTFT_HTTP_PORT: '0', FTFT_HEALTH_PORT: '0', FTFT_DATA_DIR: join(folder, 'data')},
      ...{FTFT_TLS_CERT_FILE: tlsFile.cert, FTFT_TLS_KEY_FILE: tlsFile.key, FTFT_AUTH_FILE: auth},
      ...{
        FTFT_LOG_LEVEL: 'debug',
        FTFT_OFFLINE: '1',
        FTFT_HF_TOKEN: secrets.hub,
        AWS_SECRET_ACCESS_KEY: secrets.bucket,
        FTFT_CACHE_DIR: join(folder, 'cache'),
      },
      FTFT_OTLP_ENDPOINT: `http://127.0.0.1:${(collector.address() as AddressInfo).port}`,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  t.after(() => child.kill('SIGKILL'));
  child.stderr.on('data', chunk => said.push(String(chunk)));
  const lines = createInterface({input: child.stdout});
  const [line] = (await once(lines, 'line')) as [string];
  const {grpc, http} = JSON.parse(line) as {grpc: string; http: string};

  const as = (shown: object) => secureClient(t, grpc.replace('127.0.0.1', 'localhost'), {ca: authority.cert, ...shown});
  const good = as({token: secrets.good});
  await good.listRuns({});
  const spec = {dataset: 'datasets/none', model: 'owner/gated'};
  const failing = [
    () => good.getRun({name: 'runs/none'}),
    () => good.trainReference({spec, labels: {a: 'b'}}),
    () => collect(good.streamDynamics({name: 'runs/none', start: {$case: 'resumeToken', value: 'forged'}})),
    () => as({token: secrets.wrong}).listRuns({}),
    () => as({token: secrets.jwt}).listRuns({}),
    () => as({authorization: `Basic ${secrets.wrong}`}).listRuns({}),
    () => as({}).listRuns({}),
  ];
  for (const call of failing) {
    const error = await errorOf(call());
    said.push(error.details, JSON.stringify(error.extra));
  }
  writeFileSync(tlsFile.cert, pair.key);
  for (let i = 0; i < 100 && !said.join('').includes('not reloaded'); i++) await sleep(100);
  said.push(await (await fetch(`http://${http}/metrics`)).text());
  child.kill('SIGTERM');
  await once(child, 'exit');

  const everything = said.join('\n');
  for (const expected of [
    'TOKEN_EXPIRED',
    'not reloaded',
    'rpc_server_call_duration_seconds',
    'resourceSpans',
    'ListRuns',
  ])
    assert.ok(everything.includes(expected), `nothing was said of ${expected}`);
  for (const name of readdirSync(folder, {recursive: true, withFileTypes: true}))
    if (name.isFile() && !name.name.startsWith('tls.'))
      said.push(readFileSync(join(name.parentPath, name.name), 'latin1'));
  const keyBody = String(pair.key).split('\n')[1];
  const parts = [secrets.good, secrets.wrong, secrets.hub, secrets.bucket, ...secrets.jwt.split('.').slice(1), keyBody];
  for (const secret of [...parts, sha256(secrets.good)])
    assert.ok(!said.join('\n').includes(secret), `a secret that begins with ${secret.slice(0, 4)} was said`);
});
