// What an S3 client threw in; one clear error out: for the operator to mend, or for time.
import {explainDiskError} from '../data/atomic-file.js';
import {FtftError} from '../errors.js';

/** Of the service, of proxies before it, and of the search for credentials; without them they cannot be mended by waiting. */
const settings: Record<string, string> = {
  NoSuchBucket: 'the bucket must exist, it does not; make it, or set FTFT_ARTIFACTS_URL to another',
  AccessDenied: 'the credentials must allow to list, read, write and delete there, they do not',
  InvalidAccessKeyId: 'the service does not know the access key id',
  SignatureDoesNotMatch: 'the secret access key must be that of the access key id, it is not',
  ExpiredToken: 'the session token has expired',
  InvalidToken: 'the service does not know the session token',
  CredentialsProviderError:
    'no credentials were found; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or another of AWS’s ways',
  PermanentRedirect: 'the bucket is in another region; set AWS_REGION',
  AuthorizationHeaderMalformed: 'the bucket is in another region; set AWS_REGION',
};
/** As services that keep their objects on disks say that those are full. */
const full = ['XMinioStorageFull', 'InsufficientStorage', 'QuotaExceeded', 'EntityTooLarge'];

interface S3Error extends Error {
  Code?: string;
  code?: string;
  $metadata?: {httpStatusCode?: number};
}

const nameOf = ({name, Code}: S3Error): string => Code ?? name;

/** There is no object of that name. */
export function isNoSuchObject(error: unknown): boolean {
  return error instanceof Error && ['NoSuchKey', 'NotFound'].includes(nameOf(error));
}

/** Waiting does not help, unless somebody mends the settings or the bucket meanwhile. */
export function isOfSettings(error: unknown): boolean {
  return error instanceof FtftError && error.cause instanceof Error && faultOfSettings(error.cause) !== undefined;
}

function faultOfSettings(error: S3Error): string | undefined {
  const name = nameOf(error);
  if (name in settings) return settings[name];
  const isRefused = [401, 403, 404].includes(error.$metadata?.httpStatusCode ?? 0);
  return isRefused ? `the service refuses the credentials (${name}: ${error.message})` : undefined;
}

/**
 * UNAVAILABLE/STORE_UNAVAILABLE, so that a run waits until it is mended; RESOURCE_EXHAUSTED/DISK_FULL for want of room here or there;
 * what is no failure of the service or of the network is given back as it is.
 */
export function explainBucketError(error: unknown, place: string): unknown {
  if (!(error instanceof Error) || error instanceof FtftError) return error;
  const explained = explainDiskError(error, place);
  if (explained !== error) return explained;
  const {$metadata, code, message}: S3Error = error;
  const name = nameOf(error);
  const status = $metadata?.httpStatusCode;
  const isOfNetwork = name === 'TimeoutError' || (code !== undefined && /^E[A-Z_]+$/.test(code));
  if (status === 507 || full.includes(name))
    return new FtftError(
      'RESOURCE_EXHAUSTED',
      `Cannot write to ${place}: the service has no room; free some and try again`,
      {reason: 'DISK_FULL'},
      {cause: error},
    );
  const fault = faultOfSettings(error);
  if (!fault && !isOfNetwork && status === undefined) return error;
  const found = fault ?? `the service must answer, it did not (${code ?? name}: ${message})`;
  return new FtftError(
    'UNAVAILABLE',
    `Cannot use ${place}: ${found}`,
    {reason: 'STORE_UNAVAILABLE', retryAfterMs: 1000},
    {cause: error},
  );
}
