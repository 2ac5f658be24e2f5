// The service over each store → calls, streams and takeover as rows; and, apart since it takes a minute, memory beside a stalled reader.
import type {Measurement, Row} from '../report/results.js';
import {figureWords} from '../report/table.js';
import {benchCalls} from './calls.js';
import {canRename, type StoreName, startCluster, storeTitles} from './cluster.js';
import {importLog, importTexts, type LogSize} from './runs.js';
import {benchCommits, benchReplay, benchStalled, type StreamOptions} from './streams.js';
import {benchTakeover, type TakeoverOptions} from './takeover.js';

export interface ServiceOptions extends StreamOptions, TakeoverOptions, LogSize {
  stores: StoreName[];
}

const numTexts = 1600;

/** What fails is left out, and a note says why. */
export async function benchService({stores, ...options}: ServiceOptions): Promise<Measurement> {
  const measurement: Measurement = {title: 'The service under load', rows: [], notes: {}, versions: {}};
  const {rows, notes} = measurement;
  const part = async (name: string, measure: () => Promise<Row[]>) => {
    try {
      const found = await measure();
      rows.push(...found);
      for (const {what, figure} of found) console.error(`${what}: ${figure.name} ${figureWords(figure)}`);
    } catch (error) {
      notes[name] = `skipped, ${(error as Error).message}`;
    }
  };
  for (const store of stores) {
    const title = storeTitles[store];
    await part(title, async () => {
      const cluster = await startCluster(store, {workers: 0});
      try {
        const {api, client} = cluster;
        const run = await importLog(client, options);
        await part(`${title}, calls`, async () => {
          const calls = await benchCalls(title, api, run, options.seconds);
          notes[`${title}, GetRun`] = calls.processorTime;
          notes.calls = `by ${calls.generator}, over 4 connections`;
          return calls.rows;
        });
        await part(`${title}, replay`, async () => {
          const replay = await benchReplay(title, api, run, options);
          notes[`${title}, replay by one reader`] = replay.processorTime;
          return replay.rows;
        });
        await importTexts(client, numTexts);
        await part(`${title}, commits`, async () => [await benchCommits(title, cluster, options)]);
        return [];
      } finally {
        await cluster.end();
      }
    });
    await part(`${title}, takeover`, async () => [await benchTakeover(store, options)]);
    if (store !== 'postgres') continue;
    if (canRename())
      await part(`${title}, takeover by another host`, async () => [await benchTakeover(store, options, true)]);
    else
      notes[`${title}, takeover by another host`] =
        'not measured: host names of their own for processes take root and Linux';
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
