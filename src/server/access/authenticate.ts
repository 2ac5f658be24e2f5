// What a call shows of its caller, a bearer token or a certificate → who that is and what it may do.
import {createHash} from 'node:crypto';
import {readFile} from 'node:fs/promises';
import {dirname, resolve} from 'node:path';
import type {PeerCertificate} from 'node:tls';
import {FtftError} from '../../errors.js';
import type {Log} from '../../telemetry/log.js';
import {type AuthRules, isUrl, parseAuthFile} from './auth-file.js';
import {type Caller, unauthenticated} from './caller.js';
import {type JwtVerifier, jwtVerifier} from './jwt.js';
import {reloaded} from './reloaded.js';

/** What a call shows. */
export interface Credentials {
  authorization: string | undefined;
  /** Signed by an authority that the server trusts. */
  certificate: PeerCertificate | undefined;
}

export interface Authenticator {
  /** UNAUTHENTICATED where it cannot be told who calls. */
  authenticate(shown: Credentials): Promise<Caller>;
  close(): void;
}

interface Rules extends AuthRules {
  verifyJwt: JwtVerifier | undefined;
}

/** More is no token of anyone's, and is not worth hashing. */
const maxTokenLength = 8192;

/** file: the authentication file; isOffline: keys may not be fetched. */
export async function fileAuthenticator(
  file: string,
  {isOffline, log, everyMs}: {isOffline: boolean; log: Log; everyMs?: number},
): Promise<Authenticator> {
  const rules = await reloaded<Rules>({
    what: 'authentication file',
    async read() {
      const text = await readOrSay(file);
      const jwks = parseAuthFile(text.toString()).jwt?.jwks;
      return jwks === undefined || isUrl(jwks) ? [text] : [text, await readOrSay(resolve(dirname(file), jwks))];
    },
    load([text, jwks]) {
      const found = parseAuthFile(text.toString());
      if (found.jwt && isUrl(found.jwt.jwks) && isOffline)
        throw invalid('jwt.jwks must be a file where FTFT_OFFLINE says that no connection is opened');
      return {...found, verifyJwt: found.jwt && jwtVerifier(found.jwt, jwks)};
    },
    everyMs,
    log,
  });
  return {authenticate: shown => authenticate(rules.current, shown), close: rules.close};
}

async function authenticate(rules: Rules, {authorization, certificate}: Credentials): Promise<Caller> {
  if (authorization !== undefined) return await tokenCaller(rules, authorization);
  if (certificate !== undefined) return certificateCaller(rules, certificate);
  throw unauthenticated(
    'TOKEN_MISSING',
    'the call must bring a bearer token, or a certificate where the server asks for one',
  );
}

async function tokenCaller(rules: Rules, authorization: string): Promise<Caller> {
  const token = /^bearer +([^ ]+)$/i.exec(authorization)?.[1];
  if (token === undefined || token.length > maxTokenLength)
    throw unauthenticated('TOKEN_INVALID', 'the header authorization must be "Bearer" and one token');
  const known = rules.tokens.get(createHash('sha256').update(token).digest('hex'));
  if (known) return {name: `token:${known.name}`, role: known.role};
  if (!rules.verifyJwt || token.split('.').length !== 3)
    throw unauthenticated('TOKEN_INVALID', 'the token is not one that this service knows');
  const {subject, role, expiresAt} = await rules.verifyJwt(token);
  const name = `jwt:${subject}`;
  return {name, role: rules.principals.get(name) ?? role ?? rules.otherPrincipals, expiresAt};
}

/** A certificate that no rule knows is nobody's: its authority may sign those of many other services. */
function certificateCaller({principals, otherPrincipals}: Rules, certificate: PeerCertificate): Caller {
  const names = namesIn(certificate).map(name => `cert:${name}`);
  const name = names.find(known => principals.has(known)) ?? names.at(0);
  const role = name === undefined ? undefined : (principals.get(name) ?? otherPrincipals);
  if (role === undefined)
    throw unauthenticated('CERTIFICATE_UNKNOWN', 'the certificate must name a caller that this service knows');
  return {name, role, expiresAt: Date.parse(certificate.valid_to)};
}

/** URIs (SPIFFE), then host names, then e-mail addresses; the common name only of certificates without any. */
function namesIn({subjectaltname = '', subject}: PeerCertificate): string[] {
  // Entry by entry from the first on: what stands within a name of another kind is no name.
  const found = [...subjectaltname.matchAll(/(othername:[A-Za-z0-9]+|[A-Za-z ]+):("(?:[^"\\]|\\.)*"|[^,]*)(?:, |$)/gy)];
  const of = (kind: string) =>
    found
      .filter(match => match[1] === kind)
      .map(([, , value]) => (value.startsWith('"') ? String(JSON.parse(value)) : value));
  const names = [...of('URI'), ...of('DNS'), ...of('email')];
  const common = subject?.CN;
  return names.length > 0 || typeof common !== 'string' ? names : [common];
}

async function readOrSay(file: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (error) {
    throw invalid(`${file} must be readable: ${(error as NodeJS.ErrnoException).code ?? 'unreadable'}`);
  }
}

function invalid(found: string): FtftError {
  return new FtftError('FAILED_PRECONDITION', `Cannot read the authentication file: ${found}`, {
    reason: 'AUTH_FILE_INVALID',
  });
}
