// A run as it changes → a live bar in a terminal, or a line every few seconds where the output is none.
import {Presets, SingleBar} from 'cli-progress';
import {type Run, Run_State} from '../server/gen/ftft/v1/run.js';
import {clock, count, isTerminal, seconds, stateWord} from './format.js';
import type {Output} from './io.js';

const linePauseMs = 5_000;
const labelWidth = 12;

export interface Progress {
  update(run: Run): void;
  /** Prints a line above the bar. */
  line(text: string): void;
  /** Leaves the bar as it stands. */
  stop(): void;
}

/** The label stands before each line of it, behind what it is indented by. */
export function createProgress(output: Output, label: string, indent = ''): Progress {
  const heading = indent + label.padEnd(labelWidth);
  return output.isTTY ? createBar(output, heading) : createLines(output, heading);
}

/** Steps a second over the last half minute, as the client saw them. */
function createRate(): (steps: number) => number | undefined {
  const seen: {steps: number; time: number}[] = [];
  return steps => {
    const now = performance.now();
    if (steps < (seen.at(-1)?.steps ?? 0)) seen.length = 0;
    seen.push({steps, time: now});
    while (seen.length > 2 && now - seen[0].time > 30_000) seen.shift();
    const elapsed = (now - seen[0].time) / 1000;
    return elapsed > 0 && steps > seen[0].steps ? (steps - seen[0].steps) / elapsed : undefined;
  };
}

function describe(run: Run, rate: number | undefined): string {
  const {progress} = run;
  if (run.state === Run_State.STATE_PENDING)
    return run.queuePosition > 0 ? `queued, place ${run.queuePosition}` : 'queued';
  if (!progress || progress.steps === 0) return isTerminal(run.state) ? stateWord(run.state) : 'loading the model';
  const parts = [`${count(progress.steps)}/${count(progress.totalSteps)} steps`];
  if (progress.trainLoss !== undefined) parts.push(`loss ${progress.trainLoss.toFixed(3)}`);
  if (isTerminal(run.state)) parts.push(`${stateWord(run.state)} in ${clock(seconds(run.cost?.acceleratorTime))}`);
  else {
    if (rate !== undefined) parts.push(`${rate.toFixed(rate < 10 ? 1 : 0)} steps/s`);
    if (progress.steps >= progress.totalSteps) parts.push('evaluating');
    else if (progress.estimatedRemaining) parts.push(`${clock(seconds(progress.estimatedRemaining))} left`);
  }
  return parts.join(' · ');
}

function createBar(output: Output, heading: string): Progress {
  const bar = new SingleBar(
    {
      format: `${heading} {bar}  {text}`,
      barsize: 22,
      hideCursor: true,
      // Else cli-progress reacts to Ctrl-C itself, beside the one place that does.
      gracefulExit: false,
      linewrap: false,
      stream: output as NodeJS.WriteStream,
      // Else only what has changed is drawn, and a line printed above the bar would eat it.
      forceRedraw: true,
    },
    Presets.rect,
  );
  const rate = createRate();
  let shown = {total: 1, steps: 0, text: 'queued'};
  bar.start(shown.total, 0, {text: shown.text});
  return {
    update(run) {
      const {steps = 0, totalSteps = 0} = run.progress ?? {};
      shown = {total: Math.max(1, totalSteps), steps, text: describe(run, rate(steps))};
      bar.setTotal(shown.total);
      bar.update(shown.steps, {text: shown.text});
    },
    line(text) {
      output.write(`\r\u001b[K${text}\n`);
      bar.render();
    },
    stop: () => bar.stop(),
  };
}

function createLines(output: Output, heading: string): Progress {
  const rate = createRate();
  let lastTime = Number.NEGATIVE_INFINITY;
  let lastText = '';
  return {
    update(run) {
      const text = describe(run, rate(run.progress?.steps ?? 0));
      const now = performance.now();
      if (text === lastText || (now - lastTime < linePauseMs && !isTerminal(run.state))) return;
      output.write(`${heading} ${text}\n`);
      [lastTime, lastText] = [now, text];
    },
    line(text) {
      output.write(`${text}\n`);
    },
    stop() {},
  };
}
