// Dependencies in the page: what is shown of them, and the numbers that are read off. Python's side is
// lstm_widgets/figures/dependencies.py.

import { Passage } from "../data/passage.js";
import { Spelling } from "../data/spelling.js";
import { Calls } from "../host/calls.js";
import { bytes, floats } from "../host/model.js";
import { quoted } from "../lib/tokens.js";
import { number } from "../lib/wording.js";
import { SharedState } from "./shared.js";

/** Powers of ten that a logarithmic scale has. */
export const DECADES = 3;
/** So many of the last tokens before each prediction are in the picture of all of them. */
export const NEAR = 64;
/** Predictions that are asked for at once, and that are kept; the same for the picture of all. */
const ROWS_AT_ONCE = 64;
const KEPT_ROWS = 2048;
const NEAR_AT_ONCE = 4096;
const KEPT_TEXTS = 8;

/** Traits whose change any view has to show. */
const SHOWN = [
  ...[
    "example",
    "timestep",
    "input_timestep",
    "scale",
    "same_scale",
    "log_scale",
    "hover",
    "marks",
  ],
  ...["align", "palette", "_models", "_text", "_whole"],
];

/**
 * One model, as Python describes it.
 * @typedef {object} ModelInfo
 * @property {string} name
 * @property {string} of "logit", "probability" or "loss"; "value" or "forecast" of what is no class
 * @property {string} norm
 * @property {number} examples
 * @property {number[]} timesteps those after which a prediction was computed, in order
 * @property {number} first the timestep of the first column
 * @property {number} largest of all predictions
 * @property {boolean} forwards whether no prediction depends on anything that comes later
 */
/** @typedef {{first: number, stop: number, examples: number, tokens: boolean, spelling: import("../data/spelling.js").Kind}} Extent */
/**
 * What one prediction depends on: one value for each of the tokens that were read, from `start` on.
 * @typedef {{start: number, values: Float32Array}} Row
 */
/**
 * Of the first predictions, as far as they are here, the largest value and those of the last tokens, from the
 * last on: (prediction, 1 + NEAR), NaN where nothing was read.
 * @typedef {{known: number, values: Float32Array}} Near
 */
/** @typedef {{tokens: string[] | null, targets: (string[] | null)[]}} Text */

/**
 * The place of a number in ascending ones; -1 if it is none of them.
 * @param {number[]} sorted
 * @param {number} wanted
 */
export function placeOf(sorted, wanted) {
  const at = placeFrom(sorted, wanted);
  return sorted[at] === wanted ? at : -1;
}

/**
 * The place of the first of ascending numbers that is not below another.
 * @param {number[]} sorted
 * @param {number} least
 */
export function placeFrom(sorted, least) {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] < least) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * The number that a step towards another one leads to: the next in that direction, or the last there is.
 * @param {number[]} sorted
 * @param {number} from
 * @param {number} to
 */
export function stepTo(sorted, from, to) {
  if (sorted.length === 0) return from;
  const at = placeFrom(sorted, to);
  if (sorted[at] === to) return to;
  return sorted[Math.max(0, Math.min(sorted.length - 1, to > from ? at : at - 1))];
}

/**
 * What can be said of a row: its largest value and where that stands, and how many of the last tokens make
 * half of the sum.
 * @param {Row} row
 * @param {number} timestep after which the prediction is made
 * @returns {{largest: number, at: number, half: number | undefined}} `half` is undefined where something
 *   later counts too, or nothing counts
 */
export function summary({ start, values }, timestep) {
  let [at, largest, sum] = [-1, 0, 0];
  values.forEach((value, i) => {
    if (at < 0 ? !Number.isNaN(value) : value > values[at]) at = i;
    if (Number.isFinite(value)) {
      largest = Math.max(largest, value);
      sum += value;
    }
  });
  let half;
  if (sum > 0 && start + values.length - 1 <= timestep) {
    let passed = 0;
    for (let i = values.length - 1; i >= 0 && half === undefined; i--) {
      if (Number.isFinite(values[i])) passed += values[i];
      if (passed >= sum / 2) half = timestep - (start + i) + 1;
    }
  }
  return { largest, at: at < 0 ? -1 : start + at, half };
}

/**
 * Where a value stands on the palette, from 0 to 1.
 * @param {number} value
 * @param {number} largest what the last colour stands for
 * @param {boolean} log
 */
export function position(value, largest, log) {
  if (!(largest > 0)) return value > 0 ? 1 : 0;
  const share = value / largest;
  return Math.max(0, Math.min(1, log ? 1 + Math.log10(share) / DECADES : share));
}

/** How far one token is from another, in words. @param {number} back */
export function distance(back) {
  if (back === 0) return "just read";
  return back > 0 ? `${back} back` : `${-back} ahead`;
}

