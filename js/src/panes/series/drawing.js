// How the bands of lines are drawn: names and ranges in gutters that no line crosses, dates above, lines,
// and what was read at one time at the right.

import { CLOSER, cut } from "../../canvas/ruler.js";
import { lineColour, lineCss } from "../../colour/lines.js";
import { css, RAMP, ramp } from "../../colour/palettes.js";
import { element } from "../../lib/dom.js";
import { Memo } from "../../lib/memo.js";
import { ABSENT, absent, endsOf, titleOf, valueAt, written } from "./bands.js";
import { Plotter } from "./plotter.js";

/** @typedef {import("./bands.js").Band} Band */
/** @typedef {import("./bands.js").Drawn} Drawn */

/** How high the dates above are. */
export const HEAD = 26;
/** From one date to the next, about. */
const TICKS = 96;
/** Of a name, and of an end of a range, at the left; of a number at the right. */
const NAME = 104;
const RANGE = 46;
const VALUE = 92;
const NARROW = 620;
const TARGET = 3.5;
const HALO = 2.2;
/** Where on a palette the colours are of what is below zero and above it. */
const BELOW = 0.16;

/**
 * How wide the gutters are.
 * @param {number} width
 */
export function gutters(width) {
  return width < NARROW
    ? { name: 92, left: 92 + 42, right: 72 }
    : { name: NAME, left: NAME + RANGE, right: VALUE };
}

/**
 * What a picture is made of. Lengths in CSS pixels.
 * @typedef {object} Scene
 * @property {import("../../state/series.js").SeriesState} state
 * @property {import("../../data/lines.js").Lines} lines
 * @property {import("../../colour/theme.js").Theme} theme
 * @property {import("../../canvas/ruler.js").Ruler} ruler
 * @property {Band[]} bands those in view
 * @property {import("../../data/axis.js").Axis} axis
 * @property {number} width
 * @property {number} height
 * @property {number} top how far bands are scrolled
 * @property {number} scale pixels from a place on the time axis to the next
 * @property {number} start the place at the left edge
 * @property {{time: number, example: number, hovered: boolean}} read
 * @property {string} palette
 */

export class Drawing {
  #plotter = new Plotter();
  #drawn = new Memo();
  /** @type {{colour: string, pattern: CanvasPattern | string}} */
  #dots = { colour: "", pattern: "" };

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {Scene} scene
   */
  paint(context, scene) {
    const { theme, bands, width, height, top } = scene;
    const { left, right } = gutters(width);
    const room = width - left - right;
    context.fillStyle = theme.colour.bg;
    context.fillRect(0, 0, width, height);
    const flag = this.#flag(context, scene, left, room);
    this.#head(context, scene, left, room, flag);
    context.save();
    context.beginPath();
    context.rect(0, HEAD, width, height - HEAD);
    context.clip();
    context.translate(0, HEAD - top);
    this.behind(context, scene, left, room);
    for (const band of bands) this.#ground(context, scene, band, left, room);
    context.restore();
    this.#lines(context, scene, left, room);
    context.save();
    context.beginPath();
    context.rect(0, HEAD, width, height - HEAD);
    context.clip();
    context.translate(0, HEAD - top);
    for (const band of bands) {
      this.#names(context, scene, band);
      this.#absent(context, scene, band, left + room / 2);
      this.#values(context, scene, band, width - right);
    }
    context.restore();
    this.#cursor(context, scene, left, room, flag);
  }

  /**
   * What more lies behind the lines of all bands.
   * @param {CanvasRenderingContext2D} _context with the first band at its top
   * @param {Scene} _scene
   * @param {number} _left
   * @param {number} _room
   */
  behind(_context, _scene, _left, _room) {}

  /** Whether a band has colours behind its lines. @param {Band} _band */
  coloured(_band) {
    return false;
  }

  /**
   * What more stands before all lines.
   * @param {CanvasRenderingContext2D} _context
   * @param {Scene} _scene
   * @param {number} _left
   * @param {number} _room
   */
  before(_context, _scene, _left, _room) {}

