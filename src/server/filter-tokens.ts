// A filter of https://google.aip.dev/160 → its tokens.
import {shown} from '../runs/field-rules.js';

/** What is wrong with a filter, to be said behind the field's name. */
export class FilterError extends Error {}

const tokenPattern =
  /(?<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(?<sign><=|>=|!=|[<>=:().]|-(?=[\w(]))|(?<word>[\w*](?:[\w*+-])*)/suy;

export interface Token {
  kind: 'text' | 'sign' | 'word' | 'end';
  value: string;
  /** In the filter, from 1. */
  place: number;
}

/** Throws FilterError. */
export function tokensOf(source: string): Token[] {
  const tokens: Token[] = [];
  for (let at = 0; at < source.length; ) {
    const space = /^\s+/.exec(source.slice(at))?.[0].length ?? 0;
    at += space;
    if (at === source.length) break;
    tokenPattern.lastIndex = at;
    const {text, sign, word} = tokenPattern.exec(source)?.groups ?? {};
    const raw = text ?? sign ?? word;
    const place = at + 1;
    if (raw === undefined)
      throw new FilterError(`has something unknown at character ${place}: ${shown(source.slice(at))}`);
    if (text !== undefined) tokens.push({kind: 'text', value: raw.slice(1, -1).replace(/\\(.)/gsu, '$1'), place});
    else tokens.push({kind: sign === undefined ? 'word' : 'sign', value: raw, place});
    at += raw.length;
  }
  return [...tokens, {kind: 'end', value: 'the end', place: source.length + 1}];
}
