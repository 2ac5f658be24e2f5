// Events of StreamDynamics → one line for each that a person wants to read. Chunks count once their epoch is committed.
import type {DynamicsChunk, EarlyStoppingState, StreamDynamicsResponse} from '../server/gen/ftft/v1/dynamics.js';
import type {Evaluation, RunWarning} from '../server/gen/ftft/v1/run.js';
import {clock, count, percent, seconds, stateWord} from './format.js';

interface EpochSums {
  instances: number;
  chunks: number;
  pTrue: number;
  correct: number;
}

/** Feed it every event in order; it returns the line to print, or nothing. */
export function createEpochSummary(): (message: StreamDynamicsResponse) => string | undefined {
  const epochs = new Map<number, EpochSums>();
  return ({event, attempt}) => {
    switch (event?.$case) {
      case 'runChanged': {
        const retry = attempt > 1 ? `, attempt ${attempt}` : '';
        return `run     ${stateWord(event.value.state)}${retry}`;
      }
      case 'epochStarted':
        // A second time after EpochsDiscarded: the chunks of the lost attempt are forgotten.
        epochs.set(event.value.epoch, {instances: 0, chunks: 0, pTrue: 0, correct: 0});
        return undefined;
      case 'chunk':
        addChunk(epochs, event.value);
        return undefined;
      case 'epochCommitted': {
        const {epoch, trainLoss, steps, cost, instanceCount, chunkCount} = event.value;
        const sums = epochs.get(epoch);
        epochs.delete(epoch);
        const isWhole = sums !== undefined && sums.chunks === chunkCount && sums.instances === instanceCount;
        const columns = isWhole
          ? `p_true ${(sums.pTrue / sums.instances).toFixed(3)}  right ${percent(sums.correct / sums.instances).padStart(5)} %  `
          : '';
        const place = `${count(steps)} steps, ${clock(seconds(cost?.acceleratorTime))}`;
        return `epoch ${epoch + 1} ${columns} loss ${trainLoss.toFixed(4)}  ${count(instanceCount)} instances, ${place}`;
      }
      case 'evaluationsMade': {
        const {evaluations, earlyStopping} = event.value;
        return [...evaluations.map(evaluationLine), ...stoppingLines(earlyStopping)].join('\n');
      }
      case 'runWarned':
        return event.value.warning && warningLine(event.value.warning);
      case 'epochsDiscarded': {
        const {firstEpoch, steps, reason} = event.value;
        return `lost    what came after step ${count(steps)} is void (${reason}); epoch ${firstEpoch + 1} is trained again`;
      }
      default:
        return undefined;
    }
  };
}

export const warningLine = ({message}: RunWarning): string => `warning ${message}`;

function stoppingLines(state: EarlyStoppingState | undefined): string[] {
  if (!state) return [];
  const {score, bestScore, bestSteps, roundsSinceBest} = state;
  const place =
    roundsSinceBest === 0
      ? 'the best so far'
      : `best ${bestScore.toFixed(4)} at step ${count(bestSteps)}, ${roundsSinceBest} ${roundsSinceBest === 1 ? 'round' : 'rounds'} ago`;
  return [`watched ${score.toFixed(4)}  ${place}`];
}

export function evaluationLine(evaluation: Evaluation): string {
  const kind = evaluation.outOfDistribution ? 'OOD' : 'ID ';
  return [
    `eval    ${kind} ${evaluation.split.padEnd(16)} accuracy ${percent(evaluation.accuracy).padStart(5)} %`,
    `macro F1 ${percent(evaluation.macroF1).padStart(5)} %`,
    `loss ${evaluation.loss.toFixed(4)}`,
    ...(evaluation.calibrationError === undefined
      ? []
      : [`calibration error ${evaluation.calibrationError.toFixed(3)}`]),
    `${count(evaluation.instanceCount)} instances, step ${count(evaluation.steps)}`,
  ].join('  ');
}

function addChunk(epochs: Map<number, EpochSums>, chunk: DynamicsChunk): void {
  const sums = epochs.get(chunk.epoch);
  if (!sums) return;
  const pTrue = floatColumn(chunk.pTrue);
  for (let i = 0; i < pTrue.length; i++) {
    sums.pTrue += pTrue[i];
    sums.correct += bitAt(chunk.correct, i);
  }
  sums.instances += chunk.instanceCount;
  sums.chunks++;
}

/** Little-endian float32 column; the copy gives the alignment that a view needs. */
export function floatColumn(bytes: Uint8Array): Float32Array {
  return new Float32Array(Uint8Array.from(bytes).buffer);
}

/** Bit i of a bit column, least significant bit first. */
export function bitAt(column: Uint8Array, i: number): number {
  return (column[i >> 3] >> (i & 7)) & 1;
}
