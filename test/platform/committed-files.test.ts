// What is committed though it is made: generated code and the lock file.
import assert from 'node:assert/strict';
import {execFileSync} from 'node:child_process';
import {readdirSync, readFileSync, statSync} from 'node:fs';
import {delimiter, join} from 'node:path';
import {test} from 'node:test';
import {root, temporaryFolder} from './setup-process.js';

function contents(folder: string): Record<string, string> {
  const names = readdirSync(folder, {recursive: true, encoding: 'utf8'}).sort();
  return Object.fromEntries(
    names
      .filter(name => statSync(join(folder, name)).isFile())
      .map(name => [name, readFileSync(join(folder, name), 'base64')]),
  );
}

test('generating the code again gives what is committed', t => {
  const folder = temporaryFolder(t);
  const programs = join(root, 'node_modules', '.bin');
  const options = {cwd: root, env: {...process.env, PATH: programs + delimiter + process.env.PATH}};
  const api = join('src', 'server', 'gen');
  const graph = join('src', 'model', 'compile');
  for (const [source, template] of [
    ['proto', join('proto', 'buf.gen.yaml')],
    [graph, join(graph, 'buf.gen.yaml')],
  ])
    execFileSync('buf', ['generate', source, '--template', template, '--output', folder], options);
  execFileSync('buf', ['build', 'proto', '--output', join(folder, api, 'ftft.binpb')], options);
  for (const path of [api, join(graph, 'gen')]) {
    const made = contents(join(folder, path));
    const committed = contents(join(root, path));
    assert.deepEqual(Object.keys(committed), Object.keys(made));
    for (const [name, content] of Object.entries(made))
      assert.ok(committed[name] === content, `${join(path, name)} differs: run npm run generate`);
  }
});

test('the lock file names the optional packages of every platform, as npm ci demands', () => {
  const {packages} = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
  for (const [path, entry] of Object.entries<{optionalDependencies?: Record<string, string>}>(packages)) {
    for (const name of Object.keys(entry.optionalDependencies ?? {})) {
      const isNamed = packages[`node_modules/${name}`] || packages[`${path}/node_modules/${name}`];
      assert.ok(isNamed, `package-lock.json lacks ${name}, which ${path} wants where the platform is that`);
    }
  }
});
