// How the bands of a cell are drawn: a bar a value, and what was lost and written of its state.

import { GUTTER } from "../../canvas/head.js";
import { FADE } from "../../colour/colours.js";
import { css, RAMP, ramp, resolve } from "../../colour/palettes.js";
import { ruleOf } from "../../data/changes.js";
import { clamp } from "../../lib/clamp.js";
import { element } from "../../lib/dom.js";
import { minus, words } from "../../lib/wording.js";
import { yOf } from "./bands.js";

/** @typedef {import("./bands.js").Band} Band */

/** A lower band has its name beside it, not the ends of its range. */
const ROOM_FOR_RANGE = 30;

export class Drawing {
  #look = {
    theme: /** @type {unknown} */ (undefined),
    keep: "",
    write: "",
    stripes: /** @type {CanvasPattern | string} */ (""),
  };

  /** @param {import("../../ui/frame.js").Frame} frame */
  constructor(frame) {
    this.frame = frame;
    this.state = frame.state;
  }

  /** Take the colours of this theme. */
  dress() {
    const { theme } = this.frame;
    if (this.#look.theme === theme) return;
    const style = getComputedStyle(this.frame.root);
    const [keep, write] = ["keep", "write"].map((n) => style.getPropertyValue(`--lw-${n}`).trim());
    const tile = element("canvas", { width: 4, height: 4 });
    const context = tile.getContext("2d");
    if (context) {
      context.fillStyle = keep;
      for (let i = 0; i < 4; i++) context.fillRect(i, 3 - i, 1, 1);
      context.globalAlpha = 0.25;
      context.fillRect(0, 0, 4, 4);
    }
    const stripes = context?.createPattern(tile, "repeat") ?? keep;
    this.#look = { theme, keep, write, stripes };
  }

  /** Names and scales. @param {CanvasRenderingContext2D} context @param {Band[]} bands */
  gutter(context, bands) {
    const { theme, state } = this.frame;
    const { symbol } = ruleOf(state.layer);
    context.textAlign = "right";
    context.textBaseline = "middle";
    for (const { signal, top, height, range } of bands) {
      const chosen = signal === state.model.get("signal");
      context.fillStyle = theme.colour.fg;
      if (chosen) context.fillRect(GUTTER - 4, top, 2, height);
      context.font = `${signal ? 11 : 13}px ${theme.font}`;
      if (!chosen && signal) context.fillStyle = theme.colour.muted;
      const name = signal ? words(signal) : `Δ${symbol}`;
      context.fillText(name, GUTTER - 8, top + height / 2 + 0.5, GUTTER - 12);
      if (height < ROOM_FOR_RANGE) continue;
      context.font = `9px ${theme.font}`;
      context.fillStyle = theme.colour.muted;
      const [low, high] = range;
      context.fillText(low < 0 ? `+${high}` : String(high), GUTTER - 8, top + 4.5);
      context.fillText(minus(String(low)), GUTTER - 8, top + height - 3.5);
    }
  }

  /**
   * Zero, and the ends of the scale.
   * @param {CanvasRenderingContext2D} context
   * @param {Band} band
   * @param {number} right
   */
  lines(context, band, right) {
    const { theme } = this.frame;
    context.fillStyle = theme.colour.line;
    const zero = yOf(band, 0);
    context.globalAlpha = 0.5;
    context.fillRect(GUTTER, band.top, right - GUTTER, 1);
    context.fillRect(GUTTER, band.top + band.height - 1, right - GUTTER, 1);
    context.globalAlpha = 1;
    context.fillRect(GUTTER, zero, right - GUTTER, 1);
  }

  /**
   * The shown signal has the colours of the legend; the others go through the palette from end to end
   * of their own scale, and gates are plain.
   * @param {Band} band
   * @param {number} value
   * @returns {[string, number]} colour and alpha
   */
  #colour(band, value) {
    const { colours, theme, state } = this.frame;
    const { model } = state;
    const [low, high] = band.range;
    if (colours && band.signal === model.get("signal"))
      return [css(colours.pixel(value, model.get("cell"))), 1];
    const alpha = Math.abs(value) < model.get("threshold") ? 1 - FADE : 1;
    if (low >= 0) return [theme.colour.bar, alpha];
    const position = (clamp(value, low, high) - low) / (high - low);
    const name = resolve(model.get("palette"), true, theme.dark);
    return [css(ramp(name)[Math.round(position * (RAMP - 1))]), alpha];
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {Band} band
   * @param {number} value
   * @param {number} x
   * @param {number} width of the column
   * @param {boolean} padding
   */
  bar(context, band, value, x, width, padding) {
    const wide = width >= 5 ? width - 1 : width;
    const { theme } = this.frame;
    if (Number.isNaN(value)) {
      if (padding) return;
      // The same slant as in the grid: what is here is no value.
      context.strokeStyle = theme.colour.muted;
      context.lineWidth = 1.5;
      context.beginPath();
      context.moveTo(x + 1, band.top + band.height * 0.75);
      context.lineTo(x + wide - 1, band.top + band.height * 0.25);
      context.stroke();
      return;
    }
    const [colour, alpha] = this.#colour(band, value);
    const [zero, end] = [yOf(band, 0), yOf(band, value)];
    context.globalAlpha = padding ? alpha / 4 : alpha;
    context.fillStyle = colour;
    if (end < zero) context.fillRect(x, end, wide, zero - end);
    else context.fillRect(x, zero + 1, wide, end - zero);
    // Colours near zero are those of the page: the end of each bar is seen all the same.
    if (band.range[0] < 0 && end !== zero) {
      context.fillStyle = theme.colour.bar;
      context.fillRect(x, end, wide, 1);
    }
    context.globalAlpha = 1;
  }

  /**
   * What was lost and what was written, on each other where they have the same sign, and their sum.
   * @param {CanvasRenderingContext2D} context
   * @param {Band} band
   * @param {import("../../data/changes.js").Change} happened
   * @param {number} x
   * @param {number} width
   */
  change(context, band, { keep, write, change, from }, x, width) {
    const { theme, state } = this.frame;
    const { keep: keepColour, write: writeColour, stripes } = this.#look;
    const wide = width >= 5 ? width - 1 : width;
    if (from === "padding" || from === "window") return;
    if (from === "nowhere" && width >= 7) {
      context.fillStyle = theme.colour.muted;
      context.font = `11px ${theme.font}`;
      context.textAlign = "center";
      context.fillText("?", x + width / 2, band.top + 10);
    }
    const stack = (/** @type {number} */ start, /** @type {number} */ size) => {
      const [a, b] = [yOf(band, start), yOf(band, start + size)];
      return { y: Math.min(a, b) + (size < 0 ? 1 : 0), height: Math.abs(a - b) };
    };
    const simple = ruleOf(state.layer).gate === undefined;
    if (simple && !Number.isNaN(change)) {
      const { y, height } = stack(0, change);
      context.fillStyle = writeColour;
      context.fillRect(x, y, wide, height);
      return;
    }
    if (!Number.isNaN(keep)) {
      const { y, height } = stack(0, keep);
      context.fillStyle = stripes;
      context.fillRect(x, y, wide, height);
      context.strokeStyle = keepColour;
      context.lineWidth = 1;
      if (height > 1 && wide > 2) context.strokeRect(x + 0.5, y + 0.5, wide - 1, height - 1);
    }
    if (!Number.isNaN(write)) {
      const { y, height } = stack(keep * write > 0 ? keep : 0, write);
      context.fillStyle = writeColour;
      context.fillRect(x, y, wide, height);
    }
    const zero = yOf(band, 0);
    const seen = [keep, write].some((size) => Math.abs(yOf(band, size || 0) - zero) > 1);
    if (seen && !Number.isNaN(change)) {
      context.fillStyle = theme.colour.fg;
      context.fillRect(x, yOf(band, change) - 1, wide, 2);
    }
  }

  /**
   * Dots as on padding in the grid.
   * @param {CanvasRenderingContext2D} context
   * @param {number} x
   * @param {number} width
   * @param {number} top
   * @param {number} height
   */
  dots(context, x, width, top, height) {
    const { theme } = this.frame;
    context.fillStyle = theme.colour.muted;
    for (let y = top + 2; y < height - 4; y += 4) {
      for (let at = x + 1; at < x + width - 1; at += 4) context.fillRect(at, y, 1, 1);
    }
  }
}
