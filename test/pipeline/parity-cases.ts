// cases.json of the parity kit, typed; null stands for NaN there.
import {readFileSync} from 'node:fs';
import {gunzipSync} from 'node:zlib';
import {argMax, goldProbability} from '../../src/pipeline/logits.js';
import type {DataMap, EpochDynamics, TrainingDynamics} from '../../src/pipeline/types.js';
import {needsShared, sharedPath} from '../support/shared.js';

type Values = (number | null)[];

export interface MapCase {
  id: string;
  input: {q: number; gold: number[]; logits?: number[][][]; p_true?: number[][]};
  expected: {
    confidence: Values;
    variability_ddof0: Values;
    variability_ddof1: Values;
    variability_with_ci: Values;
    threshold_closeness: Values;
    dataiq_aleatoric: Values;
    /** From here on of cases with logits only. */
    p_true_float64: number[][];
    correct_per_epoch: number[][];
    correctness: number[];
    forgetfulness_cartography: number[];
    forgetting_toneva: TonevaCounts[];
    el2n_per_epoch: number[][];
    el2n_mean: number[];
    error_l1_mean: number[];
    aum_logit_margin_mean: number[];
    ccs_prob_margin_sum: number[];
    entropy_last_epoch: number[];
    entropy_mean: number[];
    loss_per_epoch: number[][];
    loss_mean: number[];
    jtt_error_set_last_epoch: number[];
    selected_ambiguous: number[];
    selected_hard_to_learn: number[];
    easy_complement: number[];
    overlap_ambiguous_hard: {intersection: number[]; jaccard: number | null; easy_fraction: number};
    random_count: number;
    torch_2_0_1_float32: {
      std_f32: Values;
      neg_mean_f32: Values;
      amb_threshold: number | null;
      hard_threshold: number | null;
    };
  };
}

/** As Toneva et al. count; first_learned_0based: null where never right. */
interface TonevaCounts {
  count: number;
  first_learned_0based: number | null;
  presentations_needed: number;
}

interface OverlapExpectation {
  intersection: number[];
  jaccard: number;
  overlap_of_first: number;
  overlap_of_second: number;
  chance_expected_overlap_of_first: number;
}

interface CountRow {
  torch_float32: number;
  random_int_floor: number;
  cartography_head: number;
}

interface TransferExpectation {
  ambiguous: number[];
  hard: number[];
  easy_ids: number[];
  easy_fraction: number;
  ambiguous_hard_overlap: number;
}

interface Cases {
  map_cases: MapCase[];
  selection_counts: {
    rows: ({N: number} & Record<string, CountRow>)[];
    /** N, q, by the float32 rule, by a float64 one. */
    float32_vs_float64_differences: [number, string, number, number][];
  };
  epoch_bookkeeping_cases: {id: string; N: number; batch: number; max_steps: number; epochs_kept: number}[];
  transfer_case: {
    q: number;
    strong_p: number[][];
    weak_p: number[][];
    expected: {
      strong: TransferExpectation;
      weak: TransferExpectation;
      ambiguous_strong_vs_weak: OverlapExpectation;
      hard_strong_vs_weak: OverlapExpectation;
    };
  };
  forgetting_sequences: {
    sequence: string;
    correctness: number;
    forgetfulness_cartography: number;
    toneva: TonevaCounts;
    /** Null where never right. */
    data_diet: number | null;
    ccs_count: number;
  }[];
  windowed_scores: {
    T: number;
    J: number;
    probs: number[][][];
    gold: number[];
    expected: Record<'dynunc_all_windows' | 'dynunc_repo_drops_last_window' | 'dual' | 'tdds_alpha09', number[]> & {
      p_true: number[][];
    };
  };
  cartography_filter: {
    confidence: number[];
    fraction: number;
    expected: {hard_ascending: number[]; easy_worst_descending: number[]; rows_written: number};
    both_ends: {fraction: number; n_hard: number; n_tail: number; expected: number[]};
  };
  ddof_ratio_sqrt_E_over_E_minus_1: Record<string, number>;
  schedule_cases: {
    max_steps: number;
    eval_interval: number;
    base_lr: number;
    eval_steps: number[];
    lr_at_update_index: Record<string, number>;
  }[];
  early_stop_cases: {
    cases: {
      sequence: number[];
      patience: number;
      /** Evaluations count from 1. */
      expected: {stopped_after_eval: number; best_eval: number; best: number};
    }[];
  };
  winogrande: {
    file: string;
    rows: number;
    correctness_histogram: Record<string, number>;
    mean_confidence: number;
    mean_variability: number;
    cartography_rule_fraction_0_3319_stable_sort: Record<'num_samples' | 'rows', number> &
      Record<'ambiguous_sha256' | 'hard_sha256' | 'easy_worst_sha256', string>;
    ties: {distinct_variability: number; distinct_confidence: number};
    nlpsoc_rule_q33: Record<'ambiguous_threshold_f32' | 'hard_threshold_f32' | 'easy_fraction', number> &
      Record<'ambiguous_count' | 'hard_count' | 'ambiguous_and_hard' | 'easy_count', number> &
      Record<'ambiguous_sorted_guid_sha256' | 'hard_sorted_guid_sha256' | 'easy_sorted_guid_sha256', string> & {
        first_ten_ambiguous_in_file_order: number[];
      };
  };
}

