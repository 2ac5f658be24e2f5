// Seconds of ours and of PyTorch's ways of doing the same in; a row for each of those ways, the target at the quickest, out.
import {measured, type Row, type Target} from './report/results.js';
import {mean, median} from './statistics.js';

export interface Comparing {
  /** Of one of the seconds. */
  instances: number;
  target: Target;
  /** What counts: the median where all seconds are of the same work, the sum where they are of different batches. */
  by?: 'median' | 'sum';
}

/** Ours comes first among the sides. */
export function besidePeers(
  what: string,
  seconds: Record<string, number[]>,
  {instances, target, by = 'median'}: Comparing,
): Row[] {
  const typical = by === 'sum' ? mean : median;
  const [ours, ...peers] = Object.entries(seconds).map(([name, values]) => ({
    ...measured(name, values),
    rate: {value: instances / typical(values), of: 'instances'},
  }));
  const best = Math.max(...peers.map(({rate}) => rate.value));
  return peers.map(peer => ({
    what,
    ours,
    peer,
    figure: {
      name: by === 'sum' ? 'instances a second, ours / peer' : 'peer / ours',
      value: ours.rate.value / peer.rate.value,
      unit: 'times',
      target: peer.rate.value === best ? target : undefined,
    },
  }));
}
