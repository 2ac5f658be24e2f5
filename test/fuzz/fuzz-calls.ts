// A world, an RPC and a number of calls → what the server answered, and every answer that it must not give.
import {ErrorInfo} from 'nice-grpc-error-details';
import {randomStream} from '../../src/random.js';
import {hasRole, type Role, roleOfRpc} from '../../src/server/access/roles.js';
import {FtftServiceDefinition} from '../../src/server/gen/ftft/v1/ftft_service.js';
import {below, mutateBytes, mutateMessage, oneOf, type Random, randomBytes} from './mutate.js';
import {randomMessage} from './random-message.js';
import {type Outcome, RawClient} from './raw-calls.js';
import {codecOf, type Rpc, seedsOf, streamSeeds} from './seeds.js';
import type {World} from './world.js';

export interface Tally {
  calls: number;
  /** By name of the code. */
  codes: Record<string, number>;
  faults: string[];
  seconds: number;
}

export interface FuzzOptions {
  calls: number;
  seed: number;
}

const codeNames = [
  ...['OK', 'CANCELLED', 'UNKNOWN', 'INVALID_ARGUMENT', 'DEADLINE_EXCEEDED', 'NOT_FOUND', 'ALREADY_EXISTS'],
  ...['PERMISSION_DENIED', 'RESOURCE_EXHAUSTED', 'FAILED_PRECONDITION', 'ABORTED', 'OUT_OF_RANGE', 'UNIMPLEMENTED'],
  ...['INTERNAL', 'UNAVAILABLE', 'DATA_LOSS', 'UNAUTHENTICATED'],
];
/** What a bug, a crash or a hang would show as. */
const forbidden = ['UNKNOWN', 'DEADLINE_EXCEEDED', 'INTERNAL', 'UNAVAILABLE', 'DATA_LOSS'];
const inFlight = 32;
const maxFaults = 20;
/** A call that waits for what may never come is ended; another one hangs. */
const waitingMs = 300;
const hangingMs = 30_000;

export async function fuzzRpc(world: World, rpc: Rpc, {calls, seed}: FuzzOptions): Promise<Tally> {
  const clients = Array.from({length: 4}, () => new RawClient(world.server.address));
  const tally: Tally = {calls: 0, codes: {}, faults: [], seconds: 0};
  const random = randomStream(seed, 'data', ...Buffer.from(rpc));
  const startedAt = performance.now();
  const one = async () => {
    while (tally.calls < calls && tally.faults.length < maxFaults) {
      const client = clients[tally.calls++ % clients.length];
      const {method, messages, token, role} = nextCall(world, rpc, random);
      const isWaiting = rpc === 'waitRun';
      const {requestStream, responseStream} = method;
      const path = `/${FtftServiceDefinition.fullName}/${method.name}`;
      const cutAfterMs = isWaiting ? waitingMs : hangingMs;
      const outcome = await client.call({path, requestStream, responseStream, messages, token, cutAfterMs});
      const code = codeNames[outcome.code];
      tally.codes[code] = (tally.codes[code] ?? 0) + 1;
      const fault = faultOf(world, rpc, outcome, {role, isWaiting});
      if (fault) tally.faults.push(`${rpc} as ${role ?? 'nobody'}: ${fault}\n    ${messages.map(hex).join('\n    ')}`);
    }
  };
  await Promise.all(Array.from({length: inFlight}, one));
  for (const client of clients) client.close();
  tally.seconds = (performance.now() - startedAt) / 1000;
  return tally;
}

const hex = (message: Buffer): string => message.subarray(0, 400).toString('hex');

function nextCall(world: World, rpc: Rpc, random: Random) {
  const method = FtftServiceDefinition.methods[rpc];
  const role: Role | undefined = random() < 0.9 ? 'admin' : oneOf([undefined, 'viewer', 'trainer'] as const, random);
  const messages = method.requestStream ? mutatedStream(rpc, random) : [mutatedRequest(world, rpc, random)];
  return {method, messages, role, token: role && world.tokens[role]};
}

function mutatedRequest(world: World, rpc: Rpc, random: Random): Buffer {
  if (random() < 0.3) return randomMessage(rpc, random);
  const codec = codecOf(rpc);
  const request = codec.fromPartial(oneOf(seedsOf(rpc, world.resumeTokens), random));
  return mutated(request, codec, random);
}

function mutatedStream(rpc: Rpc, random: Random): Buffer[] {
  const codec = codecOf(rpc);
  const messages = [...oneOf(streamSeeds(rpc), random)];
  if (random() < 0.1) messages.splice(below(messages.length, random), 1);
  if (random() < 0.1) messages.splice(below(messages.length + 1, random), 0, oneOf(messages, random));
  if (random() < 0.05) messages.reverse();
  const at = below(messages.length, random);
  return messages.map((message, i) =>
    i === at
      ? random() < 0.3
        ? randomMessage(rpc, random)
        : mutated(message, codec, random)
      : Buffer.from(codec.encode(message).finish()),
  );
}

