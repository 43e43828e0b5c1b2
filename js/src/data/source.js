// What a widget draws from: one signal of one layer, the same to the views whether the page has all
// of the recording or asks the kernel for what is in view.

import { bytes, floats } from "../host/model.js";
import { callStarting } from "./changes.js";
import { BLOCK, decode, encode, halve, NAN, OVERVIEW_CODES } from "./codes.js";
import { inPart } from "./layer.js";
import { correlations } from "./order.js";
import { Passage } from "./passage.js";
import { Hits, hitsOf, MOST_HITS } from "./search.js";
import { Spelling } from "./spelling.js";
import { Clock, Times, unpacked } from "./times.js";
import { meanOf, VariantModel } from "./variants.js";

/** @typedef {import("../host/model.js").Model} Model */
/** @typedef {import("./layer.js").Layer} Layer */
/** @typedef {WholeSource | import("./kernel_source.js").KernelSource} AnySource */

/**
 * @typedef {object} Statistics
 * @property {Float32Array} largest
 * @property {Float32Array} meanMagnitude
 * @property {Float32Array} variance
 */

/** What every view reads. */
export class Source {
  /** Goes up when more has arrived. */
  version = 0;

  /**
   * @param {Model} model
   * @param {Layer} layer
   * @param {string} signal
   * @param {import("./variants.js").Common} [common] of one of several variants: what all have in common
   */
  constructor(model, layer, signal, common) {
    this.model = model;
    this.layer = layer;
    this.signal = signal;
    this.common = common;
    /** The name of the variant that is subtracted; "" if none is. */
    this.less = model instanceof VariantModel ? (model.reference?.variant ?? "") : "";
    this.columns = layer.examples * layer.timesteps;
    this.spelling = new Spelling(layer.spelling);
    this.clock = layer.times && new Clock(layer.times);
    /** By example; one of all, if they share them. @type {Map<number, Times>} */
    this.timed = new Map();
    /** @type {Statistics} */
    this.statistics = {
      largest: new Float32Array(layer.cells),
      meanMagnitude: new Float32Array(layer.cells),
      variance: new Float32Array(layer.cells),
    };
    this.overviewLevel = 0;
    /** Codes (cell, bin) of one level. @type {Uint8Array} */
    this.overview = new Uint8Array(0);
  }

  /** Bins of a level. @param {number} level */
  bins(level) {
    return Math.ceil(this.columns / 2 ** level);
  }

  /**
   * The times of an example; undefined if they aren't known, or are on their way.
   * @param {number} example
   * @returns {Times | undefined}
   */
  times(example) {
    const { clock, timed } = this;
    const { runs, shared } = this.layer.times ?? {};
    if (!clock) return undefined;
    const which = shared ? 0 : example;
    const known =
      timed.get(which) ?? (runs ? new Times(clock, runs[which]) : this.manyTimes(which));
    if (known) timed.set(which, known);
    return known;
  }

  /** When a column is, in words: its time, or its timestep where no times are known. @param {number} column */
  when(column) {
    const { timesteps, times } = this.layer;
    const timestep = column % timesteps;
    if (!times) return `t=${timestep}`;
    return this.times(Math.floor(column / timesteps))?.say(timestep) ?? "…";
  }

  /**
   * Times that the description of the layer has no room for; undefined if they are on their way.
   * @param {number} _which
   * @returns {Times | undefined}
   */
  manyTimes(_which) {
    return undefined;
  }

  /** By what cells are put in order; of variants the same for all. @returns {Statistics} */
  get compared() {
    return this.common?.compared ?? this.statistics;
  }

  /** By what cells are quiet, and how long the longest bars are. */
  get loudest() {
    return this.common?.loudest ?? this.statistics.meanMagnitude;
  }

  /** What an order of cells is of: another signal has another, another variant has not. @returns {object} */
  get ordered() {
    return this.common ?? this;
  }

  /**
   * What is nearer to the number in the array than its code; undefined if nothing is.
   * @param {number} _cell
   * @param {number} _column
   * @returns {number | undefined}
   */
  near(_cell, _column) {
    return undefined;
  }

