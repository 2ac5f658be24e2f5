// The command line against a real server over TLS, with tokens and certificates.
import assert from 'node:assert/strict';
import {test} from 'node:test';
import {connect} from '../../src/cli/connect.js';
import {ftft} from '../../src/cli/program.js';
import {authFile, newToken, roleTokens} from '../server/access/secure-client.js';
import {runRecord} from '../server/records.js';
import {startTestServer} from '../server/start-test-server.js';
import {makeAuthority, serverNames, withoutOpenssl} from '../support/certificates.js';
import {createTerminal} from './support/terminal.js';

async function run(args: string[], env: NodeJS.ProcessEnv) {
  const terminal = createTerminal();
  Object.assign(terminal.io.env, env);
  const exitCode = await ftft(args, terminal.io);
  return {exitCode, out: terminal.out(), err: terminal.err()};
}

test('--tls with an authority and a token of the environment reaches a protected server', {
  skip: withoutOpenssl,
}, async t => {
  const authority = makeAuthority();
  const {certFile, keyFile} = authority.issue('server', ...serverNames);
  const {tokens, file} = roleTokens();
  const tls = {certFile, keyFile, clientCaFile: authority.certFile, requiresClientCert: false};
  const {address, runs} = await startTestServer(t, {tls, authFile: file});
  runs.records.set('ref', runRecord('ref'));
  const get = ['runs', 'get', 'ref', '--json', '--address', address];
  const env = {FTFT_TOKEN: tokens.viewer};
  const asked = await run([...get, '--tls', '--ca', authority.certFile], env);
  assert.equal(asked.exitCode, 0, asked.err);
  assert.equal(JSON.parse(asked.out).name, 'runs/ref');
  assert.equal((await run(get, {...env, FTFT_CA_FILE: authority.certFile})).exitCode, 0);

  const cancel = await run(['runs', 'cancel', 'ref', '--address', address, '--ca', authority.certFile], env);
  assert.deepEqual([cancel.exitCode, /PERMISSION_DENIED, ROLE_MISSING/.test(cancel.err)], [5, true]);
  for (const [token, reason] of [
    ['', 'TOKEN_MISSING'],
    [newToken(), 'TOKEN_INVALID'],
  ]) {
    const {exitCode, err} = await run([...get, '--ca', authority.certFile], {FTFT_TOKEN: token});
    assert.deepEqual([exitCode, err.includes(`UNAUTHENTICATED, ${reason}`)], [5, true], err);
    assert.ok(token === '' || !err.includes(token));
  }
  // The system's authorities do not know ours.
  assert.equal((await run([...get, '--tls'], env)).exitCode, 4);
});

test('a certificate of the caller serves instead of a token', {skip: withoutOpenssl}, async t => {
  const authority = makeAuthority();
  const {certFile, keyFile} = authority.issue('server', ...serverNames);
  const tls = {certFile, keyFile, clientCaFile: authority.certFile, requiresClientCert: true};
  const {address, runs} = await startTestServer(t, {tls, authFile: authFile({principals: {'cert:ci.test': 'viewer'}})});
  runs.records.set('ref', runRecord('ref'));
  const own = authority.issue('x', 'DNS:ci.test');
  const files = ['--ca', authority.certFile, '--cert', own.certFile, '--key', own.keyFile];
  assert.equal((await run(['runs', 'get', 'ref', '--address', address, ...files], {})).exitCode, 0);
  const half = await run(['runs', 'get', 'ref', '--address', address, ...files.slice(0, 4)], {});
  assert.deepEqual(
    [half.exitCode, half.err],
    [2, 'error: Cannot connect: a certificate and its key must come together\n'],
  );
  const none = await run(['runs', 'get', 'ref', '--address', address, '--ca', '/nowhere.pem'], {});
  assert.match(none.err, /\/nowhere\.pem must be readable: ENOENT/);
});

test('a token does not travel in the clear, except to the loopback', async () => {
  for (const address of ['127.0.0.1:1', 'localhost:1', '[::1]:1', '127.8.0.1:1'])
    connect(address, {token: 't'}).close();
  for (const address of ['10.0.0.1:1', 'ftft.example:1', '127.evil.org:1', 'dns:///127.0.0.1:1'])
    assert.throws(() => connect(address, {token: 'secret'}), /must not travel in the clear.*use --tls/);
  connect('ftft.example:1', {token: 't', isTls: true}).close();
});

test('ftft token makes a token that the server knows by the entry beside it', async t => {
  const made = await run(['token', 'ci', '--role', 'viewer'], {});
  const token = made.out.trim();
  assert.match(token, /^[\w-]{43}$/);
  assert.ok(!made.err.includes(token));
  const file = authFile({tokens: [JSON.parse(made.err)]});
  const {address} = await startTestServer(t, {authFile: file});
  const listed = await run(['runs', 'list', '--address', address, '--json'], {FTFT_TOKEN: token});
  assert.deepEqual([listed.exitCode, JSON.parse(listed.out)], [0, {}]);
  assert.equal((await run(['token', 'ci', '--role', 'root'], {})).exitCode, 2);
});
