// ExampleGrid's arithmetic: examples in rows that wrap to the width, in CSS pixels.

import { clamp } from "../lib/clamp.js";

/**
 * Split an example into what stands before its tokens and the tokens themselves: a label that ends
 * in the tokens shows them in place.
 * @param {string} label
 * @param {number} count how many tokens
 * @param {(timestep: number) => string | undefined} tokenAt
 * @returns {string | undefined} what stands before the tokens; undefined if they are not known yet
 */
export function before(label, count, tokenAt) {
  let end = label.length;
  for (let t = count - 1; t >= 0; t--) {
    const token = tokenAt(t);
    if (token === undefined) return undefined;
    if (!label.endsWith(token, end)) return label;
    end -= token.length;
  }
  return label.slice(0, end);
}

/**
 * Places of equally wide items.
 * @param {number} count
 * @param {number} itemWidth
 * @param {number} room
 * @returns {{across: number, rows: number, pitch: number}}
 */
export function wrap(count, itemWidth, room) {
  const across = clamp(Math.floor(room / itemWidth), 1, count);
  // What is left over goes between the items, up to a point.
  const pitch = Math.min(room / across, itemWidth * 1.25);
  return { across, rows: Math.ceil(count / across), pitch: Math.max(itemWidth, Math.floor(pitch)) };
}
