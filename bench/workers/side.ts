// One side of a comparison as a process of its own that answers requests, one JSON object a line. Its clock runs inside it.
import {type ChildProcess, spawn} from 'node:child_process';
import {once} from 'node:events';
import {createInterface} from 'node:readline';
import {fileURLToPath} from 'node:url';
import {machine} from '../machine.js';
import {peerEnvironment, python} from '../peers/environment.js';
import type {CreateRequest, Memory, RaggedBatch, Steps} from './protocol.js';

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

export interface Side {
  /** Throws an Error with what the other process says went wrong. */
  ask<Answer>(request: {do: string; [argument: string]: unknown}): Promise<Answer>;
  /** Lets the process end, and waits for it. */
  end(): Promise<void>;
}

/** Our own classifier. */
export function startOurs({threads}: {threads?: number} = {}): Side {
  const env = threads === undefined ? {} : {TF_NUM_INTRAOP_THREADS: `${threads}`, OMP_NUM_THREADS: `${threads}`};
  const args = ['--expose-gc', '--import', import.meta.resolve('tsx'), here('ours.ts')];
  return sideOf(spawn(process.execPath, args, {env: {...process.env, ...env}, stdio: 'pipe'}));
}

/** A script of this folder that needs no model. */
export function startScript(name: string): Side {
  return sideOf(spawn(process.execPath, ['--import', import.meta.resolve('tsx'), here(name)], {stdio: 'pipe'}));
}

/** A script of peers/, in the environment of its requirements. */
export async function startPeer(script: string, {threads}: {threads: number}): Promise<Side> {
  const device = machine().gpu === undefined ? 'cpu' : 'cuda';
  const args = [here(`../peers/${script}`), '--threads', String(threads), '--device', device];
  // In the process itself, so that its time counts as ours and not as somebody else's (others-share.ts); a GPU's kernels take too long so.
  const compiling = device === 'cpu' ? {TORCHINDUCTOR_COMPILE_THREADS: '1'} : {};
  return sideOf(spawn(python, args, {env: {...(await peerEnvironment()), ...compiling}, stdio: 'pipe'}));
}

function sideOf(child: ChildProcess): Side {
  const answers = createInterface({input: child.stdout!})[Symbol.asyncIterator]();
  let said = '';
  child.stderr!.on('data', text => {
    said = `${said}${text}`.slice(-2000);
  });
  // The answer that does not come says more than a broken pipe.
  child.stdin!.on('error', () => {});
  return {
    async ask(request) {
      child.stdin!.write(`${JSON.stringify(request)}\n`);
      const {value, done} = await answers.next();
      if (done) throw new Error(`${child.spawnargs.slice(0, 2).join(' ')} ended: ${said.trim() || 'it said nothing'}`);
      const answer = JSON.parse(value);
      if (answer.error !== undefined) throw new Error(answer.error);
      return answer;
    },
    async end() {
      child.stdin!.end();
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    },
  };
}

/** The requests that ours.ts and model.py answer. */
export const create = (side: Side, request: CreateRequest): Promise<object> => side.ask({do: 'create', ...request});
export const train = (side: Side, batches: RaggedBatch[], repeat = 1): Promise<Steps> =>
  side.ask({do: 'train', batches, repeat});
export const predict = (side: Side, batches: RaggedBatch[], repeat = 1): Promise<Steps> =>
  side.ask({do: 'predict', batches, repeat});
export const memory = (side: Side): Promise<Memory> => side.ask({do: 'memory'});
/** Packages of a peer. */
export const versions = (side: Side): Promise<Record<string, string>> => side.ask({do: 'versions'});
