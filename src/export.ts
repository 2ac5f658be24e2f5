// The export process: a model folder and the SavedModel's folder as arguments; tells its parent that it is done, or why it cannot. TensorFlow is
// loaded in here alone.
import {FtftError, type PlainError} from './errors.js';
import {exportModel} from './pipeline/export-model.js';

export type FromExport = {kind: 'done'} | {kind: 'failed'; error: PlainError};

process.env.TF_CPP_MIN_LOG_LEVEL ??= '2';
const [modelFolder, folder] = process.argv.slice(2);
const answer: FromExport = await exportModel(modelFolder, folder).then(
  () => ({kind: 'done' as const}),
  (error: unknown) => {
    if (error instanceof FtftError) return {kind: 'failed' as const, error: error.toPlain()};
    throw error;
  },
);
process.send!(answer, () => process.exit(0));
