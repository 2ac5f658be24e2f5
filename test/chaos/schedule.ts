// A seed and a round's number → what goes wrong in it and when, what is submitted and how it is read. Pure: the same again each time.
import {permutation, type RandomStream, randomStream} from '../../src/random.js';

export const faultKinds = [
  'kill-api',
  'kill-worker',
  'kill-trainer',
  'kill-database',
  'pause-worker',
  'cut-network',
  'move-clock',
  'fill-disk',
] as const;
export type FaultKind = (typeof faultKinds)[number];

/** SQLite lives in the processes that use it. */
export const kindsOf: Record<'sqlite' | 'postgres', readonly FaultKind[]> = {
  sqlite: ['kill-api', 'kill-worker', 'kill-trainer', 'pause-worker', 'move-clock', 'fill-disk'],
  postgres: faultKinds,
};

export interface Fault {
  kind: FaultKind;
  /** When, and for how long, in units of what an undisturbed round takes: the same on a slow machine. */
  at: number;
  lasts: number;
  /** Which of several, and by how much, in [0, 1). */
  pick: number;
  amount: number;
}

export interface Submission {
  requestId: string;
  /** Which of the specifications. */
  variant: number;
  /** In the same unit as faults. */
  at: number;
  /** Calls with this request_id, at once. */
  copies: number;
  /** What is asked for while faults strike: to cancel the run, or to suspend it and resume it later. */
  wish?: {what: 'cancel' | 'suspend'; at: number; lasts: number};
}

export interface RoundPlan {
  faults: Fault[];
  submissions: Submission[];
  /** Of the readers' own choices. */
  readerSeed: number;
}

const numSubmissions = 2;
const mostFaults = 3;

/** The same on every machine, whatever can be broken there. Each kind leads once in as many rounds as there are kinds. */
export function planRound(
  engine: 'sqlite' | 'postgres',
  {seed, round, numVariants}: {seed: number; round: number; numVariants: number},
): RoundPlan {
  const kinds = kindsOf[engine];
  const random = randomStream(seed, 'data', round);
  const others = kinds.filter((_, i) => i !== round % kinds.length);
  const order = permutation(others.length, random);
  // One of a kind: the second would find broken already what it is to break.
  const chosen = [kinds[round % kinds.length], ...Array.from(order, i => others[i])];
  const faults = chosen.slice(0, 1 + Math.floor(random() * mostFaults)).map(kind => ({
    kind,
    at: 0.8 * random(),
    lasts: 0.1 + 0.9 * random(),
    pick: random(),
    amount: random(),
  }));
  const submissions = Array.from({length: numSubmissions}, (_, i) => ({
    requestId: uuid(random),
    variant: Math.floor(random() * numVariants),
    at: i === 0 ? 0 : 0.6 * random(),
    copies: 1 + Math.floor(random() * 3),
    wish: planWish(randomStream(seed, 'selection', round, i)),
  }));
  return {faults: faults.sort((a, b) => a.at - b.at), submissions, readerSeed: Math.floor(random() * 2 ** 31)};
}

/** A quarter of the runs each is cancelled, and suspended. */
function planWish(random: RandomStream): Submission['wish'] {
  const what = (['cancel', 'suspend'] as const)[Math.floor(4 * random())];
  return what && {what, at: 0.2 + 0.6 * random(), lasts: 0.3 * random()};
}

function uuid(random: RandomStream): string {
  const digits = Array.from({length: 32}, () => Math.floor(random() * 16));
  digits[12] = 4;
  digits[16] = 8 + (digits[16] % 4);
  const hex = digits.map(digit => digit.toString(16)).join('');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}
