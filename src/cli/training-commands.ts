// ftft train-reference and ftft fine-tune-main: options → a run, shown to its end on demand.
import type {Command} from 'commander';
import type {FineTuneMainRequest} from '../server/gen/ftft/v1/ftft_service.js';
import type {Method} from '../server/gen/ftft/v1/run.js';
import {resourceName} from './connect.js';
import type {Io} from './io.js';
import {addEarlyStopping, type EarlyStoppingOptions, methods, toEarlyStopping} from './main-options.js';
import {wrongUsage} from './report-error.js';
import {addTrainingOptions, reportRun, type TrainingOptions, toCreation, toSpec} from './training-options.js';
import {choice, integer, positive, verb, withClient} from './verb.js';

export function addTrainReference(program: Command, io: Io): void {
  const command = verb(
    program,
    'train-reference',
    'Train a reference model on a whole split and record how each instance is learnt; with all layers, plain ERM',
    io,
    ['ftft train-reference reviews --model minilm-l6 --layers 3 --epochs 4 --learning-rate 5e-5 --wait'],
  )
    .argument('<dataset>', 'dataset to train and evaluate on')
    .option('--train-split <split>', 'split to train on (server default train)');
  addTrainingOptions(command).action((dataset: string, options: TrainingOptions & {trainSplit?: string}) =>
    withClient(options, async client => {
      const spec = toSpec(resourceName('datasets', dataset), options.trainSplit ?? '', options);
      const {run} = await client.trainReference({...toCreation(options), spec}, {signal: io.signal});
      await reportRun(client, run!, io, options);
    }),
  );
}

interface MainOptions extends TrainingOptions, EarlyStoppingOptions {
  maxSteps?: number;
  stepFraction?: number;
  method?: Method;
}

export function addFineTuneMain(program: Command, io: Io): void {
  const command = verb(program, 'fine-tune-main', "Fine-tune the main model on a data map's selection", io, [
    'ftft fine-tune-main map-1f9a --model minilm-l6 --learning-rate 5e-5 --step-fraction 0.333 --wait',
    'ftft fine-tune-main map-1f9a --model minilm-l6 --step-fraction 1 --early-stopping --evaluation-interval 50 --wait',
    'ftft fine-tune-main map-1f9a --model minilm-l6 --method hard-to-learn --wait',
  ])
    .argument('<data-map>', 'data map whose selection is trained on; its dataset and split are taken over')
    .option('--max-steps <n>', 'most optimiser steps', integer(1))
    .option(
      '--step-fraction <share>',
      'the same as a share of the ERM length (server default one third, 1 for the method erm)',
      positive(1),
    )
    .option(
      '--method <method>',
      `train on what this one selects instead of the map's own selection: ${Object.keys(methods).join(', ')}`,
      choice(methods),
    );
  addEarlyStopping(command);
  addTrainingOptions(command).action((dataMap: string, options: MainOptions) =>
    withClient(options, async client => {
      const stepBudget = toStepBudget(options);
      const map = await client.getDataMap({name: resourceName('dataMaps', dataMap)}, {signal: io.signal});
      const spec = toSpec(map.dataset, map.trainSplit, options);
      const request = {
        ...{...toCreation(options), dataMap: map.name, spec, stepBudget, method: options.method},
        earlyStopping: toEarlyStopping(options),
      };
      const {run} = await client.fineTuneMain(request, {signal: io.signal});
      await reportRun(client, run!, io, options);
    }),
  );
}

function toStepBudget({maxSteps, stepFraction}: MainOptions): FineTuneMainRequest['stepBudget'] {
  if (maxSteps !== undefined && stepFraction !== undefined)
    throw wrongUsage('Give --max-steps or --step-fraction, not both');
  if (maxSteps !== undefined) return {$case: 'maxSteps', value: maxSteps};
  return stepFraction === undefined ? undefined : {$case: 'stepFraction', value: stepFraction};
}
