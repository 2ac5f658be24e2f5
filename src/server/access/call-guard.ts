// A grpc-js interceptor before every call: who calls, whether it may, whether there is room for it; and requests that never end.
import {
  type Metadata as GrpcMetadata,
  ServerInterceptingCall,
  type ServerInterceptingCallInterface,
  type ServerInterceptor,
} from '@grpc/grpc-js';
import {FtftError} from '../../errors.js';
import type {Log} from '../../telemetry/log.js';
import {toCallStatus, toPlainError} from '../error-status.js';
import type {Authenticator} from './authenticate.js';
import {anyone, type Caller, putCaller, roleMissing, unauthenticated} from './caller.js';
import type {CallerAccounts} from './caller-limits.js';
import {hasRole, type Role} from './roles.js';

type Listener = Parameters<ServerInterceptingCallInterface['start']>[0];

/** What a timer can wait for, 24 days: no stream lives that long. */
const longestTimerMs = 2 ** 31 - 1;

export interface GuardOptions {
  /** undefined: nobody is asked who they are, and everybody may do everything. */
  authenticator: Authenticator | undefined;
  accounts: CallerAccounts;
  /** By path; 'nobody' for what needs no caller. A path that is not there takes an admin. */
  roleOf: ReadonlyMap<string, Role | 'nobody'>;
  /** Longest wait for the next message of a request, ms. */
  requestMs: number;
  log: Log;
}

export function callGuard(options: GuardOptions): ServerInterceptor {
  return ({path}, call) => new GuardedCall(call, path, options);
}

class GuardedCall extends ServerInterceptingCall {
  private leave: () => void = () => {};
  private isOver = false;
  private silence: NodeJS.Timeout | undefined;
  private expiry: NodeJS.Timeout | undefined;
  private listener: Listener | undefined;

  constructor(
    private readonly call: ServerInterceptingCallInterface,
    private readonly path: string,
    private readonly options: GuardOptions,
  ) {
    super(call);
  }

  override start(listener: Listener): void {
    this.listener = listener;
    super.start({
      onReceiveMetadata: metadata => {
        this.admit(metadata).then(
          () => {
            // A call that was cancelled meanwhile has no handler, and gets none.
            if (this.isOver) return this.leave();
            listener.onReceiveMetadata(metadata);
          },
          (error: unknown) => this.refuse(error),
        );
      },
      onReceiveMessage: message => {
        clearTimeout(this.silence);
        listener.onReceiveMessage(message);
      },
      onReceiveHalfClose: () => {
        clearTimeout(this.silence);
        listener.onReceiveHalfClose();
      },
      // Comes at the end of every call, however it ends.
      onCancel: () => {
        this.end();
        listener.onCancel();
      },
    });
  }

  /** Nothing of the request is read before this is through. */
  private async admit(metadata: GrpcMetadata): Promise<void> {
    const {authenticator, accounts, roleOf, log} = this.options;
    const needed = roleOf.get(this.path) ?? 'admin';
    const [authorization] = metadata.get('authorization');
    metadata.remove('authorization');
    const isAsked = authenticator !== undefined && needed !== 'nobody';
    const caller = isAsked
      ? await authenticator.authenticate({
          authorization: authorization?.toString(),
          certificate: this.call.getAuthContext().sslPeerCertificate,
        })
      : anyone;
    // What is taken now, nobody would give back.
    if (this.isOver) return;
    if (isAsked && !hasRole(caller.role, needed))
      throw roleMissing(
        `Cannot call ${this.path.slice(1)}: it takes the role ${needed}, ${caller.name} has ${caller.role ?? 'none'}`,
      );
    this.leave = accounts.enter(caller.name ?? addressOf(this.call.getPeer()));
    if (isAsked && needed !== 'viewer') log.info({rpc: this.path, caller: caller.name}, 'call');
    putCaller(metadata, caller);
    this.expire(caller);
  }

  private refuse(error: unknown): void {
    const plain = toPlainError(error);
    const {log} = this.options;
    if (plain.code === 'INTERNAL') log.error({err: error, rpc: this.path}, 'unexpected error');
    else log.debug({rpc: this.path, code: plain.code, reason: plain.reason}, plain.message);
    this.cut(error);
  }

  /** The handler wants the next message, or the end of the request: the caller has a while to send it whole. */
  override startRead(): void {
    clearTimeout(this.silence);
    const {requestMs} = this.options;
    this.silence = setTimeout(() => this.cut(requestTooSlow(requestMs)), requestMs).unref();
    super.startRead();
  }

  /** A long stream must not outlive the right to it. */
  private expire({expiresAt}: Caller): void {
    if (expiresAt === undefined) return;
    const leftMs = Math.max(0, expiresAt - Date.now());
    if (leftMs > longestTimerMs) return;
    this.expiry = setTimeout(
      () =>
        this.cut(
          unauthenticated('TOKEN_EXPIRED', 'what the call was begun with has expired; call again with new credentials'),
        ),
      leftMs,
    ).unref();
  }

  /** Ends the call with the error, and its handler as if the caller had gone. */
  private cut(error: unknown): void {
    if (this.isOver) return;
    super.sendStatus(toCallStatus(toPlainError(error)));
    this.end();
    this.listener?.onCancel();
  }

  private end(): void {
    this.isOver = true;
    clearTimeout(this.silence);
    clearTimeout(this.expiry);
    this.leave();
  }
}

/** Of 10.0.0.1:4711, 10.0.0.1: the port is another with each connection. */
const addressOf = (peer: string): string => peer.replace(/:\d+$/, '');

function requestTooSlow(requestMs: number): FtftError {
  return new FtftError(
    'DEADLINE_EXCEEDED',
    `Cannot go on waiting for the request: its next message did not come in ${requestMs / 1000} s`,
    {reason: 'REQUEST_TOO_SLOW'},
  );
}
