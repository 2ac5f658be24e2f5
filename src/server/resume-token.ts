// Place in a run's log ⇄ opaque, URL-safe token. The HMAC binds it to the run's uid; it carries no rights.
import {createHmac, timingSafeEqual} from 'node:crypto';
import {FtftError} from '../errors.js';

/** Where delivery goes on. */
export interface LogPosition {
  /** Last event delivered whole; 0 before the first. */
  sequence: number;
  /** Instances of the chunk after it that were delivered already, counted as stored: a large chunk travels in parts. */
  numSent: number;
}

const version = 1;
const uidBytes = 16;
const bodyBytes = 1 + uidBytes + 8 + 4;
const macBytes = 16;

export function encodeResumeToken(key: Buffer, runUid: string, position: LogPosition): string {
  const body = Buffer.alloc(bodyBytes);
  body.writeUInt8(version, 0);
  Buffer.from(runUid.replaceAll('-', ''), 'hex').copy(body, 1);
  body.writeBigUInt64BE(BigInt(position.sequence), 1 + uidBytes);
  body.writeUInt32BE(position.numSent, 1 + uidBytes + 8);
  return Buffer.concat([body, sign(key, body)]).toString('base64url');
}

/** INVALID_ARGUMENT/RESUME_TOKEN_INVALID when malformed or forged, …_OF_OTHER_RUN when genuine but of another run. */
export function decodeResumeToken(key: Buffer, runUid: string, token: string): LogPosition {
  const bytes = Buffer.from(token, 'base64url');
  // Base64 decoders skip what they do not know; only the one true spelling is accepted.
  if (bytes.length !== bodyBytes + macBytes || bytes.toString('base64url') !== token)
    throw invalid('it is not a token of this service');
  const body = bytes.subarray(0, bodyBytes);
  if (!timingSafeEqual(sign(key, body), bytes.subarray(bodyBytes))) throw invalid('its signature does not match');
  if (body.readUInt8(0) !== version) throw invalid(`its version is ${body.readUInt8(0)}, this server reads ${version}`);
  if (body.subarray(1, 1 + uidBytes).toString('hex') !== runUid.replaceAll('-', ''))
    throw new FtftError('INVALID_ARGUMENT', 'Cannot resume: the resume token belongs to another run', {
      reason: 'RESUME_TOKEN_OF_OTHER_RUN',
    });
  return {
    sequence: Number(body.readBigUInt64BE(1 + uidBytes)),
    numSent: body.readUInt32BE(1 + uidBytes + 8),
  };
}

const sign = (key: Buffer, body: Buffer): Buffer =>
  createHmac('sha256', key).update(body).digest().subarray(0, macBytes);

function invalid(found: string): FtftError {
  return new FtftError(
    'INVALID_ARGUMENT',
    `Cannot resume: resume_token must be one that this service sent, but ${found}; start anew without it`,
    {reason: 'RESUME_TOKEN_INVALID'},
  );
}
