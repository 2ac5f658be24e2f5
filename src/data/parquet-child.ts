// A process of its own, so that a hostile file can cost no more than it: a Parquet file and the names of columns → its rows on standard
// output. What is wrong with the file goes to standard error, and the exit status is 2.
import {once} from 'node:events';
import {open} from 'node:fs/promises';
import {fileBuffer, ParquetError} from './parquet-pages.js';
import {parquetLines} from './parquet-rows.js';

async function main(path: string, wanted: string[], others: string[]): Promise<void> {
  const handle = await open(path, 'r');
  for await (const piece of parquetLines(await fileBuffer(handle), wanted, others))
    if (!process.stdout.write(piece)) await once(process.stdout, 'drain');
  await handle.close();
}

main(process.argv[2], JSON.parse(process.argv[3]), JSON.parse(process.argv[4])).then(
  () => process.exit(0),
  (error: unknown) => {
    const found =
      error instanceof ParquetError
        ? error.message
        : `a damaged one (${error instanceof Error ? error.message : error})`;
    process.stderr.write(found.slice(0, 500), () => process.exit(2));
  },
);
