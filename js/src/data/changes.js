// Why a cell's state changed, by the algebra of its kind; and the scales that values are drawn on.
//
// LSTM        c = f·c₋₁ + i·g          so  Δc = (f − 1)·c₋₁ + i·g
// GRU         h = z·h₋₁ + (1 − z)·h̃    so  Δh = (z − 1)·h₋₁ + (1 − z)·h̃   (z keeps, as in Keras)
// SimpleRNN   h = φ(…)                 nothing is kept: Δh = h − h₋₁ has no parts

import { number, signed, words } from "../lib/wording.js";
import { BLOCK } from "./codes.js";
import { inPart } from "./layer.js";

/** @typedef {import("./layer.js").Layer} Layer */

/**
 * All signals of one cell.
 * @typedef {object} Signals
 * @property {Layer} layer
 * @property {number} cell
 * @property {(signal: string, column: number) => number | undefined} at NaN for what wasn't recorded,
 *   undefined for what is on its way
 * @property {(column: number) => boolean} padding whether a timestep is padding
 */

/**
 * How a kind of cell changes its state.
 * @typedef {object} Rule
 * @property {string} state the signal that is kept from timestep to timestep
 * @property {string} symbol
 * @property {string} [gate] the signal that says which share of the state is kept
 * @property {string[]} needs all signals of the equation
 * @property {(of: (signal: string) => number) => number} write what comes on top of what is kept
 */

/** @type {Record<string, Rule>} */
const RULES = {
  LSTM: {
    state: "cell_state",
    symbol: "c",
    gate: "forget_gate",
    needs: ["cell_state", "forget_gate", "input_gate", "candidate"],
    write: (of) => of("input_gate") * of("candidate"),
  },
  GRU: {
    state: "hidden_state",
    symbol: "h",
    gate: "update_gate",
    needs: ["hidden_state", "update_gate", "candidate"],
    write: (of) => (1 - of("update_gate")) * of("candidate"),
  },
  SimpleRNN: {
    state: "hidden_state",
    symbol: "h",
    needs: ["hidden_state"],
    write: () => NaN,
  },
};

/** How signals are written in equations. */
export const SYMBOLS = /** @type {Record<string, string>} */ ({
  hidden_state: "h",
  cell_state: "c",
  input_gate: "i",
  forget_gate: "f",
  output_gate: "o",
  update_gate: "z",
  reset_gate: "r",
});

/** @param {string} signal @param {string} kind */
export function symbolOf(signal, kind) {
  return signal === "candidate" ? (kind === "GRU" ? "h̃" : "g") : SYMBOLS[signal];
}

/** @param {Layer} layer */
export function ruleOf(layer) {
  return RULES[layer.kind] ?? RULES.SimpleRNN;
}

/** Signals of a layer's equation that were not recorded. @param {Layer} layer */
export function missingOf(layer) {
  return ruleOf(layer).needs.filter((signal) => !layer.signals.includes(signal));
}

/** What is missing, in words; empty if nothing is. @param {Layer} layer */
export function missingWords(layer) {
  const missing = missingOf(layer).map(words).join(", ");
  if (!missing) return "";
  return layer.absent?.length ? `Not in this page: ${missing}` : `Not recorded: ${missing}`;
}

/**
 * Whether a cell reads from the end. Of both directions side by side, one half does.
 * @param {Layer} layer
 * @param {number} cell
 */
export function readsBackwards(layer, cell) {
  return layer.go_backwards !== inPart(layer, cell).part > 0;
}

/**
 * The column that was read before this one, or -1 at the first timestep of an example.
 * @param {Layer} layer
 * @param {number} cell
 * @param {number} column
 */
export function columnBefore(layer, cell, column) {
  const { timesteps } = layer;
  const timestep = column % timesteps;
  if (readsBackwards(layer, cell)) return timestep + 1 < timesteps ? column + 1 : -1;
  return timestep > 0 ? column - 1 : -1;
}

/**
 * Of layers with several calls: the call that starts at each timestep where one does, in both ways to
 * read.
 * @type {WeakMap<number[], {forwards: Map<number, number>, backwards: Map<number, number>}>}
 */
const STARTS = new WeakMap();

/** @param {number[]} calls */
function startsOf(calls) {
  const known = STARTS.get(calls);
  if (known) return known;
  const made = { forwards: new Map(), backwards: new Map() };
  let start = 0;
  for (const [call, length] of calls.entries()) {
    made.forwards.set(start, call);
    start += length;
    made.backwards.set(start - 1, call);
  }
  STARTS.set(calls, made);
  return made;
}

/**
 * Which call of the layer starts with a column, or -1 if none does.
 * @param {Layer} layer
 * @param {number} cell
 * @param {number} column
 */
