// Lines with relevance behind them, and marks at the timestep that is explained and at what was read for it.

import { Drawing, HEAD, placeOf } from "./drawing.js";
import { behind, Ground, reachOf } from "./ground.js";

/** @typedef {import("./drawing.js").Scene} Scene */
/** @typedef {import("../../state/lines_only.js").Explanation} Explanation */

export class ExplainedDrawing extends Drawing {
  ground = new Ground();
  /** Of each example in this frame. @type {Map<number, Explanation | undefined>} */
  #explanations = new Map();

  /** @param {import("../../state/lines_only.js").LinesOnlyState} state */
  constructor(state) {
    super();
    this.state = state;
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {Scene} scene
   */
  paint(context, scene) {
    this.#explanations.clear();
    super.paint(context, scene);
  }

  /** @param {number} example */
  #explanation(example) {
    if (!this.#explanations.has(example)) {
      this.#explanations.set(example, this.state.explanation(example));
    }
    return this.#explanations.get(example);
  }

  /**
   * The relevance behind the lines of channels.
   * @param {CanvasRenderingContext2D} context
   * @param {Scene} scene
   * @param {number} left
   * @param {number} room
   */
  behind(context, { lines, theme, bands, start, scale }, left, room) {
    const grounds = bands.flatMap((band) => {
      const { example, top, height } = band;
      const explanation = this.#explanation(example);
      const of = explanation && behind(this.state, band);
      if (!of) return [];
      const axis = lines.axis("", example);
      const { method } = explanation;
      return [
        { explanation, axis, example, top: top - 3, height: height + 6, of: { ...of, method } },
      ];
    });
    context.save();
    context.translate(left, 0);
    this.ground.paint(context, { lines, theme, start, scale, room }, grounds);
    context.restore();
  }

  /** Whether relevance stands behind a band. @param {import("./bands.js").Band} band */
  coloured(band) {
    return Boolean(this.#explanation(band.example) && behind(this.state, band));
  }

  /**
   * The timestep that is explained, and what was read for it.
   * @param {CanvasRenderingContext2D} context
   * @param {Scene} scene
   * @param {number} left
   * @param {number} room
   */
  before(context, scene, left, room) {
    const { lines, theme, height, read } = scene;
    const explanation = this.#explanation(read.example);
    if (!explanation) return;
    const { from, to, explained } = reachOf(explanation, lines.axis("", read.example));
    const [start, end, at] = [from, to, explained].map(placeOf(scene, left));
    context.save();
    context.beginPath();
    context.rect(left - 6, 0, room + 12, height);
    context.clip();
    context.fillStyle = theme.colour.fg;
    context.globalAlpha = 0.55;
    context.fillRect(start, HEAD - 3, Math.max(1, end - start), 2);
    context.globalAlpha = 1;
    context.beginPath();
    context.moveTo(at - 5, HEAD - 1);
    context.lineTo(at + 5, HEAD - 1);
    context.lineTo(at, HEAD + 7);
    context.closePath();
    context.fill();
    context.strokeStyle = theme.colour.fg;
    context.lineWidth = 1;
    context.setLineDash([2, 3]);
    context.beginPath();
    context.moveTo(Math.round(at) + 0.5, HEAD);
    context.lineTo(Math.round(at) + 0.5, height);
    context.stroke();
    context.restore();
  }
}
