// A bag-of-tokens softmax regression in plain numbers: learns, remembers its calls, and loads no TensorFlow.
import type {Batch, NamedTensor, TokenizedDataset} from '../../src/data/types.js';
import type {Classifier} from '../../src/model/classifier.js';

export interface FakeClassifier extends Classifier {
  readonly calls: {step: number; learningRate: number; instances: number[]}[];
}

/** `lossAt` replaces the loss of a step. */
export function fakeClassifier(numClasses = 2, vocabSize = 8, lossAt?: (step: number) => number): FakeClassifier {
  const weights = new Float32Array(vocabSize * numClasses);
  const calls: FakeClassifier['calls'] = [];
  const tensors = (): NamedTensor[] => [{name: 'weights', shape: [vocabSize, numClasses], read: () => weights.slice()}];
  const logitsOf = ({inputIds, attentionMask, batchSize, length}: Batch) => {
    const logits = new Float32Array(batchSize * numClasses);
    for (let b = 0; b < batchSize; b++)
      for (let t = b * length; t < (b + 1) * length; t++)
        for (let c = 0; c < numClasses; c++)
          logits[b * numClasses + c] += attentionMask[t] * weights[inputIds[t] * numClasses + c];
    return logits;
  };
  return {
    numClasses,
    calls,
    report: {used: [], ignored: [], newlyInitialised: []},
    async trainStep(batch, {step, learningRate}) {
      calls.push({step, learningRate, instances: [...batch.instances]});
      const logits = logitsOf(batch);
      let loss = 0;
      for (let b = 0; b < batch.batchSize; b++) {
        const row = Array.from(logits.subarray(b * numClasses, (b + 1) * numClasses), Math.exp);
        const sum = row.reduce((a, value) => a + value);
        loss -= Math.log(row[batch.labels[b]] / sum) / batch.batchSize;
        for (let t = b * batch.length; t < (b + 1) * batch.length; t++)
          for (let c = 0; c < numClasses; c++)
            weights[batch.inputIds[t] * numClasses + c] -=
              batch.attentionMask[t] * learningRate * (row[c] / sum - Number(c === batch.labels[b]));
      }
      return {loss: lossAt?.(step) ?? loss, gradNorm: 1, logits};
    },
    predict: async batch => logitsOf(batch),
    weights: tensors,
    config: () => ({}),
    state: tensors,
    restore(state) {
      for (const tensor of state) weights.set(tensor.read());
    },
    dispose() {},
  };
}

/** Instances of 1 to 3 tokens; token 1 speaks for class 0, token 2 for class 1, the rest for neither. */
export function smallDataset(numInstances: number): TokenizedDataset {
  const rows = Array.from({length: numInstances}, (_, i) => [1 + (i % 2), 3 + (i % 3), 6].slice(0, 1 + (i % 3)));
  return {
    inputIds: Int32Array.from(rows.flat()),
    offsets: Int32Array.from([0, ...rows.map((_, i) => rows.slice(0, i + 1).flat().length)]),
    secondStarts: Int32Array.from(rows, row => row.length),
    labels: Int32Array.from(rows, (_, i) => i % 2),
    numClasses: 2,
    padTokenId: 0,
  };
}