function mutated(message: unknown, codec: ReturnType<typeof codecOf>, random: Random): Buffer {
  const kind = random();
  if (kind < 0.05) return randomBytes(below(300, random), random);
  try {
    const changed = kind < 0.6 ? mutateMessage(message, random) : message;
    const bytes = Buffer.from(codec.encode(changed).finish());
    // Some as they are, or nothing behind the checks of a request would be met.
    return kind < 0.5 || kind > 0.9 ? bytes : mutateBytes(bytes, random);
  } catch {
    // What the generated code cannot write, the wire cannot carry so.
    return mutateBytes(codec.encode(message).finish(), random);
  }
}

/** What is wrong with an answer; undefined where nothing is. */
function faultOf(
  world: World,
  rpc: Rpc,
  {code, details, status, trailer, response, isCutByUs}: Outcome,
  {role, isWaiting}: {role: Role | undefined; isWaiting: boolean},
): string | undefined {
  const name = codeNames[code];
  const said = `${name}: ${details}`;
  if (isCutByUs) return isWaiting || response ? undefined : `hangs for ${hangingMs / 1000} s`;
  if (!hasRole(role, roleOfRpc[rpc])) {
    const expected = role === undefined ? 'UNAUTHENTICATED' : 'PERMISSION_DENIED';
    return name === expected ? undefined : `${said}, expected ${expected}`;
  }
  if (forbidden.includes(name)) return said;
  const everything = details + trailer;
  if (everything.includes(world.folder)) return `tells where the server keeps its files: ${said}`;
  if (/node_modules|\.[jt]s:\d|\bat \S+ \(|SQLITE|libsql/i.test(everything))
    return `tells of the server's insides: ${said}`;
  if (code === 0) return undefined;
  const info = status?.details.find(({typeUrl}) => typeUrl.endsWith('/google.rpc.ErrorInfo'));
  if (!info || ErrorInfo.decode(info.value).domain !== 'ftft.dev') return `has no ErrorInfo: ${said}`;
  // As they travel: percent-encoded, and in base 64.
  const trailerBytes = encodeURIComponent(details).length + (4 / 3) * trailer.length;
  return trailerBytes > 16_000 ? `has a trailer of ${trailerBytes} bytes: ${said}` : undefined;
}

/** Resume tokens with any byte changed, and those of another run: none may be taken. */
export async function forgeTokens(world: World, {calls, seed}: FuzzOptions): Promise<Tally> {
  const client = new RawClient(world.server.address);
  const random = randomStream(seed, 'data', 4711);
  const codec = codecOf('streamDynamics');
  const tally: Tally = {calls: 0, codes: {}, faults: [], seconds: 0};
  const startedAt = performance.now();
  const one = async () => {
    while (tally.calls++ < calls && tally.faults.length < maxFaults) {
      const genuine = oneOf(world.resumeTokens, random);
      const bytes = Buffer.from(genuine, 'base64url');
      for (let n = 1 + below(3, random); n > 0; n--) bytes[below(bytes.length, random)] ^= 1 + below(255, random);
      const isOther = random() < 0.1;
      const forged =
        random() < 0.1 ? genuine.slice(0, below(genuine.length, random)) || 'A' : bytes.toString('base64url');
      if (forged === genuine) continue;
      const request = {
        name: isOther ? 'runs/other' : 'runs/ref',
        start: {$case: 'resumeToken', value: isOther ? genuine : forged},
        noFollow: true,
      };
      const message = Buffer.from(codec.encode(codec.fromPartial(request)).finish());
      const path = `/${FtftServiceDefinition.fullName}/StreamDynamics`;
      const stream = {path, requestStream: false, responseStream: true, cutAfterMs: hangingMs};
      const {status, code} = await client.call({...stream, messages: [message], token: world.tokens.viewer});
      const info = status?.details.find(({typeUrl}) => typeUrl.endsWith('/google.rpc.ErrorInfo'));
      const reason = info ? ErrorInfo.decode(info.value).reason : codeNames[code];
      tally.codes[reason] = (tally.codes[reason] ?? 0) + 1;
      const expected = isOther ? 'RESUME_TOKEN_OF_OTHER_RUN' : 'RESUME_TOKEN_INVALID';
      if (reason !== expected) tally.faults.push(`${request.start.value}: ${reason}, expected ${expected}`);
    }
  };
  await Promise.all(Array.from({length: inFlight}, one));
  client.close();
  tally.seconds = (performance.now() - startedAt) / 1000;
  return tally;
}
