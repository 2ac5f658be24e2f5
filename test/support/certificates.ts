// Real certificates for tests, by the openssl program: an authority, and what it signs.
import {spawnSync} from 'node:child_process';
import {mkdtempSync, readFileSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';

/** What a test says that needs certificates where they cannot be made; false where they can. */
export const withoutOpenssl =
  spawnSync('openssl', ['version']).status === 0
    ? false
    : 'needs the program openssl to make certificates: apt-get install openssl';

export interface Pair {
  certFile: string;
  keyFile: string;
  cert: Buffer;
  key: Buffer;
}

export interface Authority extends Pair {
  /** altNames: each as openssl writes it, such as DNS:localhost; none: a certificate with a common name alone. */
  issue(name: string, ...altNames: string[]): Pair;
}

export const serverNames = ['DNS:localhost', 'IP:127.0.0.1'];

/** Files lie in a folder of their own, which goes with the system's temporary ones. */
export function makeAuthority(name = 'test authority'): Authority {
  const folder = mkdtempSync(join(tmpdir(), 'ftft-certificates-'));
  const at = (file: string) => join(folder, file);
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  openssl(
    'req',
    '-x509',
    ...newKey,
    '-keyout',
    at('ca.key'),
    '-out',
    at('ca.pem'),
    '-days',
    '2',
    '-subj',
    `/CN=${name}`,
  );
  let numIssued = 0;
  return {
    ...pair(at('ca.pem'), at('ca.key')),
    issue(common, ...altNames) {
      const base = at(`leaf-${numIssued++}`);
      const usage = 'extendedKeyUsage=serverAuth,clientAuth';
      const names = altNames.map((name, i) => name.replace(':', `.${i} = `));
      const section = `subjectAltName=@names\n[names]\n${names.join('\n')}\n`;
      writeFileSync(`${base}.ext`, altNames.length === 0 ? usage : `${usage}\n${section}`);
      openssl('req', '-new', ...newKey, '-keyout', `${base}.key`, '-out', `${base}.csr`, '-subj', `/CN=${common}`);
      const signing = ['-CA', at('ca.pem'), '-CAkey', at('ca.key'), '-CAcreateserial', '-days', '2'];
      openssl('x509', '-req', '-in', `${base}.csr`, ...signing, '-extfile', `${base}.ext`, '-out', `${base}.pem`);
      return pair(`${base}.pem`, `${base}.key`);
    },
  };
}

const pair = (certFile: string, keyFile: string): Pair => ({
  certFile,
  keyFile,
  cert: readFileSync(certFile),
  key: readFileSync(keyFile),
});

function openssl(...args: string[]): void {
  const {status, stderr} = spawnSync('openssl', args, {encoding: 'utf8'});
  if (status !== 0) throw new Error(`openssl ${args[0]}: ${stderr}`);
}