  /**
   * The dates.
   * @param {CanvasRenderingContext2D} context
   * @param {Scene} scene
   * @param {number} left
   * @param {number} room
   * @param {Flag | undefined} flag no date stands under it
   */
  #head(context, scene, left, room, flag) {
    const { theme, axis, scale, start, height } = scene;
    const x = placeOf(scene, left);
    const end = start + room / scale;
    const from = Math.max(start, axis.first);
    const ticks = axis.clock.ticks(from, Math.min(end, axis.last), Math.max(2, room / TICKS));
    context.textBaseline = "middle";
    context.font = `11px ${theme.font}`;
    const told = axis.clock.context(from, ticks);
    // What the first tick says itself is not said twice.
    const same = ticks.length > 0 && ticks[0].text === told;
    context.textAlign = "right";
    context.fillStyle = theme.colour.muted;
    if (!same) context.fillText(told, left - 10, HEAD / 2);
    context.textAlign = "center";
    let free = left - 8;
    for (const { time, text, major } of ticks) {
      const at = Math.round(x(time));
      if (at < left || at > left + room) continue;
      context.fillStyle = theme.colour.line;
      context.globalAlpha = major ? 1 : 0.55;
      context.fillRect(at, HEAD - 5, 1, height);
      context.globalAlpha = 1;
      context.font = `${major ? "600 " : ""}11px ${theme.font}`;
      const half = context.measureText(text).width / 2;
      if (at - half < free || at + half > left + room + 40) continue;
      if (flag && at + half + 4 > flag.left && at - half - 4 < flag.right) continue;
      context.fillStyle = major ? theme.colour.fg : theme.colour.muted;
      context.fillText(text, at, HEAD / 2);
      free = at + half + 8;
    }
    context.fillStyle = theme.colour.line;
    context.fillRect(0, HEAD - 1, left + room + 400, 1);
  }

  /**
   * What lies behind the lines of a band.
   * @param {CanvasRenderingContext2D} context
   * @param {Scene} scene
   * @param {Band} band
   * @param {number} left
   * @param {number} room
   */
  #ground(context, scene, band, left, room) {
    const { theme, state, lines } = scene;
    const { top, height, drawn } = band;
    const x = placeOf(scene, left);
    context.save();
    context.beginPath();
    context.rect(left, top - 4, room, height + 8);
    context.clip();
    const [one] = drawn;
    const threshold = state.model.get("threshold");
    if (drawn.length === 1 && one.subject.kind === "cell" && threshold > 0) {
      const [above, below] = [yOf(band, one, threshold), yOf(band, one, -threshold)];
      context.fillStyle = theme.colour.fg;
      context.globalAlpha = 0.09;
      context.fillRect(left, above, room, below - above);
      context.globalAlpha = 1;
    }
    const { padding } = lines.axis(state.layer.name, band.example);
    const ofLayer = drawn.some(({ subject }) => subject.kind !== "channel");
    if (padding.length && (ofLayer || !state.layer.windowed)) {
      const axis = lines.axis(state.layer.name, band.example);
      context.fillStyle = this.#pattern(theme);
      for (const [from, to] of padding) {
        const [a, b] = [axis.at(from) - axis.step / 2, axis.at(to - 1) + axis.step / 2].map(x);
        if (b > left && a < left + room) context.fillRect(a, top - 4, b - a, height + 8);
      }
    }
    context.fillStyle = theme.colour.line;
    const [low, high] = one.range;
    if (drawn.length === 1 && low < 0 && high > 0) {
      context.fillRect(left, Math.round(yOf(band, one, 0)), room, 1);
    }
    context.fillRect(left, top + height + 3, room, 1);
    const { span, selected, layer } = state;
    const axis = lines.axis(layer.name, band.example);
    context.fillStyle = theme.colour.accent;
    context.globalAlpha = 0.14;
    const mark = (/** @type {number} */ start, /** @type {number} */ stop) => {
      const [a, b] = [start, stop - 1].map((timestep) => axis.at(timestep));
      const [from, to] = [x(a - axis.step / 2), x(b + axis.step / 2)];
      if (to >= left && from <= left + room)
        context.fillRect(from, top - 4, Math.max(1, to - from), height + 8);
    };
    const first = band.example * layer.timesteps;
    if (span && Math.floor(span[0] / layer.timesteps) === band.example)
      mark(span[0] - first, span[1] - first);
    for (const [example, start, stop] of selected) {
      if (example === band.example && stop <= layer.timesteps) mark(start, stop);
    }
    context.restore();
  }

  /** Dots of padding. @param {import("../../colour/theme.js").Theme} theme */
  #pattern(theme) {
    if (this.#dots.colour !== theme.colour.muted) {
      const tile = element("canvas", { width: 6, height: 6 });
      const context = tile.getContext("2d");
      if (context) {
        context.fillStyle = theme.colour.muted;
        context.fillRect(1, 1, 1, 1);
        context.fillRect(4, 4, 1, 1);
      }
      const pattern = context?.createPattern(tile, "repeat") ?? theme.colour.muted;
      this.#dots = { colour: theme.colour.muted, pattern };
    }
    return this.#dots.pattern;
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {Scene} scene
   * @param {number} left
   * @param {number} room
   */
  #lines(context, scene, left, room) {
    const { bands, lines, theme, top, height, scale, start, palette } = scene;
    const ratio = window.devicePixelRatio || 1;
    const places = bands.map((band) => [
      [band.top, band.height, band.example, this.coloured(band)],
      band.drawn.map(({ subject, range }) => [subject.keys, subject.hue, range]),
    ]);
    const look = JSON.stringify([places, top, height, room, scale, start, palette, ratio]);
    // A cursor that moves, or a threshold, changes no line.
    if (this.#drawn.changed([look, lines, lines.version, theme])) this.#draw(scene, room, ratio);
    context.save();
    context.beginPath();
    context.rect(left, HEAD, room, height - HEAD);
    context.clip();
    this.#plotter.end(context, left, HEAD);
    context.restore();
  }

  /**
   * @param {Scene} scene
   * @param {number} room
   * @param {number} ratio
   */
  #draw(scene, room, ratio) {
    const { bands, lines, theme, top, height, scale, start, palette } = scene;
    this.#plotter.begin({
      start,
      scale: scale * ratio,
      width: Math.round(room * ratio),
      height: Math.round((height - HEAD) * ratio),
      ratio,
    });
    const colours = ramp(palette);
    const area = /** @type {[number, number]} */ (
      [BELOW, 1 - BELOW].map((at) => colours[Math.round(at * (RAMP - 1))])
    );
    for (const band of bands) {
      const clear = this.coloured(band);
      // What is yes or no lies behind the others.
      const order = [...band.drawn].sort(
        (a, b) => Number(b.subject.yesNo) - Number(a.subject.yesNo),
      );
      for (const { subject, range } of order) {
        const colour = lineColour(subject.kind, subject.hue, theme);
        subject.keys.forEach((key) => {
          const target = key[0] === "target";
          const alone = band.drawn.length === 1;
          // What is so lies behind what is read of it.
          const faint = key[0] === "track" && subject.keys.length > 1;
          const steps = Boolean(subject.yesNo) && key[0] === "track";
          const filled = steps || faint || (alone && subject.kind === "cell");
          const axis = lines.axis(key[2], band.example);
          const place = {
            key,
            example: band.example,
            top: (band.top - top + 1) * ratio,
            bottom: (band.top + band.height - top - 1) * ratio,
            range,
          };
          const width = target ? TARGET : 1.3;
          // Clear of the colours behind it, unless there are so many lines up and down that it hides them.
          if (clear && !steps && !faint && axis.step * scale >= 1) {
            const halo = { colour: theme.background, width: width + HALO };
            this.#plotter.line(lines, axis, place, halo);
          }
          this.#plotter.line(lines, axis, place, {
            colour: target ? grey(theme) : colour,
            width,
            area: filled ? (subject.kind === "cell" ? area : [colour, colour]) : undefined,
            steps,
            ground: faint || (steps && !alone),
          });
        });
      }
    }
  }

  /**
   * Names, units and the ends of ranges.
   * @param {CanvasRenderingContext2D} context
   * @param {Scene} scene
   * @param {Band} band
   */
  #names(context, { theme, state, ruler, width }, band) {
    const { name: room, left } = gutters(width);
    const { top, height, drawn } = band;
    context.textBaseline = "middle";
    const { model } = state;
    const every = model.get("arrange") === "examples";
    const chosen = (/** @type {Drawn} */ { subject }) =>
      every ? band.example === model.get("example") : subject.cell === model.get("cell");
    if (drawn.length === 1) {
      const [one] = drawn;
      const fits = (/** @type {string} */ text) => measured(context, text) <= room - 14;
      context.font = `600 12px ${theme.font}`;
      const title = wrapped(band.title, fits).map((line) =>
        cut(line, (room - 14) / CLOSER, (text) => measured(context, text)),
      );
      const below = ruler.fit(band.below, room - 14, 11);
      const rows = title.length + (below ? 1 : 0);
      let y = top + height / 2 - (rows - 1) * 7.5;
      context.textAlign = "right";
      context.fillStyle = lineCss(one.subject.kind, one.subject.hue, theme);
      for (const line of title) {
        context.fillText(line, room - 6, y, room - 14);
        y += 15;
      }
      context.font = `11px ${theme.font}`;
      context.fillStyle = theme.colour.muted;
      if (below) context.fillText(below, room - 6, y);
      if (chosen(one)) {
        context.fillStyle = theme.colour.fg;
        context.fillRect(2, top - 2, 3, height + 4);
      }
      if (one.subject.told) {
        // Between two bands, where no line is.
        const end = width - gutters(width).right;
        context.font = `10px ${theme.font}`;
        context.fillStyle = lineCss(one.subject.kind, one.subject.hue, theme);
        const told = cut(one.subject.told, end - left, (some) => measured(context, some));
        context.fillText(told, end, top - 4);
      }
      if (one.known) {
        const { low, high } = endsOf(one.range);
        context.font = `10px ${theme.font}`;
        context.fillStyle = theme.colour.muted;
        context.fillText(high, left - 6, top + 4);
        context.fillText(low, left - 6, top + height - 3);
      }
      return;
    }
    const each = Math.min(26, height / drawn.length);
    drawn.forEach(({ subject, range, known }, i) => {
      const y = top + each * (i + 0.5);
      context.textAlign = "right";
      context.font = `600 12px ${theme.font}`;
      context.fillStyle = lineCss(subject.kind, subject.hue, theme);
      const title = cut(titleOf(state, subject), left - 24, (text) => measured(context, text));
      context.fillText(title, left - 12, known ? y - 5 : y);
      if (!known || each < 22) return;
      const { low, high } = endsOf(range);
      context.font = `10px ${theme.font}`;
      context.fillStyle = theme.colour.muted;
      context.fillText(`${low} … ${high}`, left - 12, y + 8);
    });
  }

  /**
   * What stands in the place of lines that a saved page goes without.
   * @param {CanvasRenderingContext2D} context
   * @param {Scene} scene
   * @param {Band} band
   * @param {number} x
   */
  #absent(context, { lines, theme }, { top, height, drawn, example }, x) {
    if (drawn.length > 1 || !absent(lines, drawn[0].subject, example)) return;
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.font = `12px ${theme.font}`;
    const [y, half] = [top + height / 2, measured(context, ABSENT) / 2 + 8];
    context.fillStyle = theme.colour.bg;
    context.fillRect(x - half, y - 9, 2 * half, 18);
    context.fillStyle = theme.colour.muted;
    context.fillText(ABSENT, x, y + 0.5);
  }

  /**
   * What every line of a band is at the time that is read.
   * @param {CanvasRenderingContext2D} context
   * @param {Scene} scene
   * @param {Band} band
   * @param {number} x
   */
  #values(context, { lines, theme, read, width, state }, band, x) {
    const { top, height, drawn } = band;
    const room = width - x - 14;
    context.textAlign = "left";
    context.textBaseline = "middle";
    const write = (
      /** @type {import("../../state/series.js").Subject} */ subject,
      /** @type {import("../../data/lines.js").Key} */ key,
      /** @type {string} */ colour,
      /** @type {number} */ y,
      /** @type {boolean} */ bold,
    ) => {
      const text = written(
        subject,
        key,
        valueAt(lines, key, band.example, read.time),
        state.layer.rounded,
      );
      if (text === undefined || text === ABSENT) return;
      context.font = `${bold ? "600 " : ""}12px ${theme.font}`;
      context.fillStyle = colour;
      context.fillText(text, x + 8, y, room);
    };
    const grown = css(grey(theme));
    if (drawn.length === 1) {
      const [{ subject }] = drawn;
      const rows = subject.keys.length;
      subject.keys.forEach((key, i) => {
        const y = top + height / 2 + (i - (rows - 1) / 2) * 15;
        const target = i < rows - 1 || key[0] === "target";
        write(
          subject,
          key,
          target ? theme.colour.muted : lineCss(subject.kind, subject.hue, theme),
          y,
          !target,
        );
        if (rows < 2) return;
        const own = lineCss(subject.kind, subject.hue, theme);
        context.fillStyle = target && subject.kind === "output" ? grown : own;
        // Upright, and as thick as the line: one that lies before a number would be a minus.
        context.fillRect(x + 2, y - 6, target ? 3 : 1.5, 11);
      });
      return;
    }
    const each = Math.min(26, height / drawn.length);
    drawn.forEach(({ subject }, i) => {
      const key = subject.keys[subject.keys.length - 1];
      write(subject, key, lineCss(subject.kind, subject.hue, theme), top + each * (i + 0.5), true);
    });
  }

  /**
   * What is selected, and what is pointed at.
   * @param {CanvasRenderingContext2D} context
   * @param {Scene} scene
   * @param {number} left
   * @param {number} room
   * @param {Flag | undefined} flag
   */
  #cursor(context, scene, left, room, flag) {
    const { theme, read, height } = scene;
    const x = placeOf(scene, left);
    const stroke = (
      /** @type {number} */ time,
      /** @type {string} */ colour,
      /** @type {number} */ wide,
    ) => {
      const at = Math.round(x(time)) + 0.5;
      if (at < left - 1 || at > left + room + 1) return;
      context.lineWidth = wide + 2;
      context.strokeStyle = theme.colour.bg;
      context.globalAlpha = 0.7;
      context.beginPath();
      context.moveTo(at, HEAD - 6);
      context.lineTo(at, height);
      context.stroke();
      context.globalAlpha = 1;
      context.lineWidth = wide;
      context.strokeStyle = colour;
      context.stroke();
    };
    this.before(context, scene, left, room);
    stroke(selectedTime(scene), theme.colour.fg, 1.5);
    if (read.hovered) stroke(read.time, theme.colour.accent, 1);
    if (!flag) return;
    context.fillStyle = read.hovered ? theme.colour.accent : theme.colour.fg;
    context.beginPath();
    context.roundRect(flag.left, 4, flag.right - flag.left, HEAD - 9, 3);
    context.fill();
    context.font = `600 11px ${theme.font}`;
    context.fillStyle = theme.colour.bg;
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.fillText(flag.text, (flag.left + flag.right) / 2, HEAD / 2);
  }

  /**
   * Where the time that is read stands on the dates; nowhere, if it is out of sight.
   * @param {CanvasRenderingContext2D} context
   * @param {Scene} scene
   * @param {number} left
   * @param {number} room
   * @returns {Flag | undefined}
   */
  #flag(context, scene, left, room) {
    const { axis, read, theme } = scene;
    const at = placeOf(scene, left)(read.time);
    if (at < left - 1 || at > left + room + 1) return undefined;
    const text = axis.clock.label(read.time);
    context.font = `600 11px ${theme.font}`;
    const half = measured(context, text) / 2 + 5;
    const middle = Math.min(Math.max(at, left + half), left + room - half + 40);
    return { text, left: middle - half, right: middle + half };
  }
}

