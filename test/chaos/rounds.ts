// A world and a seed → rounds: runs are submitted and read while faults strike; when all is mended, every promise is looked at.
import {writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import {randomStream} from '../../src/random.js';
import {weightsDigest} from '../support/small-run.js';
import {type AnyClient, type Reading, read, submit, wish} from './clients.js';
import type {EventRow, RunRow} from './evidence.js';
import {make} from './faults.js';
import {checkLog, checkReader, checkRequests, checkWriters, Findings, isTerminal} from './invariants.js';
import {type Fault, type FaultKind, planRound, type Submission} from './schedule.js';
import {Watch} from './watch.js';
import {variants, type World, within} from './world.js';

/** Generous: what takes longer after all is mended does not come. */
const endMs = 240_000;

/** What an uninterrupted run of each variant leaves. */
interface Calm {
  weights: string;
  digests: string[];
}

export interface Counts {
  rounds: number;
  faults: Map<FaultKind, number>;
  runs: number;
  /** Runs that more than one attempt was made at. */
  interrupted: number;
  attempts: number;
  /** Attempts that went on from a checkpoint. */
  resumed: number;
  diskFull: number;
  cancelled: number;
  suspended: number;
  connections: number;
}

export class Rounds {
  readonly findings = new Findings();
  readonly counts: Counts = {
    ...{
      rounds: 0,
      faults: new Map(),
      runs: 0,
      interrupted: 0,
      attempts: 0,
      resumed: 0,
      diskFull: 0,
      connections: 0,
      cancelled: 0,
      suspended: 0,
    },
  };
  private readonly calm: Calm[] = [];
  private readonly answers = new Map<string, string[]>();
  private readonly watch: Watch;
  /** Time that an undisturbed round takes. */
  private roundMs = 0;
  /** Runs whose cancellation was asked for. */
  private readonly cancelled = new Set<string>();
  /** In the present round. */
  private isDiskFilled = false;

  constructor(
    private readonly world: World,
    private readonly seed: number,
    private readonly numVariants = variants.length,
  ) {
    this.watch = new Watch(world, this.findings);
  }

  /** Each variant without a fault: what the rounds are compared with, and how long they are. */
  async measure(): Promise<void> {
    const begin = performance.now();
    for (const [variant, spec] of variants.slice(0, this.numVariants).entries()) {
      const requestId = `00000000-0000-4000-8000-${String(variant).padStart(12, '0')}`;
      const [name] = await submit(this.client(0), requestId, spec, {copies: 1});
      this.answers.set(requestId, [name]);
      await within(endMs, read(this.client(0), name, {hops: false, random: Math.random}), `${name} does not end`);
      const run = await this.world.apis[0].client!.getRun({name});
      const events = await this.world.evidence.events(name.slice('runs/'.length));
      this.calm.push({weights: weightsDigest(run), digests: digests(events)});
    }
    this.roundMs = ((performance.now() - begin) / this.numVariants) * 1.5;
  }

  /** What was done, one line each. Broken invariants are in the findings. */
  async round(number: number): Promise<string[]> {
    const {world, counts, findings} = this;
    const plan = planRound(world.engine, {seed: this.seed, round: number, numVariants: this.numVariants});
    const begin = performance.now();
    const moment = async (at: number) => void (await sleep(Math.max(0, begin + at * this.roundMs - performance.now())));
    const done: string[] = [];
    this.isDiskFilled = plan.faults.some(({kind}) => kind === 'fill-disk');
    const stop = new AbortController();
    const readings = new Map<string, Promise<Reading>[]>();
    const watching = this.watch.start();
    const work = plan.submissions.map(async (submission, i) => {
      await moment(submission.at);
      const name = await this.submit(submission, stop.signal);
      readings.set(name, this.readers(submission, plan.readerSeed + i, stop.signal));
      await this.wish(name, submission, moment, stop.signal);
    });
    // What fails early is heard of when it is waited for.
    for (const call of work) call.catch(() => {});
    try {
      await Promise.all(plan.faults.map(fault => this.strike(fault, moment, done)));
      this.watch.isCalm = true;
      await within(endMs, Promise.all(work), 'a request is not accepted');
      const rows = await within(endMs, this.ended(stop.signal), 'the runs do not end');
      checkRequests(findings, this.answers, rows);
      const names = [...readings.keys()];
      for (const row of rows.filter(({id}) => names.includes(`runs/${id}`)))
        await this.checkRun(
          row,
          plan.submissions,
          await within(endMs, Promise.all(readings.get(`runs/${row.id}`)!), `readers of ${row.id} do not end`),
        );
    } catch (error) {
      findings.check('no process ends or fails by itself, and every run ends', false, () => String(error));
    } finally {
      stop.abort();
      await watching.stop();
    }
    await this.checkProcesses();
    counts.rounds++;
    return [`${((performance.now() - begin) / 1000).toFixed(1)} s`, ...done];
  }

  private async strike(fault: Fault, moment: (at: number) => Promise<void>, done: string[]): Promise<void> {
    if (this.world.skipped.has(fault.kind)) return void done.push(`${fault.kind} skipped`);
    await moment(fault.at);
    const made = await make(this.world, fault);
    if (!made) return void done.push(`${fault.at.toFixed(2)} ${fault.kind}: nothing to strike`);
    const {faults} = this.counts;
    faults.set(fault.kind, (faults.get(fault.kind) ?? 0) + 1);
    done.push(`${fault.at.toFixed(2)} ${made.what}${made.mend ? ` for ${fault.lasts.toFixed(2)}` : ''}`);
    if (!made.mend) return;
    await moment(fault.at + fault.lasts);
    await made.mend();
  }

  private async submit({requestId, variant, copies}: Submission, signal: AbortSignal): Promise<string> {
    let turn = 0;
    const names = await submit(() => this.client(turn++)(), requestId, variants[variant], {copies, signal});
    this.answers.set(requestId, names);
    return names[0];
  }

  /** Answers may be lost, and what was asked for be done: only a refusal says that it was not. */
  private async wish(
    name: string,
    {wish: wanted}: Submission,
    moment: (at: number) => Promise<void>,
    signal: AbortSignal,
  ): Promise<void> {
    if (!wanted) return;
    await moment(wanted.at);
    let turn = 0;
    const any: AnyClient = () => this.client(turn++)();
    if (wanted.what === 'cancel') {
      this.cancelled.add(name);
      if (await wish(any, 'cancelRun', name, signal)) this.counts.cancelled++;
      return;
    }
    if (await wish(any, 'suspendRun', name, signal)) this.counts.suspended++;
    await moment(wanted.at + wanted.lasts);
    await wish(any, 'resumeRun', name, signal);
  }

  /** One that stays as long as it may, and one that leaves again and again. */
  private readers({requestId}: Submission, seed: number, signal: AbortSignal): Promise<Reading>[] {
    const [name] = this.answers.get(requestId)!;
    return [false, true].map((hops, i) => {
      const random = randomStream(seed, 'data', i);
      const any: AnyClient = () => this.client(Math.floor(1000 * random()))();
      const reading = read(any, name, {hops, random, signal});
      reading.catch(() => {});
      return reading;
    });
  }

  private client(number: number): AnyClient {
    const {apis} = this.world;
    return () => apis[number % apis.length].client;
  }

  private async ended(signal: AbortSignal): Promise<RunRow[]> {
    for (;;) {
      const rows = await this.world.evidence.runs().catch(() => []);
      // A call that was given up as unanswered may have been heard after the one that resumed the run.
      for (const {id} of rows.filter(({state}) => state === 'SUSPENDED'))
        await wish(this.client(0), 'resumeRun', `runs/${id}`, signal);
      if (rows.length > 0 && rows.every(({state}) => isTerminal(state))) return rows;
      await sleep(50);
    }
  }

  /** The log of a run that breaks a promise is kept beside those of the processes. */
  private async checkRun(row: RunRow, submissions: Submission[], readings: Reading[]): Promise<void> {
    const {evidence, logFolder} = this.world;
    const events = await evidence.events(row.id);
    const numBroken = this.findings.broken.length;
    try {
      await this.compare(row, events, submissions, readings);
    } finally {
      const lines = events.map(event => `${JSON.stringify({...row, ...event})}\n`);
      if (this.findings.broken.length > numBroken) writeFileSync(join(logFolder, `${row.id}.jsonl`), lines.join(''));
    }
  }

  private async compare(row: RunRow, events: EventRow[], submissions: Submission[], readings: Reading[]) {
    const {findings, counts, world} = this;
    checkLog(findings, row, events);
    checkWriters(findings, row, events, await world.evidence.claims(row.id));
    const any = this.client(0);
    const whole = await within(endMs, read(any, `runs/${row.id}`, {hops: false, random: Math.random}), 'no log');
    for (const {messages, numConnections} of readings) {
      checkReader(findings, row.id, messages, whole.messages, events);
      counts.connections += numConnections;
    }
    counts.runs++;
    counts.attempts += row.attempt;
    if (row.attempt > 1) counts.interrupted++;
    counts.resumed += events.filter(({event}) => event.kind === 'epochs-discarded' && event.firstEpoch > 0).length;
    const last = events.at(-1)?.event;
    const reason = last?.kind === 'run-changed' ? last.run.error?.reason : undefined;
    if (reason === 'DISK_FULL' && this.isDiskFilled) return void counts.diskFull++;
    findings.check(
      'no process ends or fails by itself, and every run ends',
      row.state === 'SUCCEEDED' || (row.state === 'CANCELLED' && this.cancelled.has(`runs/${row.id}`)),
      () => `run ${row.id} is ${row.state}: ${reason}`,
    );
    const submission = submissions.find(({requestId}) => requestId === row.requestId);
    if (row.state !== 'SUCCEEDED' || !submission) return;
    const {variant} = submission;
    const weights = weightsDigest(await this.world.apis[0].client!.getRun({name: `runs/${row.id}`}));
    const calm = this.calm[variant];
    findings.check(
      'an interrupted run has the weights of an uninterrupted one',
      weights === calm.weights && digests(events).join() === calm.digests.join(),
      () => `run ${row.id}, attempt ${row.attempt}, variant ${variant}: weights ${weights} in place of ${calm.weights}`,
    );
  }

  private async checkProcesses(): Promise<void> {
    const ends = this.world.members.flatMap(({ownEnds}) => ownEnds.splice(0));
    this.findings.check('no process ends or fails by itself, and every run ends', ends.length === 0, () => ends.join());
    const alive = await this.watch.strayTrainers();
    this.findings.check('no two live writers', alive.length === 0, () => `trainers ${alive} outlive their runs`);
  }
}

/** Of the epochs that stand. */
function digests(events: EventRow[]): string[] {
  const found: string[] = [];
  for (const {event} of events) {
    if (event.kind === 'epoch-committed') found[event.epoch] = event.digest;
    if (event.kind === 'epochs-discarded') found.length = Math.min(found.length, event.firstEpoch);
  }
  return found;
}