  /** The largest magnitude in the layer. */
  get largest() {
    let largest = 0;
    for (const value of this.statistics.largest) largest = Math.max(largest, value);
    return largest;
  }

  /** Whether the signal is a gate that stays between 0 and 1. */
  get gate() {
    return this.signal.endsWith("_gate") && this.largest <= 1 && !this.less;
  }

  /**
   * What the overview knows of a bin of any level.
   * @param {number} cell
   * @param {number} level
   * @param {number} bin
   */
  coarse(cell, level, bin) {
    const at = Math.floor((bin * 2 ** level) / 2 ** this.overviewLevel);
    return this.overview[cell * this.bins(this.overviewLevel) + at];
  }
}

/**
 * How many bytes of all that is in the page some layers take.
 * @param {Layer[]} layers
 */
export function wholeSize(layers) {
  let [size, guesses] = [0, 0];
  for (const layer of layers.filter(({ parts }) => !parts)) {
    const { cells, signals, masked, rounded, predictions = 0 } = layer;
    const columns = layer.examples * layer.timesteps;
    size += signals.length * cells * (rounded ? columns + 12 : 4 * columns);
    if (masked) size += columns;
    if (predictions) guesses = Math.max(guesses, (8 * predictions + 4) * columns);
  }
  return size + guesses;
}

/**
 * What is in the page of one signal of one layer.
 * @typedef {object} Stored
 * @property {Float32Array[]} values a row a cell; none if there are codes
 * @property {Uint8Array[]} codes
 * @property {Float32Array} statistics (3, cell), that go with codes
 * @property {Uint8Array | undefined} mask
 */

/**
 * One signal of one layer out of all that is in the page: values, or codes and what goes with them; of a
 * variant less another one their difference.
 * @param {Model} model
 * @param {string} name
 * @param {string} signal
 * @returns {Stored}
 */
export function stored(model, name, signal) {
  const own = found(model, name, signal);
  if (!(model instanceof VariantModel && model.reference)) return own;
  const [rows, less] = [own, found(model.reference, name, signal)].map(decoded);
  const values = rows.map((row, cell) => row.map((value, i) => value - less[cell][i]));
  return { ...own, values, codes: [] };
}

/** The values of each cell, as far as they are known. @param {Stored} of */
function decoded({ values, codes, statistics }) {
  if (values.length) return values;
  return codes.map((row, cell) => Float32Array.from(row, (code) => decode(code, statistics[cell])));
}

/**
 * @param {Model} model
 * @param {string} name
 * @param {string} signal
 * @returns {Stored}
 */
function found(model, name, signal) {
  const whole = bytes(model.get("_whole"));
  /** @type {Layer[]} */
  const layers = model.get("_layers").filter((/** @type {Layer} */ layer) => !layer.parts);
  // Values of all layers first, then statistics of those that have codes, then the masks.
  const width = layers[0].rounded ? 1 : 4;
  let at = 0;
  let statisticsAt = 0;
  for (const { examples, timesteps, cells, signals } of layers)
    statisticsAt += width * examples * timesteps * cells * signals.length;
  let maskAt = statisticsAt;
  if (width === 1) for (const { cells, signals } of layers) maskAt += 12 * cells * signals.length;
  for (const layer of layers) {
    const { cells, signals } = layer;
    const columns = layer.examples * layer.timesteps;
    if (layer.name !== name) {
      at += width * columns * cells * signals.length;
      statisticsAt += 12 * cells * signals.length;
      if (layer.masked) maskAt += columns;
      continue;
    }
    const which = signals.indexOf(signal);
    at += width * columns * cells * which;
    statisticsAt += 12 * cells * which;
    const part = whole.subarray(at, at + width * columns * cells);
    /**
     * @template {Float32Array | Uint8Array} T
     * @param {T} all
     */
    const rows = (all) =>
      Array.from(
        { length: cells },
        (_, cell) => /** @type {T} */ (all.subarray(cell * columns, (cell + 1) * columns)),
      );
    return {
      values: width === 4 ? rows(floats(part)) : [],
      codes: width === 1 ? rows(part) : [],
      statistics: floats(
        whole.subarray(statisticsAt, statisticsAt + (width === 1 ? 12 * cells : 0)),
      ),
      mask: layer.masked ? whole.slice(maskAt, maskAt + columns) : undefined,
    };
  }
  throw new Error(`no layer ${name}`);
}