export function callStarting(layer, cell, column) {
  const { timesteps, calls } = layer;
  const timestep = column % timesteps;
  const backwards = readsBackwards(layer, cell);
  if (!calls) return timestep === (backwards ? timesteps - 1 : 0) ? 0 : -1;
  return startsOf(calls)[backwards ? "backwards" : "forwards"].get(timestep) ?? -1;
}

/**
 * Below this share a state before is not worked out from the one after: what the division makes of the
 * rounding of float32 would be seen in the fourth digit.
 */
const LEAST_SHARE = 0.01;
/** How far the two sides of an equation of float32 values may be apart. */
const ROUNDING = 2 ** -20;

/**
 * What happened to the state at one timestep.
 * @typedef {object} Change
 * @property {"column" | "initial" | "equation" | "nowhere" | "padding" | "window"} from where the state
 *   before is known from; "initial": the layer started from it; "window": no window of the text ends
 *   here, so there is no state
 * @property {number} before the state before
 * @property {number} keep what was lost of it: (share − 1) · before
 * @property {number} write
 * @property {number} change
 */

/**
 * @param {Signals} signals
 * @param {number} column
 * @returns {Change | undefined} numbers that can't be known are NaN; undefined if any is on its way
 */
export function changeAt({ layer, cell, at, padding }, column) {
  const rule = ruleOf(layer);
  const now = Object.fromEntries(rule.needs.map((signal) => [signal, at(signal, column)]));
  const previous = layer.windowed ? -1 : columnBefore(layer, cell, column);
  const starts = layer.initial !== undefined && callStarting(layer, cell, column) >= 0;
  const initial = layer.initial === "given" ? at("initial", column) : 0;
  const beside = starts ? initial : previous < 0 ? NaN : at(rule.state, previous);
  const known = starts ? "initial" : "column";
  if (beside === undefined || Object.values(now).includes(undefined)) return undefined;
  const state = Number(now[rule.state]);
  if (padding(column) && layer.windowed) {
    const unknown = NaN;
    return { from: "window", before: unknown, keep: unknown, write: unknown, change: unknown };
  }
  // Through padding the state passes unchanged.
  if (padding(column)) return { from: "padding", before: state, keep: 0, write: 0, change: 0 };
  if (!rule.gate) {
    const from = Number.isNaN(beside) ? "nowhere" : known;
    return { from, before: beside, keep: NaN, write: NaN, change: state - beside };
  }
  const share = Number(now[rule.gate]);
  const write = rule.write((signal) => Number(now[signal]));
  const [before, where] = layer.rounded
    ? // Rounded values fulfil no equation: what stands before is believed.
      /** @type {const} */ ([beside, Number.isNaN(beside) ? "nowhere" : "column"])
    : stateBefore(state, share, write, beside, layer.check?.tolerance ?? 0);
  const from = where === "column" ? known : where;
  return { from, before, keep: (share - 1) * before, write, change: state - before };
}

/**
 * The state before a timestep: that of the column before if it leads here, otherwise what the equation
 * says. It needn't lead here: examples may have been put together from several recordings.
 * @param {number} state
 * @param {number} share of the state before that was kept
 * @param {number} write
 * @param {number} beside the state of the column before; NaN if there is none
 * @param {number} tolerance by which the recording may differ from the model
 * @returns {[number, "column" | "equation" | "nowhere"]}
 */
function stateBefore(state, share, write, beside, tolerance) {
  const size = Math.abs(state) + Math.abs(write);
  const near = (/** @type {number} */ a, /** @type {number} */ b) =>
    Math.abs(a - b) <= Math.max(ROUNDING, tolerance) * Math.max(size, Math.abs(beside) || 0);
  // What isn't recorded can't be checked.
  const unchecked = [state, share, write].some(Number.isNaN);
  if (!Number.isNaN(beside) && (unchecked || near(share * beside + write, state)))
    return [beside, "column"];
  if (Math.abs(share) < LEAST_SHARE || unchecked) return [NaN, "nowhere"];
  // Nothing but rounding is left where the state before was zero.
  const left = state - write;
  return [Math.abs(left) <= ROUNDING * size ? 0 : left / share, "equation"];
}

/**
 * @param {import("./source.js").AnySource} source
 * @param {number} cell
 * @returns {Signals}
 */
export function signalsOf(source, cell) {
  const { layer } = source;
  /** @type {Map<number, Float32Array[] | undefined>} */
  const blocks = new Map();
  return {
    layer,
    cell,
    at: (signal, column) => {
      // The states that the layer started from stand behind its signals.
      const which = [...layer.signals, "initial"].indexOf(signal);
      if (which < 0) return NaN;
      const block = Math.floor(column / BLOCK);
      if (!blocks.has(block)) blocks.set(block, source.series(block, cell));
      return blocks.get(block)?.[which][column % BLOCK];
    },
    padding: (column) => source.padding(column),
  };
}

/** Round numbers that leave little of a band empty. */
const ROUND = [1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10];

