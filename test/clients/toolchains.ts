// Language → what its program of deploy/clients takes, how it is made ready, once, and the command line that runs it.
import {spawn, spawnSync} from 'node:child_process';
import {createHash} from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import {delimiter, join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {readConfig} from '../../src/config.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const clients = join(root, 'deploy', 'clients');
const programsOfNpm = join(root, 'node_modules', '.bin');
const cache = join(readConfig(process.env).cacheDir, 'clients');
const shouldFetch = process.env.FTFT_FETCH_CLIENTS === '1';

export interface Command {
  file: string;
  args: string[];
  cwd: string;
  env?: NodeJS.ProcessEnv;
}

export interface Toolchain {
  /** Programs that it takes; each must answer to the argument. */
  needs: [string, string][];
  /** Names the packages: fetched anew when it changes. */
  packages: string;
  /** The part that wants a network. folder: its own, empty. */
  fetch(folder: string): Promise<void>;
  /** Generates and builds from the contract and what was fetched, into an empty folder. */
  build(folder: string, fetched: string): Promise<void>;
  command(folder: string, fetched: string, args: string[]): Command;
}

export const toolchains: Record<string, Toolchain> = {
  Python: {
    needs: [
      ['python3', '--version'],
      ['python3', '-mpip'],
    ],
    packages: 'python/requirements.txt',
    fetch: folder =>
      run('python3', [
        '-m',
        'pip',
        'install',
        '-q',
        '--target',
        folder,
        '-r',
        join(clients, 'python/requirements.txt'),
      ]),
    build: (folder, fetched) => run(join(clients, 'python', 'generate'), [folder], {env: {PYTHONPATH: fetched}}),
    command: (folder, fetched, args) => ({
      ...{file: 'python3', args: [join(clients, 'python', 'train.py'), ...args], cwd: folder},
      env: {PYTHONPATH: [fetched, folder].join(delimiter), PYTHONDONTWRITEBYTECODE: '1'},
    }),
  },
  Go: {
    needs: [['go', 'version']],
    packages: 'go/go.sum',
    fetch: () => run('go', ['mod', 'download'], {cwd: join(clients, 'go')}),
    async build(folder) {
      cpSync(join(clients, 'go'), folder, {recursive: true});
      await generate('go', folder);
      await run('go', ['build', '-o', 'train', '.'], {cwd: folder});
    },
    command: (folder, _, args) => ({file: join(folder, 'train'), args, cwd: folder}),
  },
  Java: {
    needs: [
      ['mvn', '--version'],
      ['javac', '--version'],
    ],
    packages: 'java/pom.xml',
    // A build, even of the tests that are none, which takes what running takes, and the plugin that runs it: Maven learns on its way.
    async fetch(folder) {
      const project = javaProject(folder);
      await run('mvn', ['-q', '-B', 'test-compile'], {cwd: project});
      await run('mvn', ['-q', '-B', 'exec:help'], {cwd: project});
    },
    build: folder => run('mvn', ['-q', '-B', '-o', 'compile'], {cwd: javaProject(folder)}),
    command: (folder, _, args) => ({
      ...{file: 'mvn', args: ['-q', '-B', '-o', 'exec:java', `-Dexec.args=${args.join(' ')}`]},
      cwd: join(folder, 'deploy', 'clients', 'java'),
    }),
  },
  TypeScript: {
    needs: [],
    packages: 'typescript/package.json',
    // This project has the same.
    fetch: async () => {},
    async build(folder) {
      cpSync(join(clients, 'typescript'), folder, {recursive: true});
      symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
      await generate('typescript', folder);
    },
    command: (folder, _, args) => ({
      file: process.execPath,
      args: ['--import', 'tsx', 'train.ts', ...args],
      cwd: folder,
    }),
  },
};

/** Why a program cannot be run here; false where it can. */
export function lacks(language: string): string | false {
  const {needs} = toolchains[language];
  const missing = needs.filter(([program, argument]) => spawnSync(program, [argument]).status !== 0);
  if (missing.length > 0) return `needs ${missing.map(command => command.join(' ')).join(' and ')}`;
  if (language === 'TypeScript' || shouldFetch || existsSync(ready(fetchedTo(language)))) return false;
  return 'its packages are not here yet: `npm run test:clients` fetches them, once';
}

/** Fetches and builds unless that was done before for the same packages, contract and program. */
export async function prepare(language: string): Promise<(...args: string[]) => Command> {
  const {fetch, build, command} = toolchains[language];
  const [fetched, built] = [fetchedTo(language), builtIn(language)];
  await once(fetched, fetch);
  await once(built, folder => build(folder, fetched));
  return (...args) => command(built, fetched, args);
}

function javaProject(folder: string): string {
  const project = join(folder, 'deploy', 'clients', 'java');
  cpSync(join(clients, 'java'), project, {recursive: true});
  cpSync(join(root, 'proto'), join(folder, 'proto'), {recursive: true});
  return project;
}

const ready = (folder: string): string => join(folder, '.ready');

function fetchedTo(language: string): string {
  const digest = createHash('sha256').update(readFileSync(join(clients, toolchains[language].packages)));
  return join(cache, `${language}-packages-${digest.digest('hex').slice(0, 16)}`);
}

function builtIn(language: string): string {
  const digest = createHash('sha256').update(root);
  // What someone generated or built there is no part of it.
  for (const folder of [join(root, 'proto'), join(clients, language.toLowerCase())])
    for (const name of readdirSync(folder, {recursive: true, encoding: 'utf8'}).sort())
      if (!/^(ftft|gen|target)\b/.test(name) || folder.endsWith('proto'))
        if (statSync(join(folder, name)).isFile()) digest.update(name).update(readFileSync(join(folder, name)));
  return join(cache, `${language}-${digest.digest('hex').slice(0, 16)}`);
}

async function once(folder: string, make: (folder: string) => Promise<void>): Promise<void> {
  if (existsSync(ready(folder))) return;
  rmSync(folder, {recursive: true, force: true});
  mkdirSync(folder, {recursive: true});
  await make(folder);
  writeFileSync(ready(folder), '');
}

const generate = (language: string, folder: string): Promise<void> =>
  run('buf', ['generate', 'proto', '--template', join(clients, language, 'buf.gen.yaml'), '-o', folder]);

async function run(file: string, args: string[], {cwd = root, env = {}}: Partial<Command> = {}): Promise<void> {
  const {code, output} = await runToEnd({file, args, cwd, env});
  if (code !== 0) throw new Error(`${file} ${args.join(' ')} ended with ${code}\n${output}`);
}

/** Output: standard output and standard error in the order in which they came. */
export async function runToEnd({
  file,
  args,
  cwd,
  env = {},
}: Command): Promise<{code: number | null; output: string; stdout: string}> {
  const path = [programsOfNpm, process.env.PATH].join(delimiter);
  const child = spawn(file, args, {cwd, env: {...process.env, PATH: path, ...env}, stdio: ['ignore', 'pipe', 'pipe']});
  const said = {output: '', stdout: ''};
  child.stdout.on('data', chunk => {
    said.output += chunk;
    said.stdout += chunk;
  });
  child.stderr.on('data', chunk => {
    said.output += chunk;
  });
  const code = await new Promise<number | null>((resolve, reject) =>
    child.once('error', reject).once('close', resolve),
  );
  return {code, ...said};
}
