// One model's text: the tokens it has read, each on the colour of how strongly the prediction depends on it.

import { gestures } from "../../canvas/gestures.js";
import { EDGE, TextSheet } from "../../canvas/text_sheet.js";
import { CLIPPED, IS_NAN, PADDING, PLAIN, patterned } from "../../colour/colours.js";
import { position } from "../../colour/log_scale.js";
import { ink, mix, RAMP } from "../../colour/palettes.js";
import { clamp } from "../../lib/clamp.js";
import { element, write } from "../../lib/dom.js";
import { placeFrom, placeOf, stepTo } from "../../lib/sorted.js";
import { DistanceStrip } from "./strip.js";
import { caption } from "./words.js";

/** A line, with room for what stands under a token. */
const LINES = { rows: 1, below: 1, apart: 4, left: EDGE };
/** Lines that stay in view before the one that is explained. */
const BEFORE = 2;
const MOST_HEIGHT = 420;
/** The same for each of several models. */
const MOST_OF_SEVERAL = 180;
/** How much ink what isn't read has: enough to be read. */
const UNREAD = 0.62;
const MOVES = new Set(["example", "timestep"]);

/** @typedef {import("./frame.js").DependencyFrame} DependencyFrame */
/** What is pointed at: a prediction, and a token whose number is read out. @typedef {{timestep: number, input: number | null}} Pointed */

/** @type {import("../../ui/keys.js").Key[]} */
const KEYS = [
  ["← →", "the prediction before, after"],
  ["↑ ↓", "the line above, below"],
  ["Home End", "the ends of the line; with Ctrl, of the text"],
  ["[ ]", "the token before, after whose number is read out"],
  ["Esc", "lets go of it"],
  ["Shift_click", "reads out a token's number"],
];

export class DependencyPane {
  called = "text";
  #reveal = true;
  #dragging = false;
  /** Where the pointer rests; not while keys are used. @type {PointerEvent | undefined} */
  #pointer;

