import {join} from 'node:path';
import {silent} from '../../src/runs/logger.js';
import {openArtifacts} from '../../src/runs/open-artifacts.js';
import {newOwner} from '../../src/runs/owner.js';
import {artifactsConformance} from './artifacts-conformance.js';
import {temporaryFolder} from './support/open-runs.js';

artifactsConformance('a directory', async t => {
  const folder = await temporaryFolder(t);
  const place = join(folder, 'data');
  return {
    place,
    async open() {
      const artifacts = await openArtifacts({dataDir: place, cacheDir: join(folder, 'cache')}, newOwner(), silent);
      t.after(() => artifacts.close());
      return artifacts;
    },
  };
});
