// What stands around points and over them: axes, trajectories, fixed points, rings.

import { numberTicks } from "../../data/ticks.js";
import { clamp } from "../../lib/clamp.js";
import { inLine } from "../../lib/tokens.js";
import { minus } from "../../lib/wording.js";

/** @typedef {import("./camera.js").Camera} Camera */
/** @typedef {import("../../colour/theme.js").Theme} Theme */
/** @typedef {import("../../data/points.js").FixedPoint} FixedPoint */
/** @typedef {CanvasRenderingContext2D} Context */

/** Pixels between ticks, about. */
const APART = { x: 84, y: 56 };
const LETTERS = 11;
/** An arrow stands where a step is no shorter than this, and arrows are so far apart along a line. */
const STEP = 24;
const ARROWS = 110;
export const DOT = 6;
/** How long the line along an unstable direction is on each side, at most. */
const ALONG = 24;

/** A component in words. @param {import("../../data/points.js").Component} component */
export function named({ name, share }) {
  return (
    inLine(name) + (share === null ? "" : ` (${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %)`)
  );
}

/**
 * Axes, below all else.
 * @param {Context} context
 * @param {Camera} camera
 * @param {Theme} theme
 */
export function axes(context, camera, theme) {
  context.font = `${LETTERS}px ${theme.font}`;
  context.lineWidth = 1;
  if (camera.solid) solidAxes(context, camera, theme);
  else flatAxes(context, camera, theme);
}

/** @param {Context} context @param {Camera} camera @param {Theme} theme */
function flatAxes(context, camera, theme) {
  const { left, right, top, bottom } = camera;
  const [x0, y1] = camera.under(left, top);
  const [x1, y0] = camera.under(right, bottom);
  const along = (
    /** @type {number} */ from,
    /** @type {number} */ to,
    /** @type {number} */ room,
    /** @type {(tick: number, text: string) => void} */ draw,
  ) => {
    if (!(to > from)) return;
    const { ticks, decimals } = numberTicks(from, to, Math.max(2, room), false);
    for (const tick of ticks)
      if (tick >= from && tick <= to)
        draw(tick, minus(decimals > 6 ? tick.toPrecision(3) : tick.toFixed(decimals)));
  };
  context.textBaseline = "middle";
  const line = (/** @type {number} */ tick) => {
    context.strokeStyle = tick === 0 ? theme.colour.bar : theme.colour.line;
    context.globalAlpha = tick === 0 ? 0.7 : 0.75;
  };
  const rule = (/** @type {[number, number, number, number]} */ [a, b, c, d]) => {
    context.beginPath();
    context.moveTo(a, b);
    context.lineTo(c, d);
    context.stroke();
    context.globalAlpha = 1;
  };
  along(x0, x1, (right - left) / APART.x, (tick, text) => {
    const x = Math.round(camera.at([tick, 0])[0]) + 0.5;
    line(tick);
    rule([x, top, x, bottom]);
    context.fillStyle = theme.colour.muted;
    context.textAlign = "center";
    context.fillText(text, x, bottom + 10);
  });
  along(y0, y1, (bottom - top) / APART.y, (tick, text) => {
    const y = Math.round(camera.at([0, tick])[1]) + 0.5;
    line(tick);
    rule([left, y, right, y]);
    context.fillStyle = theme.colour.muted;
    context.textAlign = "right";
    context.fillText(text, left - 6, y);
  });
  const [across, up] = camera.components;
  context.fillStyle = theme.colour.fg;
  context.textAlign = "center";
  context.fillText(named(across), (left + right) / 2, bottom + 27);
  context.save();
  context.translate(11, (top + bottom) / 2);
  context.rotate(-Math.PI / 2);
  context.fillText(named(up), 0, 0);
  context.restore();
}

/** @param {Context} context @param {Camera} camera @param {Theme} theme */
function solidAxes(context, camera, theme) {
  const { components, centre } = camera;
  const half = components.map(({ low, high }) => (high - low) / 2);
  // The edges of the box that all points lie in.
  context.strokeStyle = theme.colour.line;
  for (let axis = 0; axis < 3; axis++)
    for (const a of [-1, 1])
      for (const b of [-1, 1]) {
        const [from, to] = [-1, 1].map((end) => {
          const sides = [a, b];
          return camera.at(
            centre.map((middle, i) => middle + half[i] * (i === axis ? end : (sides.shift() ?? 0))),
          );
        });
        context.beginPath();
        context.moveTo(from[0], from[1]);
        context.lineTo(to[0], to[1]);
        context.stroke();
      }
  const [ox, oy] = camera.at(centre);
  context.strokeStyle = theme.colour.muted;
  for (const [x, y] of ends(camera)) {
    context.beginPath();
    context.moveTo(ox, oy);
    context.lineTo(x, y);
    context.stroke();
  }
}

