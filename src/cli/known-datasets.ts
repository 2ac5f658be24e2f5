// Names of data sets → how their files are laid out, where they come from and what is in them: the tasks of FTFT's experiments.
import {FileFormat, type RowFilter} from '../server/gen/ftft/v1/dataset.js';

export interface KnownSplit {
  split: string;
  /** Of the file's path below the folder. */
  file: RegExp;
  outOfDistribution: boolean;
  /** Only when it is asked for. */
  isOptional?: boolean;
  filters?: RowFilter[];
}

/** One way in which the files of a data set are handed round. */
export interface Layout {
  title: string;
  format: FileFormat;
  noHeaderRow?: boolean;
  columns: {text: string; textPair?: string; label: string; id?: string};
  filters?: RowFilter[];
  splits: KnownSplit[];
}

export interface KnownDataset {
  title: string;
  /** Where both parts of a task meet. */
  dataset: string;
  classLabels: {name: string; aliases: string[]}[];
  /** The first that fits the files is taken. */
  layouts: Layout[];
  /** Undefined where the hub does not have it; files: those that its layout reads. */
  hub?: {name: string; revision: string; files: RegExp};
  /** What to do without a folder where the hub does not have it. */
  elsewhere?: string;
}

const {FILE_FORMAT_CSV: csv, FILE_FORMAT_JSONL: jsonl, FILE_FORMAT_PARQUET: parquet, FILE_FORMAT_TSV: tsv} = FileFormat;
const only = (column: string, ...values: string[]): RowFilter => ({column, values, exclude: false});
const not = (column: string, ...values: string[]): RowFilter => ({column, values, exclude: true});
const inDistribution = (split: string, file: RegExp, filters?: RowFilter[]): KnownSplit => ({
  ...{split, file, filters},
  outOfDistribution: false,
});
const outOfDistribution = (split: string, file: RegExp, filters?: RowFilter[]): KnownSplit => ({
  ...{split, file, filters},
  outOfDistribution: true,
});

/** Index order of FTFT; ANLI's letters, and the numbers of the hub's files. */
const nliClasses = [
  {name: 'entailment', aliases: ['e', '0']},
  {name: 'neutral', aliases: ['n', '1']},
  {name: 'contradiction', aliases: ['c', '2']},
];

const mnli: KnownDataset = {
  title: 'MultiNLI (Williams et al. 2018)',
  dataset: 'nli',
  classLabels: nliClasses,
  hub: {name: 'nyu-mll/multi_nli', revision: 'main', files: /^data\/.*\.parquet$/},
  layouts: [
    {
      title: "GLUE's train.tsv, dev_matched.tsv and dev_mismatched.tsv",
      format: tsv,
      columns: {text: 'sentence1', textPair: 'sentence2', label: 'gold_label', id: 'index'},
      splits: [
        inDistribution('train', /(^|\/)train\.tsv$/),
        inDistribution('dev', /(^|\/)dev_matched\.tsv$/),
        outOfDistribution('dev_mismatched', /(^|\/)dev_mismatched\.tsv$/),
      ],
    },
    {
      title: "MultiNLI's own multinli_1.0_*.jsonl",
      format: jsonl,
      columns: {text: 'sentence1', textPair: 'sentence2', label: 'gold_label'},
      // Pairs on which the annotators did not agree.
      filters: [not('gold_label', '-')],
      splits: [
        inDistribution('train', /(^|\/)multinli_1\.0_train\.jsonl$/),
        inDistribution('dev', /(^|\/)multinli_1\.0_dev_matched\.jsonl$/),
        outOfDistribution('dev_mismatched', /(^|\/)multinli_1\.0_dev_mismatched\.jsonl$/),
      ],
    },
    {
      title: "the hub's nyu-mll/multi_nli",
      format: parquet,
      columns: {text: 'premise', textPair: 'hypothesis', label: 'label'},
      splits: [
        inDistribution('train', /(^|\/)train-\d+-of-\d+\.parquet$/),
        inDistribution('dev', /(^|\/)validation_matched-\d+-of-\d+\.parquet$/),
        outOfDistribution('dev_mismatched', /(^|\/)validation_mismatched-\d+-of-\d+\.parquet$/),
      ],
    },
  ],
};

const anliRounds = (file: (round: number, part: string) => RegExp): KnownSplit[] =>
  [1, 2, 3].flatMap(round =>
    ['dev', 'test', 'train'].map(part => ({
      ...outOfDistribution(`anli_r${round}_${part}`, file(round, part)),
      isOptional: part === 'train',
    })),
  );

const anli: KnownDataset = {
  title: 'Adversarial NLI, rounds 1 to 3 (Nie et al. 2020)',
  dataset: 'nli',
  classLabels: nliClasses,
  hub: {name: 'facebook/anli', revision: 'main', files: /^plain_text\/(dev|test)_.*\.parquet$/},
  layouts: [
    {
      title: "ANLI's own R1/dev.jsonl, …, R3/test.jsonl",
      format: jsonl,
      columns: {text: 'context', textPair: 'hypothesis', label: 'label', id: 'uid'},
      splits: anliRounds((round, part) => new RegExp(`(^|/)R${round}/${part}\\.jsonl$`)),
    },
    {
      title: "the hub's facebook/anli",
      format: parquet,
      columns: {text: 'premise', textPair: 'hypothesis', label: 'label', id: 'uid'},
      splits: anliRounds((round, part) => new RegExp(`(^|/)${part}_r${round}-\\d+-of-\\d+\\.parquet$`)),
    },
  ],
};

