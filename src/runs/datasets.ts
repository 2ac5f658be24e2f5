// A stream of bytes and its header in, a split of a dataset out: whole or not at all.
import {randomUUID} from 'node:crypto';
import {setImmediate as nextTurn} from 'node:timers/promises';
import {type FileStart, type ReadSplit, readSplit} from '../data/read-split.js';
import {textKey} from '../data/row-reader.js';
import type {Example} from '../data/types.js';
import {FtftError, invalidFields} from '../errors.js';
import type {ImportHeader, Page} from './api.js';
import type {BlobStore} from './artifacts.js';
import {mergeClassLabels} from './class-labels.js';
import {FieldRules} from './field-rules.js';
import {notFound} from './not-found.js';
import {readPage} from './pages.js';
import {putNamed} from './put-named.js';
import {readSplitFile, splitFileBytes} from './split-file.js';
import type {SqlCatalog, StoredSplit} from './sql-catalog.js';
import type {SplitSource} from './trainer-protocol.js';
import type {DatasetRecord, SplitRecord} from './types.js';

const maxImportBytes = 2 ** 30;
const what = 'Cannot import a dataset';

type Imported = {dataset: DatasetRecord; split: SplitRecord; warnings: string[]};

export class Datasets {
  constructor(
    private readonly catalog: SqlCatalog,
    private readonly files: BlobStore,
  ) {}

  async import(header: ImportHeader, parts: AsyncIterable<Uint8Array | FileStart>): Promise<Imported> {
    const {classLabels} = await this.check(header);
    const read = await readSplit(parts, {
      ...header,
      classLabels,
      fileName: `${header.dataset}/${header.split}`,
      maxBytes: maxImportBytes,
      temporaryFolder: this.files.temporaryFolder,
    });
    const same = await this.findSame(header, read);
    if (same) return {...same, warnings: read.warnings};
    const warnings = [...read.warnings, ...(await this.sharedTexts(header, read.examples))];
    if (header.validateOnly) return {...(await this.preview(header, read)), warnings};
    return {...(await this.store(header, read)), warnings};
  }

  async get(id: string): Promise<DatasetRecord> {
    const dataset = await this.catalog.getDataset(id);
    if (!dataset) throw notFound('Dataset', id);
    return dataset;
  }

  async find(id: string): Promise<DatasetRecord | undefined> {
    return await this.catalog.getDataset(id);
  }

  async list(page: Page): Promise<{datasets: DatasetRecord[]; nextPageToken: string}> {
    const list = (limit: number, before?: number) => this.catalog.listDatasets(limit, before);
    const {records, nextPageToken} = await readPage('Cannot list datasets', page, list);
    return {datasets: records, nextPageToken};
  }

  /** Where a split that exists is read from. */
  async source(dataset: string, name: string): Promise<SplitSource> {
    const {split, file} = await this.split(dataset, name);
    const {isOutOfDistribution} = split;
    return {split: name, isOutOfDistribution, file: await this.files.fetch(file), sha256: file};
  }

  /** In the order of the names. */
  async sources(dataset: string, names: string[]): Promise<SplitSource[]> {
    return await Promise.all(names.map(name => this.source(dataset, name)));
  }

  /** Of a split that exists. */
  async instanceCount(dataset: string, name: string): Promise<number> {
    return (await this.split(dataset, name)).split.instanceCount;
  }

  private async split(dataset: string, name: string): Promise<StoredSplit> {
    const found = (await this.catalog.splits(dataset)).find(({split}) => split.name === name);
    if (!found) throw new Error(`Dataset ${dataset} has no split ${name}`);
    return found;
  }

