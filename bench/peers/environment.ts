// requirements.txt in; the environment variables under which python3 finds those packages out. Installs them at first use, into the
// cache folder, beside whatever Python packages the machine has. As a program: makes it and says where it is.
import {spawn, spawnSync} from 'node:child_process';
import {createHash} from 'node:crypto';
import {existsSync, mkdirSync, readFileSync, renameSync, rmSync} from 'node:fs';
import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {readConfig} from '../../src/config.js';

export const python = 'python3';
const requirements = join(dirname(fileURLToPath(import.meta.url)), 'requirements.txt');

/** FTFT_PEERS_PYTHONPATH names a folder that has the packages already. Throws an Error with one line of what to do. */
export async function peerEnvironment(): Promise<NodeJS.ProcessEnv> {
  const folder = process.env.FTFT_PEERS_PYTHONPATH || (await installed());
  const quiet = {TOKENIZERS_PARALLELISM: 'false', HF_HUB_OFFLINE: '1', PYTHONDONTWRITEBYTECODE: '1'};
  return {...process.env, ...quiet, PYTHONPATH: folder};
}

async function installed(): Promise<string> {
  const {cacheDir, isOffline} = readConfig(process.env);
  const [minor, tag] = pythonVersion();
  if (minor < 10) throw new Error(`Cannot install the Python peers: they need Python >= 3.10, python3 is 3.${minor}`);
  const digest = createHash('sha256').update(readFileSync(requirements)).digest('hex').slice(0, 8);
  const folder = join(cacheDir, 'peers', `${tag}-${digest}`);
  if (existsSync(folder)) return folder;
  if (isOffline) throw new Error(`Cannot install the Python peers: FTFT_OFFLINE is set and ${folder} is not there`);
  const partial = `${folder}.partial`;
  rmSync(partial, {recursive: true, force: true});
  mkdirSync(partial, {recursive: true});
  console.error(`Installing PyTorch and transformers (several GB, once) into ${folder}`);
  await pipInstall(partial);
  renameSync(partial, folder);
  return folder;
}

function pipInstall(target: string): Promise<void> {
  // --target needs neither venv, which Debian leaves out, nor the right to write where the system's packages are.
  const options = ['--target', target, '--only-binary', ':all:', '--no-cache-dir', '--no-input', '--quiet'];
  return new Promise((resolve, reject) => {
    const child = spawn(python, ['-m', 'pip', 'install', ...options, '--requirement', requirements], {
      stdio: ['ignore', 'inherit', 'inherit'],
      env: {...process.env, PIP_REQUIRE_VIRTUALENV: '0', PIP_BREAK_SYSTEM_PACKAGES: '1'},
    });
    child.on('error', reject);
    child.on('close', code => (code === 0 ? resolve() : reject(new Error(`pip install failed, exit status ${code}`))));
  });
}

function pythonVersion(): [minor: number, tag: string] {
  const script = 'import sys, sysconfig; print(sys.version_info[1], sysconfig.get_platform())';
  const {status, stdout} = spawnSync(python, ['-c', script], {encoding: 'utf8'});
  if (status !== 0)
    throw new Error('Cannot install the Python peers: python3 does not start; install python3 with pip');
  const [minor, platform] = stdout.trim().split(' ');
  return [Number(minor), `python3.${minor}-${platform}`];
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    console.log(`Python peers: ${(await peerEnvironment()).PYTHONPATH}`);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
}
