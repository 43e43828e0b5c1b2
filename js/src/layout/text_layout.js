// Where the tokens of a text stand: one box each, in lines that are wrapped to the width. Whole CSS pixels.

import { UNSPACED } from "../data/spelling.js";
import { directionOf, hasFromRight, written } from "../lib/tokens.js";

/** Characters between two tab stops. */
const TAB = 8;

/** Between two tokens of several characters that nothing else parts. */
const HAIR = 1;

/** What a line needs to know of a token. */
const BLANK = 1;
const NEWLINE = 2;
const TABBED = 4;
/** A line may end after it. */
const AFTER = 8;
/** A line may begin with it. */
const BEFORE = 16;
/** It begins a word that stands apart, it ends one. */
const BEGINS = 32;
const ENDS = 64;
/** It has letters that run from right to left; its first letter does, or runs the other way. */
const TURNED = 128;
const RIGHT = 256;
const LEFT = 512;

/** Of a line: its paragraph runs from right to left; some of its text does. */
const PARAGRAPH = 1;
const SOME = 2;

/**
 * @param {string} raw
 * @param {import("../data/spelling.js").Spelling} spelling
 */
function kindOf(raw, spelling) {
  const token = spelling.text(raw);
  let kind = (spelling.begins(raw) ? BEGINS : 0) | (spelling.ends(raw) ? ENDS : 0);
  if (/^\s+$/.test(token)) kind |= BLANK;
  if (token.includes("\n")) kind |= NEWLINE;
  if (token === "\t") kind |= TABBED;
  if (/\s$/.test(token) || UNSPACED.test(token.slice(-2))) kind |= AFTER;
  if (/^\s/.test(token) && !(kind & BLANK)) kind |= BEFORE;
  if (hasFromRight(token)) kind |= TURNED;
  const direction = directionOf(token);
  if (direction) kind |= direction === "rtl" ? RIGHT : LEFT;
  return kind;
}

/**
 * To the next tab stop, a character at least.
 * @param {number} x
 * @param {number} character
 */
function toStop(x, character) {
  const tab = TAB * character;
  return tab - ((x + character - 1) % tab) + character - 1;
}

/**
 * How a text is set.
 * @typedef {object} Style
 * @property {number} width room of a line
 * @property {number} character width of a character
 * @property {number} least width of a box with more than white space
 * @property {(text: string) => number} measure
 * @property {boolean} marks
 * @property {import("../data/spelling.js").Spelling} spelling
 * @property {boolean} after whether a box follows for the token that comes after the last
 * @property {(pieces: {before: string, text: string}[], rtl: boolean) => {left: number, right: number}[]} [places]
 *   where the tokens of a line stand that is set as a whole
 */

export class TextLayout {
  /** Of each line, if any text runs from right to left. @type {Uint8Array | undefined} */
  #directions;
  /** Lines of this kind whose boxes stand where they belong, with what is drawn there. @type {Map<number, string>} */
  #settled = new Map();

  /**
   * One box for each token that is here.
   * @param {import("../data/passage.js").Passage} passage
   * @param {Style} style
   */
  constructor(passage, style) {
    const { table, codes, known } = passage;
    const { width, character, least, measure, marks, spelling, after } = style;
    this.passage = passage;
    this.style = style;
    this.count = known + (after ? 1 : 0);
    /** Where boxes begin and how wide they are. */
    this.left = new Int32Array(this.count);
    this.widths = new Int32Array(this.count);
    /** What is written into them, by the passage's table. */
    this.texts = table.map((token) => written(spelling.text(token), marks));
    const pad = { words: 4, "##": 2, "</w>": 2 }[/** @type {string} */ (spelling.kind)] ?? 0;
    const room = Math.max(width, 2 * character);
    const kinds = table.map((token) => kindOf(token, spelling));
    this.kinds = kinds;
    const sizes = this.texts.map((text, i) => {
      const size = Math.ceil(measure(text) - 0.05) + (kinds[i] & BLANK ? 0 : pad);
      return Math.min(room - character, Math.max(kinds[i] & BLANK ? character : least, size));
    });
    const starts = [0];
    const hair = spelling.kind === "characters" ? 0 : HAIR;
    let x = 0;
    let begin = 0;
    let mayBreak = 0;
    for (let i = 0; i < this.count; i++) {
      const kind = i < known ? kinds[codes[i]] : BEFORE | BEGINS;
      let size = i < known ? sizes[codes[i]] : character;
      const apart = spelling.apart && i > 0 && kind & BEGINS && kinds[codes[i - 1]] & ENDS;
      if (kind & BEFORE || apart) mayBreak = i;
      if (i > begin) x += apart ? character : hair;
      if (kind & TABBED && !marks) size = toStop(x, character);
      // White space may stand in the margin, so that no line begins with the space between two words.
      const fits = kind & BLANK ? room : room - character;
      while (x > 0 && x + size > fits) {
        begin = mayBreak > begin ? mayBreak : i;
        starts.push(begin);
        x = begin < i ? x - this.left[begin] : 0;
        const shift = begin < i ? this.left[begin] : 0;
        for (let moved = begin; moved < i; moved++) this.left[moved] -= shift;
        if (kind & TABBED && !marks) size = toStop(x, character);
      }
      this.left[i] = x;
      this.widths[i] = size;
      x += size;
      if (kind & AFTER) mayBreak = i + 1;
      if (kind & NEWLINE && i + 1 < this.count) {
        begin = mayBreak = i + 1;
        starts.push(begin);
        x = 0;
      }
    }
    /** The first box of each line. */
    this.starts = Uint32Array.from(starts);
    if (kinds.some((kind) => kind & TURNED)) this.#directions = this.#directed();
  }

