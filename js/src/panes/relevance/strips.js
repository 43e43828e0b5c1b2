// Where the channels of a series stand: each a strip of colours over time, below each other.

import { timesOf } from "../../data/examples.js";
import { boxesOf, WordRows } from "../../layout/word_rows.js";
import { clamp } from "../../lib/clamp.js";
import { Memo } from "../../lib/memo.js";
import { visible } from "../../lib/tokens.js";
import { EDGE, HEAD, MARGIN, Rows, SEAM } from "./rows.js";

/** A channel's strip; between the strips of two methods. */
export const STRIP = 14;
const APART = 8;
/** How wide a timestep is. */
const [NARROW, WIDE] = [2, 18];
/** The most room that names of channels take, in parts of all. */
const NAMES = 0.16;
/** Ticks are no nearer to each other, in CSS pixels. */
const TICKS = 90;

/** A channel's name with its unit. @param {[name: string, unit: string]} channel */
export const channelName = ([name, unit]) => visible(unit ? `${name} (${unit})` : name);

export class Strips extends Rows {
  #layout = new Memo();
  /** @type {WordRows | undefined} */
  #boxes;

  get lengths() {
    const { number, classes, method } = this.columns;
    const { channels, timesteps } = this.state.summary;
    const widest = Math.max(
      ...channels.map((each) => 1.07 * this.names.measure(channelName(each), 11)),
    );
    const channel = Math.ceil(Math.min(widest, NAMES * this.scroller.width)) + 8;
    const left = EDGE + number + 10 + classes + 12 + method + channel;
    const room = Math.max(80, this.scroller.width - left - EDGE);
    const step = clamp(Math.floor(room / Math.max(1, timesteps)), NARROW, WIDE);
    const line = this.high;
    const pitch = Math.max(3 * HEAD, line) + 2 * MARGIN + 1;
    return {
      ...{ number, classes, method, channel, left, room, step },
      ...{ line, apart: 0, lines: 1, pitch },
    };
  }

  /** From a method's first strip to that of the next. */
  get #block() {
    return this.state.summary.channels.length * (STRIP + SEAM) - SEAM + APART;
  }

  get high() {
    return this.state.bands.length * this.#block - APART;
  }

  /** Where the strip of a channel is, by the band that it belongs to. @param {number} band @param {number} channel */
  top(band, channel) {
    return band * this.#block + channel * (STRIP + SEAM);
  }

  /** @param {number} y */
  bandAt(y) {
    const band = Math.floor(y / this.#block);
    const method = this.state.bands[band];
    if (method === undefined || y < 0) return undefined;
    const { channels } = this.state.summary;
    const channel = Math.floor((y - band * this.#block) / (STRIP + SEAM));
    return { method, channel: Math.min(channel, channels.length - 1) };
  }

  get width() {
    const { left, step } = this.lengths;
    return left + step * this.state.summary.timesteps + EDGE;
  }

  /** @param {number} x */
  along(x) {
    return x - this.lengths.left + this.scroller.left;
  }

  /**
   * The same for all examples: a box for each timestep.
   * @param {number} _example
   * @param {import("../../data/examples.js").Row} row
   */
  layout(_example, row) {
    const { step } = this.lengths;
    const { timesteps } = this.state.summary;
    if (this.#layout.changed([step, timesteps]) || !this.#boxes) {
      const boxes = boxesOf(row, timesteps, Number.POSITIVE_INFINITY);
      this.#boxes = new WordRows(
        boxes,
        boxes.map(() => step),
        { width: Number.POSITIVE_INFINITY, gap: 0, seam: 0, lines: 1, chip: () => 0 },
      );
    }
    return this.#boxes;
  }

  /** The timesteps in view: the first, and the one after the last. */
  get view() {
    const { step, room } = this.lengths;
    const { left } = this.scroller;
    const { timesteps } = this.state.summary;
    return {
      first: clamp(Math.floor(left / step), 0, timesteps),
      stop: clamp(Math.ceil((left + room) / step), 0, timesteps),
    };
  }

  /** Bring a timestep into view. @param {number} timestep */
  reveal(timestep) {
    const { step, room } = this.lengths;
    const { scroller } = this;
    const start = timestep * step;
    if (start < scroller.left) scroller.left = start - room / 4;
    else if (start + step > scroller.left + room) {
      // To the end, if it is near: what counts most stands there.
      const end = this.state.summary.timesteps * step;
      const near = end - start < room / 2;
      scroller.left = near ? end - room : start - (3 * room) / 4;
    }
  }

  /**
   * What stands above the strips: dates where all examples have the same, else how many timesteps before
   * the last one.
   * @returns {{x: number, text: string, major: boolean}[]}
   */
  get ticks() {
    const { step, room } = this.lengths;
    const { first, stop } = this.view;
    const { timesteps } = this.state.summary;
    const count = Math.max(2, Math.floor(room / TICKS));
    const x = (/** @type {number} */ t) => (t + 0.5) * step - this.scroller.left;
    const times = timesOf(this.state.summary);
    if (times) {
      const found = times.ticks(first, stop - 1, count);
      const context = times.clock.context(times.at(first), found);
      const ticks = found.map(({ timestep, text, major }) => ({ x: x(timestep), text, major }));
      if (ticks.length > 0 && !ticks[0].major) ticks[0].text = within(ticks[0].text, context);
      return ticks;
    }
    const span = Math.max(1, stop - first);
    const every = everyOf(span / count);
    const ticks = [];
    for (let lag = 0; lag < timesteps; lag += every) {
      const t = timesteps - 1 - lag;
      if (t >= first && t < stop) ticks.push({ x: x(t), text: lag ? `−${lag}` : "0", major: !lag });
    }
    ticks.reverse();
    if (ticks.length > 0 && !ticks[0].major) ticks[0].text += " timesteps";
    return ticks;
  }
}

/** A tick with what all ticks leave unsaid, but for what it says itself. @param {string} text @param {string} context */
function within(text, context) {
  const rest = context.split(" ").filter((word) => !text.split(" ").includes(word));
  return [text, ...rest].join(" ");
}

/** A round number no smaller than another. @param {number} least */
function everyOf(least) {
  const power = 10 ** Math.floor(Math.log10(Math.max(1, least)));
  const factor = [1, 2, 5, 10].find((each) => each * power >= least) ?? 10;
  return Math.max(1, factor * power);
}
