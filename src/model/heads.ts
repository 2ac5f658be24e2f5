// The heads by their task.
import type {Task} from './classifier.js';
import type {Head} from './heads/head.js';
import {questionAnswering} from './heads/question-answering.js';
import {sequenceClassification} from './heads/sequence-classification.js';
import {tokenClassification} from './heads/token-classification.js';

export const heads: Record<Task, Head> = {
  'sequence-classification': sequenceClassification,
  'token-classification': tokenClassification,
  'question-answering': questionAnswering,
};
