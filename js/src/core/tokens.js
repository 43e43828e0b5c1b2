// Tokens as they are drawn: always as text, the unseen ones as marks.

const MARKS = new Map([
  [" ", "·"],
  ["\n", "⏎"],
  ["\r", "␍"],
  ["\t", "⇥"],
  ["\u00a0", "⍽"],
  ["\u007f", "␡"],
  ["", "∅"],
]);

const DIRECTIONS = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/;

/**
 * A token with its unseen characters made visible.
 * @param {string} token
 */
export function visible(token) {
  const mark = MARKS.get(token);
  if (mark !== undefined) return mark;
  let text = "";
  for (const character of token) {
    const code = character.codePointAt(0) ?? 0;
    if (code !== 32 && MARKS.has(character)) text += MARKS.get(character);
    else if (code < 32) text += String.fromCodePoint(0x2400 + code);
    // A mark without a width alone is not seen; one of direction would act on the text around it.
    else if (DIRECTIONS.test(character) || (/\p{Cf}/u.test(character) && token === character))
      text += "◌";
    else text += character;
  }
  // So is an accent, and others of its kind, without the letter that it belongs on.
  return /^\p{M}/u.test(token) ? `◌${text}` : text;
}

/**
 * A token between quotes, for sentences.
 * @param {string} token
 */
export function quoted(token) {
  return `'${token === " " ? " " : visible(token)}'`;
}

/**
 * A number as a person reads it: four decimals, or four digits of a very small or large one.
 * @param {number} value
 */
export function number(value) {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  const size = Math.abs(value);
  const text =
    size !== 0 && (size < 1e-3 || size >= 1e5) ? value.toExponential(3) : value.toFixed(4);
  return text.replaceAll("-", "−");
}
