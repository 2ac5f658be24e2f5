import assert from 'node:assert/strict';
import {once} from 'node:events';
import {mkdtempSync, writeFileSync} from 'node:fs';
import {createServer} from 'node:http';
import type {AddressInfo} from 'node:net';
import {tmpdir} from 'node:os';
import {dirname, join} from 'node:path';
import {type TestContext, test} from 'node:test';
import {setTimeout as sleep} from 'node:timers/promises';
import {exportJWK, generateKeyPair, type JWTPayload, SignJWT} from 'jose';
import {Status} from 'nice-grpc';
import type {FtftError} from '../../../src/errors.js';
import {jwtVerifier} from '../../../src/server/access/jwt.js';
import {makeAuthority, serverNames, withoutOpenssl} from '../../support/certificates.js';
import {runRecord} from '../records.js';
import {collect, detail, errorOf, reasonOf, startTestServer} from '../start-test-server.js';
import {authFile, newToken, roleTokens, type Shown, secureClient, sha256} from './secure-client.js';

const name = 'runs/ref';
const issuer = 'https://issuer.test';
const audience = 'ftft';

async function startWith(t: TestContext, file: string, options: object = {}) {
  const server = await startTestServer(t, {authFile: file, reloadMs: 20, ...options});
  server.runs.append('ref', {kind: 'run-changed', run: runRecord('ref', {state: 'RUNNING'})});
  return {...server, as: (shown: Shown) => secureClient(t, server.address, shown)};
}

const {privateKey, publicKey} = await generateKeyPair('ES256');
const keySet = {keys: [{...(await exportJWK(publicKey)), kid: 'k1', alg: 'ES256'}]};

function jwt(
  claims: JWTPayload,
  {key = privateKey, alg = 'ES256', expires = '5m' as string | number} = {},
): Promise<string> {
  return new SignJWT(claims)
    .setProtectedHeader({alg, kid: 'k1'})
    .setIssuer(claims.iss ?? issuer)
    .setAudience(claims.aud ?? audience)
    .setSubject(claims.sub ?? 'alice')
    .setExpirationTime(expires)
    .sign(key);
}

/** An authentication file with a set of keys beside it. */
function jwtFile(more: object = {}, jwtRules: object = {}): string {
  const file = authFile({jwt: {issuer, audience, jwks: 'jwks.json', ...jwtRules}, ...more});
  writeFileSync(join(dirname(file), 'jwks.json'), JSON.stringify(keySet));
  return file;
}

async function refused(call: Promise<unknown>, code: Status, reason: string) {
  const error = await errorOf(call);
  assert.equal(`${Status[error.code]}/${reasonOf(error)}`, `${Status[code]}/${reason}`, error.details);
  assert.equal(detail(error, 'google.rpc.ErrorInfo')?.domain, 'ftft.dev');
  return error;
}

test('a static token is known by its hash, and everything else that is shown is refused with its reason', async t => {
  const {tokens, file} = roleTokens();
  const {as} = await startWith(t, file);
  assert.equal((await as({token: tokens.viewer}).getRun({name})).name, name);
  assert.equal((await as({authorization: `bearer  ${tokens.viewer}`}).getRun({name})).name, name);
  const wrong: [Shown, string][] = [
    [{}, 'TOKEN_MISSING'],
    [{token: newToken()}, 'TOKEN_INVALID'],
    [{token: sha256(tokens.viewer)}, 'TOKEN_INVALID'],
    [{token: `${tokens.viewer}x`}, 'TOKEN_INVALID'],
    [{authorization: tokens.viewer}, 'TOKEN_INVALID'],
    [{authorization: `Basic ${tokens.viewer}`}, 'TOKEN_INVALID'],
    [{authorization: `Bearer ${tokens.viewer} ${tokens.viewer}`}, 'TOKEN_INVALID'],
    [{authorization: `Bearer ${'x'.repeat(9000)}`}, 'TOKEN_INVALID'],
    [{authorization: ''}, 'TOKEN_INVALID'],
    [{token: 'a.b.c'}, 'TOKEN_INVALID'],
  ];
  for (const [shown, reason] of wrong) {
    await refused(as(shown).getRun({name}), Status.UNAUTHENTICATED, reason);
    await refused(collect(as(shown).streamDynamics({name})), Status.UNAUTHENTICATED, reason);
    await refused(as(shown).importDataset((async function* () {})()), Status.UNAUTHENTICATED, reason);
  }
});

