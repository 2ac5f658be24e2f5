// Dataset records → messages, and the import header the other way.
import type {ImportHeader} from '../runs/api.js';
import type {DatasetRecord, SplitRecord} from '../runs/types.js';
import {type Dataset, type DatasetSplit, FileFormat, type ImportDatasetHeader} from './gen/ftft/v1/dataset.js';
import type {RequestChecks} from './request-checks.js';
import {toDate} from './translate-time.js';

const maxFilters = 16;
const formats = {
  [FileFormat.FILE_FORMAT_JSONL]: 'jsonl',
  [FileFormat.FILE_FORMAT_CSV]: 'csv',
  [FileFormat.FILE_FORMAT_TSV]: 'tsv',
  [FileFormat.FILE_FORMAT_PARQUET]: 'parquet',
} as const;

export function toDataset(record: DatasetRecord): Dataset {
  return {
    name: `datasets/${record.id}`,
    uid: record.uid,
    classNames: record.classNames,
    textPairs: record.isTextPairs,
    splits: record.splits.map(toSplit),
    createTime: toDate(record.createTime),
    updateTime: toDate(record.updateTime),
  };
}

export function toSplit(record: SplitRecord): DatasetSplit {
  return {
    name: record.name,
    outOfDistribution: record.isOutOfDistribution,
    instanceCount: record.instanceCount,
    classCounts: record.classCounts,
    digest: record.digest,
    createTime: toDate(record.createTime),
    columns: record.columns && {textPair: '', id: '', ...record.columns},
  };
}

/** Violations go to checks; what is returned counts only when there are none. */
export function fromImportHeader(header: ImportDatasetHeader, checks: RequestChecks): ImportHeader {
  const {columns} = header;
  checks.requestId(header.requestId);
  if (header.format === FileFormat.FILE_FORMAT_UNSPECIFIED) checks.violate('header.format', 'is required');
  if (header.filters.length > maxFilters)
    checks.violate('header.filters', `must be at most ${maxFilters}, current number is ${header.filters.length}`);
  header.classLabels.forEach(({name, aliases}, index) => {
    checks.required(`header.class_labels[${index}].name`, name);
    if (aliases.includes(''))
      checks.violate(`header.class_labels[${index}].aliases`, 'must not hold an empty spelling');
  });
  return {
    dataset: checks.name('header.dataset', 'datasets', header.dataset),
    split: checks.split('header.split', header.split),
    isOutOfDistribution: header.outOfDistribution,
    format:
      header.format === FileFormat.FILE_FORMAT_UNSPECIFIED
        ? 'jsonl'
        : (checks.choice('header.format', formats, header.format) ?? 'jsonl'),
    hasHeaderRow: !header.noHeaderRow,
    columns: {
      text: checks.required('header.columns.text', columns?.text ?? ''),
      textPair: columns?.textPair || undefined,
      label: checks.required('header.columns.label', columns?.label ?? ''),
      id: columns?.id || undefined,
    },
    filters: header.filters.map(({exclude: isExcluding, ...same}, i) => {
      checks.required(`header.filters[${i}].column`, same.column);
      if (same.values.length === 0) checks.violate(`header.filters[${i}].values`, 'is required');
      return {...same, isExcluding};
    }),
    classLabels: header.classLabels,
    validateOnly: header.validateOnly,
  };
}
