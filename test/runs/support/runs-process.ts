// A process that owns runs, to be killed: options come as its argument, steps and ends go out over the channel.
import {createRuns, type RunsOptions} from '../../../src/runs/create-runs.js';

const runs = await createRuns(JSON.parse(process.argv[2]) as RunsOptions);
process.on('disconnect', () => process.exit(1));
runs.onStep(({steps}) => process.send?.({steps, trainerPid: runs.trainerPid()}));
runs.onEvent(run => {
  if (run.endTime !== undefined) process.send?.({ended: run.state});
});
runs.start();
