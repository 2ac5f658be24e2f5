// A model folder (argument) → reads all its tensors, keeps them, and prints the most memory that took beside Node's own, as a share of them.
import {openWeights} from '../../src/data/weights.js';

const [folder] = process.argv.slice(2);
// All code is loaded and has run before the measurement.
await openWeights(folder);
const before = process.memoryUsage.rss();
const kept = [...(await openWeights(folder)).values()].map(tensor => tensor.read());
const bytes = kept.reduce((sum, values) => sum + values.byteLength, 0);
console.log((process.resourceUsage().maxRSS * 1024 - before) / bytes);
