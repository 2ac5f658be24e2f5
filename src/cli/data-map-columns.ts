// ReadDataMap → the columns of a data map, and these as the JSON lines of allenai/cartography, or as a table.

import {writeFile} from 'node:fs/promises';
import {InstanceMetric} from '../server/gen/ftft/v1/data_map.js';
import type {FtftServiceClient} from '../server/gen/ftft/v1/ftft_service.js';
import {bitAt, floatColumn} from './epoch-summary.js';
import {guidText} from './guids.js';
import {type TableColumn, wholeFile} from './write-table.js';

/** One value an instance. */
export interface DataMapColumns {
  guids: string[];
  /** Mean p_true. */
  confidence: number[];
  /** Spread of p_true by the map's estimator. */
  variability: number[];
  /** Epochs right. */
  correctness: number[];
  forgettingEvents: number[];
  isSelected: boolean[];
  /** Of the selection's metric; empty where a region was selected. */
  score: number[];
  /** Scores that the map keeps, when asked for; of loss trajectories one column an epoch. */
  metrics: Map<string, number[]>;
}

/** What allenai/cartography writes for an instance that was right at no epoch. */
const neverCorrect = 1000;

export async function readColumns(
  client: FtftServiceClient,
  name: string,
  signal: AbortSignal,
  includeMetrics = false,
): Promise<DataMapColumns> {
  const columns: DataMapColumns = {
    ...{guids: [], confidence: [], variability: [], correctness: [], forgettingEvents: [], isSelected: [], score: []},
    metrics: new Map(),
  };
  for await (const {block} of client.readDataMap({name, includeInstanceIds: true, includeMetrics}, {signal})) {
    if (!block) continue;
    const [confidence, variability] = [floatColumn(block.confidence), floatColumn(block.variability)];
    for (let i = 0; i < block.instanceCount; i++) {
      columns.guids.push(block.instanceIds[i]);
      columns.confidence.push(confidence[i]);
      columns.variability.push(variability[i]);
      columns.correctness.push(block.correctEpochs[i]);
      columns.forgettingEvents.push(block.forgettingEvents[i]);
      columns.isSelected.push(bitAt(block.selected, i) === 1);
    }
    for (const value of floatColumn(block.score)) columns.score.push(value);
    for (const {metric, values} of block.metricColumns)
      addMetric(columns.metrics, metricName(metric), floatColumn(values), block.instanceCount);
  }
  return columns;
}

const metricName = (metric: InstanceMetric): string =>
  (InstanceMetric[metric] ?? String(metric)).replace('INSTANCE_METRIC_', '').toLowerCase();

/** values: row-major, as many an instance as there are epochs, or one. */
function addMetric(metrics: Map<string, number[]>, name: string, values: Float32Array, instanceCount: number): void {
  const width = values.length / instanceCount;
  for (let column = 0; column < width; column++) {
    const key = width === 1 ? name : `${name}_epoch_${column}`;
    const found = metrics.get(key) ?? [];
    for (let i = 0; i < instanceCount; i++) found.push(values[i * width + column]);
    metrics.set(key, found);
  }
}

const closeness = (confidence: number): number => confidence * (1 - confidence);
const forgetfulness = ({correctness, forgettingEvents}: DataMapColumns, index: number): number =>
  correctness[index] === 0 ? neverCorrect : forgettingEvents[index];

/** Names and order of allenai/cartography's data_map_coordinates; a variability that is not defined is null. */
export function* jsonLines(columns: DataMapColumns): Generator<string> {
  const text = guidText(columns.guids);
  for (const [index, guid] of columns.guids.entries()) {
    const confidence = columns.confidence[index];
    const rest = JSON.stringify({
      index,
      threshold_closeness: closeness(confidence),
      confidence,
      variability: columns.variability[index],
      correctness: columns.correctness[index],
      forgetfulness: forgetfulness(columns, index),
    });
    yield `{"guid":${text(guid)},${rest.slice(1)}\n`;
  }
}

export async function writeJsonLines(columns: DataMapColumns, file: string): Promise<void> {
  await wholeFile(file, temporary => writeFile(temporary, jsonLines(columns)));
}

/** The same columns, whether the instance is selected, and the map's scores. */
export function mapTable(columns: DataMapColumns): TableColumn[] {
  const {guids, confidence, variability, correctness, isSelected, score, metrics} = columns;
  const float = (name: string, values: number[]): TableColumn => ({name, type: 'float', values});
  return [
    {name: 'guid', type: 'text', values: guids},
    {name: 'index', type: 'integer', values: guids.map((_, index) => index)},
    float('threshold_closeness', confidence.map(closeness)),
    float('confidence', confidence),
    float('variability', variability),
    {name: 'correctness', type: 'integer', values: correctness},
    {name: 'forgetfulness', type: 'integer', values: guids.map((_, index) => forgetfulness(columns, index))},
    {name: 'selected', type: 'boolean', values: isSelected.map(Number)},
    ...(score.length > 0 ? [float('score', score)] : []),
    ...[...metrics].map(([name, values]) => float(name, values)),
  ];
}
