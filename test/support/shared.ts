// Where the parity kit lies, and what a test says when it is not there.
import {existsSync} from 'node:fs';
import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

/** Absolute path of a file of the parity kit beside the checkout. */
export const sharedPath = (...parts: string[]): string => join(root, '..', 'shared', ...parts);

/** For `test(name, {skip: needsShared}, …)`: false where the kit is there, else the reason. */
export const needsShared: string | false = existsSync(sharedPath('golden'))
  ? false
  : 'needs the parity kit in ../shared, which is not beside this checkout';
