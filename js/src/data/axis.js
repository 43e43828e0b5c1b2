// Where the timesteps of an example stand on a time axis, and which of them are padding.

import { Clock, Times, unpacked } from "./times.js";

/**
 * What Python tells of it, beside the times themselves.
 * @typedef {import("./times.js").SentTimes & {
 *   count: number,
 *   counted?: [start: number, step: number],
 *   at?: [start: number, stop: number][],
 *   padding?: [start: number, stop: number][][],
 * }} SentAxis
 *   of those that are only counted, which they are; where packed times stand among the bytes; stretches of
 *   each example
 */

export class Axis {
  /**
   * @param {SentAxis} sent
   * @param {Uint8Array} packed times of all axes that have many runs
   * @param {number} example
   */
  constructor(sent, packed, example) {
    const clock = new Clock(sent);
    /** @template T @param {T[]} all */
    const own = (all) => all[all.length > 1 ? example : 0];
    const runs = sent.counted ? [[...sent.counted, sent.count]] : own(sent.runs ?? [[]]);
    if (sent.counted) this.times = new Times(clock, [[...sent.counted, sent.count]]);
    else if (sent.at) this.times = unpacked(clock, packed.subarray(...own(sent.at)));
    else this.times = new Times(clock, own(sent.runs ?? [[]]));
    this.count = sent.count;
    this.clock = clock;
    this.padding = sent.padding?.[example] ?? [];
    /** Of times at equal steps: the first and the step, which are asked for most. @type {number[] | undefined} */
    this.even = !sent.at && runs.length === 1 ? runs[0] : undefined;
    this.first = this.count ? this.at(0) : 0;
    this.last = this.count ? this.at(this.count - 1) : 0;
  }

  /** Where a timestep stands. @param {number} timestep */
  at(timestep) {
    return this.even ? this.even[0] + timestep * this.even[1] : this.times.at(timestep);
  }

  /** How far apart two timesteps are on the whole. */
  get step() {
    return this.count > 1 ? (this.last - this.first) / (this.count - 1) : 1;
  }

  /** The last timestep that doesn't stand behind a place; the first, if all do. @param {number} place */
  before(place) {
    const at = this.times.from(place);
    return Math.max(0, at < this.count && this.at(at) === place ? at : at - 1);
  }

  /** The timestep nearest to a place. @param {number} place */
  nearest(place) {
    return this.times.nearest(place);
  }
}