/**
 * Statistics of the cells of a layer, or of both its directions.
 * @param {Float32Array[]} parts each (3, cell)
 * @returns {Statistics}
 */
export function statisticsOf(parts) {
  const each = (/** @type {number} */ i) =>
    Float32Array.from(
      parts.flatMap((part) => [
        ...part.subarray((i * part.length) / 3, ((i + 1) * part.length) / 3),
      ]),
    );
  return { largest: each(0), meanMagnitude: each(1), variance: each(2) };
}

/** All of it is in the page. */
export class WholeSource extends Source {
  /** The last that was looked at. @type {{example: number, passage: Passage} | undefined} */
  #passage;
  /** The last that was searched for. @type {Hits | undefined} */
  #hits;
  /** @type {WholeSource[]} */
  #every = [this];

  /**
   * @param {Model} model
   * @param {Layer} layer
   * @param {string} signal
   * @param {import("./variants.js").Common} [common] of one of several variants: what all have in common
   */
  constructor(model, layer, signal, common) {
    super(model, layer, signal, common);
    /** @type {Map<string, Stored[]>} */
    this.stored = new Map();
    /** @type {Map<string, Float32Array>} */
    this.initial = new Map();
    const parts = this.#parts(signal);
    /** The numbers of the array; none where only their codes are in the page. */
    this.rows = parts.flatMap((part) => part.values);
    this.mask = parts[0].mask;
    this.text = model.get("_text")[layer.parts?.[0] ?? layer.name];
    this.guessed = this.#readGuesses(bytes(model.get("_whole")));
    /** What was rounded before it was subtracted has values, but no exact ones. */
    this.coded = parts.every((part) => part.values.length === 0);
    if (this.coded) this.statistics = statisticsOf(parts.map((part) => part.statistics));
    else for (let cell = 0; cell < layer.cells; cell++) this.#measure(cell);
    /** @type {Uint8Array[][]} */
    this.levels = [];
    if (!common) this.#encode(parts);
  }

  /** All variants, this one among them. */
  get every() {
    return this.#every;
  }

  /** Take the scale that all variants have. @param {WholeSource[]} every all of them */
  share(every) {
    this.#every = every;
    if (this.common?.largest) this.statistics.largest = this.common.largest;
    this.#encode(this.#parts(this.signal));
  }

  /** @param {Stored[]} parts */
  #encode(parts) {
    const { layer } = this;
    this.levels = [
      this.coded
        ? parts.flatMap((part) => part.codes)
        : this.rows.map((row, cell) => encode(row, this.statistics.largest[cell])),
    ];
    while (layer.cells * this.bins(this.overviewLevel) > OVERVIEW_CODES) this.overviewLevel++;
    const bins = this.bins(this.overviewLevel);
    this.overview = new Uint8Array(layer.cells * bins);
    for (let cell = 0; cell < layer.cells; cell++) {
      this.overview.set(this.#level(this.overviewLevel)[cell], cell * bins);
    }
  }

