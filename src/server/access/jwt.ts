// A bearer JWT and the rules of its issuer → its subject, its role and when it runs out.
import {
  createLocalJWKSet,
  createRemoteJWKSet,
  errors,
  type JSONWebKeySet,
  type JWTPayload,
  type JWTVerifyGetKey,
  jwtVerify,
} from 'jose';
import {FtftError} from '../../errors.js';
import {isUrl, type JwtRules} from './auth-file.js';
import {unauthenticated} from './caller.js';
import {type Role, roles} from './roles.js';

export interface JwtCaller {
  subject: string;
  /** Said by the token's role claim. */
  role: Role | undefined;
  /** Milliseconds since 1970, the clock's tolerance counted in. */
  expiresAt: number;
}

export type JwtVerifier = (token: string) => Promise<JwtCaller>;

/** No secret key signs what the server could then make itself, and `none` signs nothing. */
const algorithms = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
];
const keysTimeoutMs = 5000;
/** After an issuer did not answer. */
const keysRetryMs = 1000;
const keysLastMs = 24 * 3_600_000;

/** jwks: contents of the file, where the rules name one. */
export function jwtVerifier(rules: JwtRules, jwks: Buffer | undefined): JwtVerifier {
  const {issuer, audience, clockSkewS} = rules;
  const keys = keySet(rules, jwks);
  return async token => {
    try {
      const {payload} = await jwtVerify(token, keys, {
        ...{issuer, audience, algorithms, clockTolerance: clockSkewS},
        requiredClaims: ['exp', 'sub'],
      });
      return {
        subject: String(payload.sub),
        role: roleOf(payload, rules),
        expiresAt: (Number(payload.exp) + clockSkewS) * 1000,
      };
    } catch (error) {
      throw refusal(error);
    }
  };
}

/** Keys that were good stay so for a day while their issuer is away; then it is asked only now and then. */
function remoteKeys(url: URL): JWTVerifyGetKey {
  const remote = createRemoteJWKSet(url, {timeoutDuration: keysTimeoutMs});
  const never = Number.NEGATIVE_INFINITY;
  let [askedWellAt, failedAt, failure] = [never, never, undefined as unknown];
  return async (header, token) => {
    const now = Date.now();
    if (Math.abs(now - failedAt) > keysRetryMs)
      try {
        const key = await remote(header, token);
        askedWellAt = now;
        return key;
      } catch (error) {
        // The issuer answered: it has no such key.
        if (error instanceof errors.JWKSNoMatchingKey) throw error;
        [failedAt, failure] = [Date.now(), error];
      }
    const known = remote.jwks();
    if (!known || now - askedWellAt > keysLastMs) throw failure;
    return await createLocalJWKSet(known)(header, token);
  };
}

function keySet({jwks: at}: JwtRules, jwks: Buffer | undefined): JWTVerifyGetKey {
  if (isUrl(at)) return remoteKeys(new URL(at));
  try {
    return createLocalJWKSet(JSON.parse(String(jwks)) as JSONWebKeySet);
  } catch {
    throw new FtftError(
      'FAILED_PRECONDITION',
      `Cannot read the authentication file: ${at} must be a JSON Web Key Set`,
      {
        reason: 'AUTH_FILE_INVALID',
      },
    );
  }
}

/** The highest role that a value of the claim stands for. */
function roleOf(payload: JWTPayload, {roleClaim, roleValues}: JwtRules): Role | undefined {
  if (roleClaim === undefined) return undefined;
  const claim = payload[roleClaim];
  const named = (Array.isArray(claim) ? claim : [claim]).map(value => roleValues.get(String(value)));
  return roles.findLast(role => named.includes(role));
}

/** In words of our own: a library's may repeat the token. */
function refusal(error: unknown): FtftError {
  if (error instanceof errors.JWTExpired) return unauthenticated('TOKEN_EXPIRED', 'the token has expired');
  if (error instanceof errors.JWTClaimValidationFailed)
    return unauthenticated('TOKEN_INVALID', `the token's claim ${error.claim} is not what this service expects`);
  const isOfToken = [
    errors.JWTInvalid,
    errors.JWSInvalid,
    errors.JWSSignatureVerificationFailed,
    errors.JOSEAlgNotAllowed,
    errors.JOSENotSupported,
    errors.JWKSNoMatchingKey,
    errors.JWKSMultipleMatchingKeys,
  ].some(kind => error instanceof kind);
  if (isOfToken) return unauthenticated('TOKEN_INVALID', "the token is not signed by the issuer's keys");
  return new FtftError('UNAVAILABLE', "Cannot check the token: the issuer's keys cannot be fetched; try again", {
    reason: 'KEYS_UNAVAILABLE',
    retryAfterMs: 5000,
  });
}
