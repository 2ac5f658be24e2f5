// The text of the authentication file → its rules. JSON: who may call, and as what; it holds hashes of tokens, never tokens.
import {FtftError} from '../../errors.js';
import {isRole, type Role, roles} from './roles.js';

export interface AuthRules {
  /** By SHA-256 of the token, in hex. */
  tokens: Map<string, {name: string; role: Role}>;
  jwt: JwtRules | undefined;
  /** By jwt:SUBJECT or cert:NAME. */
  principals: Map<string, Role>;
  /** Of callers whom no other rule gives a role; undefined: none. */
  otherPrincipals: Role | undefined;
}

export interface JwtRules {
  issuer: string;
  audience: string;
  /** https URL, or a file beside the authentication file. */
  jwks: string;
  clockSkewS: number;
  /** Claim that holds one value or a list, each of which may stand for a role. */
  roleClaim: string | undefined;
  roleValues: Map<string, Role>;
}

type Fields = Record<string, unknown>;

/** FAILED_PRECONDITION/AUTH_FILE_INVALID names the first field that is wrong; values are not repeated. */
export function parseAuthFile(text: string): AuthRules {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw invalid('it must be JSON');
  }
  const file = object('the file', parsed, ['tokens', 'jwt', 'principals', 'other_principals']);
  const tokens = new Map<string, {name: string; role: Role}>();
  for (const [i, entry] of list('tokens', file.tokens).entries()) {
    const path = `tokens[${i}]`;
    const {name, role: named, sha256} = object(path, entry, ['name', 'role', 'sha256']);
    const digest = string(`${path}.sha256`, sha256).toLowerCase();
    if (!/^[0-9a-f]{64}$/.test(digest)) throw invalid(`${path}.sha256 must be 64 hex digits`);
    if (tokens.has(digest)) throw invalid(`${path}.sha256 must be another than those before it`);
    tokens.set(digest, {name: string(`${path}.name`, name), role: role(`${path}.role`, named)});
  }
  const principals = roleMap('principals', file.principals);
  for (const name of principals.keys())
    if (!/^(jwt|cert):./.test(name)) throw invalid('principals must have names that begin with jwt: or cert:');
  const {other_principals: others} = file;
  return {
    tokens,
    jwt: file.jwt === undefined ? undefined : jwtRules(file.jwt),
    principals,
    otherPrincipals: others === undefined ? undefined : role('other_principals', others),
  };
}

function jwtRules(value: unknown): JwtRules {
  const keys = ['issuer', 'audience', 'jwks', 'clock_skew_seconds', 'role_claim', 'role_values'];
  const {
    issuer,
    audience,
    jwks,
    clock_skew_seconds: skew = 30,
    role_claim: claim,
    role_values,
  } = object('jwt', value, keys);
  if (typeof skew !== 'number' || !(skew >= 0 && skew <= 300))
    throw invalid('jwt.clock_skew_seconds must be a number from 0 to 300');
  const keysAt = string('jwt.jwks', jwks);
  if (/^[a-z]+:\/\//i.test(keysAt) && !isTrustedUrl(keysAt))
    throw invalid('jwt.jwks must be a file, or a URL that begins with https:// (http:// on the loopback only)');
  return {
    issuer: string('jwt.issuer', issuer),
    audience: string('jwt.audience', audience),
    jwks: keysAt,
    clockSkewS: skew,
    roleClaim: claim === undefined ? undefined : string('jwt.role_claim', claim),
    roleValues:
      role_values === undefined ? new Map(roles.map(name => [name, name])) : roleMap('jwt.role_values', role_values),
  };
}

export const isUrl = (jwks: string): boolean => /^https?:\/\//i.test(jwks);

/** Whoever can change the keys on their way can make tokens. */
function isTrustedUrl(text: string): boolean {
  try {
    const {protocol, hostname} = new URL(text);
    return protocol === 'https:' || (protocol === 'http:' && ['127.0.0.1', '[::1]', 'localhost'].includes(hostname));
  } catch {
    return false;
  }
}

function object(path: string, value: unknown, keys: string[]): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid(`${path} must be an object`);
  const odd = Object.keys(value).find(key => !keys.includes(key));
  if (odd !== undefined)
    throw invalid(`${path} must have no field but ${keys.join(', ')}; found ${JSON.stringify(odd)}`);
  return value as Fields;
}

function list(path: string, value: unknown): unknown[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) throw invalid(`${path} must be a list`);
  return value;
}

function string(path: string, value: unknown): string {
  if (typeof value !== 'string' || value === '') throw invalid(`${path} must be a text, and not empty`);
  return value;
}

function role(path: string, value: unknown): Role {
  if (!isRole(value)) throw invalid(`${path} must be one of ${roles.join(', ')}`);
  return value;
}

function roleMap(path: string, value: unknown): Map<string, Role> {
  if (value === undefined) return new Map();
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid(`${path} must be an object`);
  return new Map(Object.entries(value).map(([name, named]) => [name, role(`${path}[${JSON.stringify(name)}]`, named)]));
}

function invalid(found: string): FtftError {
  return new FtftError('FAILED_PRECONDITION', `Cannot read the authentication file: ${found}`, {
    reason: 'AUTH_FILE_INVALID',
  });
}
