// docs/security.md names a test for each threat: they are there.
import assert from 'node:assert/strict';
import {existsSync, readFileSync} from 'node:fs';
import {join} from 'node:path';
import {test} from 'node:test';
import {root} from './setup-process.js';

test('every threat of docs/security.md has something that stops it, and tests that exist', () => {
  const rows = readFileSync(join(root, 'docs', 'security.md'), 'utf8')
    .split('## Threats')[1]
    .split('\n');
  const threats = rows.filter(row => row.startsWith('|')).slice(2);
  assert.ok(threats.length >= 15);
  for (const threat of threats) {
    const [, , , stops, tests] = threat.split('|').map(cell => cell.trim());
    assert.ok(stops, threat);
    const named = [...tests.matchAll(/`([a-z0-9/-]+)`/g)].map(([, name]) => name);
    assert.ok(named.length > 0, threat);
    for (const name of named)
      assert.ok(existsSync(join(root, 'test', `${name}.test.ts`)) || existsSync(join(root, 'test', name)), name);
  }
});
