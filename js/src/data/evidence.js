// The evidence for rows of a ranking: what a file holds, or what the kernel is asked for. The other side
// is lstm_widgets/widgets/cell_finder.py.

import { AGAIN_AFTER, Calls } from "../host/calls.js";
import { floats } from "../host/model.js";
import { clamp } from "../lib/clamp.js";
import { Recent } from "../lib/recent.js";

/**
 * A stretch of one example.
 * @typedef {object} Stretch
 * @property {string} kind "highest", "lowest" or "sample"
 * @property {number} example
 * @property {number} start its first timestep
 * @property {number} peak the timestep that it was chosen for
 * @property {string | null} when the time of that; null if no times are known
 * @property {Float32Array} values
 * @property {Float32Array | undefined} said what the concept says, moved by the lag
 * @property {string[] | null} tokens
 * @property {import("./spelling.js").Kind} spelling how they spell a text
 * @property {string | null} label of the example
 */
/**
 * How values lie with a concept and without.
 * @typedef {object} Histogram
 * @property {number} low where the first bin begins
 * @property {number} high where the last one ends
 * @property {number[]} inside
 * @property {number[]} outside
 * @property {number} infinite values in no bin
 */
/**
 * How values go with a number: timesteps in bins of both.
 * @typedef {object} Scatter
 * @property {[number, number]} said from the least that the concept says to the most
 * @property {[number, number]} values from the least value to the greatest
 * @property {number[][]} counts (bin of the concept, bin of the values)
 * @property {(number | null)[]} means the mean value in each bin of the concept
 * @property {number} infinite timesteps in no bin
 */
/**
 * @typedef {object} Evidence
 * @property {Stretch[]} passages
 * @property {Histogram | null} histogram of yes or no
 * @property {Scatter | null} scatter of numbers
 * @property {Float32Array | undefined} null scores of the shifted concept
 * @property {Record<string, number> | undefined} ablation losses as it is and with the cell held, changes
 */

const KEPT = 64;
/** Milliseconds after which a run of the model is asked for again. */
const RUN_AFTER = 60_000;

/** As Python names what is in a file. @param {number} row @param {string} [difference] */
const keyOf = (row, difference = "") => `${row} ${difference}`.trim();

/** @param {any} sent @returns {Evidence} */
export function decoded({ passages, histogram, scatter, null: scores, ablation }) {
  const some = (/** @type {string | null} */ packed) => (packed ? floats(packed) : undefined);
  return {
    passages: passages.map((/** @type {any} */ passage) => ({
      ...passage,
      values: floats(passage.values),
      said: some(passage.said),
    })),
    histogram,
    scatter,
    null: some(scores),
    ablation,
  };
}

/**
 * Count scores in bins from −1 to 1.
 * @param {Float32Array} scores
 * @param {number} bins
 */
export function counted(scores, bins) {
  const counts = new Array(bins).fill(0);
  for (const score of scores) {
    if (Number.isNaN(score)) continue;
    counts[clamp(Math.floor(((score + 1) / 2) * bins), 0, bins - 1)]++;
  }
  return counts;
}

export class EvidenceStore {
  /** By the row, and the variant that values are less. @type {Recent<string, Evidence>} */
  #kept = new Recent(KEPT);
  /** @type {{evidence: number, difference: string} | undefined} */
  #wanted;
  /** The row for which the model is run, and those for which it is to be. @type {number | undefined} */
  #running;
  /** @type {Map<number, string>} */
  #next = new Map();

  /**
   * @param {import("../host/model.js").Model} model
   * @param {() => void} onArrival
   */
  constructor(model, onArrival) {
    /** What a saved page has; nothing in a notebook. @type {Record<string, any>} */
    this.held = model.get("_evidence") ?? {};
    this.saved = Object.keys(this.held).length > 0;
    const keep = (/** @type {any} */ reply) =>
      this.#keep(keyOf(reply.evidence, reply.difference), reply);
    this.calls = new Calls(model, keep, onArrival);
    this.runs = new Calls(model, keep, onArrival, AGAIN_AFTER, RUN_AFTER);
  }

  dispose() {
    this.calls.dispose();
    this.runs.dispose();
  }

  /**
   * @param {string} key
   * @param {any} sent
   */
  #keep(key, sent) {
    const evidence = decoded(sent);
    this.#kept.set(key, evidence);
    return evidence;
  }

  /**
   * The evidence of a row as far as the page has it.
   * @param {number} row
   * @param {string} difference the variant that is subtracted from values; "" if none is
   */
  known(row, difference = "") {
    const key = keyOf(row, difference);
    const found = this.#kept.get(key);
    if (found || !this.held[key]) return found;
    return this.#keep(key, this.held[key]);
  }

  /**
   * The same; what is not here is asked for.
   * @param {number} row
   * @param {string} difference
   */
  of(row, difference = "") {
    const found = this.known(row, difference);
    this.#wanted = found || this.saved ? undefined : { evidence: row, difference };
    return found;
  }

  /** Ask for what was last looked for and missing: what was wanted before that no longer is. */
  flush() {
    if (this.#wanted !== undefined) this.calls.ask(this.#wanted);
    const [next] = this.#next;
    if (next === undefined) return;
    const [ablate, difference] = next;
    if (!this.runs.ask({ ablate, difference })) return;
    this.#running = ablate;
    this.#next.delete(ablate);
  }

  /**
   * Have the model run with the cell of a row held.
   * @param {number} row
   * @param {string} difference
   */
  ablate(row, difference = "") {
    this.#next.set(row, difference);
    this.flush();
  }

  /**
   * What to tell of that run, until its answer is here.
   * @param {number} row
   * @param {string} difference
   */
  told(row, difference = "") {
    if (this.#next.has(row)) return "The model is running …";
    if (this.#running !== row || this.#kept.get(keyOf(row, difference))?.ablation) return "";
    const { notice } = this.runs;
    return notice.startsWith("The kernel could not") ? notice : "The model is running …";
  }

  /** What to tell a person about the kernel. */
  get notice() {
    return this.calls.notice;
  }
}
