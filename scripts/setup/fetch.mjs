// A pin → its file in the cache, through pip, so that a machine's own index, proxy and certificates hold. A folder in the
// cache is whole or absent: it is filled under another name, then renamed.
import {existsSync, mkdirSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync} from 'node:fs';
import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {remove, run, SetupError} from './command.mjs';
import {python} from './prerequisites.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const stampName = '.ftft-stamp';

export const isWhole = (folder, stamp) => {
  const file = join(folder, stampName);
  return existsSync(file) && readFileSync(file, 'utf8') === stamp;
};

/** Fills a folder under another name, then renames it; what stood there before goes only then. */
export async function replaceFolder(folder, stamp, fill) {
  const partial = `${folder}.partial`;
  remove(partial);
  mkdirSync(partial, {recursive: true});
  await fill(partial);
  writeFileSync(join(partial, stampName), stamp);
  remove(folder);
  renameSync(partial, folder);
}

const downloadFolder = (cache, pin) => join(cache, 'downloads', `${pin.name}-${pin.version}-${pin.sha256.slice(0, 8)}`);

/** Path of a pin's archive; downloads it unless it is there already. */
export async function download(cache, pin, isOffline, onBytes) {
  const folder = downloadFolder(cache, pin);
  if (!existsSync(folder)) {
    if (isOffline) {
      throw new SetupError(
        `Cannot fetch ${pin.name} ${pin.version}: FTFT_OFFLINE is set and it is not in ${cache}; run node scripts/setup.mjs once without FTFT_OFFLINE`,
      );
    }
    await pipDownload(pin, folder, onBytes);
  }
  return join(folder, readdirSync(folder)[0]);
}

/** Frees the disk that a downloaded archive takes, once it is unpacked. */
export const forget = (cache, pin) => remove(downloadFolder(cache, pin));

async function pipDownload(pin, folder, onBytes) {
  const partial = `${folder}.partial`;
  remove(partial);
  mkdirSync(join(partial, 'temporary'), {recursive: true});
  mkdirSync(join(partial, 'file'));
  const requirements = join(partial, 'requirements.txt');
  writeFileSync(requirements, `${pin.name}==${pin.version} --hash=sha256:${pin.sha256}\n`);
  const args = [
    '-m',
    'pip',
    'download',
    '--quiet',
    '--no-input',
    '--no-deps',
    '--no-cache-dir',
    '--progress-bar',
    'off',
  ];
  const env = {...process.env, TMPDIR: join(partial, 'temporary'), PIP_REQUIRE_VIRTUALENV: '0'};
  if (pin.isSource) {
    args.push('--no-binary', ':all:', '--no-build-isolation', '--use-pep517');
    env.PYTHONPATH = join(here, 'no-build');
    env.PYTHONDONTWRITEBYTECODE = '1';
  } else {
    args.push('--only-binary', ':all:', ...pin.tags);
  }
  args.push('--require-hashes', '--requirement', requirements, '--dest', join(partial, 'file'));
  const timer = setInterval(() => onBytes(bytesIn(partial)), 500);
  try {
    await run(`Fetching ${pin.name} ${pin.version}`, python, args, {env});
  } finally {
    clearInterval(timer);
  }
  renameSync(join(partial, 'file'), folder);
  remove(partial);
}

/** The kept members of a pin's wheel, unpacked into a folder. */
export async function unzip(pin, archive, folder) {
  const leave = (pin.leaves ?? []).flatMap(text => ['--leave', text]);
  const strip = pin.strip ? ['--strip', pin.strip] : [];
  await run(`Unpacking ${archive}`, python, [
    join(here, 'unzip.py'),
    ...strip,
    ...leave,
    archive,
    folder,
    ...pin.keeps,
  ]);
}

function bytesIn(folder) {
  let bytes = 0;
  try {
    for (const name of readdirSync(folder, {recursive: true})) bytes += statSync(join(folder, name)).size;
  } catch {
    // A file that pip moved meanwhile: the next look counts it.
  }
  return bytes;
}
