// What stands around the pictures of a recording: menus, sliders, status line and legend.

import { Colours } from "../colour/colours.js";
import { palettes } from "../colour/palettes.js";
import { shownColumn, shownToken } from "../data/align.js";
import { cellName } from "../data/layer.js";
import { valueAt } from "../data/source.js";
import { Clock, Times } from "../data/times.js";
import { element } from "../lib/dom.js";
import { Memo } from "../lib/memo.js";
import { inLine, quoted } from "../lib/tokens.js";
import { many, number, words } from "../lib/wording.js";
import { Chrome } from "./chrome.js";
import { menu, slider } from "./controls.js";
import { FindRow } from "./find_row.js";
import { Legend } from "./legend.js";
import { NoteRow } from "./note_row.js";
import { TrackRow } from "./track_row.js";
import { VariantRow } from "./variant_row.js";

/** @typedef {import("../state/recording.js").RecordingState} RecordingState */
/** @typedef {import("../data/source.js").AnySource} AnySource */

/**
 * One picture of a recording.
 * @typedef {import("./chrome.js").Part & {hovered: {cell: number, column: number} | undefined}} Pane
 *   with what is under the pointer
 */
/** @typedef {new (host: Frame) => Pane} PaneClass */

/** Of no more channels, and outputs, the values are read out. */
const MOST_SAID = 6;
/** @type {[string, string][]} */
const ALIGNMENTS = [
  ["read", "just read"],
  ["predict", "predicted next"],
];

/** @extends {Chrome<RecordingState, Pane>} */
export class Frame extends Chrome {
  #look = new Memo();
  /** @type {Colours | undefined} */
  #colours;
  /** What the foot tells of. */
  #told = new Memo();

  /**
   * @param {RecordingState} state
   * @param {HTMLElement} el where the host wants the widget
   * @param {string} name
   * @param {PaneClass[]} panes
   * @param {import("./chrome.js").Splits} [split] where the first three are large, and share what is seen at once
   */
  constructor(state, el, name, panes, split) {
    super(state, name);
    const set = state.setter(this);
    this.menus = {
      layer: menu("layer", set("layer"), "The recurrent layer of the model whose cells are shown."),
      signal: menu(
        "signal",
        set("signal"),
        "Which of a cell's values is shown: its state, or one of its gates.",
      ),
      palette: menu("palette", set("palette"), "The colour palette of the values."),
      scale: menu(
        "scale",
        (value) => state.set({ scale: value === "fixed" ? [-1, 1] : value }, this),
        "The range of the colour scale: the largest magnitude in the layer or in each cell, or a fixed range.",
      ),
      align: menu(
        "token",
        set("align"),
        "Whether a value is shown at the token that was just read or at the one that comes next.",
      ),
    };
    this.sliders = {
      example: slider(
        "example",
        set("example"),
        "The example, one of the inputs that were recorded.",
      ),
      cell: slider("cell", set("cell"), "The selected cell of the layer."),
      timestep: slider("timestep", set("timestep"), "The selected position in the sequence."),
      threshold: slider(
        "threshold",
        set("threshold"),
        "Values with a magnitude below it are faded, so that what is on stands out.",
      ),
    };
    this.legend = new Legend();
    this.variants = new VariantRow(this);
    this.tracks = new TrackRow(state);
    this.keys = /** @type {import("./keys.js").Key[]} */ ([
      ["/, Ctrl+F", "finds a text among the tokens"],
      ["n", "names the cell, or notes something about it"],
    ]);
    this.find = new FindRow(this);
    this.note = new NoteRow(this);
    const asked = element("div", { class: "lw-zoom" }, [
      this.find.drawer.button,
      this.note.drawer.button,
    ]);
    const { layer, signal, align, palette, scale } = this.menus;
    this.show(el, {
      panes: panes.map((PaneClass) => new PaneClass(this)),
      first: [layer.root, signal.root],
      last: [align.root, palette.root, scale.root, asked],
      sliders: Object.values(this.sliders).map((each) => each.root),
      rows: [this.variants.root, this.tracks.root, this.find.drawer.root, this.note.drawer.root],
      legend: this.legend.root,
      split,
    });
  }

  destroy() {
    this.variants.destroy();
    super.destroy();
  }

  get source() {
    return this.state.source;
  }

  /** While variants go by, they aren't read out one by one. */
  get quiet() {
    return this.variants.playing;
  }