const toxic = ['IdentityDirectedAbuse', 'AffiliationDirectedAbuse', 'PersonDirectedAbuse'];
const nonToxic = ['Neutral', 'CounterSpeech', 'Slur'];

/** Every way to list some of these, each once, apart by commas. */
function listings(names: string[]): string[][] {
  return names.flatMap(name => {
    const others = listings(names.filter(other => other !== name));
    return [[name], ...others.map(rest => [name, ...rest])];
  });
}

/** CAD lists all labels of a text: it is toxic where one of them is abuse of a person, an identity or an affiliation. */
const cadLabels = listings([...toxic, ...nonToxic]).filter(names => names.length <= 4);
const isToxic = (names: string[]): boolean => names.some(name => toxic.includes(name));
const hateClasses = (spellings: {toxic: string[]; nonToxic: string[]}) => [
  {name: 'non-toxic', aliases: spellings.nonToxic},
  {name: 'toxic', aliases: spellings.toxic},
];

const cad: KnownDataset = {
  title: 'Contextual Abuse Dataset (Vidgen et al. 2021)',
  dataset: 'hate',
  classLabels: hateClasses({
    toxic: cadLabels.filter(isToxic).map(names => names.join(',')),
    nonToxic: cadLabels.filter(names => !isToxic(names)).map(names => names.join(',')),
  }),
  elsewhere:
    'the hub does not have it: fetch version 1.1 of DOI 10.5281/zenodo.4881008 and name its folder with --from',
  layouts: [
    {
      title: "FTFT's cad_uid.train and cad_uid.dev",
      format: tsv,
      noHeaderRow: true,
      columns: {label: '0', text: '1', id: '2'},
      splits: ['train', 'dev', 'test'].map(part => inDistribution(part, new RegExp(`(^|/)cad_uid\\.${part}$`))),
    },
    {
      title: "CAD's own cad_v1_1_train.tsv, … (version 1: cad_v1_train.tsv, …)",
      format: tsv,
      columns: {text: 'text', label: 'labels', id: 'id'},
      splits: ['train', 'dev', 'test'].map(part => inDistribution(part, new RegExp(`(^|/)cad_v1(_1)?_${part}\\.tsv$`))),
    },
  ],
};

interface HateRound {
  round: number;
  level: string;
  part: string;
}

const hateRounds = (split: (of: HateRound) => Pick<KnownSplit, 'file' | 'filters'>): KnownSplit[] =>
  [2, 3, 4].flatMap(round =>
    ['original', 'perturbation'].flatMap(level =>
      ['dev', 'test'].map(part => {
        const {file, filters} = split({round, level, part});
        return outOfDistribution(`dynahate_r${round}_${level}_${part}`, file, filters);
      }),
    ),
  );

const dynahate: KnownDataset = {
  title: 'Dynamically Generated Hate Speech Dataset, rounds 2 to 4 (Vidgen et al. 2021)',
  dataset: 'hate',
  classLabels: hateClasses({toxic: ['hate', '1'], nonToxic: ['nothate', '0']}),
  hub: {name: 'aps/dynahate', revision: 'refs/convert/parquet', files: /^0\.2\.2\/(validation|test)\/\d+\.parquet$/},
  layouts: [
    {
      title: "FTFT's r2_original.dev, …, r4_perturbation.test",
      format: tsv,
      noHeaderRow: true,
      columns: {label: '0', text: '1'},
      splits: hateRounds(({round, level, part}) => ({file: new RegExp(`(^|/)r${round}_${level}\\.${part}$`)})),
    },
    {
      title: 'its own table, Dynamically Generated Hate Dataset v0.2.2.csv or v0.2.3.csv',
      format: csv,
      columns: {text: 'text', label: 'label', id: 'acl.id'},
      splits: hateRounds(({round, level, part}) => ({
        file: /(^|\/)[^/]*Dynamically[ _-]?Generated[ _-]?Hate[ _-]?Dataset[^/]*v0\.2[^/]*\.csv$/i,
        filters: [only('split', part), only('round.base', String(round)), only('level', level)],
      })),
    },
    {
      title: "the hub's aps/dynahate, converted to Parquet",
      format: parquet,
      columns: {text: 'text', label: 'label', id: 'acl.id'},
      splits: hateRounds(({round, level, part}) => ({
        file: new RegExp(`(^|/)${part === 'dev' ? 'validation' : part}/\\d+\\.parquet$`),
        filters: [only('round.base', String(round)), only('level', level)],
      })),
    },
  ],
};

export const knownDatasets: Record<string, KnownDataset> = {mnli, anli, cad, dynahate};
