// A run → its instances in the order of its columns, with id, gold class and, where there is a data set, text.
import {setImmediate as nextTurn} from 'node:timers/promises';
import {decodeColumns, encodeColumns} from './columns.js';
import type {Datasets} from './datasets.js';
import {readSplitFile} from './split-file.js';
import {splitLabels} from './split-labels.js';
import type {SqlCatalog} from './sql-catalog.js';
import type {TrainingSpec} from './types.js';

/** One instance. text: undefined where there is no data set; label: -1 where it is not known. */
export interface RunInstance {
  uid: string;
  label: number;
  text?: string;
  textPair?: string;
}

/** As much of a run as says which instances it has. */
interface InstancesOf {
  id: string;
  spec: Pick<TrainingSpec, 'dataset' | 'trainSplit'>;
}

const instancesPerPart = 65_536;

export class RunInstances {
  constructor(
    private readonly catalog: SqlCatalog,
    private readonly datasets: Datasets,
  ) {}

  /** Of an imported run without a data set. */
  async put(
    runId: string,
    {guids, labels, numClasses}: {guids: string[]; labels: Int32Array; numClasses: number},
  ): Promise<void> {
    for (let first = 0; first < guids.length; first += instancesPerPart) {
      const end = Math.min(first + instancesPerPart, guids.length);
      const names = Buffer.from(JSON.stringify(guids.slice(first, end)));
      const body = encodeColumns({numClasses}, {labels: labels.slice(first, end), guids: names});
      await this.catalog.addInstances(runId, first / instancesPerPart, body);
    }
  }

  /** selected: ascending positions; all when undefined. */
  async *read(run: InstancesOf, selected?: Int32Array): AsyncGenerator<RunInstance> {
    let position = 0;
    let next = 0;
    for await (const instance of this.all(run)) {
      if (!selected) yield instance;
      else if (position++ === selected[next]) {
        next++;
        yield instance;
      }
    }
  }

  private async *all({id, spec}: InstancesOf): AsyncGenerator<RunInstance> {
    if (spec.dataset !== '') yield* readSplitFile(await this.datasets.source(spec.dataset, spec.trainSplit));
    else
      for await (const {guids, labels} of this.parts(id)) {
        for (const [i, uid] of guids().entries()) yield {uid, label: labels[i]};
        await nextTurn();
      }
  }

  /**
   * Gold classes of all of them, -1 where an import did not bring them. Names in class order; indices where the names are not known, none
   * where the classes are not.
   */
  async classes({id, spec}: InstancesOf): Promise<{labels: Int32Array; classNames: string[]}> {
    if (spec.dataset !== '') {
      const labels = await splitLabels(await this.datasets.source(spec.dataset, spec.trainSplit));
      return {labels, classNames: (await this.datasets.get(spec.dataset)).classNames};
    }
    const parts: Int32Array[] = [];
    let numClasses = 0;
    for await (const part of this.parts(id)) {
      parts.push(part.labels);
      numClasses = Math.max(numClasses, part.numClasses, 1 + greatest(part.labels));
    }
    const labels = new Int32Array(parts.reduce((sum, {length}) => sum + length, 0));
    let first = 0;
    for (const part of parts) {
      labels.set(part, first);
      first += part.length;
    }
    return {labels, classNames: Array.from({length: numClasses}, (_, i) => String(i))};
  }

  /** The ids are most of a part, and most readers do not want them. */
  private async *parts(runId: string): AsyncGenerator<{guids: () => string[]; labels: Int32Array; numClasses: number}> {
    for (let part = 0; ; part++) {
      const body = await this.catalog.instances(runId, part);
      if (!body) return;
      const {header, columns} = decodeColumns(body);
      const {numClasses} = header as {numClasses: number};
      const guids = () => JSON.parse(Buffer.from(columns.guids as Uint8Array).toString()) as string[];
      yield {guids, numClasses, labels: columns.labels as Int32Array};
    }
  }
}

/** -1 of none. */
function greatest(labels: Int32Array): number {
  let most = -1;
  for (let i = 0; i < labels.length; i++) if (labels[i] > most) most = labels[i];
  return most;
}
