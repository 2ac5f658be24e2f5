// ftft token: a name and a role → a new token, shown once, and the entry of the authentication file that knows it.
import {createHash, randomBytes} from 'node:crypto';
import type {Command} from 'commander';
import type {Io} from './io.js';
import {choice, helpTail} from './verb.js';

const tokenBytes = 32;
const roles = {viewer: 'viewer', trainer: 'trainer', admin: 'admin'};

export function addToken(program: Command, io: Io): void {
  program
    .command('token')
    .description(
      'Make a token: it goes to standard output, the entry for "tokens" in the authentication file to standard error',
    )
    .argument('<name>', 'who it is for, as logs are to name them')
    .requiredOption('--role <role>', 'viewer, trainer or admin', choice(roles))
    .addHelpText('after', helpTail(['ftft token ci --role trainer > ci.token']))
    .action((name: string, {role}: {role: string}) => {
      const token = randomBytes(tokenBytes).toString('base64url');
      const sha256 = createHash('sha256').update(token).digest('hex');
      io.stderr.write(`${JSON.stringify({name, role, sha256})}\n`);
      io.stdout.write(`${token}\n`);
    });
}
