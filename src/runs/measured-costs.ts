// A run in; what its model has cost with everything that it needed, as the store knows it, out.
import type {DataMaps} from './data-maps.js';
import type {Datasets} from './datasets.js';
import {findErmRun} from './erm-run.js';
import {type MethodNeeds, methodCost, needsReference} from './method-cost.js';
import type {Store} from './store.js';
import type {DataMapRecord, RunRecord, TrainingSpec} from './types.js';

export class MeasuredCosts {
  constructor(
    private readonly store: Store,
    private readonly datasets: Datasets,
    private readonly dataMaps: DataMaps,
  ) {}

  /** With its method's cost where it is a main run that has succeeded. */
  async describe(run: RunRecord): Promise<RunRecord> {
    if (run.kind !== 'MAIN' || run.state !== 'SUCCEEDED') return run;
    const map = run.dataMap === undefined ? undefined : await this.dataMaps.get(run.dataMap);
    const reference = map && needsReference(run) ? await this.reference(map) : undefined;
    return {...run, methodCost: methodCost({main: run.cost, reference, erm: await this.erm(run.spec)})};
  }

  async reference({run: id, buildMs}: DataMapRecord): Promise<MethodNeeds['reference']> {
    const run = (await this.store.runs.get(id))?.run;
    return {cost: run?.kind === 'REFERENCE' ? run.cost : undefined, mapMs: buildMs};
  }

  /** Undefined where there is none. */
  async erm(spec: TrainingSpec): Promise<MethodNeeds['erm']> {
    const numTrain = await this.datasets.instanceCount(spec.dataset, spec.trainSplit);
    const run = await findErmRun(this.store.runs, spec, numTrain);
    return run && {run: run.id, cost: run.cost};
  }
}
