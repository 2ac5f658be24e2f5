// The real trainer process around a fake classifier: what the seed asks for goes wrong, everything else is as in life.
import {setTimeout as wait} from 'node:timers/promises';
import {serveTrainer} from '../../../src/runs/trainer-process.js';
import {fakeClassifier} from '../../pipeline/fake-classifier.js';
import {faults} from './faults.js';

serveTrainer(async (_folder, {classNames, seed}) => {
  const classifier = fakeClassifier(
    classNames.length,
    12,
    seed === faults.notFinite ? step => (step === 3 ? Number.NaN : 1) : undefined,
  );
  return {
    ...classifier,
    state: seed === faults.diskFull ? () => [{...classifier.state()[0], read: full}] : classifier.state,
    async trainStep(batch, options) {
      const {step} = options;
      if (seed === faults.slow) await wait(20);
      if (seed === faults.bug && step === 3) throw new TypeError('a bug in a step');
      if (seed === faults.outOfMemory && step === 3) throw new Error('OOM when allocating tensor with shape[9,9]');
      if (seed === faults.dies && step === 3) process.kill(process.pid, 'SIGKILL');
      return classifier.trainStep(batch, options);
    },
  };
});

function full(): never {
  throw Object.assign(new Error('ENOSPC: no space left on device, write'), {code: 'ENOSPC'});
}
