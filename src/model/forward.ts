// A model's config and head, and one batch → logits. No tensor library: only layers are called.
import type {ModelConfig} from '../data/types.js';
import type {Pass} from './families/family.js';
import {familyOf} from './families.js';
import {type Head, numHeadSites} from './heads/head.js';
import type {Tensor} from './tensorflow.js';

/** Places at which dropout draws a mask: the encoder's, then the head's. */
export const numDropoutSites = (config: ModelConfig): number => familyOf(config).numDropoutSites(config) + numHeadSites;

/** [B, C], or whatever the head gives. */
export function logitsOf(pass: Pass, head: Head): Tensor {
  const family = familyOf(pass.config);
  const read = head.readsFirstTokens ? pass.inputs.firstTokens : undefined;
  let x: Tensor | undefined;
  for (const next of family.hiddenStates({...pass, read})) {
    x?.dispose();
    x = next;
  }
  const logits = pass.layers.scope(() => head.logits(pass, family, x!, family.numDropoutSites(pass.config)));
  x!.dispose();
  return logits;
}