  /**
   * @param {DependencyFrame} frame
   * @param {number} k which model
   */
  constructor(frame, k) {
    this.frame = frame;
    this.state = frame.state;
    this.k = k;
    this.name = element("b", {}, [this.#info.name]);
    this.told = element("span");
    this.caption = element("div", { class: "lw-caption" }, [
      element("span", {}, [this.name, " ", this.told]),
    ]);
    this.sheet = new TextSheet(
      `The ${this.state.extent.series ? "series" : "text"}${this.#info.name ? `, ${this.#info.name}` : ""}. Left ` +
        "and right go through the predictions, up and down through the lines; [ and ] through the " +
        `${this.state.noun}s whose number is read out, Escape lets go of it.`,
      () => frame.scrolled(this.sheet),
    );
    this.strip = new DistanceStrip(
      this.state.noun,
      (row) => this.#go(this.#info.timesteps[row]),
      () => frame.schedule(),
    );
    this.empty = element("div", { class: "lw-empty" });
    // The same for the text of every model.
    const series = this.state.extent.series;
    /** @type {import("../../ui/keys.js").Key[]} */
    const keys = KEYS.map(([key, what]) => [key, what.replace("token", this.state.noun)]);
    this.keys = k === 0 ? keys : [];
    if (series) this.called = "channels";
    this.menus = [];
    this.tools = [];
    this.body = [this.caption, this.sheet.root, this.empty, this.strip.root];
    this.#listen();
  }

  get #info() {
    return this.state.models[this.k];
  }

  #listen() {
    const { root } = this.sheet;
    root.addEventListener("keydown", (event) => this.#press(event));
    gestures(root, {
      press: (event) => {
        const box = this.#under(event);
        if (box < 0) return false;
        if (event.shiftKey) {
          this.state.set({ input_timestep: this.#inside(box + this.#first) }, this.frame);
          return false;
        }
        this.#dragging = true;
        this.#pick(box);
        return true;
      },
      drag: (event) => {
        const box = this.#under(event);
        if (box >= 0) this.#pick(box);
      },
      drop: () => {
        this.#dragging = false;
      },
    });
    root.addEventListener("pointermove", (event) => {
      this.#pointer = event;
      this.frame.schedule();
    });
    root.addEventListener("pointerleave", () => {
      this.#pointer = undefined;
      this.frame.schedule();
    });
  }

  destroy() {
    this.sheet.destroy();
  }

  /** @param {Set<string>} names */
  changed(names) {
    if (this.frame.follows(names, MOVES)) this.#reveal = true;
  }

  resize() {
    this.sheet.view.resize();
    this.strip.resize();
  }

  // -- where things stand ----------------------------------------------------------------------

  get #first() {
    return this.state.extent.first;
  }

  /** How many boxes after its timestep a prediction is found. */
  get #shift() {
    return this.state.model.get("align") === "predict" ? 1 : 0;
  }

  /** @param {number} timestep */
  #boxOf(timestep) {
    return timestep - this.#first + this.#shift;
  }

  /** The nearest timestep that the text has. @param {number} timestep */
  #inside(timestep) {
    return clamp(timestep, this.#first, this.state.stop - 1);
  }

  /** What is under the pointer. @returns {Pointed | undefined} */
  get hovered() {
    const { state, strip } = this;
    if (strip.hovered) {
      const timestep = this.#info.timesteps[strip.hovered.row];
      return { timestep, input: timestep - strip.hovered.back };
    }
    const box = this.#pointer && !this.#dragging ? this.#under(this.#pointer) : -1;
    if (box < 0) return undefined;
    if (state.model.get("hover") === "read") {
      const input = box + this.#first;
      return input < state.stop ? { timestep: state.timestep, input } : undefined;
    }
    const timestep = box + this.#first - this.#shift;
    if (placeOf(state.available, timestep) < 0) return undefined;
    return { timestep, input: state.model.get("input_timestep") };
  }

  // -- what is shown ---------------------------------------------------------------------------

  paint() {
    const { state, frame, sheet, k } = this;
    const { model } = state;
    const nothing = state.empty ? `Nothing to show: there are no ${state.noun}s.` : "";
    write(this.empty, nothing);
    sheet.root.hidden = nothing !== "";
    this.strip.told.hidden = k > 0;
    const strip = !nothing && this.#info.forwards && this.#info.timesteps.length > 1;
    this.strip.root.hidden = !strip;
    const { timestep, input } = frame.shown;
    const told = nothing ? "" : caption(state, k, timestep);
    write(this.told, told);
    if (nothing || sheet.view.width <= 0) return;
    const { passage } = state;
    const style = {
      theme: frame.theme,
      spelling: state.spelling,
      marks: model.get("marks"),
      after: this.#shift > 0,
      most: state.models.length > 1 ? MOST_OF_SEVERAL : MOST_HEIGHT,
      lines: LINES,
    };
    // Where lines are wrapped anew, what is explained stays in view.
    if (sheet.arrange(passage, style)) this.#reveal = true;
    const box = this.#boxOf(state.timestep);
    if (this.#reveal && box < sheet.count) {
      this.#reveal = false;
      sheet.view.top = sheet.reveal(box, BEFORE);
    }
    sheet.draw(frame.theme, passage, {
      rows: [this.#looks(timestep)],
      outlines: this.#outlines(timestep, input),
    });
    if (strip) this.#paintStrip(timestep, input);
  }

  /**
   * How each token looks.
   * @param {number} timestep
   * @returns {(box: number) => import("../../canvas/text_sheet.js").Look}
   */
  #looks(timestep) {
    const { state, frame, k } = this;
    const { theme, ramp } = frame;
    const { background, foreground } = theme;
    const row = state.row(k, timestep);
    const read = row && row !== "none" && row.values.length > 0 ? row : undefined;
    const largest = state.largest(timestep)[k];
    const log = state.model.get("log_scale");
    const unread = mix(background, foreground, UNREAD);
    const { timesteps } = this.#info;
    const few = state.few(k);
    return (box) => {
      const token = box + this.#first;
      const computed = few && placeOf(timesteps, token - this.#shift) >= 0;
      const under = computed ? theme.accent : undefined;
      const value = read?.values[token - read.start];
      if (value === undefined) {
        const before = read !== undefined && token < read.start;
        return { colour: background, mark: before ? PADDING : PLAIN, ink: unread, under };
      }
      if (Number.isNaN(value)) {
        const colour = mix(background, foreground, 0.3);
        const paper = patterned(theme, IS_NAN, colour, 1, 1);
        return { colour, mark: IS_NAN, ink: ink(paper), under };
      }
      const colour = ramp[Math.round(position(value, largest, log) * (RAMP - 1))];
      const mark = Number.isFinite(value) ? PLAIN : CLIPPED;
      return { colour, mark, ink: ink(colour), under };
    };
  }

  /**
   * The frames around what is explained, selected and read out.
   * @param {number} timestep
   * @param {number | null} input
   */
  #outlines(timestep, input) {
    const around = true;
    const outlines = [{ box: this.#boxOf(timestep), thick: 2, around }];
    const selected = this.#boxOf(this.state.timestep);
    if (timestep !== this.state.timestep) outlines.unshift({ box: selected, thick: 1, around });
    if (input !== null) outlines.push({ box: input - this.#first, thick: 1, around });
    return outlines;
  }

  /**
   * @param {number} timestep
   * @param {number | null} input
   */
  #paintStrip(timestep, input) {
    const { state, frame, k } = this;
    const { timesteps } = this.#info;
    const { model, models, extent } = state;
    const all = model.get("scale") === "all";
    // Of channels, one scale for all tells which of them counts.
    const one = extent.series && model.get("same_scale");
    const most = one ? Math.max(...models.map(({ largest }) => largest)) : undefined;
    const look = {
      ramp: frame.ramp,
      largest: all ? state.largest(timestep)[k] : most,
      log: state.model.get("log_scale"),
      theme: frame.theme,
      every: this.#info.every,
    };
    const row = placeOf(timesteps, timestep);
    const back = input === null ? -1 : timestep - input;
    const count = placeFrom(timesteps, state.stop);
    this.strip.paint(state.near(k), count, look, [{ row, back }]);
  }

  // -- mouse and keys --------------------------------------------------------------------------

  /** The box under the pointer, or -1. @param {MouseEvent} event */
  #under(event) {
    return this.sheet.at(event)?.box ?? -1;
  }

  /** Explain the prediction that is found at a box. @param {number} box */
  #pick(box) {
    this.#go(this.#inside(box + this.#first - this.#shift));
  }

  /** @param {number} timestep */
  #go(timestep) {
    if (timestep !== this.state.timestep) this.state.set({ timestep }, this.frame);
  }

  /** @param {KeyboardEvent} event */
  #press(event) {
    const { state, frame } = this;
    const { available, timestep } = state;
    const modified = event.ctrlKey || event.metaKey;
    if (event.altKey) return;
    const beside = /** @type {Record<string, number>} */ ({ ArrowLeft: -1, ArrowRight: 1 })[
      event.key
    ];
    const token = /** @type {Record<string, number>} */ ({ "[": -1, "]": 1 })[event.key];
    const box = this.sheet.moved(
      event.key,
      Math.min(this.#boxOf(timestep), this.sheet.count - 1),
      modified,
    );
    if (beside && !modified) this.#go(stepTo(available, timestep, timestep + beside));
    else if (token && !modified) {
      const from = state.model.get("input_timestep") ?? this.#strongest ?? timestep;
      state.set({ input_timestep: this.#inside(from + token) }, frame);
    } else if (event.key === "Escape") {
      if (state.model.get("input_timestep") === null) return;
      state.set({ input_timestep: null }, frame);
    } else if (box !== undefined) {
      this.#go(stepTo(available, timestep, this.#inside(box + this.#first - this.#shift)));
    } else return;
    event.preventDefault();
    this.#pointer = undefined;
  }

  get #strongest() {
    const at = this.state.strongest(this.k, this.state.timestep);
    return at < 0 ? undefined : at;
  }
}
