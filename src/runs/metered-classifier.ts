// A classifier in; the same one out, which counts its floating-point operations and lets the event loop turn between batches.
import {setImmediate as nextTurn} from 'node:timers/promises';
import type {Batch, NamedTensor} from '../data/types.js';
import type {Classifier, LoadReport, StepResult} from '../model/classifier.js';
import {type EncoderShape, forwardFlops, trainingFlops} from '../pipeline/cost.js';

export class MeteredClassifier implements Classifier {
  /** Of training and evaluation so far. */
  flops = 0;

  constructor(
    private readonly classifier: Classifier,
    private readonly shape: EncoderShape,
  ) {}

  get numClasses(): number {
    return this.classifier.numClasses;
  }

  get report(): LoadReport {
    return this.classifier.report;
  }

  async trainStep(batch: Batch, options: {step: number; learningRate: number}): Promise<StepResult> {
    this.flops += trainingFlops(this.shape, sizeOf(batch));
    return await this.classifier.trainStep(batch, options);
  }

  async predict(batch: Batch): Promise<Float32Array> {
    this.flops += forwardFlops(this.shape, sizeOf(batch));
    // An evaluation yields no events meanwhile: this is where a wish to stop is heard.
    await nextTurn();
    return await this.classifier.predict(batch);
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

const sizeOf = ({batchSize, length}: Batch) => ({instances: batchSize, tokens: batchSize * length});
