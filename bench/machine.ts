// Facts about the machine and our side's versions, which every kept result carries.
import {execFileSync} from 'node:child_process';
import {readlinkSync} from 'node:fs';
import {availableParallelism, cpus, totalmem} from 'node:os';

export interface Machine {
  cpu: string;
  cores: number;
  memoryGB: number;
  arch: string;
  node: string;
  /** Device and version of the library, such as cpu-2.18.0. */
  tensorflow: string;
  /** Undefined where TensorFlow is the CPU's. */
  gpu?: string;
}

export function machine(): Machine {
  const tensorflow = tensorflowLibrary();
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryGB: Math.round(totalmem() / 1e9),
    arch: process.arch,
    node: process.versions.node,
    tensorflow,
    ...(tensorflow.startsWith('gpu') ? {gpu: gpuName()} : {}),
  };
}

export function machineWords({cpu, cores, memoryGB, arch, node, tensorflow, gpu}: Machine): string {
  const processor = `${cpu} (${arch}), ${cores} cores, ${memoryGB} GB`;
  return [processor, ...(gpu ? [gpu] : []), `Node ${node}`, `TensorFlow ${tensorflow}`].join(', ');
}

/** The folder that the binding's library lies in says device and version. */
function tensorflowLibrary(): string {
  const link = new URL('../node_modules/@tensorflow/tfjs-node-gpu/deps/lib/libtensorflow.so', import.meta.url);
  return /\/((?:cpu|gpu)-[\d.]+)/.exec(readlinkSync(link))?.[1] ?? 'unknown';
}

function gpuName(): string {
  try {
    return execFileSync('nvidia-smi', ['--query-gpu=name', '--format=csv,noheader'], {encoding: 'utf8'}).trim();
  } catch {
    return 'unknown GPU';
  }
}
