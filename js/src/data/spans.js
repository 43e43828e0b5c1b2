// Timesteps that were chosen together, as spans: lstm_widgets/views/selected.py.

/** A part of an example, its stop excluded. @typedef {[example: number, start: number, stop: number]} Span */

/**
 * Spans of rising columns.
 * @param {ArrayLike<number>} columns
 * @param {number} timesteps of each example
 * @returns {Span[]}
 */
export function spansOf(columns, timesteps) {
  /** @type {Span[]} */
  const spans = [];
  for (let i = 0; i < columns.length; i++) {
    const column = columns[i];
    const example = Math.floor(column / timesteps);
    const timestep = column - example * timesteps;
    const last = spans[spans.length - 1];
    if (last && last[0] === example && last[2] === timestep) last[2]++;
    else spans.push([example, timestep, timestep + 1]);
  }
  return spans;
}

/**
 * A bit for each column, set where one is chosen.
 * @param {Span[]} spans
 * @param {{examples: number, timesteps: number}} layer those beyond it are left out
 */
export function bitsOf(spans, { examples, timesteps }) {
  const bits = new Uint8Array(Math.ceil((examples * timesteps) / 8));
  for (const [example, start, stop] of spans) {
    if (example >= examples || stop > timesteps) continue;
    const first = example * timesteps;
    for (let column = first + start; column < first + stop; column++)
      bits[column >> 3] |= 1 << (column & 7);
  }
  return bits;
}

/** How many timesteps they have. @param {Span[]} spans */
export function lengthOf(spans) {
  return spans.reduce((sum, [, start, stop]) => sum + stop - start, 0);
}
