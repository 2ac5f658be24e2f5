// Short words from process to process through LISTEN and NOTIFY: hints only, since they are lost with a connection and behind some
// poolers. Whoever waits polls as well.
import {randomUUID} from 'node:crypto';
import pg from 'pg';

const longestRetryMs = 10_000;

export class Hints {
  static readonly channel = 'ftft';
  private readonly self = randomUUID().slice(0, 8);
  private readonly waiting = new Set<string>();
  private listener: pg.Client | undefined;
  private retry: NodeJS.Timeout | undefined;
  private retryMs = 500;
  private isSending = false;
  private isClosed = false;

  constructor(
    private readonly config: pg.ClientConfig,
    private readonly notify: (payloads: string[]) => Promise<void>,
  ) {}

  /** To the other processes, soon; the same word is said once. */
  send(word: string): void {
    this.waiting.add(`${this.self} ${word}`);
    if (!this.isSending) void this.flush();
  }

  /** onHint: a word of another process; undefined when some may have been missed. */
  listen(onHint: (word: string | undefined) => void): void {
    const client = new pg.Client(this.config);
    this.listener = client;
    const again = () => {
      client.removeAllListeners();
      client.on('error', () => {});
      client.end().catch(() => {});
      if (this.isClosed || this.listener !== client) return;
      this.listener = undefined;
      this.retry = setTimeout(() => this.listen(onHint), this.retryMs);
      this.retryMs = Math.min(2 * this.retryMs, longestRetryMs);
    };
    client.on('error', again);
    client.on('end', again);
    client.on('notification', ({payload = ''}) => {
      const [sender, ...words] = payload.split(' ');
      if (sender !== this.self) onHint(words.join(' '));
    });
    client
      .connect()
      .then(() => client.query(`listen ${Hints.channel}`))
      .then(() => {
        this.retryMs = 500;
        onHint(undefined);
      })
      .catch(again);
  }

  async close(): Promise<void> {
    this.isClosed = true;
    clearTimeout(this.retry);
    await this.listener?.end().catch(() => {});
  }

  private async flush(): Promise<void> {
    this.isSending = true;
    while (this.waiting.size > 0 && !this.isClosed) {
      const payloads = [...this.waiting];
      this.waiting.clear();
      // One that is lost is found by polling.
      await this.notify(payloads).catch(() => {});
    }
    this.isSending = false;
  }
}
