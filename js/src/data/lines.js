// Lines over time: those that are in the page, and those that the kernel is asked for. Its side is
// lstm_widgets/widgets/page/lines.py.

import { Calls } from "../host/calls.js";
import { bytes, floats } from "../host/model.js";
import { Memo } from "../lib/memo.js";
import { Recent } from "../lib/recent.js";
import { Axis } from "./axis.js";
import { decode } from "./codes.js";
import { inPart } from "./layer.js";
import { extentOf, POOLED, TILE, topLevel, WholeLine } from "./levels.js";
import { stored, wholeSize } from "./source.js";
import { VariantModel } from "./variants.js";

/** @typedef {import("../host/model.js").Model} Model */
/** @typedef {import("./layer.js").Layer} Layer */
/** @typedef {import("./levels.js").Level} Level */
/**
 * Which line it is: a "channel", "output" or "target", a "track" of a layer, a "cell" of a signal; or
 * "relevance", see `SeriesRelevance.key`.
 * @typedef {[kind: string, index: number, layer: string, signal: string]} Key
 */
/**
 * Channels, outputs and tracks by name.
 * @typedef {object} Beside
 * @property {{name: string, unit: string}[]} channels
 * @property {{name: string, unit: string, output: number | null, target: number | null}[]} outputs
 * @property {Record<string, {name: string, yes_no: boolean, read?: string | Record<string, string> | null}[]>} tracks
 * @property {string[] | null} labels of examples
 */
/** Some runs of a level: from which timestep on, and how many timesteps each is. @typedef {Level & {first: number, size: number}} Stretch */

/** Tiles of lines that are kept, of no more than 4 KiB each. */
const KEPT_TILES = 8192;
/** Lines in the page whose levels are kept. */
const KEPT_LINES = 256;
/** The most tiles to ask for at once. */
const ASKED = 256;

/** What lines come from: traits that are of one time, see `here`. */
export const LINE_TRAITS = ["_beside", "_axes", "_axis_values", "_series", "_series_values"];

/** @type {WeakMap<Key, string>} */
const ids = new WeakMap();

/** @param {Key} key */
export function idOf(key) {
  const id = ids.get(key) ?? JSON.stringify(key);
  ids.set(key, id);
  return id;
}

/**
 * How many timesteps a layer has, or the series.
 * @param {Model} model
 * @param {string} layer
 * @returns {number}
 */
const timestepsOf = (model, layer) => model.get("_axes")[layer]?.count ?? 0;

/** Whether traits that belong together are all there: some hosts hand over one after the other. @param {Model} model */
export function linesHere(model) {
  const { keys = [], examples = [0, 0] } = model.get("_series") ?? {};
  let values = 0;
  for (const [, , layer] of keys) {
    values += 4 * (examples[1] - examples[0]) * timestepsOf(model, layer);
  }
  const axes = /** @type {import("./axis.js").SentAxis[]} */ (
    Object.values(model.get("_axes") ?? {})
  );
  if (axes.length === 0) return false;
  const places = Math.max(0, ...axes.flatMap(({ at = [] }) => at.map(([, stop]) => stop)));
  return (
    bytes(model.get("_series_values")).length >= values &&
    bytes(model.get("_axis_values")).length >= places
  );
}

export class Lines {
  /** @type {Map<string, Axis>} */
  #axes = new Map();
  /** What is in the page of each signal of a layer. @type {Map<string, ReturnType<typeof stored>[]>} */
  #stored = new Map();
  /** @type {Recent<string, WholeLine>} */
  #lines = new Recent(KEPT_LINES);
  /** @type {Recent<string, Level>} */
  #tiles = new Recent(KEPT_TILES);
  /** @type {Map<string, number>} */
  #largest = new Map();
  /** @type {Map<string, [number, number] | null>} */
  #extents = new Map();
  /** Goes up when more has arrived. */
  version = 0;
  /** @type {Map<string, [Key, number, number, number]>} */
  #missing = new Map();
  /** @type {[string, string] | undefined} */
  #missingLargest;
  #seeded = new Memo();
  /** @type {import("./series_relevance.js").SeriesRelevance | undefined} */
  #relevance;
  /** Those of all variants, these among them: what bands reach to is that of all. @type {Lines[]} */
  every = [this];

