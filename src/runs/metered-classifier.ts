// A classifier in; the same one out, which counts its operations, times its predictions and lets the event loop turn between batches.
import {setImmediate as nextTurn} from 'node:timers/promises';
import type {Batch, NamedTensor} from '../data/types.js';
import type {Classifier, LoadReport, StepResult} from '../model/classifier.js';
import {type CountFlops, type EncoderShape, forwardFlops, trainingFlops} from '../pipeline/cost.js';
import {RateFit} from '../pipeline/predict-cost.js';

export class MeteredClassifier implements Classifier {
  /** Of training and of evaluation so far, and of the last step. */
  readonly flops = {training: 0, evaluation: 0, lastStep: 0};
  /** Of predictions but the first, at which a graph is made. */
  readonly predictions = new RateFit();
  numPredictions = 0;
  private readonly countTraining: CountFlops;
  private readonly countForward: CountFlops;

  constructor(
    private readonly classifier: Classifier,
    shape: EncoderShape,
  ) {
    this.countTraining = trainingFlops(shape);
    this.countForward = forwardFlops(shape);
  }

  get numClasses(): number {
    return this.classifier.numClasses;
  }

  get report(): LoadReport {
    return this.classifier.report;
  }

  async trainStep(batch: Batch, options: {step: number; learningRate: number}): Promise<StepResult> {
    this.flops.lastStep = this.countTraining(lengthsOf(batch));
    this.flops.training += this.flops.lastStep;
    return await this.classifier.trainStep(batch, options);
  }

  async predict(batch: Batch): Promise<Float32Array> {
    const began = performance.now();
    const flops = this.countForward(lengthsOf(batch));
    this.flops.evaluation += flops;
    // An evaluation yields no events meanwhile: this is where a wish to stop is heard.
    await nextTurn();
    const logits = await this.classifier.predict(batch);
    if (this.numPredictions++ > 0) this.predictions.add(flops, (performance.now() - began) / 1000);
    return logits;
  }

  weights(): NamedTensor[] {
    return this.classifier.weights();
  }

  config(): Record<string, unknown> {
    return this.classifier.config();
  }

  state(): NamedTensor[] {
    return this.classifier.state();
  }

  restore(state: Iterable<NamedTensor>): void {
    this.classifier.restore(state);
  }

  dispose(): void {
    this.classifier.dispose();
  }
}

/** Real tokens of each row. */
function lengthsOf({attentionMask, batchSize, length}: Batch): Int32Array {
  const lengths = new Int32Array(batchSize);
  for (let place = 0; place < attentionMask.length; place++)
    lengths[Math.floor(place / length)] += attentionMask[place];
  return lengths;
}
