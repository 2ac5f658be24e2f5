// A client → runs to measure on: one with a long log, imported, and ones of a tiny model that train while they are watched.
import {DynamicsFormat, type ImportDynamicsRequest} from '../../src/server/gen/ftft/v1/dynamics.js';
import type {DeepPartial, FtftServiceClient} from '../../src/server/gen/ftft/v1/ftft_service.js';
import {importText} from '../../test/support/import-text.js';
import {tinyLines} from '../../test/support/tiny-model.js';

export interface LogSize {
  instances: number;
  logEpochs: number;
}

/** Many, so that a line of text is many bytes of columns. */
const numClasses = 16;
const pieceBytes = 512 * 1024;

/** Its log has about 68 bytes an instance and epoch. */
export async function importLog(client: FtftServiceClient, {instances, logEpochs: epochs}: LogSize): Promise<string> {
  async function* parts(): AsyncGenerator<DeepPartial<ImportDynamicsRequest>> {
    const format = DynamicsFormat.DYNAMICS_FORMAT_CARTOGRAPHY_JSONL;
    yield {part: {$case: 'header', value: {runId: 'long', format}}};
    for (let epoch = 0; epoch < epochs; epoch++) {
      let lines = '';
      for (let i = 0; i < instances; i++) {
        const logits = Array.from({length: numClasses}, (_, c) => (i * 7 + c * 3 + epoch) % 10);
        lines += `{"guid":${i},"logits_epoch_${epoch}":[${logits}],"gold":${i % numClasses}}\n`;
        if (lines.length < pieceBytes && i < instances - 1) continue;
        yield {part: {$case: 'log', value: {epoch, data: Buffer.from(lines)}}};
        lines = '';
      }
    }
  }
  const {run} = await client.importDynamics(parts());
  return run!.name;
}

/** Split train of datasets/pets. */
export async function importTexts(client: FtftServiceClient, count: number): Promise<void> {
  await importText(client, {}, tinyLines(count).join('\n'));
}

/** For longer than anybody watches. */
const manyEpochs = 10_000;

/** An epoch takes some tenths of a second. */
export async function startTinyRun(client: FtftServiceClient): Promise<string> {
  const spec = {dataset: 'datasets/pets', model: 'local:tiny', maxLength: 16, batchSize: 32, seed: 1};
  const {run} = await client.trainReference({
    spec: {...spec, epochs: manyEpochs, learningRate: 1e-3, maxAttempts: 100},
  });
  return run!.name;
}