  /** Everything that can be wrong before the first byte. */
  private async check({
    dataset,
    split,
    columns,
    classLabels,
  }: ImportHeader): Promise<ReturnType<typeof mergeClassLabels>> {
    const rules = new FieldRules();
    rules.id('dataset', dataset);
    rules.split('split', split);
    for (const name of ['text', 'label'] as const)
      if (columns[name] === '') rules.violate(`columns.${name}`, 'is required');
    const existing = await this.catalog.getDataset(dataset);
    const merged = mergeClassLabels(existing, classLabels);
    rules.violations.push(...merged.violations);
    if (existing && existing.isTextPairs !== (columns.textPair !== undefined))
      rules.violate(
        'columns.text_pair',
        `must ${existing.isTextPairs ? 'be set' : 'not be set'}: the dataset holds ${existing.isTextPairs ? 'pairs of texts' : 'single texts'}`,
      );
    if (rules.violations.length > 0) throw invalidFields(what, rules.violations);
    return merged;
  }

  private async findSame(
    {dataset, split}: ImportHeader,
    {digest}: ReadSplit,
  ): Promise<Omit<Imported, 'warnings'> | undefined> {
    const existing = await this.catalog.getDataset(dataset);
    const found = existing?.splits.find(({name}) => name === split);
    if (!existing || !found) return undefined;
    if (found.digest === digest) return {dataset: existing, split: found};
    throw new FtftError(
      'ALREADY_EXISTS',
      `${what}: split ${split} of datasets/${dataset} never changes, and it was imported with other bytes (SHA-256 ${found.digest}, now ${digest}); take another name`,
      {reason: 'SPLIT_EXISTS', resource: {type: 'Dataset', name: `datasets/${dataset}`}},
    );
  }

  private async store(header: ImportHeader, read: ReadSplit): Promise<Omit<Imported, 'warnings'>> {
    const bytes = () => splitFileBytes(read.examples);
    // Another import may have come first: everything is looked at again inside the transaction.
    return await putNamed(this.files, bytes, file =>
      this.catalog.transaction('datasets', async () => {
        await this.check(header);
        const same = await this.findSame(header, read);
        if (same) return same;
        if (await this.catalog.isDoomed('split', file)) return undefined;
        const {dataset, split} = await this.preview(header, read);
        await this.catalog.putDataset(dataset);
        await this.catalog.addSplit(dataset.id, {split, file});
        return {dataset: await this.get(dataset.id), split};
      }),
    );
  }

  /** The dataset as it is once the split is in it. */
  private async preview(header: ImportHeader, read: ReadSplit): Promise<Omit<Imported, 'warnings'>> {
    const existing = await this.catalog.getDataset(header.dataset);
    const {classLabels} = mergeClassLabels(existing, header.classLabels);
    const time = Date.now();
    const split: SplitRecord = {
      name: header.split,
      isOutOfDistribution: header.isOutOfDistribution,
      instanceCount: read.examples.length,
      classCounts: read.classCounts,
      columns: header.columns,
      digest: read.digest,
      createTime: time,
    };
    const dataset: DatasetRecord = {
      id: header.dataset,
      uid: existing?.uid ?? randomUUID(),
      classNames: classLabels.map(({name}) => name),
      classAliases: classLabels.map(({aliases}) => aliases),
      isTextPairs: header.columns.textPair !== undefined,
      splits: [...(existing?.splits ?? []), split],
      createTime: existing?.createTime ?? time,
      updateTime: time,
    };
    return {dataset, split};
  }

  /** One warning for each other split that holds texts of this one. */
  private async sharedTexts({dataset, split}: ImportHeader, examples: Example[]): Promise<string[]> {
    const others = (await this.catalog.splits(dataset)).filter(other => other.split.name !== split);
    if (others.length === 0) return [];
    const texts = new Set(examples.map(textKey));
    const warnings: string[] = [];
    for (const {split: other, file} of others) {
      let count = 0;
      let read = 0;
      for await (const example of readSplitFile({file: await this.files.fetch(file), sha256: file})) {
        if (texts.has(textKey(example))) count++;
        if (++read % 1000 === 0) await nextTurn();
      }
      if (count > 0) warnings.push(`${count} texts of split ${other.name} are in this split too`);
    }
    return warnings;
  }
}
