// What stands around every widget's picture: menus, sliders, status line, legend, messages. Panes are
// in the middle; the frame keeps traits and controls in step and paints once a frame.

import { shownToken } from "../core/align.js";
import { cellName } from "../core/model.js";
import { palettes } from "../core/palettes.js";
import { valueAt } from "../core/source.js";
import { number, quoted } from "../core/tokens.js";
import { Colours } from "./colours.js";
import { element, freshId, menu, slider } from "./dom.js";
import { Legend } from "./legend.js";
import { readTheme, watchTheme } from "./theme.js";

/** @typedef {import("../core/state.js").State} State */
/** @typedef {import("../core/source.js").WholeSource | import("../core/source.js").KernelSource} AnySource */

/**
 * One picture in a frame. It reads and writes the selection through its frame's state only, and takes
 * the size that its body has in the page.
 * @typedef {object} Pane
 * @property {Node[]} menus in the bar, after layer and signal
 * @property {Node[]} tools at the end of the bar
 * @property {Node[]} body
 * @property {() => void} resize
 * @property {() => void} paint
 * @property {(names: Set<string>) => void} changed
 * @property {() => void} destroy
 * @property {{cell: number, column: number} | undefined} hovered what is under the pointer
 */
/** @typedef {new (host: Frame) => Pane} PaneClass */

/** @type {[string, string][]} */
const ALIGNMENTS = [
  ["read", "just read"],
  ["predict", "predicted next"],
];

/** Milliseconds that a screen shows one picture. */
const FRAME = 16;
/** How long a selection rests before it is spoken. */
const SPOKEN_AFTER = 150;

/** @param {string} name */
const words = (name) => name.replaceAll("_", " ");

export class Frame {
  #scheduled = 0;
  #painted = 0;
  #traits = new AbortController();
  #stale = true;
  #key = /** @type {unknown[]} */ ([]);
  /** Whether the pointer was moved last, and no key pressed since. */
  pointing = true;
  /** @type {Colours | undefined} */
  #colours;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #speaking;

