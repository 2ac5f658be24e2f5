import assert from 'node:assert/strict';
import {copyFileSync, mkdtempSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {type TestContext, test} from 'node:test';
import {setTimeout as sleep} from 'node:timers/promises';
import {connect as tlsConnect} from 'node:tls';
import {Status} from 'nice-grpc';
import type {FtftError} from '../../../src/errors.js';
import {makeAuthority, type Pair, serverNames, withoutOpenssl} from '../../support/certificates.js';
import {runRecord} from '../records.js';
import {startTestServer} from '../start-test-server.js';
import {secureClient} from './secure-client.js';

const skip = withoutOpenssl;
const name = 'runs/ref';

/** Files that a test may replace. */
function tlsFiles(pair: Pair) {
  const folder = mkdtempSync(join(tmpdir(), 'ftft-tls-'));
  const files = {certFile: join(folder, 'tls.crt'), keyFile: join(folder, 'tls.key')};
  const put = ({certFile, keyFile}: Pair) => {
    copyFileSync(certFile, files.certFile);
    copyFileSync(keyFile, files.keyFile);
  };
  put(pair);
  return {tls: {...files, clientCaFile: undefined, requiresClientCert: false}, put};
}

async function startTls(t: TestContext, pair: Pair) {
  const {tls, put} = tlsFiles(pair);
  const server = await startTestServer(t, {tls, reloadMs: 20});
  server.runs.append('ref', {kind: 'run-changed', run: runRecord('ref', {state: 'RUNNING'})});
  return {...server, tls, put};
}

/** Serial number of the certificate that a new connection is shown. */
async function servedSerial(address: string, ca: Buffer): Promise<string> {
  const [host, port] = address.split(':');
  const socket = tlsConnect({host, port: Number(port), ca, servername: 'localhost', ALPNProtocols: ['h2']});
  try {
    await new Promise((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject));
    return socket.getPeerCertificate().serialNumber;
  } finally {
    socket.destroy();
  }
}

test('over TLS a caller that trusts the authority is served, one of another authority or in plaintext is not', {
  skip,
}, async t => {
  const authority = makeAuthority();
  const {address} = await startTls(t, authority.issue('server', ...serverNames));
  const own = secureClient(t, address, {ca: authority.cert});
  assert.equal((await own.getRun({name})).name, name);
  for (const ca of [makeAuthority('other').cert, undefined]) {
    const error = await secureClient(t, address, {ca})
      .getRun({name}, {signal: AbortSignal.timeout(10_000)})
      .catch((error: unknown) => error as {code: number});
    assert.equal((error as {code: number}).code, Status.UNAVAILABLE);
  }
});

test('a certificate that is replaced is served to new connections, and a stream that is open goes on', {
  skip,
}, async t => {
  const authority = makeAuthority();
  const {address, put, runs} = await startTls(t, authority.issue('server', ...serverNames));
  const client = secureClient(t, address, {ca: authority.cert});
  const stream = client.streamDynamics({name})[Symbol.asyncIterator]();
  await stream.next();
  await stream.next();
  const before = await servedSerial(address, authority.cert);
  put(authority.issue('server', ...serverNames));
  for (let i = 0; i < 200 && (await servedSerial(address, authority.cert)) === before; i++) await sleep(10);
  assert.notEqual(await servedSerial(address, authority.cert), before);
  runs.append('ref', {kind: 'run-changed', run: runRecord('ref', {state: 'SUCCEEDED'})});
  assert.equal((await stream.next()).value.event?.$case, 'runChanged');
  assert.equal((await stream.next()).value.event?.$case, 'completed');
  assert.equal((await stream.next()).done, true);
});

test('a new certificate without its key leaves the old pair in use, and the log says so', {skip}, async t => {
  const authority = makeAuthority();
  const {address, tls, telemetry, put} = await startTls(t, authority.issue('server', ...serverNames));
  const logged = t.mock.method(telemetry.log, 'error', () => {});
  const before = await servedSerial(address, authority.cert);
  const next = authority.issue('server', ...serverNames);
  copyFileSync(next.certFile, tls.certFile);
  for (let i = 0; i < 200 && logged.mock.callCount() === 0; i++) await sleep(10);
  assert.match(JSON.stringify(logged.mock.calls[0].arguments), /must be the key of the first certificate/);
  assert.equal(await servedSerial(address, authority.cert), before);
  put(next);
  for (let i = 0; i < 200 && (await servedSerial(address, authority.cert)) === before; i++) await sleep(10);
  assert.notEqual(await servedSerial(address, authority.cert), before);
});

test('files of TLS that cannot be used are one clear error each, without what is in them', {skip}, async t => {
  const authority = makeAuthority();
  const pair = authority.issue('server', ...serverNames);
  const {tls} = tlsFiles(pair);
  const junk = join(mkdtempSync(join(tmpdir(), 'ftft-tls-')), 'junk');
  writeFileSync(junk, '-----BEGIN PRIVATE KEY-----\nc2VjcmV0c2VjcmV0\n-----END PRIVATE KEY-----\n');
  const wrong: [object, RegExp][] = [
    [{certFile: '/nowhere/tls.crt'}, /\/nowhere\/tls\.crt must be a readable PEM file: ENOENT/],
    [{certFile: junk}, /junk must hold certificates in PEM/],
    [{keyFile: junk}, /junk must hold an unencrypted private key in PEM/],
    [{keyFile: authority.issue('other').keyFile}, /must be the key of the first certificate in/],
    [{clientCaFile: junk}, /junk must hold certificates in PEM/],
  ];
  for (const [change, message] of wrong)
    await assert.rejects(startTestServer(t, {tls: {...tls, ...change}}), (error: FtftError) => {
      assert.equal(error.details.reason, 'TLS_INVALID');
      assert.match(error.message, message);
      assert.doesNotMatch(`${error.stack} ${JSON.stringify(error)}`, /c2VjcmV0/);
      return true;
    });
});

test('where certificates of callers are required, one without is refused in the handshake', {skip}, async t => {
  const authority = makeAuthority();
  const {tls} = tlsFiles(authority.issue('server', ...serverNames));
  const mutual = {...tls, clientCaFile: authority.certFile, requiresClientCert: true};
  const {address, runs} = await startTestServer(t, {tls: mutual});
  runs.records.set('ref', runRecord('ref'));
  const ca = authority.cert;
  const signal = () => AbortSignal.timeout(10_000);
  const known = secureClient(t, address, {ca, own: authority.issue('caller')});
  assert.equal((await known.getRun({name}, {signal: signal()})).name, name);
  for (const own of [undefined, makeAuthority('other').issue('caller')])
    await assert.rejects(secureClient(t, address, {ca, own}).getRun({name}, {signal: signal()}), {
      code: Status.UNAVAILABLE,
    });
});
