// A caller and its next call → room for it, or RESOURCE_EXHAUSTED: calls a second, and calls open at once.
import {FtftError} from '../../errors.js';

export interface CallerLimits {
  /** Calls a second in the long run, and twice as many at once; 0: any number. */
  callsPerSecond: number;
  /** Calls open at once: streams, waits and imports beside short ones. */
  openCalls: number;
}

interface Account {
  /** Calls that may begin now. */
  tokens: number;
  filledAt: number;
  numOpen: number;
}

/** Accounts that say no more than a new one would are forgotten when there are more than this. */
const manyAccounts = 1000;

export class CallerAccounts {
  private readonly accounts = new Map<string, Account>();

  constructor(
    private readonly limits: CallerLimits,
    private readonly clock: () => number = () => performance.now(),
  ) {}

  /** Takes room for one call; the result gives it back, once. */
  enter(caller: string): () => void {
    const account = this.accountOf(caller);
    const {callsPerSecond, openCalls} = this.limits;
    if (account.numOpen >= openCalls)
      throw exhausted('STREAM_LIMIT', `must have at most ${openCalls} calls open at once`, openCalls, 1000);
    if (callsPerSecond > 0 && account.tokens < 1) {
      const waitMs = Math.ceil(((1 - account.tokens) / callsPerSecond) * 1000);
      throw exhausted('RATE_LIMITED', `must make at most ${callsPerSecond} calls a second`, callsPerSecond, waitMs);
    }
    account.tokens--;
    account.numOpen++;
    let isOpen = true;
    return () => {
      if (isOpen) account.numOpen--;
      isOpen = false;
    };
  }

  private accountOf(caller: string): Account {
    const now = this.clock();
    const most = 2 * this.limits.callsPerSecond;
    const found = this.accounts.get(caller);
    if (!found) {
      if (this.accounts.size >= manyAccounts) this.forgetIdle(now);
      const account = {tokens: most, filledAt: now, numOpen: 0};
      this.accounts.set(caller, account);
      return account;
    }
    found.tokens = Math.min(most, found.tokens + ((now - found.filledAt) / 1000) * this.limits.callsPerSecond);
    found.filledAt = now;
    return found;
  }

  private forgetIdle(now: number): void {
    // After two seconds an account is full again.
    for (const [caller, {numOpen, filledAt}] of this.accounts)
      if (numOpen === 0 && now - filledAt >= 2000) this.accounts.delete(caller);
  }
}

function exhausted(reason: string, rule: string, limit: number, retryAfterMs: number): FtftError {
  return new FtftError('RESOURCE_EXHAUSTED', `Cannot take the call: a caller ${rule}; wait, then try again`, {
    reason,
    retryAfterMs,
    metadata: {limit: String(limit)},
  });
}