/** All rows, as they came with the widget. */
class WholeRows {
  /** @type {Map<number, {example: number, near: Near}>} */
  #near = new Map();

  /**
   * @param {any} whole
   * @param {ModelInfo[]} models
   */
  constructor(whole, models) {
    const all = bytes(whole).slice().buffer;
    let at = 0;
    this.models = models.map(({ examples, timesteps }) => {
      const count = examples * timesteps.length;
      const starts = new Int32Array(all, at, count);
      const stops = new Int32Array(all, at + 4 * count, count);
      at += 8 * count;
      const offsets = new Uint32Array(count + 1);
      for (let i = 0; i < count; i++) offsets[i + 1] = offsets[i] + stops[i] - starts[i];
      const values = new Float32Array(all, at, offsets[count]);
      at += 4 * offsets[count];
      return { starts, offsets, values, rows: timesteps.length };
    });
    this.notice = "";
  }

  /**
   * @param {number} k
   * @param {number} example
   * @param {number} row
   */
  row(k, example, row) {
    const { starts, offsets, values, rows } = this.models[k];
    const at = example * rows + row;
    return { start: starts[at], values: values.subarray(offsets[at], offsets[at + 1]) };
  }

  /** @param {number} k @param {number} example @returns {Near} */
  near(k, example) {
    const kept = this.#near.get(k);
    if (kept?.example === example) return kept.near;
    const { rows } = this.models[k];
    const all = new Float32Array(rows * (1 + NEAR)).fill(Number.NaN);
    for (let row = 0; row < rows; row++) {
      const { values } = this.row(k, example, row);
      const last = values.slice(-NEAR).reverse();
      all[row * (1 + NEAR)] = values.reduce((a, b) => (Number.isFinite(b) ? Math.max(a, b) : a), 0);
      all.set(last, row * (1 + NEAR) + 1);
    }
    const near = { known: rows, values: all };
    this.#near.set(k, { example, near });
    return near;
  }

  request() {}
  dispose() {}
}

/** Rows that are asked for when they are looked at. */
class KernelRows {
  /** By model and row of the example, the one looked at last at the end. @type {Map<string, {start: number, values: Float32Array}>} */
  #rows = new Map();
  /** @type {Map<number, Text>} */
  #texts = new Map();
  /** @type {Map<string, [number, number]>} */
  #missing = new Map();
  #example = -1;
  #textMissing = false;
  /** Of the example, by model. @type {Map<number, Near>} */
  #near = new Map();
  /** @type {[number, number, number] | undefined} */
  #nearMissing;

