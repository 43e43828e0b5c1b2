// Which rows there are, and in which order.

/**
 * @param {object} options
 * @param {number} options.cells
 * @param {string} options.sort "index", "mean_magnitude", "variance", "similarity" or "order"
 * @param {number[]} [options.given] the cells that come first by "order"; the others follow
 * @param {Float32Array} options.meanMagnitude
 * @param {Float32Array} options.variance
 * @param {Float32Array | undefined} options.similarity
 * @param {number | undefined} options.quietBelow leave out cells whose mean |value| is below this
 * @param {Float32Array} [options.loudest] that mean, if it is another one than cells are sorted by
 * @returns {Int32Array} cells, in the order of the rows; what is NaN comes last, and is never quiet
 */
export function orderCells({
  cells,
  sort,
  given = [],
  meanMagnitude,
  variance,
  similarity,
  quietBelow,
  loudest = meanMagnitude,
}) {
  let order = Int32Array.from({ length: cells }, (_, cell) => cell);
  if (sort === "order") {
    order = Int32Array.from(new Set([...given.filter((cell) => cell < cells), ...order]));
  }
  if (quietBelow !== undefined) order = order.filter((cell) => !(loudest[cell] < quietBelow));
  const by =
    sort === "mean_magnitude"
      ? meanMagnitude
      : sort === "variance"
        ? variance
        : sort === "similarity"
          ? similarity
          : undefined;
  if (!by) return order;
  const key = (/** @type {number} */ cell) => (Number.isNaN(by[cell]) ? -Infinity : by[cell]);
  return order.sort((a, b) => {
    const [left, right] = [key(a), key(b)];
    return left === right ? a - b : right > left ? 1 : -1;
  });
}

/**
 * A threshold of two digits that half of the cells are below, and half are not.
 * @param {Float32Array} meanMagnitude
 * @returns {number} 0 where there is none above 0
 */
export function halfBelow(meanMagnitude) {
  const sorted = meanMagnitude.filter((mean) => mean > 0 && mean < Infinity).sort();
  const middle = sorted[Math.floor(sorted.length / 2)] ?? 0;
  if (middle === 0) return 0;
  // Rounded down: the cell in the middle stays.
  const digit = 10 ** (Math.floor(Math.log10(middle)) - 1);
  return Number((Math.floor(middle / digit) * digit).toPrecision(2));
}

/**
 * Pearson's correlation of one row with all.
 * @param {Float32Array[]} rows
 * @param {number} cell
 * @param {(column: number) => boolean} counts whether a column is no padding
 * @returns {Float32Array} NaN for a row that never changes
 */
export function correlations(rows, cell, counts) {
  /** @type {number[]} */
  const columns = [];
  for (let i = 0; i < (rows[0]?.length ?? 0); i++) if (counts(i)) columns.push(i);
  const centred = rows.map((row) => {
    let mean = 0;
    for (const i of columns) mean += row[i];
    mean /= columns.length;
    return Float64Array.from(columns, (i) => row[i] - mean);
  });
  const dot = (/** @type {Float64Array} */ a, /** @type {Float64Array} */ b) => {
    let sum = 0;
    for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
    return sum;
  };
  const own = dot(centred[cell], centred[cell]);
  return Float32Array.from(
    centred,
    (row) => dot(row, centred[cell]) / Math.sqrt(own * dot(row, row)),
  );
}
