// A state can be shown on the token that was just read, or on the one that it is about to predict.

/**
 * The column of the token that stands at a column.
 * @param {import("./layer.js").Layer} layer
 * @param {number} column
 * @param {string} align "read": the token of this timestep; "predict": the one after it
 * @returns {number | undefined} undefined if the example ends before it
 */
export function shownColumn({ timesteps }, column, align) {
  if (align !== "predict") return column;
  return (column + 1) % timesteps === 0 ? undefined : column + 1;
}

/**
 * The token that stands at a column.
 * @param {import("./source.js").AnySource} source
 * @param {number} column
 * @param {string} align
 * @returns {string | undefined} undefined if unknown, or if the example ends before it
 */
export function shownToken(source, column, align) {
  const at = shownColumn(source.layer, column, align);
  return at === undefined ? undefined : source.token(at);
}
