// Where texts begin among the tokens of a batch → the tokens around each token.

/** starts [B + 1] → [T * numTaps], numTaps odd: the token itself in the middle, -1 beyond its text. */
export function neighboursOf(starts: Int32Array, numTaps: number): Int32Array {
  const reach = (numTaps - 1) / 2;
  const around = new Int32Array(starts[starts.length - 1] * numTaps);
  for (let row = 0; row + 1 < starts.length; row++)
    for (let token = starts[row]; token < starts[row + 1]; token++)
      for (let tap = 0; tap < numTaps; tap++) {
        const other = token + tap - reach;
        around[token * numTaps + tap] = other >= starts[row] && other < starts[row + 1] ? other : -1;
      }
  return around;
}
