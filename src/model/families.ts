// The families of encoders by the model_type of config.json. To add one: its file in families/, its row here, and its keys in
// data/model-config.ts.
import type {ModelConfig, ModelType} from '../data/types.js';
import {bert} from './families/bert.js';
import {deberta} from './families/deberta.js';
import {distilbert} from './families/distilbert.js';
import {electra} from './families/electra.js';
import type {Family} from './families/family.js';
import {roberta} from './families/roberta.js';

const families: Record<ModelType, Family> = {
  bert,
  roberta,
  electra,
  distilbert,
  'deberta-v2': deberta,
};

export const familyOf = ({modelType}: Pick<ModelConfig, 'modelType'>): Family => families[modelType];
