// Sources as a browser gets them: bundled, since Node reads no JSON without being told.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";

/**
 * @param {string} path below src/
 * @returns {Promise<any>} the module
 */
export async function load(path) {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL(`../src/${path}`, import.meta.url))],
    bundle: true,
    write: false,
    format: "esm",
    target: "es2022",
    logLevel: "error",
  });
  const folder = await mkdtemp(join(tmpdir(), "lstm-widgets-"));
  try {
    const file = join(folder, `${basename(path, ".js")}.mjs`);
    await writeFile(file, outputFiles[0].contents);
    return await import(pathToFileURL(file).href);
  } finally {
    await rm(folder, { recursive: true });
  }
}

/**
 * Random numbers that are the same in every run (mulberry32).
 * @param {number} seed
 */
export function random(seed) {
  let state = seed;
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  return {
    next,
    /** A whole number. @param {number} least @param {number} most */
    integer: (least, most) => least + Math.floor(next() * (most - least + 1)),
    /** One of some. @template T @param {T[]} all @returns {T} */
    pick: (all) => all[Math.floor(next() * all.length)],
  };
}

/** A widget model as a host makes it, with what was sent kept in `sent`. */
export class FakeModel {
  /** @type {Map<string, Set<(...args: any[]) => void>>} */
  #callbacks = new Map();
  /** @type {any[]} */
  sent = [];
  saved = 0;

  /** @param {Record<string, unknown>} values */
  constructor(values) {
    this.values = values;
  }

  /** @param {string} name @returns {any} */
  get(name) {
    return this.values[name];
  }

  /** Tells of every value, also of one that is so already, as some hosts do. @param {string} name @param {unknown} value */
  set(name, value) {
    this.values[name] = value;
    this.emit(`change:${name}`);
  }

  save_changes() {
    this.saved++;
  }

  /** @param {string} event @param {(...args: any[]) => void} callback */
  on(event, callback) {
    const all = this.#callbacks.get(event) ?? new Set();
    this.#callbacks.set(event, all.add(callback));
  }

  /** @param {string} event @param {(...args: any[]) => void} callback */
  off(event, callback) {
    this.#callbacks.get(event)?.delete(callback);
  }

  /** @param {string} event */
  listeners(event) {
    return this.#callbacks.get(event)?.size ?? 0;
  }

  /** @param {unknown} message */
  send(message) {
    this.sent.push(message);
  }

  /** @param {string} event @param {any[]} args */
  emit(event, ...args) {
    for (const callback of [...(this.#callbacks.get(event) ?? [])]) callback(...args);
  }
}
