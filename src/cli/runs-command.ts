// ftft runs: what the server remembers of its runs; list, get, cancel, suspend, resume, delete.
import Table from 'cli-table3';
import type {Command} from 'commander';
import {ListRunsResponse} from '../server/gen/ftft/v1/ftft_service.js';
import {Run, Run_Kind} from '../server/gen/ftft/v1/run.js';
import {resourceName} from './connect.js';
import {clock, count, seconds, stateWord} from './format.js';
import type {Io} from './io.js';
import {describeRun} from './training-options.js';
import {type ClientOptions, integer, print, verb, withClient} from './verb.js';

interface ListOptions extends ClientOptions {
  limit: number;
  filter?: string;
}

export function addRuns(program: Command, io: Io): void {
  const runs = program
    .command('runs')
    .description('List runs (the default), get, cancel, suspend, resume or delete one');
  verb(
    runs,
    'list',
    'List runs, newest first',
    io,
    [
      'ftft runs',
      'ftft runs list --limit 5 --json',
      `ftft runs list --filter 'state = FAILED AND create_time > 2026-11-01'`,
    ],
    true,
  )
    .option('--limit <n>', 'most runs to list', integer(1), 50)
    .option('--filter <filter>', 'only runs for which it holds: state, kind, create_time, labels.NAME; AND, OR, NOT')
    .action((options: ListOptions) =>
      withClient(options, async client => {
        const found: Run[] = [];
        let pageToken = '';
        do {
          const pageSize = Math.min(1000, options.limit - found.length);
          const page = await client.listRuns({pageSize, pageToken, filter: options.filter}, {signal: io.signal});
          found.push(...page.runs);
          pageToken = page.nextPageToken;
        } while (pageToken && found.length < options.limit);
        print(io, options, ListRunsResponse.toJSON({runs: found, nextPageToken: pageToken}), () => runTable(found));
      }),
    );
  verb(runs, 'get', 'Show one run', io, ['ftft runs get my-run --json'])
    .argument('<run>')
    .action((run: string, options: ClientOptions) =>
      withClient(options, async client => {
        const found = await client.getRun({name: resourceName('runs', run)}, {signal: io.signal});
        const error = found.error ? `\nerror   ${found.error.message}` : '';
        print(io, options, Run.toJSON(found), () => describeRun(found) + error);
      }),
    );
  for (const [name, description, rpc] of [
    ['cancel', 'Cancel a run; it stops at its next batch', 'cancelRun'],
    ['suspend', 'Take a run off its device at its next batch, with a checkpoint', 'suspendRun'],
    ['resume', 'Put a suspended run back into the queue; it goes on from where it was', 'resumeRun'],
  ] as const)
    verb(runs, name, description, io, [`ftft runs ${name} my-run`])
      .argument('<run>')
      .action((run: string, options: ClientOptions) =>
        withClient(options, async client => {
          const found = await client[rpc]({name: resourceName('runs', run)}, {signal: io.signal});
          print(io, options, Run.toJSON(found), () => `${found.name} ${stateWord(found.state)}`);
        }),
      );
  verb(runs, 'delete', 'Delete a run that has ended, with its dynamics and its model; its data maps stay', io, [
    'ftft runs delete my-run',
  ])
    .argument('<run>')
    .option('--allow-missing', 'no error when there is no such run')
    .action((run: string, options: ClientOptions & {allowMissing?: boolean}) =>
      withClient(options, async client => {
        const name = resourceName('runs', run);
        await client.deleteRun({name, allowMissing: options.allowMissing}, {signal: io.signal});
        print(io, options, {name}, () => `${name} deleted`);
      }),
    );
}

function runTable(runs: Run[]): string {
  if (runs.length === 0) return 'No runs yet; start one with: ftft train-reference';
  const table = new Table({
    head: ['run', 'kind', 'model', 'state', 'steps', 'training', 'created'],
    style: {head: [], border: []},
    colAligns: ['left', 'left', 'left', 'left', 'right', 'right', 'left'],
  });
  for (const {name, kind, spec, state, progress, cost, createTime} of runs) {
    const model = spec ? `${spec.model}${spec.layers > 0 ? `@${spec.layers}` : ''}` : '';
    table.push([
      name,
      Run_Kind[kind]?.replace('KIND_', '').toLowerCase() ?? '',
      model,
      stateWord(state),
      `${count(progress?.steps ?? 0)}/${count(progress?.totalSteps ?? 0)}`,
      clock(seconds(cost?.acceleratorTime)),
      createTime?.toISOString().slice(0, 16).replace('T', ' ') ?? '',
    ]);
  }
  return table.toString();
}