test('a JWT is taken when issuer, audience, time and signature are right, and refused with the reason otherwise', async t => {
  const {as} = await startWith(t, jwtFile({principals: {'jwt:alice': 'viewer'}}, {clock_skew_seconds: 5}));
  const seconds = (offset: number) => Math.floor(Date.now() / 1000) + offset;
  assert.equal((await as({token: await jwt({})}).getRun({name})).name, name);
  assert.ok(await as({token: await jwt({}, {expires: seconds(-3)})}).getRun({name}), 'inside the tolerance of clocks');
  const other = await generateKeyPair('ES256');
  const secret = new TextEncoder().encode(JSON.stringify(keySet));
  const unsigned = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${(await jwt({})).split('.')[1]}.`;
  const wrong: [string, string, RegExp][] = [
    [await jwt({}, {expires: seconds(-60)}), 'TOKEN_EXPIRED', /has expired$/],
    [await jwt({nbf: seconds(60)}), 'TOKEN_INVALID', /claim nbf/],
    [await jwt({iss: 'https://other.test'}), 'TOKEN_INVALID', /claim iss/],
    [await jwt({aud: 'other'}), 'TOKEN_INVALID', /claim aud/],
    [await jwt({}, {key: other.privateKey}), 'TOKEN_INVALID', /not signed/],
    [await jwt({}, {key: secret as never, alg: 'HS256'}), 'TOKEN_INVALID', /not signed/],
    [unsigned, 'TOKEN_INVALID', /not signed/],
  ];
  for (const [token, reason, message] of wrong) {
    const error = await refused(as({token}).getRun({name}), Status.UNAUTHENTICATED, reason);
    assert.match(error.details, message);
    assert.ok(!error.details.includes(token.split('.')[1]));
  }
  const eternal = await new SignJWT({})
    .setProtectedHeader({alg: 'ES256', kid: 'k1'})
    .setIssuer(issuer)
    .setAudience(audience)
    .setSubject('alice')
    .sign(privateKey);
  await refused(as({token: eternal}).getRun({name}), Status.UNAUTHENTICATED, 'TOKEN_INVALID');
});

test('the role of a JWT is the one of its subject, else that of its claim, else that of others, else none', async t => {
  const rules = {role_claim: 'groups', role_values: {'ml-team': 'trainer', everyone: 'viewer'}};
  const {as} = await startWith(t, jwtFile({principals: {'jwt:root': 'admin'}, other_principals: 'viewer'}, rules));
  const mayDelete = async (claims: JWTPayload) =>
    await as({token: await jwt(claims)})
      .deleteRun({name})
      .then(
        () => true,
        error => error.code !== Status.PERMISSION_DENIED,
      );
  const mayCancel = async (claims: JWTPayload) =>
    !(await errorOf(as({token: await jwt(claims)}).cancelRun({name: 'wrong'}))).details.includes('takes the role');
  const may = async (claims: JWTPayload) => [await mayCancel(claims), await mayDelete(claims)];
  assert.deepEqual(await may({sub: 'root'}), [true, true]);
  assert.deepEqual(await may({sub: 'bob', groups: ['everyone', 'ml-team']}), [true, false]);
  assert.deepEqual(await may({sub: 'bob', groups: 'ml-team'}), [true, false]);
  assert.deepEqual(await may({sub: 'bob', groups: ['admin']}), [false, false]);
  assert.ok(await as({token: await jwt({sub: 'bob'})}).getRun({name}));
  const {as: asWithoutOthers} = await startWith(t, jwtFile());
  const nobody = asWithoutOthers({token: await jwt({sub: 'bob'})});
  await refused(nobody.getRun({name}), Status.PERMISSION_DENIED, 'ROLE_MISSING');
});

test('keys that were good stay so for a day while their issuer is away, which is not asked at every call', async t => {
  let [isUp, numAsked] = [true, 0];
  const issuerServer = createServer((_, response) => {
    numAsked++;
    response.writeHead(isUp ? 200 : 500, {'content-type': 'application/json'}).end(JSON.stringify(keySet));
  }).listen(0, '127.0.0.1');
  await once(issuerServer, 'listening');
  t.after(() => issuerServer.close());
  const jwks = `http://127.0.0.1:${(issuerServer.address() as AddressInfo).port}/jwks`;
  const rules = {issuer, audience, jwks, clockSkewS: 0, roleClaim: undefined, roleValues: new Map()};
  const verify = jwtVerifier(rules, undefined);
  const hour = 3_600_000;
  t.mock.timers.enable({apis: ['Date'], now: Date.now()});
  const token = await jwt({sub: 'bob'}, {expires: '48h'});
  assert.equal((await verify(token)).subject, 'bob');
  isUp = false;
  t.mock.timers.tick(hour);
  for (let call = 0; call < 5; call++) assert.equal((await verify(token)).subject, 'bob');
  assert.equal(numAsked, 2);
  const {privateKey: key} = await generateKeyPair('ES256');
  await assert.rejects(verify(await jwt({}, {key})), {details: {reason: 'TOKEN_INVALID'}});
  t.mock.timers.tick(24 * hour);
  await assert.rejects(verify(token), ({details}: FtftError) => details.reason === 'KEYS_UNAVAILABLE');
});