  /**
   * @param {State} state
   * @param {HTMLElement} el where the host wants the widget
   * @param {string} name
   * @param {PaneClass[]} panes
   */
  constructor(state, el, name, panes) {
    this.state = state;
    this.theme = /** @type {import("./theme.js").Theme} */ (/** @type {unknown} */ (undefined));
    const set = (/** @type {string} */ name) => (/** @type {unknown} */ value) =>
      state.set({ [name]: value }, this);
    this.menus = {
      layer: menu("layer", set("layer")),
      signal: menu("signal", set("signal")),
      palette: menu("palette", set("palette")),
      scale: menu("scale", (value) =>
        state.set({ scale: value === "fixed" ? [-1, 1] : value }, this),
      ),
      align: menu("token", set("align")),
    };
    this.panes = panes.map((PaneClass) => new PaneClass(this));
    this.sliders = {
      example: slider("example", set("example")),
      cell: slider("cell", set("cell")),
      timestep: slider("timestep", set("timestep")),
      threshold: slider("threshold", set("threshold")),
    };
    this.legend = new Legend();
    this.status = element("div", { class: "lw-status" });
    this.notice = element("div", { class: "lw-notice", role: "status" });
    this.spoken = element("div", { class: "lw-spoken", "aria-live": "polite" });
    this.about = element("div", { class: "lw-about" });
    this.root = element(
      "div",
      {
        class: `lw lw-${name.toLowerCase().replaceAll(" ", "-")}`,
        role: "group",
        id: freshId(),
        "aria-label": name,
        "data-lm-suppress-shortcuts": "true",
      },
      [
        element("div", { class: "lw-bar" }, [
          this.menus.layer.root,
          this.menus.signal.root,
          ...this.panes.flatMap((pane) => pane.menus),
          this.menus.align.root,
          this.menus.palette.root,
          this.menus.scale.root,
          ...this.panes.flatMap((pane) => pane.tools),
        ]),
        element(
          "div",
          { class: "lw-sliders" },
          Object.values(this.sliders).map((s) => s.root),
        ),
        element(
          "div",
          { class: "lw-panes" },
          this.panes.map((pane) => element("div", { class: "lw-pane" }, pane.body)),
        ),
        this.notice,
        element("div", { class: "lw-foot" }, [
          element("div", {}, [this.status, this.about]),
          this.legend.root,
        ]),
        this.spoken,
      ],
    );
    // The host's shortcuts are not for keys that a control uses.
    // Who moves by keys wants to know where that led, not what the pointer rests on.
    this.root.addEventListener("keydown", () => this.#point(false), { capture: true });
    this.root.addEventListener("pointermove", () => this.#point(true), { capture: true });
    this.root.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" && event.key !== "Tab") event.stopPropagation();
    });
    el.append(this.root);

    const { signal } = this.#traits;
    const unwatch = state.watch((names) => {
      this.#stale = true;
      for (const pane of this.panes) pane.changed(names);
      this.schedule();
    });
    signal.addEventListener("abort", unwatch);
    watchTheme(() => this.#retheme(), signal);
    // Sizes are not known before the host has put us into the page, and change when it does.
    const resizing = new ResizeObserver(() => {
      if (!this.theme) this.#retheme();
      for (const pane of this.panes) pane.resize();
      this.schedule();
    });
    resizing.observe(this.root);
    signal.addEventListener("abort", () => resizing.disconnect());
  }

  destroy() {
    this.#traits.abort();
    for (const pane of this.panes) pane.destroy();
    cancelAnimationFrame(this.#scheduled);
    clearTimeout(this.#speaking);
    this.root.remove();
  }

  /** @param {boolean} pointing */
  #point(pointing) {
    if (pointing === this.pointing) return;
    this.pointing = pointing;
    this.schedule();
  }

  /**
   * Whether a change moves what is in view here: another view of this widget keeps its own place.
   * @param {Set<string>} names what has changed
   * @param {Set<string>} moving whose change may move the selection out of sight
   */
  follows(names, moving) {
    const { origin } = this.state;
    if (origin !== undefined && origin !== this) return false;
    return [...names].some((name) => moving.has(name));
  }

  get source() {
    return this.state.source;
  }

  #retheme() {
    if (!this.root.isConnected) return;
    const theme = readTheme(this.root);
    if (JSON.stringify(theme) !== JSON.stringify(this.theme)) {
      this.theme = theme;
      this.#stale = true;
    }
    // While a host changes its style sheets we may have no size, and what was to be painted then is lost.
    cancelAnimationFrame(this.#scheduled);
    this.#scheduled = 0;
    this.schedule();
  }

  /**
   * Paint once for all that changes now: right after the event that changed it, unless this frame has
   * been painted already; then with the next.
   */
  schedule() {
    if (this.#scheduled) return;
    const paint = (/** @type {boolean} */ inFrame) => {
      this.#scheduled = 0;
      if (this.theme && this.root.isConnected && this.root.clientWidth > 0) this.#paint();
      // A host may take us out of the page and put us back within a frame, unseen by the observer of
      // our size. If we are still out at the frame, that observer will tell when we are back.
      else if (!inFrame) this.#scheduled = requestAnimationFrame(() => paint(true));
    };
    if (performance.now() - this.#painted > FRAME) {
      this.#scheduled = -1;
      queueMicrotask(() => paint(false));
    } else this.#scheduled = requestAnimationFrame(() => paint(true));
  }

  #paint() {
    this.#painted = performance.now();
    if (this.#stale) this.#update();
    this.#stale = false;
    this.#say();
    for (const pane of this.panes) pane.paint();
    this.source?.request();
    this.root.dataset.paints = String(Number(this.root.dataset.paints ?? 0) + 1);
  }

  /** The colours of now; the same object until the look changes. */
  get colours() {
    const { source } = this;
    if (!source) return undefined;
    const { model } = this.state;
    const palette = this.state.palette(this.theme.dark);
    const key = [
      source,
      JSON.stringify(model.get("scale")),
      palette,
      model.get("threshold"),
      this.theme,
    ];
    if (!this.#colours || key.some((part, i) => part !== this.#key[i])) {
      this.#key = key;
      this.#colours = new Colours({
        source,
        scale: model.get("scale"),
        palette,
        diverging: palettes[palette].kind === "diverging",
        threshold: model.get("threshold"),
        theme: this.theme,
      });
    }
    return this.#colours;
  }

  #update() {
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
        ["layer", "layer"],
        ["cell", "cell"],
        ["sigmoid", "sigmoid"],
        ["squared", "squared"],
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
    this.sliders.timestep.update({
      value: get("timestep"),
      max: Math.max(0, layer.timesteps - 1),
      text: `timestep ${get("timestep")}${token === undefined ? "" : `, token ${token}`}`,
    });
    const most = Math.max(1, Math.ceil((source?.largest ?? 1) * 10) / 10, get("threshold"));
    this.sliders.threshold.update({ value: get("threshold"), max: most, step: 0.01 });
    const { difference, mode } = layer.check;
    const checked = mode && mode !== "none" && Number.isFinite(difference);
    this.about.textContent = [
      `${layer.cells} cells`,
      layer.examples === 1 ? "" : `${layer.examples} examples`,
      `${layer.timesteps} timesteps`,
    ]
      .filter(Boolean)
      .join(" · ");
    const check = element("span", { class: checked ? "lw-good" : "lw-unchecked" }, [
      checked ? `✓ equals the layer to ${difference?.toExponential(0)}` : "not checked",
    ]);
    this.about.append(" · ", check);
    const { colours } = this;
    if (colours) this.legend.update(colours);
    this.root.setAttribute("aria-busy", String(!source));
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
  describe(source, { cell, column }) {
    const { layer, signal } = source;
    if (layer.cells === 0 || source.columns === 0)
      return { text: `${layer.name} · nothing recorded`, full: "" };
    const example = Math.floor(column / layer.timesteps);
    const label = source.label(example);
    const token = this.#token(source, column);
    const { value, exact } = valueAt(source, cell, column);
    const { model } = this.state;
    const threshold = model.get("threshold");
    const parts = [layer.name, cellName(layer, cell)];
    if (layer.examples > 1)
      parts.push(`example ${example}${label === undefined ? "" : ` "${label}"`}`);
    parts.push(`t=${column % layer.timesteps}${token === undefined ? "" : ` ${token}`}`);
    parts.push(`${signal} ${exact ? "" : "≈ "}${number(value)}`);
    if (source.padding(column)) parts.push(layer.windowed ? "no window ends here" : "padding");
    if (threshold > 0) parts.push(Math.abs(value) >= threshold ? "on" : "below the threshold");
    return { text: parts.join(" · "), full: exact ? String(value) : "" };
  }

  /** The status line: what is under the pointer, otherwise what is selected. */
  #say() {
    const { source, state } = this;
    if (!source) {
      this.status.textContent = `${state.layer.name} · ${state.model.get("signal")} is on its way …`;
      return;
    }
    const hovered = this.pointing ? this.panes.find((pane) => pane.hovered)?.hovered : undefined;
    const selected = { cell: state.model.get("cell"), column: state.column };
    const { text, full } = this.describe(source, hovered ?? selected);
    if (this.status.textContent !== text) this.status.textContent = text;
    this.status.title = full;
    this.status.classList.toggle("lw-hovered", hovered !== undefined);
    const notice = state.error || source.notice;
    if (this.notice.textContent !== notice) this.notice.textContent = notice;
    if (!hovered) this.#speak(text);
  }

  /** @param {string} text */
  #speak(text) {
    if (this.spoken.textContent === text) return;
    clearTimeout(this.#speaking);
    this.#speaking = setTimeout(() => {
      this.spoken.textContent = text;
    }, SPOKEN_AFTER);
  }
}
