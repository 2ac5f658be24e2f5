// The contract as it is → exit status: does it break a client that was made from any of its states in this repository's history?
// What a state was, its descriptor image says, which is committed beside the code made of it. Needs no network.
import {execFileSync, spawnSync} from 'node:child_process';
import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const image = 'src/server/gen/ftft.binpb';
/** Older ones are implied: what none of the later ones broke, the last does not break. */
const numStates = 5;

/** A folder that holds buf.yaml and proto/; [] where nothing breaks, else what buf says. */
export function breakingChanges(folder, images) {
  const temporary = mkdtempSync(join(tmpdir(), 'ftft-contract-'));
  try {
    return images.flatMap(({name, bytes}) => {
      const file = join(temporary, 'against.binpb');
      writeFileSync(file, bytes);
      const args = ['breaking', 'proto', '--against', file, '--exclude-imports'];
      const {status, stdout, stderr} = spawnSync(join(root, 'node_modules', '.bin', 'buf'), args, {
        cwd: folder,
        encoding: 'utf8',
      });
      return status === 0 ? [] : [`Against ${name}:\n${stdout}${stderr}`];
    });
  } finally {
    rmSync(temporary, {recursive: true});
  }
}

/** States of the contract, newest first; none where this is no checkout, or one without history. */
export function committedImages() {
  const git = (...args) =>
    execFileSync('git', args, {cwd: root, maxBuffer: 1 << 26, stdio: ['ignore', 'pipe', 'ignore']});
  try {
    const commits = git('log', `-${numStates}`, '--format=%h', '--diff-filter=AM', '--', image)
      .toString()
      .split('\n')
      .filter(Boolean);
    return commits.map(commit => ({name: commit, bytes: git('show', `${commit}:${image}`)}));
  } catch {
    return [];
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const images = committedImages();
  if (images.length === 0) console.log('check-breaking: skipped, since there is no history here to compare with');
  const faults = breakingChanges(root, images);
  for (const fault of faults) console.error(fault);
  process.exit(faults.length === 0 ? 0 : 1);
}
