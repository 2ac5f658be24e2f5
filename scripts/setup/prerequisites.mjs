// What a machine must have before set-up can do anything: one line for each thing that is missing.
import {firstLine, SetupError} from './command.mjs';

const install = packages => `install with: sudo apt-get install -y ${packages}`;

export const python = 'python3';

/** C++ compiler as node-gyp's makefiles will call it. */
export const compiler = process.env.CXX || 'g++';

function missing() {
  const lines = [];
  const nodeMajor = Number(process.versions.node.split('.')[0]);
  if (nodeMajor < 20) {
    lines.push(`Node >= 20 is needed, this is ${process.versions.node}; install from https://nodejs.org/en/download`);
  }
  const pythonVersion = firstLine(python, ['-c', 'import sys; print("%d.%d" % sys.version_info[:2])']);
  const [major, minor] = (pythonVersion ?? '0.0').split('.').map(Number);
  if (!pythonVersion) {
    lines.push(`Python >= 3.9 with pip is missing; ${install('python3 python3-pip')}`);
  } else if (major !== 3 || minor < 9) {
    lines.push(`Python >= 3.9 is needed, python3 is ${pythonVersion}; ${install('python3.9 python3-pip')}`);
  } else if (!firstLine(python, ['-m', 'pip', '--version'])) {
    lines.push(`pip for Python ${pythonVersion} is missing; ${install('python3-pip')}`);
  }
  if (!firstLine(compiler, ['--version'])) lines.push(`A C++ compiler (${compiler}) is missing; ${install('g++')}`);
  if (!firstLine('make', ['--version'])) lines.push(`make is missing; ${install('make')}`);
  if (!firstLine('flock', ['--version'])) lines.push(`flock is missing; ${install('util-linux')}`);
  return lines;
}

/** @throws SetupError naming everything that is missing, with the command that installs it */
export function checkPrerequisites() {
  const lines = missing();
  if (lines.length > 0) throw new SetupError(lines.join('\n'));
  const version = line => /\d+\.\d+(\.\d+)?/.exec(line ?? '')?.[0] ?? '';
  return [
    `Node ${process.versions.node}`,
    `Python ${version(firstLine(python, ['--version']))}`,
    `pip ${version(firstLine(python, ['-m', 'pip', '--version']))}`,
    `${compiler} ${version(firstLine(compiler, ['-dumpfullversion', '-dumpversion']))}`,
    `make ${version(firstLine('make', ['--version']))}`,
  ].join(' · ');
}
