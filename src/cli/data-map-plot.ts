// Columns of a data map → a standalone SVG: variability across, confidence up, coloured by correctness, the selection marked.
import type {DataMapColumns} from './data-map-columns.js';

export interface PlotOptions {
  title: string;
  subtitle: string;
  /** Epochs that correctness counts. */
  numEpochs: number;
  /** What is selected, in words, for the legend: "ambiguous third". */
  selection: string;
  /** Variability at the edge of an ambiguous selection; drawn as a line. */
  threshold?: number;
}

/** The little of the DOM that is drawn with; the browser's own types are no part of a server project. */
interface SvgElement {
  ownerDocument: {createElementNS(namespace: string, name: string): SvgElement};
  setAttribute(name: string, value: string): void;
  append(child: SvgElement): void;
  textContent: string | null;
}

const [width, height] = [940, 640];
const margin = {top: 84, right: 220, bottom: 58, left: 66};
const ink = '#1f2933';
const faint = '#52606d';
const font = 'Inter, "Helvetica Neue", Helvetica, Arial, sans-serif';

/** Loads the plotting library, which only this picture needs. */
export async function plotDataMap(columns: DataMapColumns, options: PlotOptions): Promise<string> {
  const [Plot, {parseHTML}] = await Promise.all([import('@observablehq/plot'), import('linkedom')]);
  const {document} = parseHTML('<!doctype html><html><body></body></html>');
  const {numEpochs} = options;
  const finite = columns.variability.filter(Number.isFinite);
  const right = Math.max(0.05, ...finite.map(value => value * 1.04));
  // Viridis without its yellow end, which vanishes on white: told apart with any colour vision and in grey.
  const ramp = Plot.scale({color: {type: 'linear', scheme: 'viridis', domain: [0, Math.max(1, numEpochs) / 0.82]}});
  const colors = Array.from({length: numEpochs + 1}, (_, value) => String(ramp.apply(value)));
  const indices = columns.guids.map((_, i) => i).filter(i => Number.isFinite(columns.variability[i]));
  const radius = indices.length > 4000 ? 2 : 3;
  const dots = (isSelected: boolean) =>
    Plot.dot(
      indices.filter(i => columns.isSelected[i] === isSelected),
      {
        x: (i: number) => columns.variability[i],
        y: (i: number) => columns.confidence[i],
        fill: (i: number) => columns.correctness[i],
        r: isSelected ? radius + 0.4 : radius,
        fillOpacity: isSelected ? 0.95 : 0.36,
        ...(isSelected ? {stroke: ink, strokeWidth: radius > 2 ? 0.6 : 0.4} : {stroke: 'none'}),
        className: isSelected ? 'selected' : 'others',
      },
    );
  const region = (x: number, y: number, text: string, textAnchor: 'start' | 'end') =>
    Plot.text([[x, y]], {
      text: [text],
      textAnchor,
      fontSize: 17,
      fontWeight: 700,
      fill: ink,
      stroke: 'white',
      strokeWidth: 6,
      strokeOpacity: 0.9,
    });
  const {threshold} = options;
  const svg = Plot.plot({
    document,
    width,
    height,
    marginTop: margin.top,
    marginRight: margin.right,
    marginBottom: margin.bottom,
    marginLeft: margin.left,
    style: {fontFamily: font, fontSize: '13px', background: 'white', color: ink},
    x: {label: null, domain: [0, right], nice: false, ticks: 8},
    y: {label: null, domain: [0, 1], ticks: 6},
    color: {type: 'ordinal', domain: colors.map((_, value) => value), range: colors},
    marks: [
      Plot.gridX({stroke: '#e4e7eb', strokeOpacity: 1, ticks: 8}),
      Plot.gridY({stroke: '#e4e7eb', strokeOpacity: 1, ticks: 6}),
      dots(false),
      dots(true),
      threshold === undefined ? null : Plot.ruleX([threshold], {stroke: ink, strokeWidth: 1.2, strokeDasharray: '5 4'}),
      region(right * 0.015, 0.955, 'easy-to-learn', 'start'),
      region(right * 0.985, 0.5, 'ambiguous', 'end'),
      region(right * 0.015, 0.045, 'hard-to-learn', 'start'),
    ],
  });
  decorate(svg as unknown as SvgElement, columns, options, colors);
  return standalone(svg.outerHTML, `${options.title}: ${options.subtitle}`);
}

