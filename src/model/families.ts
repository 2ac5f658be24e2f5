// The families of encoders by the model_type of config.json. To add one: its file in families/, its row here, and its keys in
// data/model-config.ts.
import type {ModelConfig} from '../data/types.js';
import {bert} from './families/bert.js';
import type {Family} from './families/family.js';

const families: Record<ModelConfig['modelType'], Family> = {
  bert,
};

export const familyOf = ({modelType}: Pick<ModelConfig, 'modelType'>): Family => families[modelType];
