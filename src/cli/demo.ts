// DemoOptions → FTFT from end to end as a user would run it: a server of its own, a client over gRPC, one table, three files.
import {mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {Region} from '../server/gen/ftft/v1/data_map.js';
import type {FtftServiceClient} from '../server/gen/ftft/v1/ftft_service.js';
import {describeDiagnostics} from './data-map-words.js';
import type {DemoOptions} from './demo-command.js';
import {importDemoData} from './demo-data.js';
import {writeDataMap, writeModel} from './demo-files.js';
import {type Arm, comparisonTable, differenceLines, tableNotes} from './demo-table.js';
import {demoIntroduction} from './demo-text.js';
import {type DemoRuns, demoRuns} from './demo-training.js';
import {clock, count} from './format.js';
import {type Io, paintFor} from './io.js';
import {withOwnServer} from './own-server.js';
import {startServer} from './server-process.js';

/** Throws the error of a run that failed; leaves no process and no state behind, however it ends. */
export async function runDemo(options: DemoOptions, io: Io, start = startServer): Promise<void> {
  const startTime = performance.now();
  io.stdout.write(demoIntroduction(options, paintFor(io.stdout, io.env)));
  const dataDir = await mkdtemp(join(tmpdir(), 'ftft-demo-'));
  try {
    await withOwnServer({dataDir, what: 'the demo', io, start}, async (client, signal) => {
      const runs = demoRuns(client, options, io, signal);
      try {
        await stages(client, runs, options, io, signal);
      } catch (error) {
        if (io.signal.aborted) await stopInOrder(runs, io);
        throw error;
      }
    });
  } finally {
    await rm(dataDir, {recursive: true, force: true, maxRetries: 3});
  }
  io.stdout.write(`\n  Done in ${clock((performance.now() - startTime) / 1000)}.\n`);
}

async function stages(
  client: FtftServiceClient,
  runs: DemoRuns,
  options: DemoOptions,
  io: Io,
  signal: AbortSignal,
): Promise<void> {
  const paint = paintFor(io.stdout, io.env);
  const say = (text: string) => io.stdout.write(`${text}\n`);
  const headline = (number: number, text: string) =>
    say(`\n${paint.bold(paint.cyan(`  ${number}  `) + paint.bold(text))}`);

  headline(1, 'Import the texts');
  for await (const line of importDemoData(client, options, signal)) say(`     ${line}`);

  headline(2, 'Train the reference and watch how it learns each instance');
  const reference = await runs.trainReference('reference');

  headline(3, 'Build the data map');
  const ambiguous = await runs.buildDataMap(reference, Region.REGION_AMBIGUOUS);
  for (const line of describeDiagnostics(ambiguous.map)) say(`     ${line}`);
  await writeDataMap(client, ambiguous.map, reference.spec, options.outDir, signal);

  headline(4, `Fine-tune the main model on ${count(ambiguous.map.selectedCount)} ambiguous instances`);
  const main = await runs.fineTuneMain('main', ambiguous.map);
  await writeModel(main, options.outDir);

  headline(5, 'Compare with plain fine-tuning on everything (ERM) and with a random third');
  const erm = await runs.trainReference('erm');
  const random = await runs.buildDataMap(reference, Region.REGION_RANDOM);
  const randomMain = await runs.fineTuneMain('random', random.map);

  const arms: Arm[] = [
    {name: 'ERM, all data', runs: [erm]},
    {name: 'FTFT', runs: [reference, main], mapSeconds: ambiguous.seconds},
    {name: 'random third', runs: [randomMain]},
    {name: 'reference', runs: [reference]},
  ];
  say(`\n${comparisonTable(arms)}`);
  for (const line of tableNotes(arms)) say(`  ${paint.dim(line)}`);
  say('');
  for (const line of differenceLines(arms[1], arms[0])) say(`  ${line}`);
  say(`\n  ${paint.bold('Written')}  ${join(options.outDir, 'data-map.svg')}   the map, for a browser`);
  say(`           ${join(options.outDir, 'data-map.jsonl')} its coordinates`);
  say(`           ${join(options.outDir, 'model')}          the main model, a Hugging Face folder`);
}

/** Nothing trains on after a Ctrl-C; the server would only suspend the run. */
async function stopInOrder(runs: DemoRuns, io: Io): Promise<void> {
  io.stderr.write('\n  Stopping: cancelling the run and ending the server (Ctrl-C again to end at once)\n');
  await runs.cancelCurrent();
}
