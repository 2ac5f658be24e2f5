// Stage 6 of 6: a classifier and tokenised splits in; accuracy, macro F1, loss and calibration out, unrounded.
import {evaluationBatches} from '../data/batches.js';
import {wilson} from '../intervals.js';
import type {Classifier} from '../model/classifier.js';
import {argMax, crossEntropy} from './logits.js';
import type {ClassCount, Evaluation, EvaluationSet} from './types.js';

/** Instances a forward pass, as in FTFT. */
export const evaluationBatchSize = 64;
const numBins = 15;

/** One evaluation a set, in the order of the sets. The signal is checked before each batch. */
export async function evaluate(
  classifier: Classifier,
  sets: EvaluationSet[],
  at: {steps: number; committedEpochs: number; signal?: AbortSignal},
): Promise<Evaluation[]> {
  const evaluations: Evaluation[] = [];
  for (const set of sets) evaluations.push(await evaluateSet(classifier, set, at));
  return evaluations;
}

async function evaluateSet(
  classifier: Classifier,
  {split, isOutOfDistribution, dataset}: EvaluationSet,
  {steps, committedEpochs, signal}: {steps: number; committedEpochs: number; signal?: AbortSignal},
): Promise<Evaluation> {
  const {numClasses, labels} = dataset;
  const predictions = new Int32Array(labels.length);
  const confidences = new Float64Array(labels.length);
  let lossSum = 0;
  for (const batch of evaluationBatches(dataset, evaluationBatchSize)) {
    signal?.throwIfAborted();
    const logits = await classifier.predict(batch);
    for (let b = 0; b < batch.batchSize; b++) {
      const start = b * numClasses;
      const prediction = argMax(logits, start, numClasses);
      predictions[batch.instances[b]] = prediction;
      confidences[batch.instances[b]] = Math.exp(-crossEntropy(logits, start, numClasses, prediction));
      lossSum += crossEntropy(logits, start, numClasses, batch.labels[b]);
    }
  }
  const right = accuracy(labels, predictions);
  const counts = countClasses(labels, predictions, numClasses);
  return {
    split,
    isOutOfDistribution,
    accuracy: right,
    macroF1: macroF1(counts),
    loss: lossSum / labels.length,
    instanceCount: labels.length,
    steps,
    committedEpochs,
    accuracyInterval: wilson(right, labels.length),
    calibrationError: calibrationError(labels, predictions, confidences),
    classCounts: counts,
  };
}

/** Share of predictions that equal the label. */
export function accuracy(labels: Int32Array, predictions: Int32Array): number {
  let right = 0;
  for (let i = 0; i < labels.length; i++) if (labels[i] === predictions[i]) right++;
  return right / labels.length;
}

export function countClasses(labels: Int32Array, predictions: Int32Array, numClasses: number): ClassCount[] {
  const counts = Array.from({length: numClasses}, () => ({gold: 0, predicted: 0, correct: 0}));
  for (let i = 0; i < labels.length; i++) {
    counts[labels[i]].gold++;
    counts[predictions[i]].predicted++;
    if (labels[i] === predictions[i]) counts[labels[i]].correct++;
  }
  return counts;
}

/** Unweighted mean of the F1 of every class that occurs in labels or predictions, as scikit-learn's f1_score(average='macro'). */
export function macroF1(counts: ClassCount[]): number {
  const found = counts.filter(({gold, predicted}) => gold + predicted > 0);
  const sum = found.reduce((total, {gold, predicted, correct}) => total + (2 * correct) / (gold + predicted), 0);
  return sum / found.length;
}

/**
 * Expected calibration error of the predicted classes: Σ n_m / n · |accuracy_m − mean confidence_m| over 15 bins of equal width, bin m
 * holding confidences in (m / 15, (m + 1) / 15]. Guo et al., arXiv 1706.04599, (3).
 */
export function calibrationError(labels: Int32Array, predictions: Int32Array, confidences: Float64Array): number {
  // Of a bin n · (accuracy − mean confidence) is the sum over its instances of 1 or 0 minus the confidence.
  const excess = new Float64Array(numBins);
  for (let i = 0; i < labels.length; i++) {
    const bin = Math.min(numBins - 1, Math.max(0, Math.ceil(confidences[i] * numBins) - 1));
    excess[bin] += Number(labels[i] === predictions[i]) - confidences[i];
  }
  return excess.reduce((sum, value) => sum + Math.abs(value), 0) / labels.length;
}
