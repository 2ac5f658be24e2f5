// Bytes of messages to any RPC path, as any caller; what came of it. Nothing of ours checks them on the way.
import {Client, credentials, Metadata, type ServiceError, type StatusObject} from '@grpc/grpc-js';
import {Status} from '../../src/server/gen/google/rpc/status.js';

export interface Outcome {
  /** gRPC code. */
  code: number;
  details: string;
  /** google.rpc.Status of the trailer. */
  status: Status | undefined;
  /** Every byte of the trailer, as text. */
  trailer: string;
  /** First response. */
  response: Buffer | undefined;
  /** The call was ended from here. */
  isCutByUs: boolean;
}

export interface RawCall {
  path: string;
  requestStream: boolean;
  responseStream: boolean;
  messages: Buffer[];
  token?: string;
  /** Ended from here after so long; a call that is expected to end by itself hangs then. */
  cutAfterMs: number;
}

const same = (bytes: Buffer): Buffer => bytes;
/** Of a stream that may follow a run for ever: so many responses, or what comes for so long after the first one. */
const enoughResponses = 30;
const followMs = 100;

export class RawClient {
  private readonly client: Client;

  constructor(address: string) {
    this.client = new Client(address, credentials.createInsecure(), {'grpc.use_local_subchannel_pool': 1});
  }

  call({path, requestStream, responseStream, messages, token, cutAfterMs}: RawCall): Promise<Outcome> {
    const metadata = new Metadata();
    if (token !== undefined) metadata.set('authorization', `Bearer ${token}`);
    return new Promise(resolve => {
      let response: Buffer | undefined;
      let isCutByUs = false;
      let isDone = false;
      let followed: NodeJS.Timeout | undefined;
      const done = (status: Pick<StatusObject, 'code' | 'details'> & {metadata?: Metadata}) => {
        if (isDone) return;
        isDone = true;
        clearTimeout(timer);
        clearTimeout(followed);
        const [bytes] = status.metadata?.get('grpc-status-details-bin') ?? [];
        const texts = Object.entries(status.metadata?.getMap() ?? {}).filter(([, value]) => typeof value === 'string');
        const trailer = texts.flat().join('\n') + (bytes ? bytes.toString('latin1') : '');
        const detailed = bytes ? Status.decode(bytes as Buffer) : undefined;
        resolve({code: status.code, details: status.details, status: detailed, trailer, response, isCutByUs});
      };
      const answered = (error: ServiceError | null, value?: Buffer) => {
        response = value;
        done(error ?? {code: 0, details: ''});
      };
      const cut = () => {
        isCutByUs = true;
        call.cancel();
      };
      const timer = setTimeout(cut, cutAfterMs);
      const writes = (stream: {
        write(message: Buffer): boolean;
        end(): void;
        on(event: 'error', listener: () => void): unknown;
      }) => {
        stream.on('error', () => {});
        for (const message of messages) stream.write(message);
        stream.end();
        return stream;
      };
      let call: {cancel(): void};
      if (requestStream)
        call = writes(this.client.makeClientStreamRequest(path, same, same, metadata, answered)) as never;
      else if (!responseStream) call = this.client.makeUnaryRequest(path, same, same, messages[0], metadata, answered);
      else {
        let numResponses = 0;
        const stream = this.client.makeServerStreamRequest(path, same, same, messages[0], metadata);
        stream.on('data', (message: Buffer) => {
          if (!response) followed = setTimeout(cut, followMs);
          response ??= message;
          if (++numResponses >= enoughResponses) cut();
        });
        stream.on('error', () => {});
        stream.on('status', done);
        call = stream;
      }
    });
  }

  close(): void {
    this.client.close();
  }
}
