// Requests to the kernel and what has come of them: tiles, tokens, exact values. The other side is
// lstm_widgets/widgets/page/protocol.py.
//
// One request is under way at a time, for what was looked for and missing since the last one. What has
// scrolled out of view meanwhile is thus never asked for, which is all that cancelling could save: what
// is missing is forgotten after each frame, and found missing again by the frame that an answer brings.

import { Calls } from "../host/calls.js";
import { bytes, floats } from "../host/model.js";
import { Recent } from "../lib/recent.js";
import { BLOCK, strongest } from "./codes.js";
import { Passage } from "./passage.js";
import { Hits } from "./search.js";
import { Source, statisticsOf } from "./source.js";
import { unpacked } from "./times.js";

/** Tiles that are kept, in bytes. */
export const KEPT_BYTES = 24 * 1024 * 1024;
/** What else is kept: stretches of all signals of one cell, blocks of tokens and of guesses, … */
const KEPT_SERIES = 256;
const KEPT_STRIPS = 512;
const KEPT_GUESSES = 256;
const KEPT_EXACT = 64;
const KEPT_SIMILARITIES = 16;
const KEPT_PASSAGES = 8;
/** The most bytes to ask for at once. */
const REPLY_BYTES = 1024 * 1024;
/** The most tokens of a text to ask for at once. */
const PIECE = 65_536;

/** @typedef {{rows: Map<number, Uint8Array>, bytes: number, used: number}} Block */
/**
 * The model's top guesses at some timesteps, by rank.
 * @typedef {object} Guesses
 * @property {string[] | null} table the tokens that `ids` number; null if only ids are known
 * @property {Int32Array} ids (timestep, rank)
 * @property {Float32Array} probabilities (timestep, rank)
 * @property {Float32Array} targets (timestep), the probability of what really came next
 */
/** @typedef {{tokens: string[] | null, labels: string[] | null, first: number, mask: Uint8Array}} Strip */

/** What stands above the columns of a layer, as far as it has arrived: of all variants the same. */
export class Heads {
  /** @type {Recent<number, Strip>} */
  strips = new Recent(KEPT_STRIPS);
  /** @type {Recent<number, Passage>} */
  passages = new Recent(KEPT_PASSAGES);
  /** @type {Map<number, import("./times.js").Times>} */
  timed = new Map();
  /** The last that was searched for. @type {Hits | undefined} */
  hits;
}

/** What is in view comes from the kernel, and is kept for a while. */
export class KernelSource extends Source {
  /** @type {Map<number, Block>} */
  #tiles = new Map();
  #bytes = 0;
  #clock = 0;
  /** @type {Recent<number, {start: number, values: Float32Array}>} */
  #exact = new Recent(KEPT_EXACT);
  /** @type {Recent<number, Float32Array>} */
  #similarities;
  /** @type {Recent<number, Guesses>} */
  #guesses = new Recent(KEPT_GUESSES);
  /** By cell and block. @type {Recent<number, Float32Array[]>} */
  #series = new Recent(KEPT_SERIES);

  /** @type {Map<number, Set<number>>} */
  #missingTiles = new Map();
  /** @type {Set<number>} */
  #missingStrips = new Set();
  /** @type {[number, number] | undefined} */
  #missingExact;
  /** @type {number | undefined} */
  #missingSimilarity;
  /** @type {Set<number>} */
  #missingSeries = new Set();
  /** @type {[number, number, number] | undefined} */
  #missingText;
  /** @type {Set<number>} */
  #missingGuesses = new Set();
  /** @type {number | undefined} */
  #missingTimes;
  /** @type {string | undefined} */
  #missingHits;
  #heads;
  #room;