  /** Which lines run from right to left. */
  #directed() {
    const { codes, known } = this.passage;
    const directions = new Uint8Array(this.lines);
    let from = 0;
    let first = 0;
    for (let line = 0; line < this.lines; line++) {
      let kind = 0;
      for (let box = this.starts[line]; box < Math.min(known, this.end(line)); box++) {
        kind = this.kinds[codes[box]];
        if (kind & TURNED) directions[line] |= SOME;
        first ||= kind & (LEFT | RIGHT);
      }
      if (!(kind & NEWLINE) && line + 1 < this.lines) continue;
      if (first & RIGHT) for (; from <= line; from++) directions[from] |= PARAGRAPH;
      [from, first] = [line + 1, 0];
    }
    return directions;
  }

  /** Whether a line is part of a paragraph that runs from right to left. @param {number} line */
  rtl(line) {
    return Boolean((this.#directions?.[line] ?? 0) & PARAGRAPH);
  }

  /** Whether the boxes of a line stand in another order than their tokens. @param {number} line */
  turned(line) {
    return (this.#directions?.[line] ?? 0) > 0;
  }

  /**
   * Put the boxes of a line where its text has them; before anything is asked of where they stand.
   * @param {number} line
   * @returns {string} the text of the line, if it is drawn as a whole
   */
  settle(line) {
    const { spelling, places, width, character } = this.style;
    if (!this.turned(line) || !places) return "";
    const settled = this.#settled.get(line);
    if (settled !== undefined) return settled;
    const { table, codes, known } = this.passage;
    const [start, stop] = [this.starts[line], this.end(line)];
    const pieces = [];
    for (let box = start; box < stop; box++) {
      const token = box < known ? table[codes[box]] : "";
      const text = box < known ? this.#joining(codes[box]) : "?";
      const last = box > start ? table[codes[box - 1]] : token;
      const apart = spelling.apart && box > start && spelling.parted(last, token);
      pieces.push({ before: apart ? " " : "", text });
    }
    const rtl = this.rtl(line);
    const found = places(pieces, rtl);
    let text = "";
    let end = 0;
    if (spelling.kind === "words") {
      // Each is drawn by itself; only their order is that of the line.
      const order = found.map((_, i) => i).sort((a, b) => found[a].left - found[b].left);
      for (const i of order) {
        this.left[start + i] = end;
        end += this.widths[start + i] + character;
      }
      end -= character;
    } else {
      text = pieces.map((piece) => piece.before + piece.text).join("");
      found.forEach(({ left, right }, i) => {
        this.left[start + i] = Math.round(left);
        this.widths[start + i] = Math.max(1, Math.round(right) - Math.round(left));
        end = Math.max(end, Math.round(right));
      });
    }
    if (rtl) for (let box = start; box < stop; box++) this.left[box] += width - end;
    this.#settled.set(line, text);
    return text;
  }

  /** Where the text of a line begins that is drawn as a whole. @param {number} line */
  origin(line) {
    let left = this.left[this.starts[line]];
    for (let box = this.starts[line]; box < this.end(line); box++)
      left = Math.min(left, this.left[box]);
    return left;
  }

  /** A token within its line: marks stand on the letter before them. @param {number} code */
  #joining(code) {
    const text = this.style.spelling.text(this.passage.table[code]);
    return /^\p{M}+$/u.test(text) ? text : this.texts[code];
  }

  get lines() {
    return this.starts.length;
  }

  /** Where a line ends: its last box and one. @param {number} line */
  end(line) {
    return line + 1 < this.lines ? this.starts[line + 1] : this.count;
  }

  /** The line of a box. @param {number} box */
  lineOf(box) {
    return last(this.lines, (line) => this.starts[line] <= box);
  }

  /**
   * The box of a line that is nearest to a place.
   * @param {number} line
   * @param {number} x
   */
  nearest(line, x) {
    this.settle(line);
    if (this.turned(line)) return this.#nearestOf(line, x);
    const first = this.starts[line];
    const box = first + last(this.end(line) - first, (i) => this.left[first + i] <= x);
    const next = Math.min(box + 1, this.end(line) - 1);
    return x - (this.left[box] + this.widths[box]) > this.left[next] - x && next > box ? next : box;
  }

  /**
   * @param {number} line
   * @param {number} x
   */
  #nearestOf(line, x) {
    const off = (/** @type {number} */ box) =>
      Math.max(0, this.left[box] - x, x - (this.left[box] + this.widths[box]) + 1);
    let best = this.starts[line];
    for (let box = best; box < this.end(line); box++) if (off(box) < off(best)) best = box;
    return best;
  }

  /**
   * The box under a place, or -1.
   * @param {number} line
   * @param {number} x
   */
  at(line, x) {
    if (line < 0 || line >= this.lines || x < 0) return -1;
    const box = this.nearest(line, x);
    return x >= this.left[box] && x < this.left[box] + this.widths[box] ? box : -1;
  }
}

/**
 * The last number of 0 to `count` - 1 that a test which only ever turns from true to false lets through;
 * 0 if none.
 * @param {number} count
 * @param {(at: number) => boolean} test
 */
function last(count, test) {
  let [low, high] = [0, count - 1];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (test(middle)) low = middle;
    else high = middle - 1;
  }
  return low;
}
