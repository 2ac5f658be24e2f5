// ftft watch: StreamDynamics in a terminal, through dropped connections and restarts.
import type {Command} from 'commander';
import {DynamicsView, StreamDynamicsResponse} from '../server/gen/ftft/v1/dynamics.js';
import {Run_State} from '../server/gen/ftft/v1/run.js';
import {resourceName} from './connect.js';
import {createEpochSummary} from './epoch-summary.js';
import {followDynamics} from './follow-dynamics.js';
import {jsonLine} from './format.js';
import type {Io} from './io.js';
import {RunEndedError} from './report-error.js';
import {type ClientOptions, choice, verb, withClient} from './verb.js';

interface WatchOptions extends ClientOptions {
  view: DynamicsView;
  follow: boolean;
}

const views = {
  summary: DynamicsView.DYNAMICS_VIEW_SUMMARY,
  basic: DynamicsView.DYNAMICS_VIEW_BASIC,
  full: DynamicsView.DYNAMICS_VIEW_FULL,
};

export function addWatch(program: Command, io: Io): void {
  verb(program, 'watch', 'Replay and follow the dynamics of a run, from its first event to its end', io, [
    'ftft watch my-run',
    'ftft watch my-run --json --view full > dynamics.jsonl',
  ])
    .argument('<run>', 'run to watch')
    .option('--view <view>', 'summary, basic or full: which columns the server sends', choice(views), views.basic)
    .option('--no-follow', 'end when caught up instead of following the run')
    .addHelpText('after', '\nA lost connection is taken up again where it broke; standard error says so.')
    .action((run: string, options: WatchOptions) =>
      withClient(options, async client => {
        const summarise = createEpochSummary();
        const request = {name: resourceName('runs', run), view: options.view, noFollow: !options.follow};
        const reconnecting = (error: unknown) =>
          io.stderr.write(`connection lost (${(error as Error).message}); going on from the last event\n`);
        for await (const message of followDynamics(client, request, {signal: io.signal, reconnecting})) {
          const {event} = message;
          if (options.json) {
            if (event?.$case !== 'heartbeat') io.stdout.write(jsonLine(StreamDynamicsResponse.toJSON(message)));
          } else {
            const line = summarise(message);
            if (line !== undefined) io.stdout.write(`${line}\n`);
          }
          if (event?.$case === 'completed' && event.value.run && event.value.run.state !== Run_State.STATE_SUCCEEDED)
            throw new RunEndedError(event.value.run);
        }
      }),
    );
}
