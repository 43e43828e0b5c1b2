// From places in state space to places on the screen: lstm_widgets/views/space.py turns points the same way.

/** @typedef {import("../../data/points.js").Component} Component */
/** How a person looks: how near, and past the middle by how much, in parts of the whole. @typedef {{zoom: number, x: number, y: number}} View */

/** Beside the picture: of two axes, numbers stand there. */
const MARGINS = { left: 54, right: 14, top: 12, bottom: 38 };
const MARGIN = 16;
/** How much room is left around all points. */
const AROUND = 1.06;
/** Two axes are drawn alike, unless one would be so many times shorter than its room. */
const FLAT = 4;
/** Around what is drawn of the picture: the marks of points at its very edge. */
export const EDGE = 6;
/** Shades of depth; the first is that of what isn't seen. */
export const DEPTHS = 256;

export class Camera {
  /**
   * @param {object} of
   * @param {Component[]} of.components those that are drawn: two or three
   * @param {[number, number]} of.angles in degrees
   * @param {View} of.view
   * @param {number} of.width of the canvas
   * @param {number} of.height
   */
  constructor({ components, angles, view, width, height }) {
    this.components = components;
    this.solid = components.length === 3;
    const margin = this.solid
      ? { left: MARGIN, right: MARGIN, top: MARGIN, bottom: MARGIN }
      : MARGINS;
    this.left = margin.left;
    this.top = margin.top;
    this.right = Math.max(this.left + 1, width - margin.right);
    this.bottom = Math.max(this.top + 1, height - margin.bottom);
    this.middle = { x: (this.left + this.right) / 2, y: (this.top + this.bottom) / 2 };
    this.centre = components.map(({ low, high }) => (low + high) / 2);
    const sizes = components.map(({ low, high }) => Math.max(high - low, 1e-12));
    const room = [this.right - this.left, this.bottom - this.top];
    const [yaw, tilt] = angles.map((angle) => (angle * Math.PI) / 180);
    const [sin, cos, sinTilt, cosTilt] = [
      Math.sin(yaw),
      Math.cos(yaw),
      Math.sin(tilt),
      Math.cos(tilt),
    ];
    /** @type {number[]} */
    let scales;
    if (this.solid) {
      // The box of all points as it is tilted, however it is turned: it keeps its size while it turns.
      const [width, height, depth] = sizes;
      const across = Math.hypot(width, depth);
      const up = height * cosTilt + across * Math.abs(sinTilt);
      scales = [0, 0].fill(Math.min(room[0] / across, room[1] / up));
    } else {
      const each = sizes.map((size, i) => room[i] / (size * AROUND));
      const least = Math.min(...each);
      scales = Math.max(...each) <= FLAT * least ? each.fill(least) : each;
    }
    /** How far a depth reaches, from the middle. */
    this.reach = Math.hypot(...sizes) / 2;
    this.view = view;
    this.scaleX = scales[0] * view.zoom;
    this.scaleY = scales[1] * view.zoom;
    /** To the right, up, and towards the eye. */
    this.turn = this.solid
      ? [
          [cos, 0, sin],
          [sin * sinTilt, cosTilt, -cos * sinTilt],
          [-sin * cosTilt, sinTilt, cos * cosTilt],
        ]
      : [
          [1, 0],
          [0, 1],
          [0, 0],
        ];
    /** What is seen in the middle. */
    this.x0 = this.middle.x - view.x * (room[0] * view.zoom);
    this.y0 = this.middle.y + view.y * (room[1] * view.zoom);
    this.room = room;
  }

  /**
   * Where a place is on the screen: to the right, down, and its depth.
   * @param {ArrayLike<number>} place along each of the axes
   * @returns {[x: number, y: number, depth: number]}
   */
  at(place) {
    const [right, up, near] = this.turn.map((row) =>
      row.reduce((sum, part, i) => sum + part * (place[i] - this.centre[i]), 0),
    );
    return [this.x0 + right * this.scaleX, this.y0 - up * this.scaleY, near];
  }

  /**
   * All points at once.
   * @param {Float32Array[]} components
   * @param {{x: Float32Array, y: Float32Array}} into
   * @returns {number} how many of them are within the picture
   */
  project(components, { x, y }) {
    const [a, b, c = a] = components;
    const [ca, cb, cc = ca] = this.centre;
    const { x0, y0, left, right, top, bottom, scaleX, scaleY } = this;
    const [[xa, , xc = 0], [ya, yb, yc = 0]] = this.turn;
    const [rightA, rightC, upA, upB, upC] = [
      ...[xa * scaleX, xc * scaleX],
      ...[ya * scaleY, yb * scaleY, yc * scaleY],
    ];
    let seen = 0;
    for (let i = 0; i < a.length; i++) {
      const p = a[i] - ca;
      const r = c[i] - cc;
      const px = x0 + rightA * p + rightC * r;
      const py = y0 - upA * p - upB * (b[i] - cb) - upC * r;
      x[i] = px;
      y[i] = py;
      if (px >= left && px <= right && py >= top && py <= bottom) seen++;
    }
    return seen;
  }

  /**
   * How near points are, of three axes: from 1, the farthest there may be, on; 0 for those that aren't seen.
   * @param {Float32Array[]} components
   * @param {{x: Float32Array, y: Float32Array}} places
   * @returns {Uint8Array}
   */
  depths([a, b, c], { x, y }) {
    const [ca, cb, cc] = this.centre;
    const [na, nb, nc] = this.turn[2].map((part) => (part * (DEPTHS - 3)) / (2 * this.reach));
    const [left, right] = [this.left - EDGE, this.right + EDGE];
    const [top, bottom] = [this.top - EDGE, this.bottom + EDGE];
    const middle = DEPTHS / 2;
    const depths = new Uint8Array(a.length);
    for (let i = 0; i < a.length; i++) {
      if (!(x[i] >= left && x[i] <= right && y[i] >= top && y[i] <= bottom)) continue;
      depths[i] = middle + na * (a[i] - ca) + nb * (b[i] - cb) + nc * (c[i] - cc);
    }
    return depths;
  }

  /** What stands along the two axes at a place on the screen. @param {number} x @param {number} y @returns {[number, number]} */
  under(x, y) {
    return [
      this.centre[0] + (x - this.x0) / this.scaleX,
      this.centre[1] - (y - this.y0) / this.scaleY,
    ];
  }

  /**
   * The view that is nearer by a factor, with the same under a place on the screen.
   * @param {number} factor
   * @param {number} x
   * @param {number} y
   * @returns {View}
   */
  zoomed(factor, x = this.middle.x, y = this.middle.y) {
    const zoom = Math.min(MOST_ZOOM, Math.max(LEAST_ZOOM, this.view.zoom * factor));
    const share = zoom / this.view.zoom;
    const [x0, y0] = [x + (this.x0 - x) * share, y + (this.y0 - y) * share];
    return {
      zoom,
      x: (this.middle.x - x0) / (this.room[0] * zoom),
      y: (y0 - this.middle.y) / (this.room[1] * zoom),
    };
  }

  /** The view that is moved by so many pixels. @param {number} right @param {number} down @returns {View} */
  moved(right, down) {
    const { zoom, x, y } = this.view;
    return { zoom, x: x - right / (this.room[0] * zoom), y: y + down / (this.room[1] * zoom) };
  }
}

const LEAST_ZOOM = 0.25;
const MOST_ZOOM = 4096;
