// How tokens spell a text: what each of them says, and which of them stand apart. What kind of tokens they
// are, Python tells (lstm_widgets/tokens/words.py, which writes them the same way); both are held against
// one table, js/test/spelling.json.

import { Recent } from "../lib/recent.js";
import { visible } from "../lib/tokens.js";

/** Scripts that are written without spaces. */
export const UNSPACED =
  /[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u1950-\u19df\u1a20-\u1aaf\u2e80-\u2fdf\u3000-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\ua000-\ua4cf\ua9e0-\ua9ff\uaa60-\uaa7f\uf900-\ufaff\uff66-\uff9f\u{20000}-\u{3ffff}]/u;
/** Marks with a meaning of their own, in the middle of any kind of tokens. */
const SPECIAL = /^(?:<[^<>\s]*[\p{L}\p{N}_][^<>\s]*>|\[[^[\]\s]*[\p{L}\p{N}_][^[\]\s]*\])$/u;
const BYTE = /^<0x([0-9A-Fa-f]{2})>$/;
/** Tokens that are kept as they are written. */
const KEPT = 20_000;

/** The letters that GPT-2's encoding writes bytes with: printable ones stand for themselves. */
const BYTES = new Map(
  (() => {
    const printable = (/** @type {number} */ byte) =>
      (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte !== 0xad);
    let next = 256;
    return Array.from(
      { length: 256 },
      (_, byte) =>
        /** @type {[string, number]} */ ([
          String.fromCharCode(printable(byte) ? byte : next++),
          byte,
        ]),
    );
  })(),
);

/** @typedef {"characters" | "pieces" | "words" | "##" | "Ġ" | "▁" | "</w>"} Kind */

export class Spelling {
  /** @type {Recent<string, string>} */
  #labels = new Recent(KEPT);

  /** @param {Kind | undefined} kind what Python has told; undefined if there are no tokens */
  constructor(kind = "characters") {
    this.kind = kind;
    /** Whether words stand apart without any token being the space between. */
    this.apart = kind === "words" || kind === "##" || kind === "</w>";
  }

  /** Whether a token that stands apart begins a word. @param {string} token */
  begins(token) {
    return !(this.kind === "##" && token.startsWith("##") && token.length > 2);
  }

  /** Whether it ends one. @param {string} token */
  ends(token) {
    return this.kind !== "</w>" || token.endsWith("</w>") || SPECIAL.test(token);
  }

  /** What a token says by itself, without the marks of its tokenizer. @param {string} token */
  text(token) {
    if (this.kind === "##") return this.begins(token) ? token : token.slice(2);
    if (this.kind === "</w>") return token.replace(/<\/w>$/, "") || token;
    if (this.kind === "Ġ" || this.kind === "▁") return new TextDecoder().decode(this.#bytes(token));
    return token;
  }

  /** @param {string} token */
  #bytes(token) {
    const byte = this.kind === "▁" && BYTE.exec(token);
    if (byte) return Uint8Array.of(Number.parseInt(byte[1], 16));
    if (this.kind === "▁") return new TextEncoder().encode(token.replaceAll("▁", " "));
    const numbers = Array.from(token, (letter) => BYTES.get(letter) ?? -1);
    if (numbers.includes(-1) || SPECIAL.test(token)) return new TextEncoder().encode(token);
    return Uint8Array.from(numbers);
  }

  /** Whether something stands between two tokens that follow each other. @param {string} token @param {string} next */
  parted(token, next) {
    if (this.apart) return this.ends(token) && this.begins(next);
    return (
      this.kind !== "characters" && (/\s$/.test(this.text(token)) || /^\s/.test(this.text(next)))
    );
  }

  /**
   * What each token adds to the text; together they are the text.
   * @param {string[]} tokens
   * @returns {{before: string, text: string}[]} what stands between the token before and this one, and
   *   what it says itself
   */
  pieces(tokens) {
    if (this.kind === "characters" || this.kind === "pieces") {
      return tokens.map((text) => ({ before: "", text }));
    }
    if (!this.apart) {
      const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
      const pieces = tokens.map((token) => ({
        before: "",
        text: decoder.decode(this.#bytes(token), { stream: true }),
      }));
      const last = pieces.at(-1);
      if (last) last.text += decoder.decode();
      if (last && this.kind === "▁") pieces[0].text = pieces[0].text.replace(/^ /, "");
      return pieces;
    }
    let [last, ended] = ["", true];
    return tokens.map((token) => {
      const text = this.text(token);
      const together = UNSPACED.test(last.slice(-1)) && UNSPACED.test(text.slice(0, 1));
      const blank = /\s$/.test(last) || /^\s/.test(text);
      const space =
        ended && this.begins(token) && token !== "" && last !== "" && !together && !blank;
      if (token !== "") [last, ended] = [text, this.ends(token)];
      return { before: space ? " " : "", text };
    });
  }

  /** A token in a column of its own, where spaces around it would only take room. @param {string} token */
  label(token) {
    let label = this.#labels.get(token);
    if (label === undefined) {
      const text = this.text(token);
      label = visible(text.trim() === "" ? text : text.replace(/^ +| +$/g, ""));
      this.#labels.set(token, label);
    }
    return label;
  }

  /** A token by itself, such as a guess: it tells whether it begins a word. @param {string} token */
  alone(token) {
    return this.apart ? token : this.text(token);
  }
}