/** Where each of three axes ends. @param {Camera} camera */
function ends(camera) {
  const { components, centre } = camera;
  return components.map(({ high }, axis) =>
    camera.at(centre.map((middle, i) => (i === axis ? high : middle))),
  );
}

/**
 * What three axes are called, above all else; of two, that stands outside.
 * @param {Context} context
 * @param {Camera} camera
 * @param {Theme} theme
 */
export function axisNames(context, camera, theme) {
  if (!camera.solid) return;
  const [ox, oy] = camera.at(camera.centre);
  context.font = `${LETTERS}px ${theme.font}`;
  ends(camera).forEach(([x, y], axis) => {
    const length = Math.hypot(x - ox, y - oy);
    // Beyond the end, so that it doesn't stand on the line; seen from its end, below it.
    const [dx, dy] = length > 1 ? [(x - ox) / length, (y - oy) / length] : [0, 1];
    context.textAlign = "center";
    context.textBaseline = "middle";
    const text = named(camera.components[axis]);
    const wide = context.measureText(text).width / 2;
    const within = clamp(x + (wide + 8) * dx, camera.left + wide, camera.right - wide);
    haloed(context, theme, text, within, y + 12 * dy, theme.colour.fg);
  });
}

/**
 * Words that are read on any ground.
 * @param {Context} context
 * @param {Theme} theme
 * @param {string} text
 * @param {number} x
 * @param {number} y
 * @param {string} colour
 */
export function haloed(context, theme, text, x, y, colour) {
  context.lineWidth = 4;
  context.lineJoin = "round";
  context.strokeStyle = theme.colour.bg;
  context.strokeText(text, x, y);
  context.fillStyle = colour;
  context.fillText(text, x, y);
  context.lineWidth = 1;
}

/**
 * A line through points, with arrows that tell which way it runs.
 * @param {Context} context
 * @param {Theme} theme
 * @param {Float32Array} x
 * @param {Float32Array} y
 * @param {[first: number, stop: number]} points
 * @param {{colour: string, thick: number, strength?: number, fades?: boolean}} look whether it begins pale
 */
export function trajectory(context, theme, x, y, [first, stop], look) {
  const { colour, thick, strength = 1, fades = false } = look;
  if (stop - first < 2) return;
  context.lineJoin = context.lineCap = "round";
  const path = (/** @type {number} */ from, /** @type {number} */ to) => {
    context.beginPath();
    context.moveTo(x[from], y[from]);
    for (let i = from + 1; i <= to; i++) context.lineTo(x[i], y[i]);
    context.stroke();
  };
  const last = stop - 1;
  if (thick > 1) {
    context.strokeStyle = theme.colour.bg;
    context.globalAlpha = 0.7;
    context.lineWidth = thick + 2;
    path(first, last);
  }
  context.strokeStyle = context.fillStyle = colour;
  context.lineWidth = thick;
  const pieces = fades ? Math.min(24, last - first) : 1;
  for (let piece = 0; piece < pieces; piece++) {
    const from = first + Math.floor(((last - first) * piece) / pieces);
    const to = first + Math.floor(((last - first) * (piece + 1)) / pieces);
    context.globalAlpha = strength * (fades ? 0.3 + (0.7 * (piece + 1)) / pieces : 1);
    path(from, to);
  }
  context.globalAlpha = strength;
  if (thick > 1) arrows(context, x, y, [first, stop]);
  context.globalAlpha = 1;
  context.lineWidth = 1;
}

/**
 * @param {Context} context
 * @param {Float32Array} x
 * @param {Float32Array} y
 * @param {[number, number]} points
 */
function arrows(context, x, y, [first, stop]) {
  let since = ARROWS;
  for (let i = first + 1; i < stop; i++) {
    const [dx, dy] = [x[i] - x[i - 1], y[i] - y[i - 1]];
    const length = Math.hypot(dx, dy);
    since += length;
    if (length < STEP || since < ARROWS) continue;
    since = length * 0.44;
    const [ux, uy] = [dx / length, dy / length];
    const [mx, my] = [x[i - 1] + dx * 0.56, y[i - 1] + dy * 0.56];
    context.beginPath();
    context.moveTo(mx + 4 * ux, my + 4 * uy);
    context.lineTo(mx - 4 * ux - 3.4 * uy, my - 4 * uy + 3.4 * ux);
    context.lineTo(mx - 4 * ux + 3.4 * uy, my - 4 * uy - 3.4 * ux);
    context.fill();
  }
}

/**
 * Fixed points: stable ones filled, saddles open with a line along where they lead away, slow ones crossed.
 * @param {Context} context
 * @param {Camera} camera
 * @param {Theme} theme
 * @param {FixedPoint[]} fixed
 * @param {number[]} axesShown
 * @returns {[number, number][]} where each is
 */