  /**
   * @param {Model} model
   * @param {Layer[]} layers
   * @param {() => void} onArrival
   * @param {import("./series_relevance.js").SeriesRelevance} [relevance] what stands behind the lines of channels
   */
  constructor(model, layers, onArrival, relevance) {
    this.model = model;
    this.layers = layers;
    this.#relevance = relevance;
    /** @type {Beside} */
    this.beside = model.get("_beside");
    this.packed = bytes(model.get("_axis_values"));
    const { keys = [], examples = [0, 0], only = false, largest = [] } = model.get("_series");
    this.examples = /** @type {[number, number]} */ (examples);
    /** Whether no kernel can be asked for others: a page that was saved with some of the lines. */
    this.only = /** @type {boolean} */ (only);
    for (const [layer, signal, value] of largest) {
      this.#largest.set(JSON.stringify([layer, signal]), value);
    }
    this.values = floats(model.get("_series_values"));
    /** Where the values of each line begin. @type {Map<string, number>} */
    this.starts = new Map();
    let at = 0;
    for (const key of keys) {
      this.starts.set(idOf(key), at);
      at += this.#count(key) * (examples[1] - examples[0]);
    }
    const whole = bytes(model.get("_whole")).length;
    this.whole = whole > 0 && whole >= wholeSize(layers);
    this.calls = new Calls(
      model,
      (reply, buffers) => this.#keep(reply, buffers),
      () => {
        // Also if there is no answer: what was asked for has to be found missing again.
        this.version++;
        onArrival();
      },
    );
    this.seed();
  }

  dispose() {
    this.calls.dispose();
  }

  /** How many timesteps a line has. @param {Key} key */
  #count([kind, , layer]) {
    return kind === "relevance"
      ? (this.#relevance?.told.timesteps ?? 0)
      : timestepsOf(this.model, layer);
  }

  /** Whether an answer is due. */
  get waiting() {
    return this.every.some(({ calls }) => calls.waiting);
  }

  /** What to tell a person about the kernel; empty while all is well. */
  get notice() {
    return this.calls.notice;
  }

  /** Take what Python gave of what is shown, before it is asked. */
  seed() {
    const { model } = this;
    const { lines = [], variant, difference } = model.get("_summary");
    const overview = model.get("_overview");
    const others =
      model instanceof VariantModel &&
      (variant !== model.variant || difference !== (model.reference?.variant ?? ""));
    if (others) return;
    if (lines.length === 0 || !this.#seeded.changed([lines, overview])) return;
    const all = floats(overview);
    let at = 0;
    for (const [key, example, level] of lines) {
      const runs = Math.ceil(this.#count(key) / POOLED ** level);
      const size = level ? 2 * runs : runs;
      if (at + size > all.length) return; // the rest is on its way
      this.#put(key, example, level, 0, all.subarray(at, at + size));
      at += size;
    }
  }

  /**
   * Where the timesteps of a layer stand; "" is the series itself.
   * @param {string} layer
   * @param {number} example
   */
  axis(layer, example) {
    const name = `${example} ${layer}`;
    const axis =
      this.#axes.get(name) ?? new Axis(this.model.get("_axes")[layer], this.packed, example);
    this.#axes.set(name, axis);
    return axis;
  }

  /** @param {string} layer */
  hasAxis(layer) {
    return layer in this.model.get("_axes");
  }

  /** Whether a layer has the timesteps of the series, or some of them. @param {string} layer */
  follows(layer) {
    const { [layer]: own, "": series } = this.model.get("_axes");
    if (!own || !series) return false;
    return own.count === series.count || own.kind !== "timestep" || own.counted.join() !== "0,1";
  }

  /**
   * Which timestep of the series a timestep of a layer is.
   * @param {string} layer
   * @param {number} example
   * @returns {(timestep: number) => number}
   */
  inSeries(layer, example) {
    const [own, series] = [this.axis(layer, example), this.axis("", example)];
    if (own.count === series.count) return (timestep) => timestep;
    return (timestep) => series.nearest(own.at(timestep));
  }

  /** @param {number} example @returns {string | undefined} */
  label(example) {
    return this.beside.labels?.[example];
  }

  /**
   * Whether a line is in the notebook, not in this page.
   * @param {Key} key
   * @param {number} example
   */
  absent(key, example) {
    return this.only && !this.#wholeLine(key, example);
  }

  /**
   * All values of a line, if they are in the page.
   * @param {Key} key
   * @param {number} example
   * @returns {WholeLine | undefined}
   */
  #wholeLine(key, example) {
    const id = idOf(key);
    const name = `${id} ${example}`;
    const known = this.#lines.get(name);
    if (known) return known;
    const row = this.#row(key, id, example);
    if (!row) return undefined;
    const line = new WholeLine(row);
    this.#lines.set(name, line);
    return line;
  }

  /**
   * @param {Key} key
   * @param {string} id
   * @param {number} example
   */
  #row(key, id, example) {
    const start = this.starts.get(id);
    const [first, stop] = this.examples;
    if (start !== undefined && example >= first && example < stop) {
      const count = this.#count(key);
      const at = start + (example - first) * count;
      return this.values.subarray(at, at + count);
    }
    const [kind, cell, name, signal] = key;
    if (kind === "relevance") return this.#relevance?.line(cell, example);
    const layer = this.layers.find((one) => one.name === name);
    if (kind !== "cell" || !this.whole || !layer?.signals.includes(signal)) return undefined;
    const parts = this.#parts(layer, signal);
    const { part, index } = inPart(layer, cell);
    const { values, codes, statistics, mask } = parts[part];
    const [from, to] = [example * layer.timesteps, (example + 1) * layer.timesteps];
    const row = values.length
      ? values[index].subarray(from, to)
      : Float32Array.from(codes[index].subarray(from, to), (code) =>
          decode(code, statistics[index]),
        );
    // What is padding is a gap, as Python has it.
    return mask ? row.map((value, i) => (mask[from + i] ? value : NaN)) : row;
  }

