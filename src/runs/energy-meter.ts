// The machine's own meters in; joules so far, and the memory that a GPU holds, out. Of whole devices: what others do on them counts too.
import {type ChildProcess, spawn} from 'node:child_process';
import {readdirSync, readFileSync} from 'node:fs';
import {join} from 'node:path';
import {createInterface} from 'node:readline';
import {setTimeout as wait} from 'node:timers/promises';
import type {EnergySource} from './types.js';

export interface EnergyMeter {
  source: EnergySource;
  /** Since the meter began. */
  joules(): number;
  /** Most that was held at once; undefined where the meter has no memory of its own. */
  deviceMemoryBytes(): number | undefined;
  close(): void;
}

const sampleMs = 500;
/** At least this often, so that no counter wraps around twice. */
const readMs = 60_000;
/** For the first answer. */
const patienceMs = 10_000;
const mebibyte = 2 ** 20;

/** Undefined where the device does not tell. */
export async function createEnergyMeter(
  device: 'cpu' | 'gpu',
  {powercap = '/sys/class/powercap', nvidiaSmi = 'nvidia-smi'} = {},
): Promise<EnergyMeter | undefined> {
  return device === 'gpu' ? await readGpus(nvidiaSmi) : readProcessors(powercap);
}

interface Counter {
  file: string;
  /** Microjoules at which it begins anew. */
  range: number;
  last: number;
}

/**
 * Linux's powercap counters (RAPL) of processor packages and of memory; the package's own parts, cores and graphics, are in it already.
 * Reading them is root's privilege on most machines.
 */
function readProcessors(folder: string): EnergyMeter | undefined {
  const counters = names(folder).flatMap(name => counterAt(join(folder, name)));
  if (counters.length === 0) return undefined;
  let microjoules = 0;
  const read = () => {
    for (const counter of counters) {
      const now = numberIn(counter.file) ?? counter.last;
      microjoules += now >= counter.last ? now - counter.last : now + counter.range - counter.last;
      counter.last = now;
    }
    return microjoules / 1e6;
  };
  const timer = setInterval(read, readMs).unref();
  return {source: 'RAPL', joules: read, deviceMemoryBytes: () => undefined, close: () => clearInterval(timer)};
}

function counterAt(domain: string): Counter[] {
  const name = textIn(join(domain, 'name')) ?? '';
  if (!/^(package-\d+|dram)$/.test(name)) return [];
  const file = join(domain, 'energy_uj');
  const [last, range] = [numberIn(file), numberIn(join(domain, 'max_energy_range_uj'))];
  return last === undefined || range === undefined ? [] : [{file, range, last}];
}

/** Power of all GPUs that there are, by NVML through nvidia-smi, integrated over time. */
async function readGpus(nvidiaSmi: string): Promise<EnergyMeter | undefined> {
  const query = ['--query-gpu=index,power.draw,memory.used', '--format=csv,noheader,nounits', `--loop-ms=${sampleMs}`];
  const child = spawn(nvidiaSmi, query, {stdio: ['ignore', 'pipe', 'ignore']});
  const gpus = new Map<string, {watts: number; time: number; mebibytes: number}>();
  let joules = 0;
  let most = 0;
  const first = new Promise<boolean>(resolve => {
    for (const event of ['error', 'exit']) child.on(event, () => resolve(false));
    createInterface({input: child.stdout}).on('line', line => {
      const [index, watts, mebibytes] = line.split(',').map(text => text.trim());
      if (!(Number(watts) >= 0)) return resolve(false);
      const time = performance.now();
      const before = gpus.get(index);
      if (before) joules += (((before.watts + Number(watts)) / 2) * (time - before.time)) / 1000;
      gpus.set(index, {watts: Number(watts), time, mebibytes: Number(mebibytes) || 0});
      most = Math.max(
        most,
        [...gpus.values()].reduce((sum, gpu) => sum + gpu.mebibytes, 0),
      );
      resolve(true);
    });
  });
  const isTold = await Promise.race([first, wait(patienceMs, false, {ref: false})]);
  unref(child);
  if (!isTold) {
    child.kill();
    return undefined;
  }
  return {
    source: 'NVML',
    joules: () => joules,
    deviceMemoryBytes: () => most * mebibyte,
    close: () => void child.kill(),
  };
}

/** The server must be able to end while it goes on. */
function unref(child: ChildProcess): void {
  child.unref();
  (child.stdout as unknown as {unref?(): void})?.unref?.();
  process.once('exit', () => child.kill());
}

function names(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function textIn(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    return undefined;
  }
}

function numberIn(file: string): number | undefined {
  const text = textIn(file);
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
}
