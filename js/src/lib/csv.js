// Tables as CSV (RFC 4180): for a spreadsheet, or for pandas.read_csv.

/** @typedef {string | number | undefined} Field */

/**
 * A field as it stands in a file.
 * @param {Field} value a text, a number with all its digits, or nothing
 */
function field(value) {
  if (value === undefined) return "";
  if (typeof value === "number") return Number.isNaN(value) ? "" : String(value);
  // Tokens may hold anything: what a spreadsheet would take for a formula stays a text in it.
  const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/**
 * @param {string[]} names of the columns
 * @param {Iterable<Field[]>} rows
 */
export function csv(names, rows) {
  return [names, ...rows].map((row) => `${row.map(field).join()}\r\n`).join("");
}

/**
 * The shortest number that is the same in float32, as arrays travel: 0.1, not 0.10000000149011612.
 * @param {number} value
 */
export function shortest(value) {
  if (!Number.isFinite(value)) return value;
  for (let digits = 6; digits < 9; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === value) return short;
  }
  return Number(value.toPrecision(9));
}
