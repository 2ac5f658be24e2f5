#!/usr/bin/env node
// The ftft command: from the sources through tsx in a checkout, compiled in an image that holds dist/ alone.
import {existsSync} from 'node:fs';

const source = new URL('../src/cli/ftft.ts', import.meta.url);
const compiled = new URL('../dist/cli/ftft.js', import.meta.url);
if (existsSync(source)) {
  const {register} = await import('tsx/esm/api');
  register();
  await import(source.href);
} else {
  await import(compiled.href);
}
