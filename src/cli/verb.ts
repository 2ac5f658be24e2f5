// What all verbs share: the address, --json, the connection, and parsers of option values.
import type {Command} from 'commander';
import {InvalidArgumentError} from 'commander';
import {type ClientSettings, readClientSettings, readConfig} from '../config.js';
import type {FtftServiceClient} from '../server/gen/ftft/v1/ftft_service.js';
import {connect} from './connect.js';
import {jsonLine} from './format.js';
import type {Io, Output} from './io.js';
import {exitCodesHelp} from './report-error.js';

export interface ClientOptions {
  address: string;
  json?: boolean;
  tls: boolean;
  ca?: string;
  cert?: string;
  key?: string;
  /** From the environment alone: everybody may read a command line. */
  token?: string;
}

/** A verb that speaks to a server. The example stands at the end of its help. */
export function verb(
  program: Command,
  name: string,
  description: string,
  io: Io,
  examples: string[],
  isDefault = false,
): Command {
  const {isTls, caFile, certFile, keyFile, token} = readClientSettings(io.env);
  return program
    .command(name, {isDefault})
    .description(description)
    .option('--address <host:port>', 'server to call', defaultAddress(io.env))
    .option('--tls', 'speak TLS (FTFT_TLS)', isTls)
    .option('--ca <file>', "PEM of who signs the server's certificate, instead of the system's (FTFT_CA_FILE)", caFile)
    .option('--cert <file>', 'PEM of a certificate that says who calls (FTFT_CLIENT_CERT_FILE)', certFile)
    .option('--key <file>', 'PEM of its key (FTFT_CLIENT_KEY_FILE)', keyFile)
    .option('--json', 'print JSON for machines, and nothing else, on standard output')
    .addHelpText('after', helpTail(examples))
    .setOptionValueWithSource('token', token, 'env');
}

export function helpTail(examples: string[]): string {
  return `\nExample${examples.length > 1 ? 's' : ''}:\n${examples.map(line => `  $ ${line}`).join('\n')}\n${exitCodesHelp}`;
}

/** FTFT_GRPC_PORT on the loopback: where `ftft serve` listens when it is told nothing else. */
export function defaultAddress(env: NodeJS.ProcessEnv): string {
  return `127.0.0.1:${readConfig(env).grpcPort}`;
}

export async function withClient<T>(
  options: ClientOptions,
  use: (client: FtftServiceClient) => Promise<T>,
): Promise<T> {
  const connection = connect(options.address, settingsOf(options));
  try {
    return await use(connection.client);
  } finally {
    connection.close();
  }
}

const settingsOf = ({tls, ca, cert, key, token}: ClientOptions): ClientSettings => ({
  isTls: tls,
  caFile: ca,
  certFile: cert,
  keyFile: key,
  token,
});

/** The message as one line of JSON, or the words. */
export function print(io: Io, options: ClientOptions, message: unknown, words: () => string): void {
  io.stdout.write(options.json ? jsonLine(message) : `${words()}\n`);
}

/** Where what is not the result goes: standard output belongs to the JSON where that was asked for. */
export function chatter(io: Io, options: ClientOptions): Output {
  return options.json ? io.stderr : io.stdout;
}

/** Numbers of the contract are int32 where nothing else is said. */
const maxInt32 = 2 ** 31 - 1;

export function integer(least: number, most = maxInt32): (text: string) => number {
  return text => {
    const value = Number(text);
    if (text.trim() !== '' && Number.isInteger(value) && value >= least && value <= most) return value;
    const range = most === maxInt32 && !(value > most) ? `of at least ${least}` : `from ${least} to ${most}`;
    throw new InvalidArgumentError(`It must be a whole number ${range}.`);
  };
}

/** More than 0, and at most `most`: the contract takes 0 for a field left out, so that it would silently mean the default. */
export function positive(most: number): (text: string) => number {
  return text => {
    const value = number(text);
    if (value > 0 && value <= most) return value;
    throw new InvalidArgumentError(`It must be a number more than 0 and at most ${most}.`);
  };
}

export function number(text: string): number {
  const value = Number(text);
  if (text.trim() !== '' && Number.isFinite(value)) return value;
  throw new InvalidArgumentError('It must be a number.');
}

/** One of the words; what each stands for. */
export function choice<T>(words: Record<string, T>): (text: string) => T {
  return text => {
    if (Object.hasOwn(words, text)) return words[text];
    throw new InvalidArgumentError(`It must be one of ${Object.keys(words).join(', ')}.`);
  };
}

/** a,b,c; may be given more than once. */
export function list(text: string, before: string[] | undefined): string[] {
  return [...(before ?? []), ...text.split(',').map(item => item.trim())];
}

/** key=value; may be given more than once. */
export function keyValue(text: string, before: Record<string, string> | undefined): Record<string, string> {
  const at = text.indexOf('=');
  if (at < 1) throw new InvalidArgumentError('It must be key=value.');
  return {...before, [text.slice(0, at)]: text.slice(at + 1)};
}
