// ExampleGrid's arithmetic: examples in rows that wrap to the width, in CSS pixels.

/**
 * Split an example into what stands before its tokens and the tokens themselves: a label that ends
 * in the tokens shows them in place.
 * @param {string | undefined} label
 * @param {string[]} tokens
 * @returns {string} what stands before the tokens
 */
export function before(label, tokens) {
  if (label === undefined) return "";
  const joined = tokens.join("");
  if (joined !== "" && label.endsWith(joined)) return label.slice(0, label.length - joined.length);
  return label;
}

/**
 * Places of equally wide items.
 * @param {number} count
 * @param {number} itemWidth
 * @param {number} room
 * @returns {{across: number, rows: number, pitch: number}}
 */
export function wrap(count, itemWidth, room) {
  const across = Math.max(1, Math.min(count, Math.floor(room / itemWidth)));
  // What is left over goes between the items, up to a point.
  const pitch = Math.min(room / across, itemWidth * 1.25);
  return { across, rows: Math.ceil(count / across), pitch: Math.max(itemWidth, Math.floor(pitch)) };
}
