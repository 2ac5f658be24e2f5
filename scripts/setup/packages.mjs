// node_modules as package-lock.json says, by npm ci.
import {existsSync, readFileSync} from 'node:fs';
import {join} from 'node:path';
import {run, SetupError} from './command.mjs';

const packagesOf = file => JSON.parse(readFileSync(file, 'utf8')).packages;

/** npm writes the second lock file last, so an interrupted installation has none. */
export function arePackagesInstalled(root) {
  const installedLock = join(root, 'node_modules', '.package-lock.json');
  if (!existsSync(installedLock)) return false;
  const wanted = packagesOf(join(root, 'package-lock.json'));
  const installed = packagesOf(installedLock);
  const isSame = ([path, entry]) => {
    const found = installed[path];
    if (!found) return path === '' || entry.optional || entry.devOptional || entry.peer;
    return found.version === entry.version && found.integrity === entry.integrity;
  };
  return Object.entries(wanted).every(isSame) && Object.keys(installed).every(path => path in wanted);
}

export async function installPackages(root, isOffline) {
  if (isOffline) {
    throw new SetupError(
      'Cannot install the npm packages: FTFT_OFFLINE is set and node_modules differs from package-lock.json; run npm ci once without FTFT_OFFLINE',
    );
  }
  const npm = process.env.npm_execpath?.endsWith('npm-cli.js') ? [process.execPath, process.env.npm_execpath] : ['npm'];
  const args = [...npm.slice(1), 'ci', '--include=dev', '--include=optional', '--no-progress'];
  await run('npm ci', npm[0], args, {cwd: root});
  const count = Object.keys(packagesOf(join(root, 'node_modules', '.package-lock.json'))).length;
  return `${count} packages`;
}
