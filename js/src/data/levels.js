// Lines at every level of detail: of every 4^k timesteps the lowest and the highest, so that no spike is
// lost. What is missing (NaN) counts in neither; only where all of them are missing is there a gap.

/** Runs of one level that are one of the next: the same as in lstm_widgets/views/line.py. */
export const POOLED = 4;
/** Runs in a tile; the coarsest level has no more. */
export const TILE = 512;

/** The lowest and the highest of runs of timesteps. @typedef {{low: Float32Array, high: Float32Array}} Level */

/** The first level of so many timesteps that has no more runs than a tile. @param {number} count */
export function topLevel(count) {
  let level = 0;
  while (count > TILE * POOLED ** level) level++;
  return level;
}

/**
 * Sum up every four runs.
 * @param {Level} fine
 * @returns {Level}
 */
export function pooled({ low, high }) {
  const count = Math.ceil(low.length / POOLED);
  const made = { low: new Float32Array(count), high: new Float32Array(count) };
  for (let run = 0; run < count; run++) {
    let [least, most] = [NaN, NaN];
    const stop = Math.min(low.length, (run + 1) * POOLED);
    for (let i = run * POOLED; i < stop; i++) {
      // A comparison with NaN is false: what is missing leaves both as they are.
      if (!(low[i] >= least) && !Number.isNaN(low[i])) least = low[i];
      if (!(high[i] <= most) && !Number.isNaN(high[i])) most = high[i];
    }
    made.low[run] = least;
    made.high[run] = most;
  }
  return made;
}

/** A line that is in the page as a whole. */
export class WholeLine {
  /** @type {Level[]} */
  #levels;

  /** @param {Float32Array} values */
  constructor(values) {
    this.#levels = [{ low: values, high: values }];
  }

  /** @param {number} level */
  level(level) {
    while (this.#levels.length <= level) {
      this.#levels.push(pooled(this.#levels[this.#levels.length - 1]));
    }
    return this.#levels[level];
  }
}

/**
 * The lowest and the highest finite value of a level; undefined if it has none.
 * @param {Level} level
 * @returns {[number, number] | undefined}
 */
export function extentOf({ low, high }) {
  let [least, most] = [Infinity, -Infinity];
  for (let i = 0; i < low.length; i++) {
    if (Number.isFinite(low[i]) && low[i] < least) least = low[i];
    if (Number.isFinite(high[i]) && high[i] > most) most = high[i];
    // Where one end of a run is infinite, the other may be all that is known of it.
    if (Number.isFinite(low[i]) && low[i] > most) most = low[i];
    if (Number.isFinite(high[i]) && high[i] < least) least = high[i];
  }
  return least <= most ? [least, most] : undefined;
}
