// A data map and a finished run → the files that the demo leaves: data-map.svg, data-map.jsonl, model/.
import {cp, mkdir, rename, rm, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import type {DataMap} from '../server/gen/ftft/v1/data_map.js';
import type {FtftServiceClient} from '../server/gen/ftft/v1/ftft_service.js';
import type {Run, TrainingSpec} from '../server/gen/ftft/v1/run.js';
import {readColumns, writeJsonLines} from './data-map-columns.js';
import {drawDataMap} from './data-map-picture.js';

export async function writeDataMap(
  client: FtftServiceClient,
  map: DataMap,
  spec: TrainingSpec | undefined,
  outDir: string,
  signal: AbortSignal,
): Promise<void> {
  await mkdir(outDir, {recursive: true});
  const columns = await readColumns(client, map.name, signal);
  await writeJsonLines(columns, join(outDir, 'data-map.jsonl'));
  await writeFile(join(outDir, 'data-map.svg'), await drawDataMap(map, spec, columns));
}

/** The server of the demo runs on this machine, so that its file: URI can be read here. Whole or not at all. */
export async function writeModel(run: Run, outDir: string): Promise<void> {
  const [folder, partial] = [join(outDir, 'model'), join(outDir, `.model-${process.pid}`)];
  await mkdir(outDir, {recursive: true});
  try {
    await cp(fileURLToPath(run.modelUri), partial, {recursive: true});
    await rm(folder, {recursive: true, force: true});
    await rename(partial, folder);
  } finally {
    await rm(partial, {recursive: true, force: true});
  }
}
