// ReadDataMap → the columns of a data map, and these as the JSON lines of allenai/cartography.
import {createWriteStream} from 'node:fs';
import {Readable} from 'node:stream';
import {pipeline} from 'node:stream/promises';
import type {FtftServiceClient} from '../server/gen/ftft/v1/ftft_service.js';
import {bitAt, floatColumn} from './epoch-summary.js';

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
}

/** What allenai/cartography writes for an instance that was right at no epoch. */
const neverCorrect = 1000;

export async function readColumns(
  client: FtftServiceClient,
  name: string,
  signal: AbortSignal,
): Promise<DataMapColumns> {
  const columns: DataMapColumns = {
    guids: [],
    confidence: [],
    variability: [],
    correctness: [],
    forgettingEvents: [],
    isSelected: [],
  };
  for await (const {block} of client.readDataMap({name, includeInstanceIds: true}, {signal})) {
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
  }
  return columns;
}

/** Names and order of allenai/cartography's data_map_coordinates; a variability that is not defined is null. */
export function* jsonLines(columns: DataMapColumns): Generator<string> {
  for (const [index, guid] of columns.guids.entries()) {
    const confidence = columns.confidence[index];
    const correctness = columns.correctness[index];
    const line = JSON.stringify({
      guid,
      index,
      threshold_closeness: confidence * (1 - confidence),
      confidence,
      variability: columns.variability[index],
      correctness,
      forgetfulness: correctness === 0 ? neverCorrect : columns.forgettingEvents[index],
    });
    yield `${line}\n`;
  }
}

export async function writeJsonLines(columns: DataMapColumns, file: string): Promise<void> {
  await pipeline(Readable.from(jsonLines(columns)), createWriteStream(file));
}