/** Title, axis labels and legend: Plot's own legend is HTML, which an SVG file cannot hold. */
function decorate(svg: SvgElement, columns: DataMapColumns, options: PlotOptions, colors: string[]): void {
  const add = (name: string, attributes: Record<string, string | number>, text?: string) => {
    const element = svg.ownerDocument.createElementNS('http://www.w3.org/2000/svg', name);
    if (name === 'text' && !('text-anchor' in attributes)) element.setAttribute('text-anchor', 'start');
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
    if (text !== undefined) element.textContent = text;
    svg.append(element);
  };
  const axisY = (margin.top + height - margin.bottom) / 2;
  add('text', {x: margin.left, y: 34, 'font-size': 20, 'font-weight': 700, fill: ink}, options.title);
  add('text', {x: margin.left, y: 57, 'font-size': 13, fill: faint}, options.subtitle);
  const axis = {'font-size': 14, fill: ink, 'text-anchor': 'middle'};
  add(
    'text',
    {...axis, x: (margin.left + width - margin.right) / 2, y: height - 14},
    'variability (spread of p_true over epochs)',
  );
  const turned = {...axis, x: 0, y: 0, transform: `translate(20 ${axisY}) rotate(-90)`};
  add('text', turned, 'confidence (mean p_true over epochs)');

  const left = width - margin.right + 26;
  let y = margin.top + 14;
  const entry = {'font-size': 13, fill: ink, x: left + 20};
  const heading = {'font-size': 13, 'font-weight': 700, fill: ink, x: left};
  add('text', {...heading, y}, 'correctness');
  add('text', {'font-size': 12, fill: faint, x: left, y: y + 17}, 'epochs classified right');
  y += 40;
  const counts = colors.map((_, value) => columns.correctness.filter(c => c === value).length);
  for (let value = colors.length - 1; value >= 0; value--, y += 21) {
    add('circle', {cx: left + 7, cy: y - 4.5, r: 6, fill: colors[value]});
    add('text', {...entry, y}, `${value} of ${options.numEpochs}`);
    add(
      'text',
      {'font-size': 12, fill: faint, x: width - 18, y, 'text-anchor': 'end'},
      counts[value].toLocaleString('en-US'),
    );
  }
  y += 22;
  const numSelected = columns.isSelected.filter(Boolean).length;
  const numOthers = columns.isSelected.length - numSelected;
  add('text', {...heading, y}, 'selection');
  y += 23;
  const middle = colors[Math.floor(colors.length / 2)];
  add('circle', {cx: left + 7, cy: y - 4.5, r: 6, fill: middle, stroke: ink, 'stroke-width': 1.2});
  add('text', {...entry, y}, options.selection);
  add(
    'text',
    {'font-size': 12, fill: faint, x: width - 18, y, 'text-anchor': 'end'},
    numSelected.toLocaleString('en-US'),
  );
  y += 21;
  add('circle', {cx: left + 7, cy: y - 4.5, r: 6, fill: middle, 'fill-opacity': 0.36});
  add('text', {...entry, y}, 'not selected');
  add(
    'text',
    {'font-size': 12, fill: faint, x: width - 18, y, 'text-anchor': 'end'},
    numOthers.toLocaleString('en-US'),
  );
  if (options.threshold === undefined) return;
  y += 21;
  add('line', {
    x1: left,
    x2: left + 14,
    y1: y - 4.5,
    y2: y - 4.5,
    stroke: ink,
    'stroke-width': 1.2,
    'stroke-dasharray': '4 3',
  });
  add('text', {...entry, y}, `variability ${options.threshold.toFixed(3)}`);
}

/** A file of its own: declared as SVG, named for screen readers, a white ground, and no more digits than can be seen. */
function standalone(markup: string, label: string): string {
  const rounded = markup.replace(/(c[xy])="(-?\d+\.\d{2})\d+"/g, '$1="$2"');
  const opened = rounded
    .replace(/^<svg/, '<svg xmlns="http://www.w3.org/2000/svg"')
    .replace(/( xmlns="[^"]+")(.*?)\1/, '$1$2');
  const ground = `<rect width="${width}" height="${height}" fill="white"/>`;
  const title = `<title>${label.replace(/[&<>]/g, character => `&#${character.charCodeAt(0)};`)}</title>`;
  return `<?xml version="1.0" encoding="UTF-8"?>\n${opened.replace(/>/, `>${title}${ground}`)}\n`;
}
