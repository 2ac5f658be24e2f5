// A run's log, from a place on, to its end: what is stored, then what comes. Holds one page, whatever the number of readers.
import {FtftError, invalidFields} from '../errors.js';
import type {EventRange} from './api.js';
import {notFound} from './not-found.js';
import {isTerminal} from './run-state.js';
import {type EpochMark, eventsPerPage, type Store} from './store.js';
import type {RunRecord, StoredEvent} from './types.js';
import type {Wakeups} from './wakeups.js';

const what = 'Cannot read the events of a run';

interface LogPage {
  page: StoredEvent[];
  isFull: boolean;
  /** As it was when the page had been read. */
  run?: RunRecord;
  /** The log's end; of a terminal run's last page only. */
  last?: number;
}

export async function* readEvents(
  {log, runs}: Pick<Store, 'log' | 'runs'>,
  wakeups: Wakeups,
  runId: string,
  {start, signal}: EventRange,
): AsyncGenerator<StoredEvent | 'caught-up'> {
  const uid = (await runs.get(runId))?.run.uid;
  if (uid === undefined) throw notFound('Run', runId);
  const marks = await log.epochMarks(runId);
  const last = await log.lastSequence(runId);
  const [oldest] = await log.read(runId, 1, 1);
  // Of a log whose beginning is gone, and of one of which nothing is left.
  const first = oldest?.sequence ?? last + 1;
  let next = firstSequence(start, marks, last, first);
  if (next < first) throw expired(first, marks);
  let isCaughtUp = false;
  let isBehind = true;
  const watch = wakeups.watch(runId, 'log');
  const readOn = async (): Promise<LogPage> => {
    const page = await log.read(runId, next, eventsPerPage);
    const isFull = page.length === eventsPerPage;
    const run = (await runs.get(runId))?.run;
    // In this order: the last event is written together with the terminal state.
    const last = !isFull && run && isTerminal(run.state) ? await log.lastSequence(runId) : undefined;
    return {page, isFull, run, last};
  };
  try {
    while (true) {
      signal.throwIfAborted();
      // Those who follow a run are all at its end, and want the same.
      const {page, isFull, run, last}: LogPage = isBehind ? await readOn() : await watch.shared(`${next}`, readOn);
      // Deleted meanwhile: a reader that was told nothing would take what it has for the whole, or another run's events for this one's.
      if (run?.uid !== uid) throw notFound('Run', runId);
      // What is no longer kept may go between two pages.
      if (page.length > 0 && page[0].sequence !== next) throw expired(page[0].sequence, await log.epochMarks(runId));
      for (const event of page) {
        yield event;
        next = event.sequence + 1;
      }
      isBehind = isFull;
      if (isFull) continue;
      if (!isCaughtUp) {
        isCaughtUp = true;
        yield 'caught-up';
        continue;
      }
      if (last !== undefined && last < next) return;
      await watch.wait(signal);
    }
  } finally {
    watch.close();
  }
}

function firstSequence(start: EventRange['start'], marks: EpochMark[], last: number, first: number): number {
  if ('sequence' in start) return checkedSequence(start.sequence, last);
  if ('epoch' in start) {
    const isGone = first > 1 && start.epoch >= 0 && start.epoch < (startedEpochs(marks)[0]?.epoch ?? 0);
    return isGone ? 1 : epochStart(start.epoch, marks);
  }
  if (start.position === 'earliest') return first;
  if (start.position === 'latest') return last + 1;
  const committed = validMarks(marks).filter(({kind}) => kind === 'epoch-committed');
  return committed.length === 0 ? first : epochStart(committed[committed.length - 1].epoch, marks);
}

function checkedSequence(sequence: number, last: number): number {
  if (!(Number.isInteger(sequence) && sequence >= 1))
    throw invalidFields(what, [{field: 'start', description: `must be 1 or more, current value is ${sequence}`}]);
  if (sequence <= last + 1) return sequence;
  throw new FtftError('OUT_OF_RANGE', `${what}: its log ends at ${last}, event ${sequence} was asked for`, {
    reason: 'OFFSET_PAST_END',
    metadata: {last_sequence: String(last)},
  });
}

function epochStart(epoch: number, marks: EpochMark[]): number {
  if (!(Number.isInteger(epoch) && epoch >= 0))
    throw invalidFields(what, [{field: 'epoch', description: `must be 0 or more, current value is ${epoch}`}]);
  const found = validMarks(marks).find(mark => mark.kind === 'epoch-started' && mark.epoch === epoch);
  if (found) return found.sequence;
  throw new FtftError('OUT_OF_RANGE', `${what}: epoch ${epoch} has not begun`, {
    reason: 'EPOCH_NOT_REACHED',
    metadata: {epoch: String(epoch)},
  });
}

const startedEpochs = (marks: EpochMark[]): EpochMark[] => marks.filter(({kind}) => kind === 'epoch-started');

/** What is left of the log begins later. earliest_sequence is for the server, which makes a token of it. */
function expired(earliest: number, marks: EpochMark[]): FtftError {
  const [epoch] = startedEpochs(marks);
  return new FtftError(
    'OUT_OF_RANGE',
    `${what}: events before ${earliest} are no longer kept; go on from the earliest`,
    {
      reason: 'RESUME_TOKEN_EXPIRED',
      metadata: {earliest_sequence: String(earliest), ...(epoch && {earliest_epoch: String(epoch.epoch)})},
    },
  );
}

/** Marks of epochs that were not discarded later. */
function validMarks(marks: EpochMark[]): EpochMark[] {
  let valid: EpochMark[] = [];
  for (const mark of marks)
    if (mark.kind === 'epochs-discarded') valid = valid.filter(({epoch}) => epoch < mark.epoch);
    else valid.push(mark);
  return valid;
}
