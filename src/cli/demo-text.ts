// DemoOptions → what the demo says before it begins: what will happen, and for how long.
import type {DemoOptions} from './demo-command.js';
import {count} from './format.js';
import type {Paint} from './io.js';

const [allTrain, allTest, numTestSets] = [8000, 2800, 4];
/** Instances a second that two cores train, or three times as many that they evaluate, with all layers of minilm-l6. */
const instancesPerSecond = 60;

export function demoIntroduction(options: DemoOptions, paint: Paint): string {
  const isAll = !Number.isFinite(options.numTrain);
  const train = isAll ? 'all 8,000' : `the first ${count(options.numTrain)}`;
  const tests = Number.isFinite(options.numTest) ? `the first ${count(options.numTest)} of each` : 'the whole of each';
  return `
  ${paint.bold('FTFT: fine-tuning by transferring training dynamics')}

  Is a text positive or negative? The demo starts a server and does over gRPC what you would do:

    1  import movie reviews to train on (${train}) and four test sets (${tests}):
       movie reviews (in distribution); Amazon reviews, tweets, NYT (out of distribution)
    2  train a reference, ${referenceName(options)}, and record how it learns each instance
    3  build the data map and select the ambiguous third
    4  fine-tune ${options.mainModel} on that third, for a third of the steps
    5  do the same on everything (ERM) and on a random third, and compare

  Every run: ${options.epochs} epochs or a third of their steps, peak learning rate ${options.learningRate}, seed ${options.seed}.
  It takes ${about(options)} on two cores. Ctrl-C stops it in good order.
`;
}

export function referenceName({referenceModel, referenceLayers}: DemoOptions): string {
  return referenceLayers > 0 ? `the first ${referenceLayers} layers of ${referenceModel}` : referenceModel;
}

function about(options: DemoOptions): string {
  const numTrain = Math.min(allTrain, options.numTrain);
  const numTest = numTestSets * Math.min(allTest, options.numTest);
  const referenceShare = options.referenceLayers > 0 ? Math.min(1, options.referenceLayers / 6) : 1;
  const trained = numTrain * options.epochs * (referenceShare + 1 / 3 + 1 + 1 / 3);
  const evaluated = (numTest * (referenceShare + 3)) / 3;
  const minutes = (trained + evaluated) / instancesPerSecond / 60;
  if (minutes < 1.5) return 'about a minute';
  return minutes < 90 ? `about ${Math.round(minutes)} minutes` : `about ${(minutes / 60).toFixed(1)} hours`;
}