  /**
   * @param {import("../host/model.js").Model} model
   * @param {import("./layer.js").Layer} layer
   * @param {string} signal
   * @param {() => void} onArrival
   * @param {object} [among] of one of several variants
   * @param {import("./variants.js").Common} [among.common] what all have in common
   * @param {Heads} [among.heads] what stands above their columns
   * @param {number} [among.room] tiles that are kept, in bytes
   */
  constructor(model, layer, signal, onArrival, among = {}) {
    const { common, heads = new Heads(), room = KEPT_BYTES } = among;
    super(model, layer, signal, common);
    this.#heads = heads;
    this.#similarities = common?.similarities ?? new Recent(KEPT_SIMILARITIES);
    this.#room = room;
    this.timed = heads.timed;
    const told = floats(model.get("_statistics"));
    // Behind a variant's own stands what it has in common with the others.
    const own = told.subarray(0, 3 * layer.cells);
    this.statistics = statisticsOf([own]);
    if (common && !common.largest) {
      const shared = statisticsOf([told.subarray(own.length)]);
      const { largest } = this.statistics;
      Object.assign(common, { largest, loudest: shared.largest, compared: { ...shared, largest } });
    }
    this.overviewLevel = model.get("_summary").level;
    this.overview = bytes(model.get("_overview"));
    this.calls = new Calls(model, (reply, buffers) => this.#keep(reply, buffers), onArrival);
  }

  dispose() {
    this.calls.dispose();
  }

  /** What to tell a person about the kernel; empty while all is well. */
  get notice() {
    return this.calls.notice;
  }

  /** Whether an answer is due. */
  get waiting() {
    return this.calls.waiting;
  }

  /**
   * @param {number} level
   * @param {number} block
   * @param {number} cell
   */
  tile(level, block, cell) {
    if (level >= this.overviewLevel) return this.#fromOverview(level, block, cell);
    const key = level * 2 ** 32 + block;
    const found = this.#tiles.get(key);
    const row = found?.rows.get(cell);
    if (found && row) {
      found.used = this.#clock;
      return row;
    }
    const missing = this.#missingTiles.get(key);
    if (missing) missing.add(cell);
    else this.#missingTiles.set(key, new Set([cell]));
    return undefined;
  }

  /**
   * @param {number} level
   * @param {number} block
   * @param {number} cell
   */
  #fromOverview(level, block, cell) {
    const bins = this.bins(this.overviewLevel);
    const row = this.overview.subarray(cell * bins, (cell + 1) * bins);
    if (level === this.overviewLevel) return row.subarray(block * BLOCK, (block + 1) * BLOCK);
    const size = 2 ** (level - this.overviewLevel);
    const stop = Math.min(this.bins(level), (block + 1) * BLOCK);
    return Uint8Array.from({ length: stop - block * BLOCK }, (_, i) => {
      const start = (block * BLOCK + i) * size;
      return strongest(row, start, Math.min(start + size, bins));
    });
  }

