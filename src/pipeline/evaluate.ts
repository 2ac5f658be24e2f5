// Stage 6 of 6: a classifier and tokenised splits in; accuracy, macro F1 and loss out, unrounded.
import {evaluationBatches} from '../data/batches.js';
import type {Classifier} from '../model/classifier.js';
import {argMax, crossEntropy} from './logits.js';
import type {Evaluation, EvaluationSet} from './types.js';

/** Instances a forward pass, as in FTFT. */
const BATCH_SIZE = 64;

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
  let lossSum = 0;
  for (const batch of evaluationBatches(dataset, BATCH_SIZE)) {
    signal?.throwIfAborted();
    const logits = await classifier.predict(batch);
    for (let b = 0; b < batch.batchSize; b++) {
      predictions[batch.instances[b]] = argMax(logits, b * numClasses, numClasses);
      lossSum += crossEntropy(logits, b * numClasses, numClasses, batch.labels[b]);
    }
  }
  return {
    split,
    isOutOfDistribution,
    accuracy: accuracy(labels, predictions),
    macroF1: macroF1(labels, predictions, numClasses),
    loss: lossSum / labels.length,
    instanceCount: labels.length,
    steps,
    committedEpochs,
  };
}

/** Share of predictions that equal the label. */
export function accuracy(labels: Int32Array, predictions: Int32Array): number {
  let right = 0;
  for (let i = 0; i < labels.length; i++) if (labels[i] === predictions[i]) right++;
  return right / labels.length;
}

/** Unweighted mean of the F1 of every class that occurs in labels or predictions, as scikit-learn's f1_score(average='macro'). */
export function macroF1(labels: Int32Array, predictions: Int32Array, numClasses: number): number {
  const inLabels = new Float64Array(numClasses);
  const inPredictions = new Float64Array(numClasses);
  const inBoth = new Float64Array(numClasses);
  for (let i = 0; i < labels.length; i++) {
    inLabels[labels[i]]++;
    inPredictions[predictions[i]]++;
    if (labels[i] === predictions[i]) inBoth[labels[i]]++;
  }
  let sum = 0;
  let numFound = 0;
  for (let c = 0; c < numClasses; c++) {
    const found = inLabels[c] + inPredictions[c];
    if (found === 0) continue;
    sum += (2 * inBoth[c]) / found;
    numFound++;
  }
  return sum / numFound;
}
