// Lines over a common time axis: channels, what a model said and should have said, cells, concepts.

import { gestures } from "../../canvas/gestures.js";
import { Ruler } from "../../canvas/ruler.js";
import { Scroller } from "../../canvas/scroller.js";
import { lineCss } from "../../colour/lines.js";
import { revealing } from "../../layout/scrolling.js";
import { clamp } from "../../lib/clamp.js";
import { div, element, listen } from "../../lib/dom.js";
import { press } from "../../lib/keyboard.js";
import { Memo } from "../../lib/memo.js";
import { NOTHING_RECORDED } from "../../lib/wording.js";
import { button, menu, tick } from "../../ui/controls.js";
import { bandsOf, measure, titleOf } from "./bands.js";
import { Drawing, gutters, HEAD } from "./drawing.js";

/** @typedef {import("../../state/series.js").SeriesState} SeriesState */
/** @typedef {import("../../state/series.js").Subject} Subject */
/** @typedef {import("../../data/axis.js").Axis} Axis */
/** @typedef {import("./bands.js").Band} Band */

/** On both sides of the first and of the last timestep, so that neither stands at an edge. */
const INSET = 8;
/** From one timestep to the next there are at most so many pixels. */
const WIDEST = 90;
/** Of the window, and in pixels: no higher at first, so that the status line is seen with the lines. */
const [SHARE, HIGHEST] = [0.56, 400];
const ZOOM = 1.5;
/** Of what is seen, by how much a page goes on. */
const PAGE = 0.1;
const MOVES = new Set(["example", "timestep", "layer"]);

/** @type {[string, string][]} */
const ARRANGEMENTS = [
  ["bands", "a band each"],
  ["overlaid", "over one another"],
  ["examples", "one, every example"],
];

/** @type {import("../../ui/keys.js").Key[]} */
const KEYS = [
  ["← →", "the timestep before, after"],
  ["Shift+← Shift+→", "chooses a span of timesteps"],
  ["PageUp PageDown", "a tenth of what is seen before, after"],
  ["↑ ↓", "the cell before, after"],
  ["[ ]", "the example before, after"],
  ["Home End", "the ends of the example"],
  ["+ −", "zooms in, out; so do Ctrl with the wheel, and a pinch"],
  ["z", "zooms to the span that is chosen"],
  ["0", "shows everything"],
  ["f", "fits heights to what is seen, or to everything"],
  ["drag", "moves through time; on the dates above, chooses a span"],
];

export class SeriesPane {
  called = "lines";
  /** Pixels from a place on the time axis to the next; 0: as few as show all. */
  #scale = 0;
  /** Whether bands reach to what is seen only. */
  #fitted = false;
  #reveal = true;
  #shown = false;
  /** Where the pointer is. @type {{time: number, example: number} | undefined} */
  #pointed;
  /** @type {Band[]} */
  #bands = [];
  #ruler = new Ruler();
  #dressed = new Memo();
  #listed = new Memo();
  #named = new Memo();

