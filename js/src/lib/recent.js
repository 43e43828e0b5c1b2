// What was looked at last.

/**
 * Keeps no more than so many: what was not looked at for longest goes first.
 * @template K, V
 */
export class Recent {
  /** @type {Map<K, V>} */
  #kept = new Map();
  /** The one that stands last. @type {K | undefined} */
  #last;

  /** @param {number} most */
  constructor(most) {
    this.most = most;
  }

  /** Whether there is something, without looking at it. @param {K} key */
  has(key) {
    return this.#kept.has(key);
  }

  /** @param {K} key */
  get(key) {
    const found = this.#kept.get(key);
    if (found !== undefined && key !== this.#last) this.set(key, found);
    return found;
  }

  /**
   * @param {K} key
   * @param {V} value
   */
  set(key, value) {
    this.#kept.delete(key);
    this.#kept.set(key, value);
    this.#last = key;
    if (this.#kept.size <= this.most) return;
    for (const oldest of this.#kept.keys()) {
      this.#kept.delete(oldest);
      return;
    }
  }

  clear() {
    this.#kept.clear();
    this.#last = undefined;
  }
}
