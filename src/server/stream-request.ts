// StreamDynamicsRequest → checked choices with every default filled in.
import {maxMessageBytes, messageOverheadBytes} from './columns.js';
import {
  DynamicsView,
  StreamDynamicsRequest_StartPosition as Start,
  type StreamDynamicsRequest,
} from './gen/ftft/v1/dynamics.js';
import {RequestChecks} from './request-checks.js';

export interface StreamRequest {
  runId: string;
  start: {token: string} | {position: 'earliest' | 'latest' | 'last-committed-epoch'} | {epoch: number};
  isFollowing: boolean;
  heartbeatMs: number;
  choice: ChunkChoice;
}

/** Which columns and instances of a chunk are sent, and how many at a time. */
export interface ChunkChoice {
  view: 'basic' | 'full' | 'summary';
  /** Ascending; undefined for all. */
  instances: number[] | undefined;
  /** At most this many a message, unless the byte limit allows fewer. */
  maxInstances: number;
}

const defaultChunkInstances = 16_384;
const defaultHeartbeatMs = 15_000;
const leastHeartbeatMs = 1000;
/** What a stream holds of its request for as long as it lives. */
const maxInstances = 1_000_000;
/** What a timer can wait for. */
const longestHeartbeatMs = 2 ** 31 - 1;

const positions = {
  [Start.START_POSITION_UNSPECIFIED]: 'earliest',
  [Start.START_POSITION_EARLIEST]: 'earliest',
  [Start.START_POSITION_LATEST]: 'latest',
  [Start.START_POSITION_LAST_COMMITTED_EPOCH]: 'last-committed-epoch',
} as const;

const views = {
  [DynamicsView.DYNAMICS_VIEW_UNSPECIFIED]: 'basic',
  [DynamicsView.DYNAMICS_VIEW_BASIC]: 'basic',
  [DynamicsView.DYNAMICS_VIEW_FULL]: 'full',
  [DynamicsView.DYNAMICS_VIEW_SUMMARY]: 'summary',
} as const;

export function fromStreamRequest(request: StreamDynamicsRequest): StreamRequest {
  const checks = new RequestChecks('Cannot stream dynamics');
  const {instances} = request;
  if (instances.some((instance, i) => instance < 0 || (i > 0 && instance <= instances[i - 1])))
    checks.violate('instances', 'must be ascending, without duplicates, from 0');
  if (instances.length > maxInstances)
    checks.violate('instances', `must be at most ${maxInstances}, current number is ${instances.length}`);
  checks.notNegative('max_chunk_instances', request.maxChunkInstances);
  const wanted: StreamRequest = {
    runId: checks.name('name', 'runs', request.name),
    start: fromStart(request.start, checks),
    isFollowing: !request.noFollow,
    heartbeatMs: Math.min(
      checks.duration('heartbeat_interval', request.heartbeatInterval, leastHeartbeatMs) ?? defaultHeartbeatMs,
      longestHeartbeatMs,
    ),
    choice: {
      view: checks.choice('view', views, request.view) ?? 'basic',
      instances: instances.length > 0 ? instances : undefined,
      maxInstances: request.maxChunkInstances || defaultChunkInstances,
    },
  };
  checks.throwIfAny();
  return wanted;
}

function fromStart(start: StreamDynamicsRequest['start'], checks: RequestChecks): StreamRequest['start'] {
  switch (start?.$case) {
    case undefined:
      return {position: 'earliest'};
    case 'resumeToken':
      // An empty token is what a reader holds that has seen nothing yet.
      return start.value === '' ? {position: 'earliest'} : {token: start.value};
    case 'position':
      return {position: checks.choice('position', positions, start.value) ?? 'earliest'};
    case 'epoch':
      checks.notNegative('epoch', start.value);
      return {epoch: start.value};
  }
}

/** Instances that fit into one message. */
export function instancesPerMessage(choice: ChunkChoice, numClasses: number): number {
  const bytesPerInstance = 4 + 1 / 8 + (choice.view === 'full' ? 4 * numClasses : 0);
  const fitting = Math.floor((maxMessageBytes - messageOverheadBytes) / bytesPerInstance);
  return Math.max(1, Math.min(choice.maxInstances, fitting));
}
