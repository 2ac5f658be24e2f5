// The service over each store → calls, streams and takeover as rows; and, apart since it takes a minute, memory beside a stalled reader.
import type {Measurement} from '../report/results.js';
import {benchCalls} from './calls.js';
import {type StoreName, startCluster, storeTitles} from './cluster.js';
import {importLog, importTexts, type LogSize} from './runs.js';
import {benchCommits, benchReplay, benchStalled, type StreamOptions} from './streams.js';
import {benchTakeover, type TakeoverOptions} from './takeover.js';

export interface ServiceOptions extends StreamOptions, TakeoverOptions, LogSize {
  stores: StoreName[];
}

const numTexts = 1600;

export async function benchService({stores, ...options}: ServiceOptions): Promise<Measurement> {
  const measurement: Measurement = {title: 'The service under load', rows: [], notes: {}, versions: {}};
  const {rows, notes} = measurement;
  for (const store of stores)
    try {
      const title = storeTitles[store];
      const cluster = await startCluster(store, {workers: 0});
      try {
        const {api, client} = cluster;
        const run = await importLog(client, options);
        const calls = await benchCalls(title, api.address, run, options.seconds);
        notes.calls = `by ${calls.generator}, over 4 connections`;
        rows.push(...calls.rows, ...(await benchReplay(title, api, run, options)));
        await importTexts(client, numTexts);
        rows.push(await benchCommits(title, cluster, options));
      } finally {
        await cluster.end();
      }
      rows.push(await benchTakeover(store, options));
    } catch (error) {
      notes[storeTitles[store]] = `skipped, ${(error as Error).message}`;
    }
  return measurement;
}

export async function benchStalledReader(
  stores: StoreName[],
  {seconds, ...size}: LogSize & {seconds: number},
): Promise<Measurement> {
  const measurement: Measurement = {title: 'Memory beside a stalled reader', rows: [], notes: {}, versions: {}};
  for (const store of stores) {
    const title = storeTitles[store];
    const cluster = await startCluster(store, {workers: 0});
    try {
      const run = await importLog(cluster.client, size);
      const {row, note} = await benchStalled(title, cluster.api, run, seconds);
      measurement.rows.push(row);
      measurement.notes[title] = note;
    } finally {
      await cluster.end();
    }
  }
  return measurement;
}