/** The time that is read, on the dates. @typedef {{text: string, left: number, right: number}} Flag */

/** Where a time stands. @param {Scene} scene @param {number} left */
export function placeOf({ scale, start }, left) {
  return (/** @type {number} */ time) => left + (time - start) * scale;
}

/** @param {Scene} scene */
function selectedTime({ lines, state: { model, layer } }) {
  return lines.axis(layer.name, model.get("example")).at(model.get("timestep"));
}

/** Where a value stands in its band. @param {Band} band @param {Drawn} drawn @param {number} value */
function yOf({ top, height }, { range: [low, high] }, value) {
  const share = (Math.min(high, Math.max(low, value)) - low) / (high - low || 1);
  return top + 1 + (1 - share) * (height - 2);
}

/** What should have been said stands behind what was. @param {import("../../colour/theme.js").Theme} theme */
function grey(theme) {
  return theme.dark ? 0xff7a6e64 : 0xffbdb3a8;
}

/** @param {CanvasRenderingContext2D} context @param {string} text */
function measured(context, text) {
  return context.measureText(text).width;
}

/**
 * A name in one line, or in two where it is parted and doesn't fit.
 * @param {string} text
 * @param {(text: string) => boolean} fits
 */
function wrapped(text, fits) {
  if (fits(text)) return [text];
  const parts = text.split(/(?<=[ _])/);
  for (let count = parts.length - 1; count > 0; count--) {
    const first = parts.slice(0, count).join("").trimEnd();
    if (fits(first)) return [first, parts.slice(count).join("").trimEnd()];
  }
  return [text];
}
