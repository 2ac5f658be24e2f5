// ftft export-dynamics: a run's dynamics → the logs of allenai/cartography, or a table of p_true that import-dynamics reads back.
import {createWriteStream} from 'node:fs';
import {mkdir, readdir} from 'node:fs/promises';
import {extname, join} from 'node:path';
import {Readable} from 'node:stream';
import {pipeline} from 'node:stream/promises';
import type {Command} from 'commander';
import {FtftError} from '../errors.js';
import {DynamicsView} from '../server/gen/ftft/v1/dynamics.js';
import {resourceName} from './connect.js';
import {count} from './format.js';
import {guidText} from './guids.js';
import type {Io} from './io.js';
import {wrongUsage} from './report-error.js';
import {type EpochColumns, type InstanceColumns, readDynamics, readInstances} from './run-dynamics.js';
import {type ClientOptions, print, verb, withClient} from './verb.js';
import {numberText, tableFormat, wholeFile, writeTable} from './write-table.js';

const linesPerPiece = 1000;

export function addExportDynamics(program: Command, io: Io): void {
  verb(program, 'export-dynamics', 'Write the dynamics of a run for other programs', io, [
    'ftft export-dynamics my-reference cartography/my-reference',
    'ftft export-dynamics my-reference p_true.parquet',
  ])
    .argument('<run>', 'run whose committed epochs are written')
    .argument(
      '<target>',
      'a folder, for training_dynamics/dynamics_epoch_<e>.jsonl in it as allenai/cartography reads them; or a .csv or .parquet file of guid, epoch, p_true, correct, gold',
    )
    .action((run: string, target: string, options: ClientOptions) =>
      withClient(options, async client => {
        const name = resourceName('runs', run);
        const isTable = extname(target) !== '' && tableFormat(target, ['csv', 'parquet']);
        const view = isTable ? DynamicsView.DYNAMICS_VIEW_BASIC : DynamicsView.DYNAMICS_VIEW_FULL;
        const epochs = await readDynamics(client, name, view, io.signal);
        if (epochs.length === 0)
          throw cannot(name, 'it must have a committed epoch, it has none', 'NO_COMMITTED_EPOCHS');
        const instances = await readInstances(client, name, false, io.signal);
        if (isTable) await writeTable(table(epochs, instances), target, isTable);
        else await writeLogs(name, epochs, instances, target);
        const answer = {run: name, target, epochs: epochs.length, instances: instances.guids.length};
        const words = `${target}: ${count(answer.epochs)} epochs of ${count(answer.instances)} instances of ${name}`;
        print(io, options, answer, () => words);
      }),
    );
}

/** cartography takes every file of the folder for an epoch: it is made anew, and appears when it is whole. */
async function writeLogs(
  run: string,
  epochs: EpochColumns[],
  instances: InstanceColumns,
  target: string,
): Promise<void> {
  if (epochs.some(({numClasses}) => numClasses === 0))
    throw cannot(
      run,
      'its logits must be there, it kept none; a .csv or .parquet file needs only p_true',
      'LOGITS_NOT_KEPT',
    );
  if (instances.labels.includes(-1))
    throw cannot(run, 'the gold label of every instance must be known', 'LABELS_NOT_KNOWN');
  const folder = join(target, 'training_dynamics');
  await mkdir(target, {recursive: true});
  if ((await readdir(target)).includes('training_dynamics'))
    throw wrongUsage(`Cannot write ${folder}: it is there already; remove it, or name another folder`);
  await wholeFile(folder, async temporary => {
    await mkdir(temporary);
    for (const [epoch, columns] of epochs.entries()) {
      const file = createWriteStream(join(temporary, `dynamics_epoch_${epoch}.jsonl`));
      await pipeline(Readable.from(logLines(epoch, columns, instances)), file);
    }
  });
}

function* logLines(
  epoch: number,
  {logits, numClasses}: EpochColumns,
  {guids, labels}: InstanceColumns,
): Generator<string> {
  const text = guidText(guids);
  for (let i = 0; i < guids.length; ) {
    const lines: string[] = [];
    for (const end = Math.min(i + linesPerPiece, guids.length); i < end; i++) {
      const values = Array.from(logits.subarray(i * numClasses, (i + 1) * numClasses), value =>
        numberText('float', value),
      );
      lines.push(`{"guid":${text(guids[i])},"logits_epoch_${epoch}":[${values.join(',')}],"gold":${labels[i]}}\n`);
    }
    yield lines.join('');
  }
}

/** Epoch after epoch, instances in their order. */
function table(epochs: EpochColumns[], {guids, labels}: InstanceColumns) {
  const rows = epochs.length * guids.length;
  const at = (row: number): [number, number] => [Math.floor(row / guids.length), row % guids.length];
  const pTrue = new Float32Array(rows);
  const correct = new Uint8Array(rows);
  for (const [epoch, columns] of epochs.entries()) {
    pTrue.set(columns.pTrue, epoch * guids.length);
    correct.set(columns.correct, epoch * guids.length);
  }
  const perRow = <T>(value: (epoch: number, instance: number) => T): T[] =>
    Array.from({length: rows}, (_, row) => value(...at(row)));
  const isLabelled = !labels.includes(-1);
  return [
    {name: 'guid', type: 'text' as const, values: perRow((_, instance) => guids[instance])},
    {name: 'epoch', type: 'integer' as const, values: perRow(epoch => epoch)},
    {name: 'p_true', type: 'float' as const, values: pTrue},
    {name: 'correct', type: 'integer' as const, values: correct},
    ...(isLabelled
      ? [{name: 'gold', type: 'integer' as const, values: perRow((_, instance) => labels[instance])}]
      : []),
  ];
}

function cannot(run: string, problem: string, reason: string): FtftError {
  return new FtftError('FAILED_PRECONDITION', `Cannot export the dynamics of ${run}: ${problem}`, {reason});
}