export function fixedPoints(context, camera, theme, fixed, axesShown) {
  const places = fixed.map(({ at, along, kind }) => {
    const place = axesShown.map((axis) => at[axis]);
    const [x, y, depth] = camera.at(place);
    if (along && kind !== "stable") {
      const end = camera.at(axesShown.map((axis, i) => place[i] + along[axis]));
      const [dx, dy] = [end[0] - x, end[1] - y];
      const length = Math.hypot(dx, dy);
      // Seen from its end, a line is a point: it isn't drawn longer than it is there.
      const share = length > 0 ? Math.min(ALONG, length * 3) / length : 0;
      for (const [colour, thick] of /** @type {[string, number][]} */ ([
        [theme.colour.bg, 5],
        [theme.colour.accent, 2],
      ])) {
        context.strokeStyle = colour;
        context.lineWidth = thick;
        context.lineCap = "round";
        context.beginPath();
        context.moveTo(x - dx * share, y - dy * share);
        context.lineTo(x + dx * share, y + dy * share);
        context.stroke();
      }
    }
    return [x, y, depth];
  });
  const order = places.map((_, i) => i).sort((a, b) => places[a][2] - places[b][2]);
  for (const i of order) glyph(context, theme, fixed[i].kind, places[i][0], places[i][1]);
  context.lineWidth = 1;
  return places.map(([x, y]) => [x, y]);
}

/**
 * The mark of a fixed point.
 * @param {Context} context
 * @param {Theme} theme
 * @param {FixedPoint["kind"]} kind
 * @param {number} x
 * @param {number} y
 */
export function glyph(context, theme, kind, x, y) {
  const { bg, accent } = theme.colour;
  context.lineCap = "round";
  if (kind === "slow") {
    for (const [colour, thick] of /** @type {[string, number][]} */ ([
      [bg, 5],
      [accent, 2.2],
    ])) {
      context.strokeStyle = colour;
      context.lineWidth = thick;
      context.beginPath();
      context.moveTo(x - 4.5, y - 4.5);
      context.lineTo(x + 4.5, y + 4.5);
      context.moveTo(x - 4.5, y + 4.5);
      context.lineTo(x + 4.5, y - 4.5);
      context.stroke();
    }
    return;
  }
  circle(context, x, y, DOT + 1.2);
  context.fillStyle = bg;
  context.fill();
  circle(context, x, y, kind === "stable" ? DOT : DOT - 1);
  if (kind === "stable") {
    context.fillStyle = accent;
    context.fill();
    return;
  }
  context.strokeStyle = accent;
  context.lineWidth = 2.2;
  context.stroke();
}

/** @param {Context} context @param {number} x @param {number} y @param {number} radius */
function circle(context, x, y, radius) {
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
}

/**
 * A ring around a point.
 * @param {Context} context
 * @param {Theme} theme
 * @param {[number, number]} place
 * @param {number} radius
 * @param {boolean} firm of what is selected; else of what is pointed at
 */
export function ring(context, theme, [x, y], radius, firm) {
  for (const [colour, thick] of /** @type {[string, number][]} */ ([
    [theme.colour.bg, firm ? 5 : 4],
    [firm ? theme.colour.fg : theme.colour.accent, 2],
  ])) {
    circle(context, x, y, radius);
    context.strokeStyle = colour;
    context.lineWidth = thick;
    context.stroke();
  }
  context.lineWidth = 1;
}

/**
 * The line of a lasso, and where the next corner would be.
 * @param {Context} context
 * @param {Theme} theme
 * @param {[number, number][]} corners
 * @param {[number, number] | undefined} crosshair
 */
export function lasso(context, theme, corners, crosshair) {
  if (corners.length > 0) {
    context.beginPath();
    for (const [i, [x, y]] of corners.entries()) i ? context.lineTo(x, y) : context.moveTo(x, y);
    if (crosshair) context.lineTo(...crosshair);
    context.globalAlpha = 0.1;
    context.fillStyle = theme.colour.accent;
    context.fill();
    context.globalAlpha = 1;
    context.setLineDash([5, 4]);
    context.strokeStyle = theme.colour.accent;
    context.lineWidth = 1.5;
    context.closePath();
    context.stroke();
    context.setLineDash([]);
  }
  if (crosshair) {
    const [x, y] = crosshair;
    for (const [colour, thick] of /** @type {[string, number][]} */ ([
      [theme.colour.bg, 4],
      [theme.colour.fg, 1.5],
    ])) {
      context.strokeStyle = colour;
      context.lineWidth = thick;
      context.beginPath();
      for (const [dx, dy] of [
        [1, 0],
        [-1, 0],
        [0, 1],
        [0, -1],
      ]) {
        context.moveTo(x + 4 * dx, y + 4 * dy);
        context.lineTo(x + 12 * dx, y + 12 * dy);
      }
      context.stroke();
    }
  }
  context.lineWidth = 1;
}
