// How an example of a series is drawn: each channel as a strip of colours over time, for each method.

import { outline } from "../../canvas/outline.js";
import { mix } from "../../colour/palettes.js";
import { Recent } from "../../lib/recent.js";
import { methodName } from "../../lib/wording.js";
import { Drawing } from "./drawing.js";
import { channelName, STRIP } from "./strips.js";

/** @typedef {import("../../data/examples.js").Row} Row */
/**
 * The colours of an example: a pixel for each timestep, and a row for each channel of each method.
 * @typedef {{row: Row, bands: unknown, shown: string, canvas: HTMLCanvasElement}} Picture
 */

const KEPT = 64;

export class StripDrawing extends Drawing {
  /** @type {Recent<number, Picture>} */
  #pictures = new Recent(KEPT);

  /**
   * @param {import("./frame.js").RelevanceFrame} frame
   * @param {import("./strips.js").Strips} strips
   */
  constructor(frame, strips) {
    super(frame, strips);
    this.strips = strips;
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {number} example
   * @param {Row} row
   * @param {number} y
   */
  words(context, example, row, y) {
    const { state, strips } = this;
    const { theme } = this.frame;
    const { summary, model } = state;
    const { left, room, step, method: named, channel: names } = strips.lengths;
    const { first, stop } = strips.view;
    const chosen = model.get("example") === example;
    const scrolled = strips.scroller.left;
    const picture = this.#picture(example, row);
    context.textAlign = "right";
    for (const [band, m] of state.bands.entries()) {
      const middle = y + strips.top(band, 0) + STRIP / 2 + 1;
      if (named) {
        const bold = m === state.method;
        context.font = `${bold ? "600 " : ""}11px ${theme.font}`;
        context.fillStyle = bold ? theme.colour.fg : theme.colour.muted;
        context.fillText(methodName(summary.methods[m].name), left - names - 8, middle);
      }
      if (row.doubtful.includes(m)) {
        context.font = `600 11px ${theme.font}`;
        context.fillStyle = theme.colour.warn;
        context.fillText("?", left - names, middle);
      }
      summary.channels.forEach((channel, c) => {
        const bold = chosen && c === model.get("channel");
        context.font = `${bold ? "600 " : ""}11px ${theme.font}`;
        context.fillStyle = bold ? theme.colour.fg : theme.colour.muted;
        const text = strips.names.fit(channelName(channel), names - 8, 11);
        context.fillText(text, left - 8, y + strips.top(band, c) + STRIP / 2 + 1);
      });
    }
    context.save();
    context.beginPath();
    context.rect(left - 1, y - 2, room + 2, strips.high + 4);
    context.clip();
    context.imageSmoothingEnabled = false;
    const x = left + first * step - scrolled;
    const count = stop - first;
    state.bands.forEach((m, band) => {
      summary.channels.forEach((_, c) => {
        const top = y + strips.top(band, c);
        const at = band * summary.channels.length + c;
        if (count > 0) {
          context.drawImage(picture, first, at, count, 1, x, top, count * step, STRIP);
        }
        this.#marks(context, row, { m, c, top });
      });
    });
    if (chosen) {
      const from = left + model.get("timestep") * step - scrolled;
      outline(context, theme, [from - 0.5, y - 0.5, step + 1, strips.high + 1]);
    }
    context.restore();
  }

  /** @param {number} example @param {Row} row */
  #picture(example, row) {
    const { frame, state } = this;
    const { theme } = frame;
    const bands = frame.bands;
    const shown = `${state.bands} ${theme.background}`;
    const kept = this.#pictures.get(example);
    if (kept?.row === row && kept.bands === bands && kept.shown === shown) return kept.canvas;
    const { timesteps, channels } = state.summary;
    const image = new ImageData(Math.max(1, timesteps), state.bands.length * channels.length);
    const pixels = new Uint32Array(image.data.buffer);
    const unknown = mix(theme.background, theme.foreground, 0.3);
    let at = 0;
    for (const m of state.bands) {
      const range = bands[m].range(row.largest(m));
      for (let c = 0; c < channels.length; c++) {
        const values = row.values(m, c);
        for (let t = 0; t < timesteps; t++) {
          const value = values[t];
          const colour = Number.isNaN(value) ? unknown : bands[m].pixel(value, range);
          pixels[at++] = row.padding(t) ? mix(colour, theme.background, 0.75) : colour;
        }
      }
    }
    const canvas = document.createElement("canvas");
    canvas.width = image.width;
    canvas.height = image.height;
    canvas.getContext("2d")?.putImageData(image, 0, 0);
    this.#pictures.set(example, { row, bands, shown, canvas });
    return canvas;
  }

  /**
   * Mark what is padding, no number, or beyond the colours.
   * @param {CanvasRenderingContext2D} context
   * @param {Row} row
   * @param {{m: number, c: number, top: number}} place
   */
  #marks(context, row, { m, c, top }) {
    const { frame, strips } = this;
    const { left, step } = strips.lengths;
    const { first, stop } = strips.view;
    const scrolled = strips.scroller.left;
    const band = frame.bands[m];
    const range = band.range(row.largest(m));
    const values = row.values(m, c);
    const kind = (/** @type {number} */ t) => {
      if (row.padding(t)) return "padding";
      if (Number.isNaN(values[t])) return "nan";
      return band.clipped(values[t], range) ? "clipped" : "";
    };
    for (let t = first; t < stop; ) {
      const mark = kind(t);
      let end = t + 1;
      while (end < stop && kind(end) === mark) end++;
      if (mark) {
        const place = { x: left + t * step - scrolled, y: top, width: (end - t) * step };
        context.save();
        context.beginPath();
        context.rect(place.x, top, place.width, STRIP);
        context.clip();
        if (mark === "padding") this.dots(context, place.x, top, place.width, STRIP);
        else {
          const { theme } = frame;
          const nan = mark === "nan";
          const colour = nan
            ? mix(theme.background, theme.foreground, 0.3)
            : band.pixel(values[t], range);
          this.slants(context, { ...place, height: STRIP, colour, nan });
        }
        context.restore();
      }
      t = end;
    }
  }
}
