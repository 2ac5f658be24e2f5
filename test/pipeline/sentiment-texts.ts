// A small task that a pretrained encoder learns in a few steps: short reviews, whose test words and sentences are not those of training.
import type {Example} from '../../src/data/types.js';
import {permutation, randomStream} from '../../src/random.js';

export const classNames = ['negative', 'positive'];

interface Words {
  subjects: string[];
  adjectives: [negative: string[], positive: string[]];
}

const trainWords: Words = {
  subjects: ['the film was', 'this movie is', 'I found the plot', 'her acting was', 'the music is', 'every scene was'],
  adjectives: [
    ['terrible', 'boring', 'awful', 'bad', 'horrible', 'ugly', 'weak', 'annoying', 'pathetic', 'disappointing'],
    ['wonderful', 'great', 'excellent', 'good', 'beautiful', 'lovely', 'brilliant', 'charming', 'superb', 'delightful'],
  ],
};

const testWords: Words = {
  subjects: ['the story felt', 'his voice was', 'I thought the ending', 'the dialogue is', 'the whole thing was'],
  adjectives: [
    ['dreadful', 'dull', 'poor', 'miserable', 'stupid', 'nasty', 'lame', 'tedious'],
    ['fantastic', 'amazing', 'perfect', 'fine', 'gorgeous', 'magnificent', 'nice', 'enjoyable'],
  ],
};

export const trainTexts = (): Example[] => combine('train', trainWords);
export const testTexts = (): Example[] => combine('test', testWords);

/**
 * The same texts, and labels that have nothing to do with them: half of the texts of each word are of each class. A shuffle of all labels would
 * by chance give a word, and so all words near it, more of one class, which an encoder learns.
 */
export function shuffleLabels(examples: Example[], seed: number): Example[] {
  const {length} = trainWords.subjects;
  const orders = examples.map((_, i) => permutation(length, randomStream(seed, 'data', Math.floor(i / length))));
  return examples.map((example, i) => ({...example, label: orders[i].indexOf(i % length) < length / 2 ? 0 : 1}));
}

function combine(split: string, {subjects, adjectives}: Words): Example[] {
  return adjectives
    .flatMap((words, label) => words.flatMap(word => subjects.map(subject => ({text: `${subject} ${word}.`, label}))))
    .map((example, i) => ({...example, uid: `${split}-${i}`}));
}