  /**
   * @param {import("../../ui/frame.js").Frame} frame
   * @param {Drawing} drawing
   */
  constructor(frame, drawing = new Drawing()) {
    this.frame = frame;
    this.state = /** @type {SeriesState} */ (frame.state);
    const set = this.state.setter(frame);
    this.arrange = menu(
      "lines",
      set("arrange"),
      "Whether each line has a band of its own, all are laid over one another, or one of them is shown for every example.",
    );
    this.subject = menu(
      "line",
      (value) => set("subject")(value || null),
      "The line that is shown for every example.",
    );
    this.example = menu(
      "example",
      (value) => this.state.set({ example: Number(value) }, frame),
      "The example, one of the series that were recorded.",
    );
    this.menus = [this.arrange.root, this.subject.root, this.example.root];
    this.fit = tick(
      "fit heights",
      (value) => this.#fit(value),
      "Whether bands reach to what is seen only, or to all of the example, which stays the same wherever one goes.",
    );
    this.tools = [
      this.fit.root,
      element("div", { class: "lw-zoom", role: "group", "aria-label": "zoom of the time axis" }, [
        button("−", "see more time (−)", () => this.#zoom(1 / ZOOM)),
        button("+", "see less time (+)", () => this.#zoom(ZOOM)),
        button("all", "see everything (0)", () => this.#all()),
      ]),
    ];
    this.view = new Scroller(
      "lw-series",
      "lines over time",
      "Lines over time. Left and right go through the timesteps, with Shift they choose a span, Home and " +
        "End go to the ends, up and down to other cells, square brackets to other examples, plus and " +
        "minus zoom, 0 shows everything.",
      () => this.frame.schedule(),
    );
    this.drawing = drawing;
    this.shown = element("div", {
      class: "lw-series-lines",
      role: "group",
      "aria-label": "lines that are shown",
    });
    this.empty = div("lw-empty");
    this.head = div("lw-series-head", [this.shown]);
    this.body = [this.head, this.view.root, this.empty];
    this.#listen();
  }

  #listen() {
    const { root } = this.view;
    listen(root, "keydown", (event) => this.#key(event));
    listen(root, "pointermove", (event) => this.#point(event));
    listen(root, "pointerleave", () => this.#point(undefined));
    /** Where it was pressed, and what was at the left then. */
    let pressed = { x: 0, y: 0, left: 0, top: 0, brush: -1, moved: false };
    gestures(root, {
      press: (event) => {
        const { x, y } = this.view.at(event);
        if (!this.#inside(x) || y >= this.view.height) return false;
        root.focus({ preventScroll: true });
        const brush = y < HEAD ? this.#timestepAt(x) : -1;
        pressed = { x, y, left: this.view.left, top: this.view.top, brush, moved: false };
        return true;
      },
      drag: (event) => {
        const { x, y } = this.view.at(event);
        pressed.moved = true;
        if (pressed.brush >= 0) {
          const start = this.state.model.get("example") * this.state.layer.timesteps;
          this.state.brush(start + pressed.brush, start + this.#timestepAt(x), this.frame);
        } else {
          this.view.left = pressed.left + pressed.x - x;
          this.view.top = pressed.top + pressed.y - y;
          this.frame.schedule();
        }
      },
    });
    listen(root, "click", (event) => {
      const { x, y } = this.view.at(event);
      if (!pressed.moved && this.#inside(x)) this.#select(x, y);
    });
    listen(root, "dblclick", (event) => {
      const { x } = this.view.at(event);
      if (this.#inside(x)) this.#zoom(ZOOM * ZOOM, x);
    });
    let pinched = 0;
    this.view.onZoom({
      step: (direction, x) => this.#zoom(ZOOM ** direction, x),
      begin: () => {
        pinched = this.#time.scale;
      },
      scale: (factor, x) => this.#widen(pinched * factor, x),
    });
  }

  get keys() {
    return KEYS;
  }

  /** What is under the pointer, of what columns have. */
  get hovered() {
    const { lines, layer, model } = this.state;
    if (!this.#pointed || !lines) return undefined;
    const { time, example } = this.#pointed;
    const timestep = lines.axis(layer.name, example).nearest(time);
    return { cell: model.get("cell"), column: example * layer.timesteps + timestep };
  }

  /** What is read out: what is pointed at, else what is selected. */
  get read() {
    const { state } = this;
    const { lines } = state;
    if (this.#pointed && this.frame.pointing) return { ...this.#pointed, hovered: true };
    const example = state.model.get("example");
    const time = lines?.axis(state.layer.name, example).at(state.model.get("timestep")) ?? 0;
    return { time, example, hovered: false };
  }

  destroy() {
    this.view.destroy();
  }

  resize() {
    this.view.resize();
  }

  /** @param {Set<string>} names */
  changed(names) {
    if (this.frame.follows(names, MOVES)) this.#reveal = true;
  }

  // -- the time axis ------------------------------------------------------------------------------

  get #gutters() {
    return gutters(this.view.width);
  }

  /** @param {number} x */
  #inside(x) {
    const { left, right } = this.#gutters;
    return x >= left && x < this.view.width - right;
  }

  get #room() {
    const { left, right } = this.#gutters;
    return Math.max(1, this.view.width - left - right);
  }

  /** The finest of the axes of an example. @param {number} example @returns {Axis | undefined} */
  #axis(example = this.state.model.get("example")) {
    const { lines, layer } = this.state;
    if (!lines) return undefined;
    return lines.axis(lines.hasAxis("") ? "" : layer.name, example);
  }

  /** Where time begins and ends, and how many pixels it is wide. */
  get #time() {
    const { state } = this;
    const every = state.model.get("arrange") === "examples";
    const examples = every
      ? Array.from({ length: state.layer.examples }, (_, i) => i)
      : [undefined];
    let [first, last, step] = [Infinity, -Infinity, Infinity];
    for (const example of examples) {
      const axis = this.#axis(example);
      if (!axis || axis.count === 0) continue;
      first = Math.min(first, axis.first);
      last = Math.max(last, axis.last);
      step = Math.min(step, axis.step);
    }
    if (!(first <= last)) [first, last, step] = [0, 1, 1];
    const length = last - first || step;
    const fit = (this.#room - 2 * INSET) / length;
    const scale = this.#scale ? clamp(this.#scale, fit, Math.max(fit, WIDEST / step)) : fit;
    return { first, last, step, fit, scale, total: length * scale + 2 * INSET };
  }

  /** The time under a place. @param {number} x */
  #timeAt(x) {
    const { first, scale } = this.#time;
    return first + (this.view.left + x - this.#gutters.left - INSET) / scale;
  }

  /** The layer's timestep nearest to a place. @param {number} x */
  #timestepAt(x, example = this.state.model.get("example")) {
    const { lines, layer } = this.state;
    return lines ? lines.axis(layer.name, example).nearest(this.#timeAt(x)) : 0;
  }

  #stretch() {
    const { left, right } = this.#gutters;
    this.view.stretch(left + this.#time.total + right, HEAD + this.#height);
  }

  /** How high all bands are. */
  #height = 0;

  /**
   * @param {number} factor
   * @param {number} x what stays under this place
   */
  #zoom(factor, x = this.#middle) {
    this.#widen(this.#time.scale * factor, x);
  }

  /** Where a zoom by key is about: the selected timestep, if it is seen. */
  get #middle() {
    const { left } = this.#gutters;
    const { first, scale } = this.#time;
    const { lines, layer, model } = this.state;
    const at = lines?.axis(layer.name, model.get("example")).at(model.get("timestep")) ?? first;
    const x = left + INSET + (at - first) * scale - this.view.left;
    return this.#inside(x) ? x : left + this.#room / 2;
  }

  /**
   * @param {number} scale
   * @param {number} x
   */
  #widen(scale, x) {
    const at = this.#timeAt(x);
    this.#scale = scale;
    const time = this.#time;
    this.#scale = time.scale > time.fit * 1.0001 ? time.scale : 0;
    this.#stretch();
    this.view.left = INSET + (at - time.first) * time.scale - (x - this.#gutters.left);
    this.frame.schedule();
  }

  /** @param {boolean} fitted */
  #fit(fitted) {
    this.#fitted = fitted;
    this.fit.update(fitted);
    this.frame.schedule();
  }

  #all() {
    this.#scale = 0;
    this.#stretch();
    this.frame.schedule();
  }

  /** See the chosen span, and a little around it. */
  #zoomToSpan() {
    const { span, layer, lines } = this.state;
    if (!span || !lines) return;
    const axis = lines.axis(layer.name, Math.floor(span[0] / layer.timesteps));
    const [from, to] = [span[0], span[1] - 1].map((column) => axis.at(column % layer.timesteps));
    const length = Math.max(to - from, axis.step);
    this.#scale = (0.9 * this.#room) / length;
    this.#stretch();
    const { first, scale } = this.#time;
    this.view.left = INSET + (from - first) * scale - (this.#room - (to - from) * scale) / 2;
    this.frame.schedule();
  }

  // -- the selection ------------------------------------------------------------------------------

  /** The band at a height. @param {number} y */
  #bandAt(y) {
    const at = y - HEAD + this.view.top;
    return this.#bands.find(({ top, height }) => at >= top - 6 && at < top + height + 8);
  }

  /** @param {number} x @param {number} y */
  #select(x, y) {
    const { state } = this;
    const band = y < HEAD ? undefined : this.#bandAt(y);
    const example = band?.example ?? state.model.get("example");
    const cell = band?.drawn.length === 1 ? band.drawn[0].subject.cell : undefined;
    const column = example * state.layer.timesteps + this.#timestepAt(x, example);
    state.select(column, this.frame, cell === undefined ? {} : { cell });
  }

  /** @param {PointerEvent | undefined} event */
  #point(event) {
    const { x, y } = event ? this.view.at(event) : { x: -1, y: 0 };
    const before = this.#pointed;
    this.#pointed = undefined;
    if (event && this.#inside(x) && y < this.view.height && this.state.lines) {
      const example = this.#bandAt(y)?.example ?? this.state.model.get("example");
      const axis = this.#axis(example);
      if (axis?.count) {
        this.#pointed = { time: axis.at(axis.nearest(this.#timeAt(x))), example };
      }
    }
    if (before?.time !== this.#pointed?.time || before?.example !== this.#pointed?.example) {
      this.frame.schedule();
    }
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const { state, frame } = this;
    const { model, column, layer } = state;
    const first = model.get("example") * layer.timesteps;
    const last = first + layer.timesteps - 1;
    const go = (/** @type {number} */ to) => state.select(clamp(to, first, last), frame);
    const turn = (/** @type {number} */ step) =>
      state.set({ cell: clamp(model.get("cell") + step, 0, layer.cells - 1) }, frame);
    const other = (/** @type {number} */ step) =>
      state.set({ example: clamp(model.get("example") + step, 0, layer.examples - 1) }, frame);
    const step = (/** @type {number} */ by) =>
      event.shiftKey ? state.extend(by, frame) : go(column + by);
    const axis = state.lines?.axis(layer.name, model.get("example"));
    const page = axis
      ? Math.max(1, Math.round((PAGE * this.#room) / this.#time.scale / axis.step))
      : 1;
    press(event, {
      ArrowLeft: () => step(-1),
      ArrowRight: () => step(1),
      ArrowUp: () => turn(-1),
      ArrowDown: () => turn(1),
      PageUp: () => go(column - page),
      PageDown: () => go(column + page),
      Home: () => go(first),
      End: () => go(last),
      "[": () => other(-1),
      "]": () => other(1),
      "+": () => this.#zoom(ZOOM),
      "=": () => this.#zoom(ZOOM),
      "-": () => this.#zoom(1 / ZOOM),
      0: () => this.#all(),
      z: () => this.#zoomToSpan(),
      f: () => this.#fit(!this.#fitted),
    });
  }

  // -- painting -----------------------------------------------------------------------------------

  #update() {
    const { state } = this;
    const { model, layer } = state;
    const several = layer.examples > 1;
    const ways = several ? ARRANGEMENTS : ARRANGEMENTS.slice(0, 2);
    this.arrange.update(ways, model.get("arrange"));
    const every = model.get("arrange") === "examples";
    this.subject.root.hidden = !every;
    if (every) {
      const cell = state.everySubject.find(({ kind }) => kind === "cell");
      const named = state.everySubject
        .filter(({ kind }) => kind !== "cell")
        .map(({ name }) => /** @type {[string, string]} */ ([name, name]));
      const all = cell ? [...named, /** @type {[string, string]} */ (["cell", "cell"])] : named;
      const { subject } = state;
      this.subject.update(all, subject?.kind === "cell" ? "cell" : (subject?.name ?? ""));
    }
    const labels = state.lines?.beside.labels;
    this.example.root.hidden = !several || !labels;
    if (several && labels) {
      this.example.update(
        labels.map((label, i) => [String(i), label]),
        String(model.get("example")),
      );
    }
    this.#list();
  }

  /** What stands above the lines. */
  tellHead() {
    this.head.hidden = this.shown.hidden;
  }

  /** Boxes to tick for the lines that can be hidden. */
  #list() {
    const { state, frame } = this;
    const all = state.everySubject.filter(({ kind }) => kind !== "cell");
    const { theme } = frame;
    const shown = all.map((subject) => state.shows(subject));
    this.shown.hidden = all.length < 2 || state.model.get("arrange") === "examples";
    if (!this.#listed.changed([state.everySubject, theme, shown.join()])) return;
    this.shown.replaceChildren(
      ...all.map((subject, i) => {
        const title = titleOf(state, subject);
        const box = tick(title, (value) => state.show(subject, value, frame), `Show ${title}.`);
        box.update(shown[i]);
        const swatch = element("i");
        swatch.style.background = lineCss(subject.kind, subject.hue, theme);
        box.root.firstChild?.after(swatch);
        return box.root;
      }),
    );
  }

  paint() {
    const { state, frame } = this;
    const { lines, layer, model } = state;
    const { theme } = frame;
    if (!lines) return;
    if (
      this.#named.changed([
        state.everySubject,
        theme,
        ...["arrange", "example", "subject", "channels", "outputs", "hidden_tracks"].map((n) =>
          model.get(n),
        ),
        lines,
      ])
    )
      this.#update();
    this.tellHead();
    const nothing = layer.timesteps * layer.examples === 0;
    this.empty.textContent = nothing ? NOTHING_RECORDED : "";
    this.view.root.hidden = nothing;
    if (nothing) return;
    if (this.#dressed.changed([theme])) this.#ruler.use(theme.font);
    const natural = HEAD + bandsOf(state, lines, 0, undefined).height + 2;
    this.view.grow(Math.min(Math.max(HIGHEST, SHARE * window.innerHeight), natural));
    if (this.view.width <= this.#gutters.left + this.#gutters.right) return;
    this.#stretch();
    this.#bring();
    const { first, scale } = this.#time;
    const start = first + (this.view.left - INSET) / scale;
    const span = this.#fitted ? { from: start, to: start + this.#room / scale } : undefined;
    const { bands, height } = bandsOf(state, lines, this.view.height - HEAD - 2, span);
    this.#bands = bands;
    if (height !== this.#height) {
      this.#height = height;
      this.#stretch();
    }
    const context = this.view.prepare();
    if (!context) return;
    const seen = bands.filter(
      ({ top, height }) =>
        top + height + 8 > this.view.top && top - 8 < this.view.top + this.view.height - HEAD,
    );
    for (const band of seen) measure(state, lines, band, span);
    this.drawing.paint(context, {
      state,
      lines,
      theme,
      ruler: this.#ruler,
      bands: seen,
      axis: /** @type {Axis} */ (this.#axis()),
      width: this.view.width,
      height: this.view.height,
      top: this.view.top,
      scale,
      start,
      read: this.read,
      palette: state.palette(theme.dark),
    });
  }

  /** Bring what is selected into view. */
  #bring() {
    const { lines, layer, model } = this.state;
    if (!lines) return;
    if (this.#reveal || this.view.displaced) {
      const { first, scale } = this.#time;
      const at = lines.axis(layer.name, model.get("example")).at(model.get("timestep"));
      const x = INSET + (at - first) * scale;
      const to = revealing(this.view.left, x - 8, 16, this.#room, this.#shown);
      if (to !== this.view.left) this.view.left = to;
      this.view.reveals();
    }
    this.#reveal = false;
    this.#shown = true;
  }
}

/** Lines below another picture, with controls of their own: the bar has those of the other. */
export class LinesBelowPane extends SeriesPane {
  /** @param {import("../../ui/frame.js").Frame} frame */
  constructor(frame) {
    super(/** @type {any} */ (frame));
    const [lines, ...others] = this.body;
    this.body = [div("lw-caption", [lines, div("lw-caption-tools", [...this.tools])]), ...others];
    this.tools.length = 0;
  }
}