/**
 * The smallest round number that is not smaller than a magnitude; 1 for zero.
 * @param {number} largest
 */
export function roundBound(largest) {
  if (!(largest > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(largest));
  // Rounding of float32 beyond the bound is no reason for twice the scale.
  const step = ROUND.find((s) => s * power >= largest * (1 - 1e-6)) ?? 10;
  return Number((step * power).toPrecision(2));
}

/** The least and greatest finite value of one band, as far as they were seen. */
export class Extent {
  low = 0;
  high = 0;

  /** @param {number} value */
  add(value) {
    if (!Number.isFinite(value)) return;
    if (value < this.low) this.low = value;
    if (value > this.high) this.high = value;
  }

  /**
   * The values at the bottom and the top of the band.
   * @param {boolean} gate whether it lies between 0 and 1, unless it was seen elsewhere
   * @returns {[number, number]}
   */
  range(gate) {
    if (gate && this.low >= 0 && this.high <= 1) return [0, 1];
    const bound = roundBound(Math.max(-this.low, this.high));
    return [-bound, bound];
  }
}

/** @param {number} value */
const factor = (value) => (value < 0 ? `(${number(value)})` : number(value));

/**
 * A change in words: the sum with its numbers, and what there is to know about them.
 * @param {Signals} signals
 * @param {number} column
 * @param {Change} happened
 * @returns {{sum: string, note: string}}
 */
export function explain({ layer, cell, at }, column, happened) {
  const { symbol: s, gate } = ruleOf(layer);
  const { from, before, keep, write, change } = happened;
  const missing = missingOf(layer);
  const has = (/** @type {string} */ signal) => layer.signals.includes(signal);
  const of = (/** @type {string} */ signal) => Number(at(signal, column));
  if (from === "padding") {
    return { sum: `Δ${s} = 0`, note: "Padding: the state passes through unchanged." };
  }
  if (from === "window") {
    return {
      sum: `Δ${s} is unknown`,
      note: "No window of the text ends here, so nothing was read.",
    };
  }
  const notes = [];
  if (missing.length) notes.push(`${missingWords(layer)}.`);
  const first = columnBefore(layer, cell, column) < 0;
  if (from === "initial") {
    const call = callStarting(layer, cell, column);
    const who = layer.calls ? `call ${call + 1}` : "the layer";
    notes.push(`${s}₋₁ = ${number(before)} is the state that ${who} started from.`);
  } else if (from === "equation") {
    const which =
      first && !layer.windowed ? "the state before the first timestep" : "the state before";
    const why = layer.windowed
      ? " Each timestep has read a window of its own."
      : first
        ? ""
        : " The adjacent timestep is not the one before.";
    notes.push(`${s}₋₁ = ${number(before)} is ${which}, computed from the equation.${why}`);
  } else if (from === "nowhere" && has(ruleOf(layer).state)) {
    const share = gate && !missing.length ? of(gate) : 0;
    const why =
      !gate || missing.length
        ? "not recorded"
        : layer.rounded
          ? "the values in this page are rounded"
          : `${SYMBOLS[gate]} is ${Number.isNaN(share) ? "NaN" : "too small to tell"}`;
    notes.push(
      `${s}₋₁, the state before${first ? " the first timestep" : ""}, is unknown: ${why}.`,
    );
  }
  if (layer.kind === "GRU" && has("reset_gate") && has("candidate")) {
    notes.push(
      `The reset gate r = ${number(of("reset_gate"))} scales the contribution of h₋₁ to h̃.`,
    );
  }
  return { sum: sumOf(), note: notes.join(" ") };

  function sumOf() {
    const is = layer.rounded ? "≈" : "=";
    const total = Number.isNaN(change) ? "unknown" : signed(change);
    if (!gate) {
      if (!has("hidden_state") || from === "nowhere") return `Δ${s} = ${s} − ${s}₋₁ is unknown`;
      return `Δ${s} = ${s} − ${s}₋₁ ${is} ${number(of("hidden_state"))} − ${factor(before)} ${is} ${total}`;
    }
    const z = SYMBOLS[gate];
    const lstm = layer.kind === "LSTM";
    const formula = `Δ${s} = (${z} − 1)·${s}₋₁ + ${lstm ? "i·g" : `(1 − ${z})·h̃`}`;
    if (missing.length || from === "nowhere") {
      return `${formula} ${is} ${total}${Number.isNaN(write) ? "" : `, of which written ${signed(write)}`}`;
    }
    const share = number(of(gate));
    const put = lstm ? factor(of("input_gate")) : `(1 − ${share})`;
    return (
      `${formula} ${is} (${share} − 1)·${factor(before)} + ${put}·${factor(of("candidate"))}` +
      ` ${is} ${number(keep)} ${write < 0 ? "−" : "+"} ${number(Math.abs(write))} ${is} ${total}`
    );
  }
}
