// The tokens of one example, as far as the page has them: each different one once, and which stands where.

/** What stands at every timestep of a layer whose tokens are not known. */
const BLANK = " ";

export class Passage {
  /** Every different token. @type {string[]} */
  table = [];
  /** How many tokens are here, from the first on. */
  known = 0;
  /** @type {Map<string, number>} */
  #numbers = new Map();

  /** @param {number} timesteps */
  constructor(timesteps) {
    /** Which of the table stands at each timestep. */
    this.codes = new Uint32Array(timesteps);
  }

  /** A passage of which nothing but the length is known. @param {number} timesteps */
  static blank(timesteps) {
    const passage = new Passage(timesteps);
    passage.#number(BLANK);
    passage.known = timesteps;
    return passage;
  }

  /** @param {string} token */
  #number(token) {
    let number = this.#numbers.get(token);
    if (number === undefined) {
      number = this.table.push(token) - 1;
      this.#numbers.set(token, number);
    }
    return number;
  }

  /** Put tokens behind those that are here. @param {string[]} tokens */
  add(tokens) {
    for (const token of tokens) this.codes[this.known++] = this.#number(token);
  }

  /**
   * The same from a table of their own.
   * @param {string[]} table
   * @param {Uint32Array} codes
   */
  addCoded(table, codes) {
    const numbers = table.map((token) => this.#number(token));
    for (const code of codes) this.codes[this.known++] = numbers[code];
  }

  /** @param {number} timestep @returns {string | undefined} undefined if it is on its way */
  token(timestep) {
    return timestep < this.known ? this.table[this.codes[timestep]] : undefined;
  }
}
