// Who calls: made by the guard of calls, carried through the call's metadata to its handler.
import {randomBytes} from 'node:crypto';
import type {Metadata as GrpcMetadata} from '@grpc/grpc-js';
import type {Metadata} from 'nice-grpc';
import {FtftError} from '../../errors.js';
import {hasRole, type Role} from './roles.js';

export interface Caller {
  /** token:NAME, jwt:SUBJECT or cert:NAME; undefined where the server asks nobody who they are. */
  name: string | undefined;
  /** undefined: known, and may do nothing. */
  role: Role | undefined;
  /** Milliseconds since 1970, when what it showed runs out. */
  expiresAt?: number;
}

/** On a server without authentication. */
export const anyone: Caller = {name: undefined, role: 'admin'};

/** No caller knows the key of this process, and what one sends under it is replaced. */
const key = `ftft-caller-${randomBytes(8).toString('hex')}-bin`;

export function putCaller(metadata: GrpcMetadata, {name, role}: Caller): void {
  metadata.set(key, Buffer.from(JSON.stringify({name, role})));
}

/** A call that passed no guard has no rights. */
export function callerOf(metadata: Metadata): Caller {
  const found = metadata.get(key);
  if (found === undefined) return {name: undefined, role: undefined};
  return JSON.parse(Buffer.from(found as Uint8Array).toString()) as Caller;
}

/** PERMISSION_DENIED/ROLE_MISSING unless the caller started the run or is an admin. */
export function checkOwn(what: string, caller: Caller, startedBy: string | undefined): void {
  if (hasRole(caller.role, 'admin')) return;
  if (caller.name !== undefined && caller.name === startedBy) return;
  throw roleMissing(`${what}: it must be a run that ${caller.name ?? 'the caller'} started, or the role must be admin`);
}

export function roleMissing(message: string): FtftError {
  return new FtftError('PERMISSION_DENIED', message, {reason: 'ROLE_MISSING'});
}

export type UnauthenticatedReason = 'TOKEN_MISSING' | 'TOKEN_INVALID' | 'TOKEN_EXPIRED' | 'CERTIFICATE_UNKNOWN';

export function unauthenticated(reason: UnauthenticatedReason, found: string): FtftError {
  return new FtftError('UNAUTHENTICATED', `Cannot tell who calls: ${found}`, {reason});
}