/** Undefined where the kit is absent: the tests then skip and say so. */
const cases: Cases | undefined = needsShared
  ? undefined
  : JSON.parse(readFileSync(sharedPath('datamap', 'cases.json'), 'utf8'));

export const parityCases = (): Cases => {
  if (!cases) throw new Error('the parity kit is absent: the test must skip');
  return cases;
};

/** One test per case where the kit is there, one skipped test where it is not. */
export const eachMapCase = (): (MapCase | undefined)[] => cases?.map_cases ?? [undefined];

/** Dynamics of a map case, in float32; logits become probabilities by our own softmax. */
export function dynamicsOf({input}: MapCase): TrainingDynamics {
  const {logits} = input;
  if (!logits) return dynamicsFromPTrue(input.p_true ?? []);
  const numClasses = logits[0][0].length;
  const epochs = logits[0].map((_, e): EpochDynamics => {
    const rows = Float32Array.from(logits.flatMap(epochsOfInstance => epochsOfInstance[e]));
    return {
      pTrue: Float32Array.from(input.gold, (gold, i) => goldProbability(rows, i * numClasses, numClasses, gold)),
      isCorrect: Uint8Array.from(input.gold, (gold, i) => Number(argMax(rows, i * numClasses, numClasses) === gold)),
      logits: rows,
    };
  });
  return {instances: range(logits.length), labels: Int32Array.from(input.gold), numClasses, epochs};
}

/** Dynamics of [instance][epoch] probabilities; right where p > 0.5. */
export function dynamicsFromPTrue(pTrue: number[][]): TrainingDynamics {
  const epochs = (pTrue[0] ?? []).map((_, e): EpochDynamics => {
    const column = Float32Array.from(pTrue, row => row[e]);
    return {pTrue: column, isCorrect: Uint8Array.from(column, p => Number(p > 0.5)), logits: new Float32Array()};
  });
  return {instances: range(pTrue.length), labels: new Int32Array(pTrue.length), numClasses: 2, epochs};
}

export const range = (n: number): Int32Array => Int32Array.from({length: n}, (_, i) => i);

/** NaN for null. */
export const numbers = (values: Values): number[] => values.map(value => value ?? Number.NaN);

/** Rows of the published WinoGrande map. */
export function winograndeRows(): {guid: number; confidence: number; variability: number; correctness: number}[] {
  const packed = readFileSync(sharedPath('datamap', parityCases().winogrande.file));
  const lines = gunzipSync(packed).toString('utf8').trimEnd().split('\n');
  return lines.map(line => JSON.parse(line));
}

/** The published WinoGrande map; its deviation is the population one. */
export function winograndeMap(rows: ReturnType<typeof winograndeRows>): DataMap {
  return mapOf(
    rows.map(row => row.variability),
    rows.map(row => row.confidence),
    {
      correctness: Uint32Array.from(rows, row => row.correctness),
      epochs: {first: 0, last: 5},
      variabilityEstimator: 'population',
    },
  );
}

/** A map whose variability and confidence are given, always right but where said otherwise. */
export const mapOf = (variability: number[], confidence = variability, rest: Partial<DataMap> = {}): DataMap => ({
  numInstances: variability.length,
  epochs: {first: 0, last: 3},
  variabilityEstimator: 'sample',
  variability: Float32Array.from(variability),
  confidence: Float32Array.from(confidence),
  correctness: new Uint32Array(variability.length).fill(4),
  forgettingEvents: new Uint32Array(variability.length),
  isWrongAtLast: new Uint8Array(variability.length),
  epochMeans: Array.from({length: 4}, () => ({pTrue: 0.5, accuracy: 0.5})),
  scores: {},
  ...rest,
});