  /**
   * @param {import("../host/model.js").Model} model
   * @param {ModelInfo[]} models
   * @param {() => void} onArrival
   */
  constructor(model, models, onArrival) {
    this.models = models;
    this.calls = new Calls(model, (reply, buffers) => this.#keep(reply, buffers), onArrival);
  }

  dispose() {
    this.calls.dispose();
  }

  get notice() {
    return this.calls.notice;
  }

  /**
   * @param {number} k
   * @param {number} example
   * @param {number} row
   */
  row(k, example, row) {
    this.#turn(example);
    const key = `${example} ${k} ${row}`;
    const found = this.#rows.get(key);
    if (!found) this.#missing.set(key, [k, row]);
    else {
      this.#rows.delete(key);
      this.#rows.set(key, found);
    }
    return found;
  }

  /** What was looked for in another example is no longer wanted. @param {number} example */
  #turn(example) {
    if (example === this.#example) return;
    this.#example = example;
    this.#missing.clear();
    this.#near.clear();
    this.#nearMissing = undefined;
  }

  /** @param {number} k @param {number} example @returns {Near} */
  near(k, example) {
    this.#turn(example);
    const rows = this.models[k].timesteps.length;
    let near = this.#near.get(k);
    if (!near) {
      near = { known: 0, values: new Float32Array(rows * (1 + NEAR)).fill(Number.NaN) };
      this.#near.set(k, near);
    }
    const { known } = near;
    if (known < rows) this.#nearMissing ??= [k, known, Math.min(rows, known + NEAR_AT_ONCE)];
    return near;
  }

  /** @param {number} example @returns {Text | undefined} */
  text(example) {
    this.#textMissing = !this.#texts.has(example);
    return this.#texts.get(example);
  }

  /** Ask for what was looked for and not found since the last time. @param {number} example */
  request(example) {
    const rows = [...this.#missing.values()].slice(0, ROWS_AT_ONCE);
    const near = this.#nearMissing ? [this.#nearMissing] : [];
    const wanted = rows.length > 0 || this.#textMissing || near.length > 0;
    this.calls.ask(wanted ? { example, rows, text: this.#textMissing, near } : undefined);
    this.#missing.clear();
    this.#textMissing = false;
    this.#nearMissing = undefined;
  }

  /**
   * @param {any} reply
   * @param {any[]} buffers
   */
  #keep({ example, rows, text, near }, buffers) {
    rows.forEach(
      (/** @type {[number, number, number]} */ [k, row, start], /** @type {number} */ i) => {
        this.#rows.set(`${example} ${k} ${row}`, { start, values: floats(buffers[i]) });
      },
    );
    if (text) this.#texts.set(example, text);
    near.forEach(
      (/** @type {[number, number, number]} */ [k, start, stop], /** @type {number} */ i) => {
        const kept = this.#near.get(k);
        if (!kept || kept.known !== start || example !== this.#example) return;
        kept.values.set(floats(buffers[rows.length + i]), start * (1 + NEAR));
        kept.known = stop;
      },
    );
    for (const [kept, most] of /** @type {[Map<any, any>, number][]} */ ([
      [this.#rows, KEPT_ROWS],
      [this.#texts, KEPT_TEXTS],
    ])) {
      for (const oldest of kept.keys()) {
        if (kept.size <= most) break;
        kept.delete(oldest);
      }
    }
  }
}

export class DependencyState extends SharedState {
  /** @type {WholeRows | KernelRows | undefined} */
  #rows;
  /** @type {{text: Text | undefined, example: number, passage: Passage} | undefined} */
  #passage;
  #spelling = new Spelling();
  /** @type {{of: unknown, timesteps: number[]} | undefined} */
  #available;

  /** @param {import("../host/model.js").Model} model */
  constructor(model) {
    super(model, SHOWN);
  }

  dispose() {
    super.dispose();
    this.#rows?.dispose();
  }

  /** @returns {ModelInfo[]} */
  get models() {
    return this.model.get("_models");
  }

  /** @returns {Extent} */
  get extent() {
    return this.model.get("_extent");
  }

  /** How the tokens spell the text. */
  get spelling() {
    const { spelling } = this.extent;
    if (this.#spelling.kind !== spelling) this.#spelling = new Spelling(spelling);
    return this.#spelling;
  }

  /** @returns {number} */
  get example() {
    return this.model.get("example");
  }

  /** @returns {number} */
  get timestep() {
    return this.model.get("timestep");
  }

  /** Whether there is nothing at all. */
  get empty() {
    const { first, stop, examples } = this.extent;
    return examples === 0 || stop === first;
  }

  /** Whether so few of a model's predictions were computed that these are marked. @param {number} k */
  few(k) {
    const { first, stop } = this.extent;
    return 2 * this.models[k].timesteps.length < stop - first;
  }

  /** A link may bring what this text doesn't have. @param {string} name */
  settle(name) {
    const { model } = this;
    const { first, stop, examples } = this.extent;
    const value = model.get(name);
    if (name === "example") this.put({ [name]: Math.max(0, Math.min(value, examples - 1)) });
    if (name === "timestep" || (name === "input_timestep" && value !== null)) {
      this.put({ [name]: Math.max(first, Math.min(value, stop - 1)) });
    }
    if (name === "_whole" || name === "_models") {
      this.#rows?.dispose();
      this.#rows = undefined;
    }
  }

  /** The timesteps after which at least one model's prediction was computed, in order. */
  get available() {
    const { models } = this;
    if (this.#available?.of !== models) {
      const timesteps = [...new Set(models.flatMap((model) => model.timesteps))];
      this.#available = { of: models, timesteps: timesteps.sort((a, b) => a - b) };
    }
    return this.#available.timesteps;
  }

  get #source() {
    if (!this.#rows) {
      const whole = this.model.get("_whole");
      this.#rows =
        bytes(whole).length > 0 || this.available.length === 0
          ? new WholeRows(whole, this.models)
          : new KernelRows(this.model, this.models, () => this.announce("arrival"));
    }
    return this.#rows;
  }

  get notice() {
    return this.#source.notice;
  }

  request() {
    this.#source.request(this.example);
  }

  /** @returns {Text | undefined} undefined if it is on its way */
  get text() {
    const source = this.#source;
    return source instanceof KernelRows
      ? source.text(this.example)
      : this.model.get("_text")[this.example];
  }

  /** The tokens of the selected example, as far as they are here. */
  get passage() {
    const { text, example } = this;
    const kept = this.#passage;
    if (kept && kept.text === text && kept.example === example) return kept.passage;
    const { first, stop } = this.extent;
    const known = text === undefined || text.tokens !== null;
    const passage = known ? new Passage(stop - first) : Passage.blank(stop - first);
    passage.add(text?.tokens ?? []);
    this.#passage = { text, example, passage };
    return passage;
  }

  /** @param {number} timestep */
  token(timestep) {
    return this.text?.tokens?.[timestep - this.extent.first];
  }

  /** A timestep with its token. @param {number} timestep */
  place(timestep) {
    const token = this.token(timestep);
    return `t=${timestep}${token === undefined ? "" : ` ${quoted(token)}`}`;
  }

  /**
   * What a model's prediction depends on.
   * @param {number} k
   * @param {number} timestep
   * @returns {Row | "none" | undefined} "none" if it was not computed, undefined if it is on its way;
   *   without values if nothing is known of it. `start` is a timestep.
   */
  row(k, timestep) {
    const { timesteps, first } = this.models[k];
    const at = placeOf(timesteps, timestep);
    if (at < 0) return "none";
    const row = this.#source.row(k, this.example, at);
    return row && { start: row.start + first, values: row.values };
  }

  /** All of a model's predictions, with the last tokens before each. @param {number} k */
  near(k) {
    return this.#source.near(k, this.example);
  }

  /**
   * What a model's prediction is of, in words.
   * @param {number} k
   * @param {number} timestep
   */
  target(k, timestep) {
    const { timesteps, of } = this.models[k];
    const given = this.text?.targets[k]?.[placeOf(timesteps, timestep)];
    if (!given) return of || "prediction";
    const kind = given[0] === "@" ? "output" : "class";
    const named = given[0] === "=" ? quoted(given.slice(1)) : `${kind} ${given.slice(1)}`;
    return `${of} ${of === "loss" ? "at" : "of"} ${named}`;
  }

  /**
   * What the last colour stands for: for each model; 0 where nothing is known.
   * @param {number} timestep
   */
  largest(timestep) {
    const { models, model } = this;
    const each = models.map(({ largest }, k) => {
      if (model.get("scale") === "all") return largest;
      const row = this.row(k, timestep);
      return row && row !== "none" ? summary(row, timestep).largest : 0;
    });
    const most = Math.max(...each);
    return model.get("same_scale") ? each.map(() => most) : each;
  }

  /**
   * A prediction in a sentence.
   * @param {number} timestep
   * @param {number | null} input the token whose number is read out; null: the strongest of each model
   * @param {(value: number) => string} write how numbers are written
   */
  sentence(timestep, input, write = number) {
    const parts = [this.place(timestep)];
    if (this.extent.examples > 1) parts.unshift(`example ${this.example}`);
    const next = this.token(timestep + 1);
    if (next !== undefined) parts[parts.length - 1] += `, next ${quoted(next)}`;
    const each = this.models.map(({ name }, k) => {
      const said = this.#said(k, timestep, input, write);
      return name ? `${name} ${said}` : said;
    });
    const where =
      input === null ? "strongest" : `on ${this.place(input)} (${distance(timestep - input)})`;
    return `${parts.join(" · ")} · ${where}: ${each.join(" · ")}`;
  }

  /**
   * @param {number} k
   * @param {number} timestep
   * @param {number | null} input
   * @param {(value: number) => string} write
   */
  #said(k, timestep, input, write) {
    const row = this.row(k, timestep);
    if (row === undefined) return "…";
    if (row === "none") return "not computed";
    if (row.values.length === 0) return "unknown";
    const { at } = input === null ? summary(row, timestep) : { at: input };
    const value = row.values[at - row.start];
    if (value === undefined) return "not read";
    if (input !== null) return write(value);
    const token = this.token(at);
    const where = token === undefined ? `t=${at}` : quoted(token);
    return `${write(value)} on ${where} ${distance(timestep - at)}`;
  }

  /**
   * The timestep on which a model's prediction depends the most; -1 if that is not known.
   * @param {number} k
   * @param {number} timestep
   */
  strongest(k, timestep) {
    const row = this.row(k, timestep);
    return row && row !== "none" ? summary(row, timestep).at : -1;
  }

  /**
   * The caption of a model: what its prediction is of, on what it depends the most, and how far back.
   * @param {number} k
   * @param {number} timestep
   */
  caption(k, timestep) {
    const row = this.row(k, timestep);
    if (row === undefined) return "the prediction is on its way …";
    if (row === "none") return `no dependency was computed for the prediction after t=${timestep}`;
    if (row.values.length === 0) {
      return `nothing is known of the prediction after t=${timestep}: what comes next is unknown`;
    }
    const { at, half } = summary(row, timestep);
    const parts = [this.target(k, timestep)];
    if (at >= 0) parts.push(`strongest ${this.#said(k, timestep, null, number)}`);
    if (half !== undefined) {
      parts.push(`half of the sum within the last ${half === 1 ? "token" : `${half} tokens`}`);
    }
    return parts.join(" · ");
  }
}
