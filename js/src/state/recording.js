// A recording in the page: what is shown of it, and changes to the selection.

import { resolve } from "../colour/palettes.js";
import { Heads, KEPT_BYTES, KernelSource } from "../data/kernel_source.js";
import { noted } from "../data/layer.js";
import { LINE_TRAITS, Lines, linesHere } from "../data/lines.js";
import { WholeSource, wholeSize } from "../data/source.js";
import { bitsOf } from "../data/spans.js";
import { Track, tracksOf } from "../data/tracks.js";
import { Common, VariantModel } from "../data/variants.js";
import { bytes } from "../host/model.js";
import { checksum } from "../lib/checksum.js";
import { clamp } from "../lib/clamp.js";
import { Memo } from "../lib/memo.js";
import { SharedState } from "./shared.js";

/** @typedef {import("../host/model.js").Model} Model */
/** @typedef {import("../data/layer.js").Layer} Layer */

/** What there is to draw from. */
const ARRIVING = [
  "_layers",
  "_summary",
  "_overview",
  "_statistics",
  "_whole",
  "_text",
  "_variants",
];
/** What all of a variant hangs on; the others of these are of the one that is shown. */
const LASTING = ["_layers", "_whole", "_text", "_variants", "_notes"];
/** Variants whose tiles are kept. */
const KEPT_SOURCES = 24;

/** Traits whose change any view has to show. */
const SHOWN = [
  "layer",
  "signal",
  "variant",
  "difference",
  "example",
  "cell",
  "timestep",
  "threshold",
  "palette",
  "scale",
  "align",
  "sort",
  "order",
  "hide_quiet_cells",
  "cells",
  "marks",
  "guesses",
  "hidden_tracks",
  "selected_timesteps",
  "span",
  "_tracks",
  "_notes",
  "finding",
  "_finder",
  "_can_find",
  "row",
  "_track_codes",
  "_span_example",
  ...LINE_TRAITS,
  ...ARRIVING,
];

const SETTLED = new Set(["layer", "signal", "example", "cell", "timestep", "_layers"]);

export class RecordingState extends SharedState {
  /** @type {WholeSource | KernelSource | undefined} */
  #source;
  #key = "";
  /** @type {Map<string, Lines>} */
  #lines = new Map();
  #lined = new Memo();
  /** Of variants. @type {Map<string, WholeSource | KernelSource>} */
  #sources = new Map();
  /** What variants of a signal have in common, by that signal. @type {Map<string, Common>} */
  #commons = new Map();
  /** What stands above the columns of a layer. @type {Map<string, Heads>} */
  #heads = new Map();
  /** @type {Map<string, VariantModel>} */
  #models = new Map();
  #tracked = new Memo();
  /** @type {Track[]} */
  #tracks = [];
  #noted = new Memo();
  /** @type {Layer[]} */
  #layers = [];
  #query = "";
  /** @type {{hits?: import("../data/search.js").Hits, track?: Track}} */
  #found = {};
  #selected = new Memo();
  /** @type {Track | undefined} */
  #selectedTrack;

  /**
   * @param {Model} model
   * @param {string[]} more further traits whose change any view has to show
   */
  constructor(model, more = []) {
    super(model, [...SHOWN, ...more]);
  }

