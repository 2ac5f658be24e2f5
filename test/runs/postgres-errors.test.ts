// What an error of PostgreSQL means to a caller: wait, mend the settings, or a bug of ours.
import assert from 'node:assert/strict';
import {test} from 'node:test';
import {FtftError} from '../../src/errors.js';
import {explainPostgres} from '../../src/runs/postgres-errors.js';

const ofServer = (code: string) => Object.assign(new Error(`code ${code}`), {code, severity: 'ERROR'});

for (const [what, code, expected] of [
  ['a server that takes no writes, as while another takes over', '25006', 'UNAVAILABLE/STORE_UNAVAILABLE'],
  ['a disk of the server that does not answer', '58030', 'UNAVAILABLE/STORE_UNAVAILABLE'],
  ['a server that stops', '57P01', 'UNAVAILABLE/STORE_UNAVAILABLE'],
  ['a deadlock', '40P01', 'UNAVAILABLE/STORE_UNAVAILABLE'],
  ['a full disk', '53100', 'RESOURCE_EXHAUSTED/DISK_FULL'],
  ['a wrong password', '28P01', 'FAILED_PRECONDITION/STORE_UNAVAILABLE'],
  ['no right to write', '42501', 'FAILED_PRECONDITION/STORE_UNAVAILABLE'],
] as const)
  test(`${what} (${code}) is ${expected}`, () => {
    const error = explainPostgres(ofServer(code));
    assert.ok(error instanceof FtftError);
    assert.equal(`${error.code}/${error.details.reason}`, expected);
  });

test('a wrong statement stays what it is: a bug of ours', () => {
  const error = ofServer('42601');
  assert.equal(explainPostgres(error), error);
});
