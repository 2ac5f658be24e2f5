// Clients that show who they are, and authentication files that know them.
import {createHash, randomBytes} from 'node:crypto';
import {mkdtempSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import type {TestContext} from 'node:test';
import {ChannelCredentials, createChannel, createClientFactory, Metadata} from 'nice-grpc';
import {errorDetailsClientMiddleware} from 'nice-grpc-error-details';
import {type FtftServiceClient, FtftServiceDefinition} from '../../../src/server/gen/ftft/v1/ftft_service.js';
import type {Pair} from '../../support/certificates.js';

export interface Shown {
  /** The whole header. */
  authorization?: string;
  token?: string;
  /** PEM that the server's certificate is checked with; plaintext when undefined. */
  ca?: Buffer;
  own?: Pair;
}

/** A client on a connection of its own. */
export function secureClient(
  t: TestContext,
  address: string,
  {authorization, token, ca, own}: Shown,
): FtftServiceClient {
  const credentials = ca
    ? ChannelCredentials.createSsl(ca, own?.key ?? null, own?.cert ?? null)
    : ChannelCredentials.createInsecure();
  const channel = createChannel(address, credentials, {'grpc.use_local_subchannel_pool': 1});
  t.after(() => channel.close());
  const header = authorization ?? (token === undefined ? undefined : `Bearer ${token}`);
  return createClientFactory()
    .use(errorDetailsClientMiddleware)
    .use(async function* showing(call, options) {
      const metadata = Metadata(options.metadata);
      if (header !== undefined) metadata.set('authorization', header);
      return yield* call.next(call.request, {...options, metadata});
    })
    .create(FtftServiceDefinition, channel);
}

export const newToken = (): string => randomBytes(32).toString('base64url');
export const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

/** Path of a file of these contents. */
export function authFile(contents: object): string {
  const file = join(mkdtempSync(join(tmpdir(), 'ftft-auth-')), 'auth.json');
  writeFileSync(file, JSON.stringify(contents));
  return file;
}

/** A token for each role, and the file that knows them. */
export function roleTokens(): {tokens: Record<'viewer' | 'trainer' | 'admin', string>; file: string} {
  const tokens = {viewer: newToken(), trainer: newToken(), admin: newToken()};
  const known = Object.entries(tokens).map(([role, token]) => ({name: `the-${role}`, role, sha256: sha256(token)}));
  return {tokens, file: authFile({tokens: known})};
}
