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

/** No more of a token is drawn than this. */
export const LONGEST = 256;

/** What acts on the text around it, breaks a line, or is no character at all. */
const NEVER = /[\p{Bidi_Control}\p{Zl}\p{Zp}\p{Cn}\u0080-\u009f]/u;
/** What is not seen where it stands alone; within a text it may join, shape or space others. */
const ALONE = /^[\p{Cf}\p{Zs}\p{Default_Ignorable_Code_Point}]+$/u;
/** What two texts may differ in without being seen to, and what fonts draw alike: not what emoji, */
const ALIKE = /[\p{Cf}\p{Default_Ignorable_Code_Point}\p{Co}\p{Cs}]/u;
/** and some scripts, are made with. */
const JOINS = /[\u200c\p{Variation_Selector}\u{e0020}-\u{e007f}]|\u200d/u;

/**
 * @param {string} token
 * @param {(character: string, alone: boolean) => string | undefined} unseen what stands for a character
 *   that is not seen; undefined if that is itself
 */
function replaced(token, unseen) {
  const mark = MARKS.get(token);
  if (mark !== undefined) return mark;
  const alone = ALONE.test(token);
  let text = "";
  for (const character of token) {
    const code = character.codePointAt(0) ?? 0;
    if (code === 32) text += character;
    else if (MARKS.has(character)) text += MARKS.get(character);
    else if (code < 32) text += String.fromCodePoint(0x2400 + code);
    else text += unseen(character, alone || NEVER.test(character)) ?? character;
  }
  // An accent, or another of its kind, is not seen without the letter that it belongs on.
  return /^\p{M}/u.test(token) && !alone ? `◌${text}` : text;
}

/**
 * A token with its unseen characters made visible.
 * @param {string} token
 */
export function visible(token) {
  return replaced(token, (_, unseen) => (unseen ? "◌" : undefined));
}

/** A text with what is unseen made visible, all but spaces. @param {string} text */
export function inLine(text) {
  return [...text].map((c) => (c === " " ? c : visible(c))).join("");
}

/**
 * A token where there is room to tell unseen characters apart, by their numbers.
 * @param {string} token
 */
export function named(token) {
  return replaced(token, (character, unseen) => {
    if (!unseen && (JOINS.test(character) || !ALIKE.test(character))) return undefined;
    const code = character.codePointAt(0) ?? 0;
    const number = `U+${code.toString(16).toUpperCase().padStart(4, "0")}`;
    return character === token ? number : `⟨${number}⟩`;
  });
}

/**
 * A token between quotes, for sentences.
 * @param {string} token
 */
export function quoted(token) {
  return `'${token === " " ? " " : named(token)}'`;
}

/**
 * What a token says, as it is written into its box.
 * @param {string} token
 * @param {boolean} marks whether white space shows as marks
 */
export function written(token, marks) {
  const start = token.slice(0, LONGEST);
  if (marks) return named(start).replaceAll(" ", "·");
  const bare = start.replace(/[\n\r]/g, "").replace(/[\t\u00a0]/g, " ");
  if (bare.trim() === "" && token !== "") return bare || " ";
  return visible(bare);
}

/** Scripts that run from right to left: Hebrew, Arabic and their like. */
const FROM_RIGHT =
  /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;

/** Whether some of a text runs from right to left. @param {string} text */
export function hasFromRight(text) {
  return FROM_RIGHT.test(text);
}

/**
 * Which way a text runs, by its first letter.
 * @param {string} text
 * @returns {"rtl" | "ltr" | undefined} undefined if it has none
 */
export function directionOf(text) {
  const [first] = /\p{L}/u.exec(text) ?? [];
  if (!first) return undefined;
  return FROM_RIGHT.test(first) ? "rtl" : "ltr";
}

const segmenter = new Intl.Segmenter();

/** Characters as a reader counts them: with their accents, and emoji whole. @param {string} text */
export function charactersOf(text) {
  return Array.from(segmenter.segment(text), ({ segment }) => segment);
}

/**
 * The first of them.
 * @param {string} text
 * @param {number} count
 */
export function firstOf(text, count) {
  if (text.length <= count) return text;
  let left = count;
  for (const { index } of segmenter.segment(text)) if (left-- === 0) return text.slice(0, index);
  return text;
}
