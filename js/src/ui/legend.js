// The legend: the palette from end to end, with what its ends and middle stand for.

import { css, RAMP } from "../colour/palettes.js";
import { element } from "../lib/dom.js";
import { inLine } from "../lib/tokens.js";
import { short } from "../lib/wording.js";

export class Legend {
  #colours = /** @type {unknown} */ (undefined);

  constructor() {
    this.bar = element("span", { class: "lw-ramp" });
    this.low = element("span");
    this.middle = element("span", { class: "lw-middle" });
    this.high = element("span");
    this.unit = element("span", { class: "lw-unit" });
    this.root = element("div", { class: "lw-legend", role: "img" }, [
      this.unit,
      this.low,
      element("span", { class: "lw-scale" }, [this.bar, this.middle]),
      this.high,
    ]);
  }

  /** @param {import("../colour/colours.js").Colours} colours the same object until the look changes */
  update(colours) {
    if (colours === this.#colours) return;
    this.#colours = colours;
    const { mapping, ramp } = colours;
    const { less } = colours.source;
    const what = less ? `difference to ${inLine(less)}` : "";
    const of = what || "value";
    const { scale, diverging } = mapping;
    let [low, high] = mapping.range;
    if (scale === "sigmoid") [low, high] = [0, 1];
    const fixed = Array.isArray(scale);
    const units = /** @type {Record<string, string>} */ ({
      layer: what,
      cell: `${what} ÷ largest of the cell`.trim(),
      sigmoid: `sigmoid(${of})`,
      squared: `${less ? `(${what})` : of}² ÷ largest of the cell²`,
    });
    this.root.classList.toggle("lw-differs", less !== "");
    this.show({
      ramp: scale === "squared" && diverging ? ramp.subarray(RAMP / 2) : ramp,
      low: (fixed ? "≤ " : "") + short(low),
      middle: short((low + high) / 2),
      high: (fixed ? "≥ " : "") + short(high, low < 0),
      unit: fixed ? what : units[/** @type {string} */ (scale)],
    });
  }

  /**
   * @param {{ramp: Uint32Array, low: string, middle: string, high: string, unit: string}} of the
   *   palette, and what its ends and its middle stand for
   */
  show({ ramp, low, middle, high, unit }) {
    const stops = Array.from({ length: 41 }, (_, i) => {
      const at = Math.round((i / 40) * (ramp.length - 1));
      return `${css(ramp[at])} ${(i / 40) * 100}%`;
    });
    this.bar.style.background = `linear-gradient(to right, ${stops.join(", ")})`;
    this.low.textContent = low;
    this.middle.textContent = middle;
    this.high.textContent = high;
    this.unit.textContent = unit;
    this.root.setAttribute("aria-label", `Colours from ${low} to ${high} ${unit}`);
  }
}
