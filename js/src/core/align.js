// A state can be shown on the token that was just read, or on the one that it is about to predict.

/**
 * The token that stands at a column.
 * @param {import("./source.js").WholeSource | import("./source.js").KernelSource} source
 * @param {number} column
 * @param {string} align "read": the token of this timestep; "predict": the one after it
 * @returns {string | undefined} undefined if unknown, or if the example ends before it
 */
export function shownToken(source, column, align) {
  if (align !== "predict") return source.token(column);
  const next = column + 1;
  return next % source.layer.timesteps === 0 ? undefined : source.token(next);
}