  /** The guesses, which stand last: ids, probabilities, targets. @param {Uint8Array} whole */
  #readGuesses(whole) {
    const count = this.columns * (this.layer.predictions ?? 0);
    const last = floats(whole.subarray(whole.length - 4 * (count && 2 * count + this.columns)));
    return {
      table: this.text.guessed ?? null,
      ids: new Int32Array(last.buffer, 0, count),
      probabilities: last.subarray(count, 2 * count),
      targets: last.subarray(2 * count),
    };
  }

  /** @param {number} cell */
  #measure(cell) {
    let [count, magnitude, sum, largest] = [0, 0, 0, 0];
    this.rows[cell].forEach((value, column) => {
      if (Number.isFinite(value)) largest = Math.max(largest, Math.abs(value));
      if (this.padding(column)) return;
      count++;
      magnitude += Math.abs(value);
      sum += value;
    });
    let square = 0;
    this.rows[cell].forEach((value, column) => {
      if (!this.padding(column)) square += (value - sum / count) ** 2;
    });
    this.statistics.largest[cell] = largest;
    this.statistics.meanMagnitude[cell] = magnitude / count;
    this.statistics.variance[cell] = square / count;
  }

  /** @param {number} level */
  #level(level) {
    while (this.levels.length <= level) {
      this.levels.push(this.levels[this.levels.length - 1].map(halve));
    }
    return this.levels[level];
  }

  /**
   * The codes of one block of one cell; undefined if they are on their way.
   * @param {number} level
   * @param {number} block
   * @param {number} cell
   * @returns {Uint8Array | undefined}
   */
  tile(level, block, cell) {
    return this.#level(level)[cell].subarray(block * BLOCK, (block + 1) * BLOCK);
  }

  /**
   * All signals of one cell over one block, in the order of the layer; undefined if they are on their
   * way.
   * @param {number} block
   * @param {number} cell
   * @returns {Float32Array[] | undefined}
   */
  series(block, cell) {
    const rows = this.layer.signals.map((signal) =>
      this.#stretch(signal, cell, block * BLOCK, (block + 1) * BLOCK),
    );
    if (this.layer.initial === "given") rows.push(this.#initialOf(block, cell));
    return rows;
  }

  /**
   * The state that a call starts from, at each column of a block at which one does; else NaN.
   * @param {number} block
   * @param {number} cell
   */
  #initialOf(block, cell) {
    const { layer } = this;
    const { part, index } = inPart(layer, cell);
    const name = (layer.parts ?? [layer.name])[part];
    /** @type {Float32Array} (example, call, cell) */
    const states = this.initial.get(name) ?? floats(this.model.get("_text")[name].initial);
    this.initial.set(name, states);
    const cells = layer.cells / (layer.parts?.length ?? 1);
    const calls = layer.calls?.length ?? 1;
    const start = block * BLOCK;
    return Float32Array.from({ length: Math.min(BLOCK, this.columns - start) }, (_, i) => {
      const call = callStarting(layer, cell, start + i);
      if (call < 0) return NaN;
      const example = Math.floor((start + i) / layer.timesteps);
      // None are zeros: one direction may start from them where the other doesn't.
      return states.length ? states[(example * calls + call) * cells + index] : 0;
    });
  }

  /** What is in the page of a signal: one direction after the other. @param {string} signal */
  #parts(signal) {
    const { layer, model } = this;
    const names = layer.parts ?? [layer.name];
    const parts = this.stored.get(signal) ?? names.map((name) => stored(model, name, signal));
    this.stored.set(signal, parts);
    return parts;
  }

  /**
   * A stretch of one cell of any signal: the numbers of the array, or what their codes stand for.
   * @param {string} signal
   * @param {number} cell
   * @param {number} start
   * @param {number} stop
   * @returns {Float32Array}
   */
  #stretch(signal, cell, start, stop) {
    const { part, index } = inPart(this.layer, cell);
    const { values, codes, statistics } = this.#parts(signal)[part];
    if (values.length) return values[index].subarray(start, stop);
    const scale = statistics[index];
    return Float32Array.from(codes[index].subarray(start, stop), (code) => decode(code, scale));
  }

  /** @param {number} which @returns {Times} */
  manyTimes(which) {
    return unpacked(/** @type {Clock} */ (this.clock), bytes(this.text.times[which]));
  }

  /** @param {number} column @returns {string | undefined} */
  token(column) {
    return this.text.tokens?.[column];
  }

  /**
   * The model's guesses at the columns of a block.
   * @param {number} block
   * @returns {import("./kernel_source.js").Guesses | undefined}
   */
  guesses(block) {
    const { table, ids, probabilities, targets } = this.guessed;
    const ranks = this.layer.predictions ?? 0;
    const [start, stop] = [block * BLOCK, (block + 1) * BLOCK];
    return {
      table,
      ids: ids.subarray(start * ranks, stop * ranks),
      probabilities: probabilities.subarray(start * ranks, stop * ranks),
      targets: targets.subarray(start, stop),
    };
  }

  /** The tokens of an example. @param {number} example */
  passage(example) {
    if (this.#passage?.example === example) return this.#passage.passage;
    const { timesteps } = this.layer;
    const { tokens } = this.text;
    const passage = tokens ? new Passage(timesteps) : Passage.blank(timesteps);
    if (tokens) passage.add(tokens.slice(example * timesteps, (example + 1) * timesteps));
    this.#passage = { example, passage };
    return passage;
  }

  /**
   * Where a text stands among the tokens; undefined if it is on its way.
   * @param {string} query
   * @returns {Hits | undefined}
   */
  hits(query) {
    if (this.#hits?.query !== query) {
      const { examples, timesteps } = this.layer;
      /** @type {[number, number][]} */
      const all = [];
      for (let example = 0; example < examples && all.length < MOST_HITS; example++) {
        const start = example * timesteps;
        const tokens = this.text.tokens?.slice(start, start + timesteps) ?? [];
        for (const hit of hitsOf(this.spelling.pieces(tokens), query)) {
          all.push([start + hit[0], start + hit[1]]);
        }
      }
      const each = (/** @type {0 | 1} */ end) =>
        Uint32Array.from(all.slice(0, MOST_HITS), (hit) => hit[end]);
      this.#hits = new Hits(query, each(0), each(1));
    }
    return this.#hits;
  }

  /** @param {number} example @returns {string | undefined} */
  label(example) {
    return this.text.labels?.[example];
  }

  /** @param {number} column */
  padding(column) {
    return this.mask !== undefined && this.mask[column] === 0;
  }

  /**
   * The number in the array; undefined if it isn't in the page.
   * @param {number} cell
   * @param {number} column
   * @returns {number | undefined}
   */
  exact(cell, column) {
    return this.layer.rounded ? undefined : this.rows[cell]?.[column];
  }

  /** The difference of two numbers that have codes. @param {number} cell @param {number} column */
  near(cell, column) {
    return this.rows[cell]?.[column];
  }

  /**
   * Correlation of all cells with one; undefined if it is on its way.
   * @param {number} cell
   * @returns {Float32Array | undefined}
   */
  similarity(cell) {
    const { common } = this;
    if (!common) return this.#similarity(cell);
    const known = common.similarities.get(cell);
    if (known) return known;
    const mean = meanOf(this.every.map((source) => source.#similarity(cell)));
    common.similarities.set(cell, mean);
    return mean;
  }

  /** @param {number} cell */
  #similarity(cell) {
    const rows = this.levels[0].map((_, k) => this.#stretch(this.signal, k, 0, this.columns));
    return correlations(rows, cell, (column) => !this.padding(column));
  }

  /** Ask for what was missing since the last time. Nothing can be. */
  request() {}

  dispose() {}

  /** Whether an answer is due. */
  get waiting() {
    return false;
  }

  /** What to tell a person about the kernel. */
  get notice() {
    return "";
  }
}

/**
 * The code of a value; what the overview knows of it while its tile is on its way.
 * @param {AnySource} source
 * @param {number} cell
 * @param {number} column
 */
export function codeAt(source, cell, column) {
  const tile = source.tile(0, Math.floor(column / BLOCK), cell);
  return tile ? tile[column % BLOCK] : source.coarse(cell, 0, column);
}

/**
 * The value as far as the page knows it: exact, or what its code stands for.
 * @param {AnySource} source
 * @param {number} cell
 * @param {number} column
 * @returns {{value: number, exact: boolean}}
 */
export function valueAt(source, cell, column) {
  const exact = source.exact(cell, column);
  if (exact !== undefined) return { value: exact, exact: true };
  const near = source.near(cell, column);
  if (near !== undefined) return { value: near, exact: false };
  const tile = source.tile(0, Math.floor(column / BLOCK), cell);
  const code = tile ? tile[column % BLOCK] : NAN;
  return { value: decode(code, source.statistics.largest[cell]), exact: false };
}
