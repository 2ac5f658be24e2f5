import assert from 'node:assert/strict';
import {randomBytes} from 'node:crypto';
import {test} from 'node:test';
import {FtftError} from '../../src/errors.js';
import {decodeResumeToken, encodeResumeToken} from '../../src/server/resume-token.js';
import {uid} from './records.js';

const key = randomBytes(32);
const position = {sequence: 2 ** 40, numSent: 12_345};
const reason = (call: () => unknown) => {
  try {
    call();
  } catch (error) {
    return error instanceof FtftError && `${error.code}/${error.details.reason}`;
  }
  return 'none';
};

test('a token gives its position back and fits into a URL', () => {
  const token = encodeResumeToken(key, uid, position);
  assert.match(token, /^[A-Za-z0-9_-]+$/);
  assert.deepEqual(decodeResumeToken(key, uid, token), position);
});

test('a token with any byte changed is invalid', () => {
  const bytes = Buffer.from(encodeResumeToken(key, uid, position), 'base64url');
  for (let i = 0; i < bytes.length; i++) {
    const forged = Buffer.from(bytes);
    forged[i] ^= 1;
    const decode = () => decodeResumeToken(key, uid, forged.toString('base64url'));
    assert.equal(reason(decode), 'INVALID_ARGUMENT/RESUME_TOKEN_INVALID', `byte ${i}`);
  }
});

test('a token of another key, another length, another spelling or another run is refused', () => {
  const token = encodeResumeToken(key, uid, position);
  const other = uid.replace('8', '9');
  assert.equal(
    reason(() => decodeResumeToken(randomBytes(32), uid, token)),
    'INVALID_ARGUMENT/RESUME_TOKEN_INVALID',
  );
  for (const wrong of ['x', `${token}AA`, `${token}=`, ` ${token}`, 'é'.repeat(60)])
    assert.equal(
      reason(() => decodeResumeToken(key, uid, wrong)),
      'INVALID_ARGUMENT/RESUME_TOKEN_INVALID',
      wrong,
    );
  assert.equal(
    reason(() => decodeResumeToken(key, other, token)),
    'INVALID_ARGUMENT/RESUME_TOKEN_OF_OTHER_RUN',
  );
});