test('keys of an issuer are fetched from its URL; while they cannot be, the call may be tried again', async t => {
  let isUp = false;
  const issuerServer = createServer((_, response) => {
    response.writeHead(isUp ? 200 : 500, {'content-type': 'application/json'}).end(JSON.stringify(keySet));
  }).listen(0, '127.0.0.1');
  await once(issuerServer, 'listening');
  t.after(() => issuerServer.close());
  const jwks = `http://127.0.0.1:${(issuerServer.address() as AddressInfo).port}/jwks`;
  const file = authFile({jwt: {issuer, audience, jwks}, other_principals: 'viewer'});
  const {as} = await startWith(t, file);
  const client = as({token: await jwt({})});
  const error = await refused(client.getRun({name}), Status.UNAVAILABLE, 'KEYS_UNAVAILABLE');
  assert.ok(detail(error, 'google.rpc.RetryInfo'));
  isUp = true;
  // An issuer that does not answer is asked once a second.
  await sleep(1100);
  assert.ok(await client.getRun({name}));
  await assert.rejects(startTestServer(t, {authFile: file, isOffline: true}), /must be a file where FTFT_OFFLINE/);
});

test('a certificate says who calls by its URI, host name or e-mail address; one that no rule knows is refused', {
  skip: withoutOpenssl,
}, async t => {
  const authority = makeAuthority();
  const {certFile, keyFile} = authority.issue('server', ...serverNames);
  const {tokens, file} = roleTokens();
  const principals = {
    'cert:spiffe://team/worker': 'viewer',
    'cert:ci.test': 'viewer',
    'cert:bob@test': 'viewer',
    'cert:old': 'viewer',
  };
  const known = JSON.parse(await import('node:fs').then(({readFileSync}) => readFileSync(file, 'utf8')));
  const tls = {certFile, keyFile, clientCaFile: authority.certFile, requiresClientCert: false};
  const {as} = await startWith(t, authFile({...known, principals}), {tls});
  const ca = authority.cert;
  for (const [common, ...names] of [
    ['x', 'DNS:other.test', 'URI:spiffe://team/worker'],
    ['x', 'DNS:ci.test'],
    ['x', 'email:bob@test'],
    ['old'],
  ] as const)
    assert.ok(await as({ca, own: authority.issue(common, ...names)}).getRun({name}), `${common} ${names}`);
  // A name in another field, or inside another name, is not that name.
  for (const [common, ...names] of [
    ['ci.test', 'DNS:other.test'],
    ['x', 'URI:spiffe://team/worker/other'],
    ['x', 'URI:https://a/, DNS:ci.test'],
    // Of kinds that are no caller's name, whose values Node does not put into quotation marks.
    ['x', 'otherName:1.3.6.1.4.1.311.20.2.3;UTF8:x URI:spiffe://team/worker'],
    ['x', 'otherName:1.3.6.1.4.1.311.20.2.3;UTF8:x DNS:ci.test', 'DNS:other.test'],
    ['stranger'],
  ] as const)
    await refused(
      as({ca, own: authority.issue(common, ...names)}).getRun({name}),
      Status.UNAUTHENTICATED,
      'CERTIFICATE_UNKNOWN',
    );
  await refused(as({ca}).getRun({name}), Status.UNAUTHENTICATED, 'TOKEN_MISSING');
  // Signed by another authority: as if it had shown none.
  const stranger = makeAuthority('other').issue('old');
  await refused(as({ca, own: stranger}).getRun({name}), Status.UNAUTHENTICATED, 'TOKEN_MISSING');
  assert.ok(await as({ca, token: tokens.viewer}).getRun({name}));
  await refused(
    as({ca, own: authority.issue('old'), token: newToken()}).getRun({name}),
    Status.UNAUTHENTICATED,
    'TOKEN_INVALID',
  );
});

