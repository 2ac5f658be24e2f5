// What a training is asked to do in; nothing out, or the error that names what cannot be.
import {FtftError, invalidFields} from '../errors.js';
import type {TrainingOptions} from './types.js';

/** INVALID_ARGUMENT/INVALID_FIELD, or FAILED_PRECONDITION/SELECTION_EMPTY for no instances. */
export function checkTraining(instances: Int32Array, options: TrainingOptions): void {
  const {totalSteps, scheduleSteps, earlyStopping, evaluationSets} = options;
  if (instances.length === 0)
    throw new FtftError(
      'FAILED_PRECONDITION',
      'Cannot train: there must be at least one instance, the selection is empty',
      {reason: 'SELECTION_EMPTY'},
    );
  const refuse = (field: string, description: string) => invalidFields('Cannot train', [{field, description}]);
  if (!(Number.isInteger(totalSteps) && totalSteps > 0))
    throw refuse('total_steps', `must be a whole number above 0, current value is ${totalSteps}`);
  if (scheduleSteps !== undefined && !(scheduleSteps >= totalSteps))
    throw refuse(
      'schedule_steps',
      `must be at least the ${totalSteps} steps of the budget, current value is ${scheduleSteps}`,
    );
  checkResume(instances, options, refuse);
  if (!earlyStopping) return;
  const {splits, patience} = earlyStopping;
  if (!(Number.isInteger(patience) && patience > 0))
    throw refuse('early_stopping.patience', `must be a whole number above 0, current value is ${patience}`);
  const names = evaluationSets.map(({split}) => split);
  const stranger = splits.find(split => !names.includes(split));
  if (splits.length === 0 || stranger !== undefined)
    throw refuse(
      'early_stopping.splits',
      `must be among the evaluation sets (${names.join(', ')}), current value is ${stranger ?? 'empty'}`,
    );
}

function checkResume(
  instances: Int32Array,
  {totalSteps, batchSize, resume}: TrainingOptions,
  refuse: (field: string, description: string) => FtftError,
): void {
  if (!resume) return;
  const {steps} = resume;
  const numVisited = resume.partialEpoch?.visited.reduce((sum, flag) => sum + flag, 0) ?? 0;
  const ofKept =
    resume.committedEpochs.length * Math.ceil(instances.length / batchSize) + Math.ceil(numVisited / batchSize);
  if (steps > totalSteps || (steps !== ofKept && steps !== totalSteps))
    throw refuse('resume.steps', `must be the steps of what is kept, ${ofKept}, current value is ${steps}`);
}
