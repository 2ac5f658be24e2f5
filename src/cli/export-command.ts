// ftft export: a trained model → a SavedModel folder that TensorFlow Serving and Triton take.
import {existsSync} from 'node:fs';
import {join, resolve} from 'node:path';
import {fileURLToPath} from 'node:url';
import type {Command} from 'commander';
import {FtftError} from '../errors.js';
import {resourceName} from './connect.js';
import {exportModel} from './export-process.js';
import {stateWord} from './format.js';
import type {Io} from './io.js';
import {type ClientOptions, print, verb, withClient} from './verb.js';

export function addExport(program: Command, io: Io): void {
  verb(program, 'export', 'Write a trained model as a TensorFlow SavedModel, for TensorFlow Serving and Triton', io, [
    'ftft export my-run serving/reviews/1',
    'ftft export out/model models/reviews/1/model.savedmodel',
  ])
    .argument('<model>', 'run that has succeeded, or a folder with a model as runs leave it')
    .argument('<folder>', 'new folder for the SavedModel')
    .addHelpText(
      'after',
      '\nIts signature serving_default takes input_ids, attention_mask and, where the tokenizer gives them, token_type_ids:' +
        '\nint32 [batch, length]. It answers with logits and probabilities: float32 [batch, classes].',
    )
    .action(async (model: string, folder: string, options: ClientOptions) => {
      await exportModel(namedFolder(model) ?? (await folderOfRun(model, io, options)), folder, io.signal);
      const answer = {savedModel: resolve(folder), signature: 'serving_default'};
      print(io, options, answer, () => `${answer.savedModel}: SavedModel with signature ${answer.signature}`);
    });
}

/** Undefined for the name of a run. */
function namedFolder(model: string): string | undefined {
  const path = model.startsWith('file:') ? fileURLToPath(model) : model;
  if (existsSync(join(path, 'config.json'))) return path;
  if (model.startsWith('runs/') || !/[/\\]/.test(model)) return undefined;
  throw noModel(`Cannot export ${model}: it must be a run or a folder that holds config.json, there is no such file`);
}

/** Where the server keeps the run's model; to be read here, the server has to be on this machine. */
async function folderOfRun(model: string, io: Io, options: ClientOptions): Promise<string> {
  const name = resourceName('runs', model);
  const run = await withClient(options, client => client.getRun({name}, {signal: io.signal}));
  if (run.modelUri === '')
    throw noModel(`Cannot export ${name}: it must have succeeded, it is ${stateWord(run.state)}`);
  const folder = run.modelUri.startsWith('file:') ? fileURLToPath(run.modelUri) : undefined;
  if (folder !== undefined && existsSync(folder)) return folder;
  throw noModel(
    `Cannot export ${name}: its model must be readable here, it lies at ${run.modelUri} where the server runs; copy it and name the folder`,
  );
}

const noModel = (message: string) => new FtftError('FAILED_PRECONDITION', message, {reason: 'MODEL_INVALID'});