test('a change of the authentication file counts from then on; a wrong one leaves the last good one in use', async t => {
  const {tokens, file} = roleTokens();
  const {as, telemetry} = await startWith(t, file);
  const logged = t.mock.method(telemetry.log, 'error', () => {});
  const next = newToken();
  const client = as({token: next});
  writeFileSync(file, '{"tokens": [');
  for (let i = 0; i < 200 && logged.mock.callCount() === 0; i++) await sleep(10);
  assert.match(JSON.stringify(logged.mock.calls[0].arguments), /it must be JSON/);
  assert.ok(await as({token: tokens.viewer}).getRun({name}));
  writeFileSync(file, JSON.stringify({tokens: [{name: 'new', role: 'viewer', sha256: sha256(next)}]}));
  const isIn = () =>
    client.getRun({name}).then(
      () => true,
      () => false,
    );
  for (let i = 0; i < 200 && !(await isIn()); i++) await sleep(10);
  assert.ok(await isIn());
  await refused(as({token: tokens.viewer}).getRun({name}), Status.UNAUTHENTICATED, 'TOKEN_INVALID');
});

test('a stream ends when the token that it was begun with expires', async t => {
  const {as} = await startWith(t, jwtFile({other_principals: 'viewer'}, {clock_skew_seconds: 0}));
  const token = await jwt({}, {expires: Math.floor(Date.now() / 1000) + 2});
  const error = await refused(collect(as({token}).streamDynamics({name})), Status.UNAUTHENTICATED, 'TOKEN_EXPIRED');
  assert.match(error.details, /call again with new credentials/);
});

const token = {name: 'ci', role: 'viewer', sha256: 'a'.repeat(64)};
const jwtRules = {issuer, audience, jwks: 'jwks.json'};
const wrongFiles: [unknown, RegExp][] = [
  [[], /the file must be an object/],
  [{token: []}, /no field but tokens, jwt, principals, other_principals; found "token"/],
  [{tokens: [{...token, role: 'root'}]}, /tokens\[0\]\.role must be one of viewer, trainer, admin$/],
  [{tokens: [{...token, sha256: 'the-secret-itself'}]}, /tokens\[0\]\.sha256 must be 64 hex digits$/],
  [{tokens: [token, token]}, /tokens\[1\]\.sha256 must be another/],
  [{principals: {alice: 'viewer'}}, /begin with jwt: or cert:/],
  [{other_principals: 'all'}, /other_principals must be one of/],
  [{jwt: {...jwtRules, audience: ''}}, /jwt\.audience must be a text/],
  [{jwt: {...jwtRules, jwks: 'http://issuer.test/keys'}}, /https:\/\//],
  [{jwt: {...jwtRules, jwks: 'file:///etc/keys'}}, /https:\/\//],
  [{jwt: {...jwtRules, clock_skew_seconds: -1}}, /from 0 to 300/],
  [{jwt: {...jwtRules, jwks: 'none.json'}}, /none\.json must be readable: ENOENT/],
];
test('an authentication file that is wrong is one clear error at the start, which repeats no value of it', async t => {
  for (const [contents, message] of wrongFiles)
    await assert.rejects(startTestServer(t, {authFile: authFile(contents as object)}), (error: FtftError) => {
      assert.equal(error.details.reason, 'AUTH_FILE_INVALID');
      assert.match(error.message, message);
      assert.doesNotMatch(error.message, /the-secret-itself/);
      return true;
    });
  const folder = mkdtempSync(join(tmpdir(), 'ftft-auth-'));
  await assert.rejects(startTestServer(t, {authFile: join(folder, 'none')}), /must be readable: ENOENT/);
});
