// What each figure must reach, in one table.
import type {Target} from './report/results.js';

const atLeast = (value: number, aim?: number): Target => ({bound: 'at least', value, ...(aim ? {aim} : {})});
const atMost = (value: number, aim?: number): Target => ({bound: 'at most', value, ...(aim ? {aim} : {})});

export const targets = {
  /** PyTorch's step time over ours, on one padded batch. */
  step: atLeast(1.25, 1.5),
  /** Ratio of instances a second over real batches, ours unpadded, PyTorch's padded to the longest. */
  instances: {movie: atLeast(2.2), snli: atLeast(2.2), abuse: atLeast(3)},
  /** Step time of a script that neither side was tuned on over that of our peer; the same work may scatter by 2 %. */
  peer: atLeast(0.98),
  /** Our peak resident memory over PyTorch's, and over that of our own eager path. */
  memory: atMost(1.15, 1),
  memoryOfEager: atMost(0.5),
  /** Compiled over eager, where calls are most of the time. */
  overhead: atMost(0.2),
  /** Percent that recording p_true adds. */
  dynamics: atMost(1),
  /** Percent that resident memory grows in 10,000 steps. */
  leak: atMost(2),
  /** Seconds until every bucket of a BERT-large can be stepped. */
  trace: atMost(60),
  evaluate: atLeast(1.25),
  /** Time from logits to scores, the peer's over ours. */
  dataMap: {cartography: atLeast(300), numpy: atLeast(1)},
  /** Seconds until the map of ten million instances and ten epochs is stored, and bytes of memory beside its input. */
  largeMap: atMost(3),
  largeMapMemory: atMost(1.2e9),
  /** Seconds at the 99th percentile. */
  latency: atMost(0.1),
  /** Percent by which a predicted time is off. */
  cost: atMost(15),
  service: {
    /** Seconds of GetRun at the 99th percentile, 500 calls a second. */
    getRun: atMost(0.02),
    /** Seconds from an epoch's commit until a subscriber has it, at the 99th percentile. */
    commit: atMost(0.05),
    /** Seconds beyond the lease until another worker has the run of one that died. */
    takeover: atMost(1),
    /** MB a second of a log that is read again. */
    replay: atLeast(50),
    /** Percent that the API's memory grows beside a reader that reads nothing. */
    stalled: atMost(10),
  },
  /** Time of an epoch that 500 subscribers follow over that of one that nobody does. */
  subscribers: atMost(1.02, 1.01),
};