  dispose() {
    super.dispose();
    this.#source?.dispose();
    for (const each of [...this.#sources.values(), ...this.#lines.values()]) each.dispose();
  }

  /** The names of variants; none of one recording. @returns {string[]} */
  get variants() {
    return this.model.get("_variants")?.names ?? [];
  }

  /** The variant that is shown; a link may bring a name that is none. */
  get variant() {
    const { variants } = this;
    const name = this.model.get("variant");
    return variants.includes(name) ? name : (variants[0] ?? "");
  }

  /** The variant that is subtracted; "" if none is. */
  get difference() {
    const name = this.model.get("difference") ?? "";
    const known = this.variants.includes(name) || this.model.get("_variants")?.less === name;
    return known ? name : "";
  }

  /** What the self-check found of the layer that is shown. */
  get check() {
    const { layer, variants, variant } = this;
    const every = this.model.get("_variants")?.check;
    return every?.[variants.indexOf(variant)]?.[layer.name] ?? layer.check;
  }

  /**
   * The model as one variant has it; itself where there is one recording.
   * @param {string} variant
   * @returns {Model}
   */
  #of(variant) {
    const { difference } = this;
    if (this.variants.length === 0) return this.model;
    const make = (/** @type {string} */ name, /** @type {string} */ less) => {
      const key = JSON.stringify([name, less]);
      /** @type {VariantModel} */
      const made =
        this.#models.get(key) ??
        new VariantModel(this.model, name, less ? make(less, "") : undefined);
      this.#models.set(key, made);
      return made;
    };
    return make(variant, difference);
  }

  /** @returns {Layer[]} */
  get layers() {
    const [layers, notes] = [this.model.get("_layers"), this.model.get("_notes")];
    if (this.#noted.changed([layers, notes])) this.#layers = noted(layers, notes);
    return this.#layers;
  }

  /** @returns {Layer} */
  get layer() {
    return this.layers.find((layer) => layer.name === this.model.get("layer")) ?? this.layers[0];
  }

  /** What to draw from; undefined while the kernel prepares it, or has not all of it arrived. */
  get source() {
    const { model, layer } = this;
    const signal = model.get("signal");
    // All that is told of the layer: where a model runs, it has the number of the run.
    if (this.variants.length > 0) return this.#variantSource(layer, signal);
    const key = JSON.stringify([layer, signal, model.get("_summary").stamp]);
    if (this.#source && this.#key === key) return this.#source;
    if (!layer.signals.includes(signal)) return undefined;
    const whole = bytes(model.get("_whole")).length > 0;
    if (!(whole ? this.#wholeHere() : this.#overviewHere())) return undefined;
    this.#source?.dispose();
    this.#key = key;
    this.#source = whole
      ? new WholeSource(model, layer, signal)
      : new KernelSource(model, layer, signal, () => this.announce("arrival"));
    return this.#source;
  }

  /** Whether something of the variant that is shown is on its way. @returns {boolean} */
  get waiting() {
    const { source } = this;
    return !source || source.waiting;
  }

  /**
   * The same of the variant that is shown. Those that were shown are kept.
   * @param {Layer} layer
   * @param {string} signal
   */
  #variantSource(layer, signal) {
    const { model, variant, variants } = this;
    const key = (/** @type {string} */ name) =>
      JSON.stringify([layer.name, signal, name, this.difference]);
    const known = this.#sources.get(key(variant));
    if (known || !layer.signals.includes(signal)) return known;
    const whole = bytes(model.get("_whole")).length > 0;
    if (!(whole ? this.#variantsHere() : this.#overviewHere())) return undefined;
    const common = this.#commons.get(key("")) ?? new Common();
    this.#commons.set(key(""), common);
    const own = (/** @type {Model} */ of) => (of instanceof VariantModel ? of.layer(layer) : layer);
    if (whole) {
      const every = variants.map((name) => {
        const of = this.#of(name);
        const source = new WholeSource(of, own(of), signal, common);
        this.#sources.set(key(name), source);
        return source;
      });
      common.measure(every.map(({ statistics }) => statistics));
      for (const source of every) source.share(every);
    } else {
      const of = this.#of(variant);
      const heads = this.#heads.get(layer.name) ?? new Heads();
      this.#heads.set(layer.name, heads);
      const room = KEPT_BYTES / Math.min(variants.length, KEPT_SOURCES);
      const arrived = () => this.announce("arrival");
      const source = new KernelSource(of, own(of), signal, arrived, { common, heads, room });
      this.#sources.set(key(variant), source);
      this.#forget(KEPT_SOURCES);
    }
    return this.#sources.get(key(variant));
  }

  /** Keep no more than so many variants' tiles. @param {number} most */
  #forget(most) {
    for (const [key, source] of this.#sources) {
      if (this.#sources.size <= most) return;
      source.dispose();
      this.#sources.delete(key);
    }
  }

  /** Whether all of all variants has arrived. */
  #variantsHere() {
    const { model, layer } = this;
    const { whole = [] } = model.get("_variants");
    const text = model.get("_text")[layer.parts?.[0] ?? layer.name];
    return text && bytes(model.get("_whole")).length >= whole[whole.length - 1];
  }

  /** Whether traits that belong together are those of one time: some hosts hand over one after the other. */
  #wholeHere() {
    const { model, layer, layers } = this;
    const { run = layer.run, stamp } = model.get("_summary");
    const text = model.get("_text")[layer.parts?.[0] ?? layer.name];
    if (run !== layer.run || !text || (text.run ?? run) !== run) return false;
    const whole = bytes(model.get("_whole"));
    return whole.length >= wholeSize(layers) && (stamp === undefined || checksum(whole) === stamp);
  }

  #overviewHere() {
    const { model, layer } = this;
    const { run = layer.run, stamp, ...of } = model.get("_summary");
    if (run !== layer.run || of.layer !== layer.name || of.signal !== model.get("signal")) {
      return false;
    }
    const { variant = "", difference = "" } = of;
    if (variant !== this.variant || difference !== this.difference) return false;
    const parts = [bytes(model.get("_statistics")), bytes(model.get("_overview"))];
    return stamp === undefined || checksum(...parts) === stamp;
  }

  /** The series beside the signals; undefined if there is none, or while not all of it has arrived. */
  get lines() {
    const { model, layers, variant, variants } = this;
    if (!linesHere(this.#of(variant))) return undefined;
    const lasting = [...LINE_TRAITS, "_whole", "_layers", "_variants"];
    const relevance = this.relevanceOf(variants[0] ?? "");
    if (this.#lined.changed([...lasting.map((name) => model.get(name)), relevance])) {
      for (const lines of this.#lines.values()) lines.dispose();
      this.#lines.clear();
    }
    const key = (/** @type {string} */ name) => JSON.stringify([name, this.difference]);
    if (!this.#lines.has(key(variant))) {
      const every = (variants.length ? variants : [""]).map((name) => {
        const of = this.#of(name);
        const own = of instanceof VariantModel ? layers.map((layer) => of.layer(layer)) : layers;
        const arrived = () => this.announce("arrival");
        const made = new Lines(of, own, arrived, this.relevanceOf(name));
        this.#lines.set(key(name), made);
        return made;
      });
      for (const lines of every) lines.every = every;
    }
    const lines = this.#lines.get(key(variant));
    lines?.seed();
    return lines;
  }

  /**
   * What stands behind the lines of channels of a variant: nothing, where none can be given.
   * @param {string} _variant
   * @returns {import("../data/series_relevance.js").SeriesRelevance | undefined}
   */
  relevanceOf(_variant) {
    return undefined;
  }

  /** The concept tracks of the layer, also those that are hidden. */
  get everyTrack() {
    const { model, layer } = this;
    const of = [layer, model.get("_tracks"), model.get("_track_codes")];
    if (this.#tracked.changed(of)) this.#tracks = tracksOf(model, layer);
    return this.#tracks;
  }

  /** Those that are shown, what is selected, and where what is searched for stands. */
  get tracks() {
    const hidden = this.model.get("hidden_tracks");
    const shown = this.everyTrack.filter(({ name }) => !hidden.includes(name));
    const more = [this.selectedTrack, this.#foundTrack()];
    return [...shown, ...more.filter((track) => track !== undefined)];
  }

  /** The timesteps that were chosen together. @returns {import("../data/spans.js").Span[]} */
  get selected() {
    return this.model.get("selected_timesteps") ?? [];
  }

  /** The same as a track; undefined if none are. */
  get selectedTrack() {
    const { selected, layer } = this;
    if (this.#selected.changed([selected, layer, this.everyTrack.length])) {
      const sent = { name: "selected", start: 0, values: null, exact: true };
      const bits = bitsOf(selected, layer);
      this.#selectedTrack = bits.some(Boolean)
        ? new Track(sent, this.everyTrack.length + 1, bits)
        : undefined;
    }
    return this.#selectedTrack;
  }

  /**
   * Search for a text among the tokens; "" ends it.
   * @param {string} query
   */
  find(query) {
    this.#query = query;
    this.announce("found");
  }

  /** The text that is searched for; "" if none is. */
  get query() {
    return this.#query;
  }

  /** Where what is searched for stands; undefined if nothing is, or while that is on its way. */
  get hits() {
    return this.#query && this.layer.tokens ? this.source?.hits(this.#query) : undefined;
  }

  #foundTrack() {
    const { hits } = this;
    if (!hits) return undefined;
    if (this.#found.hits !== hits) {
      const { examples, timesteps } = this.layer;
      const sent = { name: `“${hits.query}”`, start: 0, values: null, exact: true };
      const bits = hits.bits(examples * timesteps);
      this.#found = { hits, track: new Track(sent, this.everyTrack.length, bits) };
    }
    return this.#found.track;
  }

  /** The selected column: examples end to end. */
  get column() {
    return this.model.get("example") * this.layer.timesteps + this.model.get("timestep");
  }

  /**
   * Select a column by its number.
   * @param {number} column
   * @param {unknown} origin
   * @param {Record<string, unknown>} more
   */
  select(column, origin, more = {}) {
    const timesteps = Math.max(1, this.layer.timesteps);
    const kept = clamp(column, 0, this.layer.examples * timesteps - 1);
    this.set(
      { example: Math.floor(kept / timesteps), timestep: kept % timesteps, ...more },
      origin,
    );
  }

  /** The columns of the span that is chosen: its first, and that after its last; undefined if none is. */
  get span() {
    const { model, layer } = this;
    const span = model.get("span");
    const start = model.get("_span_example") * layer.timesteps;
    return span ? [start + span[0], start + span[1]] : undefined;
  }

  /**
   * Choose a span within one example, and select its end.
   * @param {number} from the column where it begins
   * @param {number} to
   * @param {unknown} origin
   */
  brush(from, to, origin) {
    const { timesteps } = this.layer;
    const example = Math.floor(from / timesteps);
    const start = from % timesteps;
    const end = clamp(to - example * timesteps, 0, timesteps - 1);
    const span = [Math.min(start, end), Math.max(start, end) + 1];
    this.set({ example, timestep: end, span, _span_example: example }, origin);
  }

  /**
   * Move the end of the span that is selected; one begins here if none ends here.
   * @param {number} step
   * @param {unknown} origin
   */
  extend(step, origin) {
    const { column } = this;
    const [start, stop] = this.span ?? [column, column + 1];
    const from = column === stop - 1 ? start : column === start ? stop - 1 : column;
    this.brush(from, column + step, origin);
  }

  /**
   * A signal that the layer has, and a selection inside it: a link may bring an index that this layer
   * doesn't have. The kernel does the same.
   * @param {string} name
   */
  settle(name) {
    if (ARRIVING.includes(name)) this.#key = ""; // another source, once all is there
    if (LASTING.includes(name)) {
      for (const source of this.#sources.values()) source.dispose();
      for (const kept of [this.#sources, this.#commons, this.#heads]) kept.clear();
    }
    if (!SETTLED.has(name)) return;
    const { model, layer } = this;
    /** @type {[string, unknown][]} */
    const wanted = [
      ["cell", Math.min(model.get("cell"), Math.max(0, layer.cells - 1))],
      ["example", Math.min(model.get("example"), Math.max(0, layer.examples - 1))],
      ["timestep", Math.min(model.get("timestep"), Math.max(0, layer.timesteps - 1))],
    ];
    if (!layer.signals.includes(model.get("signal"))) wanted.push(["signal", layer.signals[0]]);
    this.put(Object.fromEntries(wanted));
  }

  /** @param {boolean} dark */
  palette(dark) {
    const diverging = !this.source?.gate && this.model.get("scale") !== "squared";
    return resolve(this.model.get("palette"), diverging, dark);
  }
}