  /** @param {number} column */
  #strip(column) {
    const block = Math.floor(column / BLOCK);
    const strip = this.#heads.strips.get(block);
    if (!strip) this.#missingStrips.add(block);
    return strip;
  }

  /** @param {number} column */
  token(column) {
    const { timesteps, tokens } = this.layer;
    if (!tokens) return undefined;
    const passage = this.#heads.passages.get(Math.floor(column / timesteps));
    return passage?.token(column % timesteps) ?? this.#strip(column)?.tokens?.[column % BLOCK];
  }

  /** @param {number} example */
  passage(example) {
    const { timesteps, tokens } = this.layer;
    let passage = this.#heads.passages.get(example);
    if (!passage) {
      passage = tokens ? new Passage(timesteps) : Passage.blank(timesteps);
      this.#heads.passages.set(example, passage);
    }
    const { known } = passage;
    if (known < timesteps) this.#missingText = [example, known, Math.min(timesteps, known + PIECE)];
    return passage;
  }

  /** @param {number} example */
  label(example) {
    if (!this.layer.labels) return undefined;
    const strip = this.#strip(example * this.layer.timesteps);
    return strip?.labels?.[example - strip.first];
  }

  /** @param {number} column */
  padding(column) {
    if (!this.layer.masked) return false;
    const mask = this.#strip(column)?.mask;
    return mask !== undefined && mask[column % BLOCK] === 0;
  }

  /**
   * @param {number} cell
   * @param {number} column
   */
  exact(cell, column) {
    const found = this.#exact.get(cell);
    if (found && column >= found.start && column < found.start + found.values.length) {
      return found.values[column - found.start];
    }
    this.#missingExact = [cell, column];
    return undefined;
  }

  /** @param {number} which @returns {import("./times.js").Times | undefined} */
  manyTimes(which) {
    this.#missingTimes ??= which;
    return undefined;
  }

  /** @param {string} query */
  hits(query) {
    if (this.#heads.hits?.query === query) return this.#heads.hits;
    this.#missingHits = query;
    return undefined;
  }

  /** @param {number} block */
  guesses(block) {
    const found = this.#guesses.get(block);
    if (!found) this.#missingGuesses.add(block);
    return found;
  }

  /** @param {number} cell */
  similarity(cell) {
    const found = this.#similarities.get(cell);
    if (!found) this.#missingSimilarity = cell;
    return found;
  }

  /**
   * @param {number} block
   * @param {number} cell
   */
  series(block, cell) {
    const key = cell * 2 ** 32 + block;
    const found = this.#series.get(key);
    if (!found) this.#missingSeries.add(key);
    return found;
  }

  /** Ask for all that was missing since the last time, unless an answer is still due. */
  request() {
    this.#clock++;
    const request = this.#wanted();
    this.#missingTiles.clear();
    this.#missingStrips.clear();
    this.#missingExact = undefined;
    this.#missingSimilarity = undefined;
    this.#missingSeries.clear();
    this.#missingText = undefined;
    this.#missingGuesses.clear();
    this.#missingTimes = undefined;
    this.#missingHits = undefined;
    this.calls.ask(request);
  }

  /** One request for all that is missing; undefined if nothing is. */
  #wanted() {
    const tiles = [];
    let room = REPLY_BYTES;
    for (const [key, cells] of this.#missingTiles) {
      const wanted = [...cells].sort((a, b) => a - b).slice(0, Math.floor(room / BLOCK));
      if (wanted.length === 0) break;
      room -= wanted.length * BLOCK;
      tiles.push([Math.floor(key / 2 ** 32), key % 2 ** 32, wanted]);
    }
    const columns = [...this.#missingStrips].slice(0, 64);
    const exact = this.#missingExact;
    const start = exact ? Math.max(0, exact[1] - BLOCK / 2) : 0;
    const request = {
      layer: this.layer.name,
      signal: this.signal,
      tiles,
      columns,
      values: exact ? [exact[0], start, Math.min(this.columns, start + BLOCK)] : null,
      similarity: this.#missingSimilarity ?? null,
      series: [...this.#missingSeries]
        .slice(0, 64)
        .map((key) => [Math.floor(key / 2 ** 32), key % 2 ** 32]),
      text: this.#missingText ?? null,
      predictions: [...this.#missingGuesses].slice(0, 64),
      times: this.#missingTimes ?? null,
      find: this.#missingHits ?? null,
    };
    const { layer: _layer, signal: _signal, similarity, times, ...others } = request;
    const some = Object.values(others).some((wanted) => wanted?.length);
    return some || similarity !== null || times !== null ? request : undefined;
  }

  /**
   * @param {any} reply
   * @param {any[]} buffers
   */
  #keep(reply, buffers) {
    this.version++;
    let next = 0;
    for (const [level, block, cells] of reply.tiles) {
      const codes = bytes(buffers[next++]);
      const width = codes.length / cells.length;
      const key = level * 2 ** 32 + block;
      const kept = this.#tiles.get(key) ?? { rows: new Map(), bytes: 0, used: this.#clock };
      cells.forEach((/** @type {number} */ cell, /** @type {number} */ i) => {
        kept.rows.set(cell, codes.subarray(i * width, (i + 1) * width));
      });
      kept.bytes += codes.length;
      this.#bytes += codes.length;
      this.#tiles.set(key, kept);
    }
    for (const { start, tokens, labels, first_example: first } of reply.columns) {
      this.#heads.strips.set(start / BLOCK, {
        tokens,
        labels,
        first,
        mask: bytes(buffers[next++]).slice(),
      });
    }
    if (reply.values) {
      const [cell, start] = reply.values;
      this.#exact.set(cell, { start, values: floats(buffers[next++]) });
    }
    if (reply.similarity !== null) {
      this.#similarities.set(reply.similarity, floats(buffers[next++]));
    }
    for (const [cell, block] of reply.series) {
      const values = floats(buffers[next++]);
      const { signals, initial } = this.layer;
      const rows = signals.length + (initial === "given" ? 1 : 0);
      const width = values.length / rows;
      this.#series.set(
        cell * 2 ** 32 + block,
        Array.from({ length: rows }, (_, i) => values.subarray(i * width, (i + 1) * width)),
      );
    }
    if (reply.text) {
      const { example, start, table } = reply.text;
      const passage = this.#heads.passages.get(example);
      const codes = new Uint32Array(bytes(buffers[next++]).slice().buffer);
      if (passage && passage.known === start) passage.addCoded(table, codes);
    }
    for (const { block, table } of reply.predictions) {
      const ids = new Int32Array(bytes(buffers[next++]).slice().buffer);
      const [probabilities, targets] = [floats(buffers[next++]), floats(buffers[next++])];
      this.#guesses.set(block, { table, ids, probabilities, targets });
    }
    if (this.clock && typeof reply.times === "number") {
      this.timed.set(reply.times, unpacked(this.clock, bytes(buffers[next++])));
    }
    if (typeof reply.find === "string") {
      const [starts, stops] = [0, 1].map(
        () => new Uint32Array(bytes(buffers[next++]).slice().buffer),
      );
      this.#heads.hits = new Hits(reply.find, starts, stops);
    }
    this.#evict();
  }

  /** Let go of the blocks that were not looked at for longest. */
  #evict() {
    if (this.#bytes <= this.#room) return;
    const byAge = [...this.#tiles].sort(([, a], [, b]) => a.used - b.used);
    for (const [key, block] of byAge) {
      if (this.#bytes <= this.#room * 0.75) break;
      this.#tiles.delete(key);
      this.#bytes -= block.bytes;
    }
  }
}