  /** @param {Layer} layer @param {string} signal */
  #parts(layer, signal) {
    const name = JSON.stringify([layer.name, signal]);
    const parts =
      this.#stored.get(name) ??
      (layer.parts ?? [layer.name]).map((part) => stored(this.model, part, signal));
    this.#stored.set(name, parts);
    return parts;
  }

  /**
   * The largest magnitude of a signal, in all variants; undefined while it is on its way.
   * @param {string} name of the layer
   * @param {string} signal
   * @returns {number | undefined}
   */
  largest(name, signal) {
    // Where the kernel is asked, it answers for all variants.
    const each = (this.whole ? this.every : [this]).map((lines) => lines.#largestOf(name, signal));
    return each.includes(undefined) ? undefined : Math.max(.../** @type {number[]} */ (each));
  }

  /**
   * @param {string} name
   * @param {string} signal
   */
  #largestOf(name, signal) {
    const id = JSON.stringify([name, signal]);
    const known = this.#largest.get(id);
    if (known !== undefined) return known;
    const layer = this.layers.find((one) => one.name === name);
    if (!this.whole || !layer) {
      if (!this.only) this.#missingLargest = [name, signal];
      return undefined;
    }
    let largest = 0;
    for (let cell = 0; cell < layer.cells; cell++) {
      for (let example = 0; example < layer.examples; example++) {
        const line = this.#wholeLine(["cell", cell, name, signal], example);
        const [low, high] = (line && extentOf(line.level(0))) ?? [0, 0];
        largest = Math.max(largest, -low, high);
      }
    }
    this.#largest.set(id, largest);
    return largest;
  }

  /**
   * One tile of a level of a line; undefined if it is on its way.
   * @param {Key} key
   * @param {number} example
   * @param {number} level
   * @param {number} block
   * @param {boolean} wanted whether to ask for it if it isn't there
   * @returns {Level | undefined}
   */
  tile(key, example, level, block, wanted = true) {
    const whole = this.#wholeLine(key, example);
    if (whole) {
      const { low, high } = whole.level(level);
      const [from, to] = [block * TILE, (block + 1) * TILE];
      return { low: low.subarray(from, to), high: high.subarray(from, to) };
    }
    const name = `${idOf(key)} ${example} ${level} ${block}`;
    const found = this.#tiles.get(name);
    if (!found && wanted && !this.only) this.#missing.set(name, [key, example, level, block]);
    return found;
  }

  /**
   * What is known of a tile: itself, or the part of a coarser one while it is on its way.
   * @param {Key} key
   * @param {number} example
   * @param {number} level
   * @param {number} block
   * @returns {Stretch | undefined}
   */
  best(key, example, level, block) {
    const size = POOLED ** level;
    const itself = this.tile(key, example, level, block);
    if (itself) return { ...itself, first: block * TILE * size, size };
    const top = topLevel(this.#count(key));
    for (let coarse = level + 1; coarse <= top; coarse++) {
      const times = POOLED ** (coarse - level);
      const other = this.tile(key, example, coarse, Math.floor(block / times), coarse === top);
      if (!other) continue;
      // Where this block begins and ends in it; a block may be less than one of its runs.
      const from = (block % times) * (TILE / times);
      const to = Math.max(Math.ceil(from + TILE / times), Math.floor(from) + 1);
      const start = Math.floor(from);
      const first = (Math.floor(block / times) * TILE + start) * POOLED ** coarse;
      const { low, high } = other;
      return {
        low: low.subarray(start, to),
        high: high.subarray(start, to),
        first,
        size: POOLED ** coarse,
      };
    }
    return undefined;
  }

  /**
   * The lowest and the highest value, in all variants; null if there is none, undefined while it is on its
   * way.
   * @param {Key} key
   * @param {number} example
   * @returns {[number, number] | null | undefined}
   */
  extent(key, example) {
    return union(this.every.map((lines) => lines.#extentOf(key, example)));
  }

  /**
   * @param {Key} key
   * @param {number} example
   * @returns {[number, number] | null | undefined}
   */
  #extentOf(key, example) {
    const name = `${idOf(key)} ${example}`;
    const known = this.#extents.get(name);
    if (known !== undefined) return known;
    const top = this.tile(key, example, topLevel(this.#count(key)), 0);
    if (!top) return undefined;
    const extent = extentOf(top) ?? null;
    this.#extents.set(name, extent);
    return extent;
  }

  /**
   * The lowest and the highest value between two times, as far as is known: a run that reaches beyond one of
   * them counts as a whole.
   * @param {Key} key
   * @param {number} example
   * @param {number} from
   * @param {number} to
   * @returns {[number, number] | null}
   */
  extentBetween(key, example, from, to) {
    const of = (/** @type {Lines} */ lines) => lines.#extentIn(key, example, from, to);
    // Of what has to be asked for, no more is than what is seen.
    return union((this.whole ? this.every : [this]).map(of)) ?? null;
  }

  /**
   * @param {Key} key
   * @param {number} example
   * @param {number} from
   * @param {number} to
   * @returns {[number, number] | null}
   */
  #extentIn(key, example, from, to) {
    const axis = this.axis(key[2], example);
    if (axis.count === 0) return null;
    const first = Math.min(axis.count - 1, axis.times.from(from));
    const last = Math.max(first, axis.before(to));
    let level = 0;
    while ((last - first) / POOLED ** level > TILE) level++;
    const size = POOLED ** level;
    let [low, high] = [Infinity, -Infinity];
    for (let block = Math.floor(first / size / TILE); block * TILE * size <= last; block++) {
      const found = this.best(key, example, level, block);
      if (!found) continue;
      const start = Math.max(0, Math.floor((first - found.first) / found.size));
      const stop = Math.floor((last - found.first) / found.size) + 1;
      const part = { low: found.low.subarray(start, stop), high: found.high.subarray(start, stop) };
      const extent = extentOf(part);
      if (extent) [low, high] = [Math.min(low, extent[0]), Math.max(high, extent[1])];
    }
    return low <= high ? [low, high] : null;
  }

  /**
   * The number in the array; undefined while it is on its way.
   * @param {Key} key
   * @param {number} example
   * @param {number} timestep
   * @returns {number | undefined}
   */
  value(key, example, timestep) {
    const tile = this.tile(key, example, 0, Math.floor(timestep / TILE));
    return tile?.low[timestep % TILE];
  }

  /** Ask for what was missing since the last time, unless an answer is still due. */
  request() {
    for (const lines of this.every) lines.#ask();
  }

  #ask() {
    const lines = [...this.#missing.values()].slice(0, ASKED);
    const largest = this.#missingLargest ?? null;
    this.#missing.clear();
    this.#missingLargest = undefined;
    this.calls.ask(lines.length || largest ? { lines, largest } : undefined);
  }

  /**
   * @param {any} reply
   * @param {any[]} buffers
   */
  #keep(reply, buffers) {
    for (const [i, [key, example, level, block]] of reply.lines.entries()) {
      this.#put(key, example, level, block, floats(buffers[i]));
    }
    if (reply.largest) {
      const [layer, signal, largest] = reply.largest;
      this.#largest.set(JSON.stringify([layer, signal]), largest);
    }
  }

  /**
   * @param {Key} key
   * @param {number} example
   * @param {number} level
   * @param {number} block
   * @param {Float32Array} values
   */
  #put(key, example, level, block, values) {
    const half = values.length / 2;
    const tile = level
      ? { low: values.subarray(0, half), high: values.subarray(half) }
      : { low: values, high: values };
    this.#tiles.set(`${idOf(key)} ${example} ${level} ${block}`, tile);
  }
}

/**
 * From the lowest to the highest of several; null if there is none, undefined while one is on its way.
 * @param {([number, number] | null | undefined)[]} extents
 * @returns {[number, number] | null | undefined}
 */
function union(extents) {
  if (extents.includes(undefined)) return undefined;
  const known = extents.filter((extent) => !!extent);
  if (known.length === 0) return null;
  return [Math.min(...known.map(([low]) => low)), Math.max(...known.map(([, high]) => high))];
}
