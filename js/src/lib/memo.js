// Doing again only what has changed.

export class Memo {
  /** @type {unknown[]} */
  #parts = [];

  /**
   * Whether any of the parts that something hangs on is another one than the last time.
   * @param {unknown[]} parts
   */
  changed(parts) {
    const before = this.#parts;
    if (parts.length === before.length && parts.every((part, i) => part === before[i])) {
      return false;
    }
    this.#parts = parts;
    return true;
  }
}
