// The special tokens around one text or a pair, from a post_processor of tokenizer.json or a family's own; ids cut and framed.
import {brief, type Json, list, object, tokenId, unsupported} from './json-fields.js';

export interface Frame {
  single: {before: number[]; after: number[]};
  pair: {
    before: number[];
    between: number[];
    after: number[];
    /** Of what stands behind the first text, how many have token type 0; the rest has 1. */
    numFirstTypes: number;
  };
}

/** Where each family puts its classification and separator tokens. */
export const frames = {
  /** [CLS] a [SEP] b [SEP]; b and what follows it have token type 1. */
  bert: (classifyId: number, separatorId: number): Frame => ({
    single: {before: [classifyId], after: [separatorId]},
    pair: {before: [classifyId], between: [separatorId], after: [separatorId], numFirstTypes: 1},
  }),
  /** <s> a </s></s> b </s>; all token types are 0. */
  roberta: (classifyId: number, separatorId: number): Frame => ({
    single: {before: [classifyId], after: [separatorId]},
    pair: {
      before: [classifyId],
      between: [separatorId, separatorId],
      after: [separatorId],
      numFirstTypes: Number.POSITIVE_INFINITY,
    },
  }),
};

/** Two texts, the longer cut first. secondStart: the first position of token type 1, ids.length where there is none. */
export function framed(
  {before, between, after, numFirstTypes}: Frame['pair'],
  [first, second]: [number[], number[]],
  maxLength: number,
): {ids: number[]; secondStart: number} {
  const room = Math.max(0, maxLength - before.length - between.length - after.length);
  const [numFirst, numSecond] = truncateLongestFirst(first.length, second.length, room);
  const ids = [...before];
  for (let i = 0; i < numFirst; i++) ids.push(first[i]);
  ids.push(...between);
  for (let i = 0; i < numSecond; i++) ids.push(second[i]);
  ids.push(...after);
  return {ids, secondStart: Math.min(ids.length, before.length + numFirst + numFirstTypes)};
}

/** How many tokens of either text stay so that both have room, as the Rust library of transformers counts them. */
export function truncateLongestFirst(numFirst: number, numSecond: number, room: number): [number, number] {
  if (numFirst + numSecond <= room) return [numFirst, numSecond];
  let short = Math.min(numFirst, numSecond);
  let long = Math.max(short, room - short);
  if (short + long > room) {
    short = Math.floor(room / 2);
    long = room - short;
  }
  return numFirst > numSecond ? [long, short] : [short, long];
}

/** Undefined where the file has no post_processor: then the family's own frame holds. */
export function readFrame(file: string, value: unknown): Frame | undefined {
  if (value === undefined || value === null) return undefined;
  const processor = object(file, value, 'post_processor');
  const edge = (key: string) =>
    tokenId(file, list(file, processor[key], `post_processor.${key}`)[1], `the id of ${key}`);
  switch (processor.type) {
    case 'BertProcessing':
      return frames.bert(edge('cls'), edge('sep'));
    case 'RobertaProcessing':
      return frames.roberta(edge('cls'), edge('sep'));
    case 'TemplateProcessing':
      return readTemplates(file, processor);
    default:
      throw unsupported(file, `post_processor ${brief(processor.type)}`, 'TemplateProcessing or RobertaProcessing');
  }
}

const maxSpecial = 64;

interface Step {
  /** The text that stands here, 0 or 1; otherwise the ids of a special token. */
  text?: 0 | 1;
  ids: number[];
  type: number;
}

function readTemplates(file: string, processor: Json): Frame {
  const single = readSteps(file, processor, 'single');
  const [before, after] = gaps(file, single, 1);
  const pair = readSteps(file, processor, 'pair');
  const [beforeFirst, between, afterSecond] = gaps(file, pair, 2);
  const types = pair.flatMap(({text, ids, type}) => (text === undefined ? ids.map(() => type) : [type]));
  const numZeros = types.includes(1) ? types.indexOf(1) : Number.POSITIVE_INFINITY;
  const numFirstTypes = numZeros - beforeFirst.length - 1;
  const isRising = types.every((type, i) => type === (i < numZeros ? 0 : 1));
  const isInBetween = numFirstTypes >= 0 && (numFirstTypes <= between.length || numZeros === Number.POSITIVE_INFINITY);
  if (!isRising || !isInBetween || single.some(({type}) => type !== 0))
    throw unsupported(
      file,
      'this order of token types',
      '0 up to the first text, 1 from the second text on or nowhere',
    );
  return {single: {before, after}, pair: {before: beforeFirst, between, after: afterSecond, numFirstTypes}};
}

/** The ids before, between and behind the texts, which stand in their order. */
function gaps(file: string, steps: Step[], numTexts: number): number[][] {
  const parts: number[][] = [[]];
  for (const {text, ids} of steps) {
    if (text === undefined) parts.push([...parts.pop()!, ...ids]);
    else if (text === parts.length - 1) parts.push([]);
    else throw unsupported(file, 'a template with its texts in another order', '$A before $B, once each');
  }
  if (parts.length !== numTexts + 1)
    throw unsupported(file, `a template of ${parts.length - 1} texts`, `${numTexts} of them`);
  const numSpecial = parts.reduce((sum, ids) => sum + ids.length, 0);
  if (numSpecial > maxSpecial)
    throw unsupported(file, `a template of ${numSpecial} special tokens`, `${maxSpecial} at most`);
  return parts;
}

function readSteps(file: string, processor: Json, key: string): Step[] {
  const special = object(file, processor.special_tokens, 'post_processor.special_tokens');
  const steps = list(file, processor[key], `post_processor.${key}`);
  if (steps.length > maxSpecial)
    throw unsupported(file, `a template of ${steps.length} steps`, `${maxSpecial} at most`);
  return steps.map(entry => {
    const step = object(file, entry, `a step of post_processor.${key}`);
    const token = object(file, step.SpecialToken ?? step.Sequence, 'SpecialToken or Sequence of a template');
    const type = token.type_id;
    if (type !== 0 && type !== 1) throw unsupported(file, `token type ${brief(type)}`, '0 or 1');
    if (step.SpecialToken === undefined) {
      if (token.id === 'A' || token.id === 'B') return {text: token.id === 'A' ? 0 : 1, ids: [], type};
      throw unsupported(file, `a template with text ${brief(token.id)}`, 'A and B');
    }
    const {ids} = object(file, special[String(token.id)], `special token ${brief(token.id)} of post_processor`);
    return {
      ids: list(file, ids, 'ids of a special token').map(id => tokenId(file, id, 'an id of a special token')),
      type,
    };
  });
}