  /** The colours of now; the same object until the look changes. */
  get colours() {
    const { source } = this;
    if (!source) return undefined;
    const { model } = this.state;
    const palette = this.state.palette(this.theme.dark);
    const scale = model.get("scale");
    const look = [source, JSON.stringify(scale), palette, model.get("threshold"), this.theme];
    if (this.#look.changed(look)) {
      this.#colours = new Colours({
        source,
        scale,
        palette,
        diverging: palettes[palette].kind === "diverging",
        threshold: model.get("threshold"),
        theme: this.theme,
      });
    }
    return this.#colours;
  }

  /** What values may be measured by. */
  get scales() {
    return ["layer", "cell", "sigmoid", "squared"];
  }

  update() {
    const { state } = this;
    const { model, layer } = state;
    const get = (/** @type {string} */ name) => model.get(name);
    this.menus.layer.update(
      state.layers.map(({ name, signals }) => [name, name, signals.length === 0]),
      layer.name,
    );
    this.menus.signal.update(
      [
        ...layer.signals.map((s) => /** @type {[string, string]} */ ([s, words(s)])),
        ...(layer.absent ?? []).map(
          (s) => /** @type {[string, string, true]} */ ([s, words(s), true]),
        ),
      ],
      get("signal"),
    );
    this.menus.palette.update(
      ["auto", ...Object.keys(palettes)].map((p) => [p, words(p)]),
      get("palette"),
    );
    const fixed = Array.isArray(get("scale"));
    const [low, high] = fixed ? get("scale") : [-1, 1];
    this.menus.scale.update(
      [
        ...this.scales.map((scale) => /** @type {[string, string]} */ ([scale, scale])),
        ["fixed", fixed ? `${low} to ${high}` : "−1 to 1"],
      ],
      fixed ? "fixed" : get("scale"),
    );
    this.menus.align.root.hidden = !layer.tokens;
    this.menus.align.update(ALIGNMENTS, get("align"));
    const { source } = this;
    const column = state.column;
    const token = source && this.#token(source, column);
    const label = source?.label(get("example"));
    this.sliders.example.root.hidden = layer.examples <= 1;
    this.sliders.example.update({
      value: get("example"),
      max: Math.max(0, layer.examples - 1),
      text: `example ${get("example")}${label === undefined ? "" : `, ${label}`}`,
    });
    this.sliders.cell.update({
      value: get("cell"),
      max: Math.max(0, layer.cells - 1),
      text: cellName(layer, get("cell")),
    });
    const times = source?.times(get("example"));
    const when = times ? times.say(get("timestep")) : `timestep ${get("timestep")}`;
    this.sliders.timestep.update({
      value: get("timestep"),
      max: Math.max(0, layer.timesteps - 1),
      text: `${when}${token === undefined ? "" : `, token ${token}`}`,
      times,
    });
    const most = Math.max(1, Math.ceil((source?.largest ?? 1) * 10) / 10, get("threshold"));
    this.sliders.threshold.update({ value: get("threshold"), max: most, step: 0.01 });
    this.variants.update();
    if (this.#told.changed([layer, state.check])) this.#tell(layer);
    const { colours } = this;
    if (colours) this.legend.update(colours);
    this.tracks.update(this.theme);
    this.find.update();
    this.note.update();
    this.root.setAttribute("aria-busy", String(!source));
    const reads = !layer.tokens && this.state.lines?.follows(layer.name);
    this.root.classList.toggle("lw-reads-series", Boolean(reads));
  }

  /**
   * Say what a layer's recording is, and whether it was checked.
   * @param {import("../data/layer.js").Layer} layer
   */
  #tell(layer) {
    const { difference, mode } = this.state.check;
    const checked = mode && mode !== "none" && Number.isFinite(difference);
    this.about.textContent = [
      many(layer.cells, "cell"),
      layer.examples === 1 ? "" : many(layer.examples, "example"),
      many(layer.timesteps, "timestep"),
      this.#extent(layer),
    ]
      .filter(Boolean)
      .join(" · ");
    const check = element("span", { class: `lw-check ${checked ? "lw-good" : "lw-unchecked"}` }, [
      checked ? `✓ equals the layer to ${difference?.toExponential(0)}` : "not checked",
    ]);
    this.about.append(element("span", { class: "lw-between" }, [" · "]), check);
  }

  /**
   * From when to when a layer was recorded, and in which time zone that is told; "" if unknown.
   * @param {import("../data/layer.js").Layer} layer
   */
  #extent({ times, timesteps }) {
    const clock = times && new Clock(times);
    if (!clock || timesteps === 0) return "";
    const known = times.runs?.length === 1 ? new Times(clock, times.runs[0]) : undefined;
    const ends = known ? new Set([0, timesteps - 1].map((timestep) => known.label(timestep))) : [];
    const extent = [...ends].join(" to ");
    return [clock.dates ? extent : `${clock.name} ${extent}`, clock.zone]
      .filter(Boolean)
      .join(" · ");
  }

  /** Which variant is shown, and what is subtracted from it; nothing where there are no variants. */
  get ofVariants() {
    const { variant, difference } = this.state;
    if (!variant) return [];
    return [inLine(variant) + (difference ? ` minus ${inLine(difference)}` : "")];
  }

  /**
   * The token at a column in words: the one that was read, and with an arrow the one that follows.
   * @param {AnySource} source
   * @param {number} column
   */
  #token(source, column) {
    const predict = this.state.model.get("align") === "predict";
    const token = shownToken(source, column, predict ? "predict" : "read");
    return token === undefined ? undefined : `${predict ? "→ " : ""}${quoted(token)}`;
  }

  /**
   * A square in words, with the number that is in the array.
   * @param {AnySource} source
   * @param {{cell: number, column: number}} square
   */
  #square(source, { cell, column }) {
    const { layer, signal } = source;
    if (layer.cells === 0 || source.columns === 0)
      return { text: `${layer.name} · nothing recorded`, full: "" };
    const example = Math.floor(column / layer.timesteps);
    const label = source.label(example);
    const token = this.#token(source, column);
    const { value, exact } = valueAt(source, cell, column);
    const { model } = this.state;
    const threshold = model.get("threshold");
    const parts = [...this.ofVariants, layer.name, cellName(layer, cell)];
    if (layer.examples > 1)
      parts.push(`example ${example}${label === undefined ? "" : ` "${label}"`}`);
    parts.push(`${source.when(column)}${token === undefined ? "" : ` ${token}`}`);
    // What is on its way is no number yet, not even NaN.
    const shown = exact ? number(value) : Number.isNaN(value) ? "…" : `≈ ${number(value)}`;
    parts.push(`${signal}${source.less ? " difference" : ""} ${shown}`);
    if (source.padding(column)) parts.push(layer.windowed ? "no window ends here" : "padding");
    if (threshold > 0) parts.push(Math.abs(value) >= threshold ? "on" : "below the threshold");
    parts.push(...this.#beside(layer, column));
    // Of the token, wherever the value stands.
    const at = shownColumn(layer, column, model.get("align"));
    if (at !== undefined) {
      const say = (/** @type {import("../data/tracks.js").Track} */ track) =>
        track.say(track.top(source, at, at + 1));
      parts.push(...this.state.tracks.map(say));
    }
    return { text: parts.join(" · "), full: exact ? String(value) : "" };
  }

  /**
   * What was read at a column, said, and should have been said.
   * @param {import("../data/layer.js").Layer} layer
   * @param {number} column
   */
  #beside(layer, column) {
    const { lines } = this.state;
    if (layer.tokens || !lines?.follows(layer.name)) return [];
    const example = Math.floor(column / layer.timesteps);
    const at = lines.inSeries(layer.name, example)(column % layer.timesteps);
    const say = (/** @type {string} */ kind, /** @type {number} */ index) => {
      const value = lines.value([kind, index, "", ""], example, at);
      return value === undefined ? "…" : number(value);
    };
    const { channels, outputs } = lines.beside;
    const worded = (
      /** @type {string} */ name,
      /** @type {string} */ text,
      /** @type {string} */ unit,
    ) => `${inLine(name)} ${text}${unit ? ` ${inLine(unit)}` : ""}`;
    return [
      ...channels.flatMap(({ name, unit }, i) =>
        this.says("channel", name, i) ? [worded(name, say("channel", i), unit)] : [],
      ),
      ...outputs.flatMap(({ name, unit, output, target }, i) => {
        if (!this.says("output", name, i)) return [];
        const said = output === null ? "" : say("output", output);
        const wanted = target === null ? "" : say("target", target);
        return [worded(name, said && wanted ? `${said} (target ${wanted})` : said || wanted, unit)];
      }),
    ];
  }

  /**
   * Whether a channel, or an output with its target, is read out.
   * @param {"channel" | "output"} _kind
   * @param {string} _name
   * @param {number} index
   */
  says(_kind, _name, index) {
    return index < MOST_SAID;
  }

  describe() {
    const { source, state } = this;
    if (!source) return { text: `${state.layer.name} · ${state.model.get("signal")} is loading …` };
    const hovered = this.pointing ? this.panes.find((pane) => pane.hovered)?.hovered : undefined;
    const selected = { cell: state.model.get("cell"), column: state.column };
    return {
      ...this.#square(source, hovered ?? selected),
      hovered: hovered !== undefined,
    };
  }

  get warning() {
    return this.source?.notice || this.state.lines?.notice || "";
  }

  request() {
    this.source?.request();
    this.state.lines?.request();
  }
}
