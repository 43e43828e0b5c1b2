// The legend: the palette from end to end, with what its ends and middle stand for.

import { css, RAMP } from "../core/palettes.js";
import { element } from "./dom.js";

/**
 * @param {number} value
 * @param {boolean} signed
 */
function short(value, signed = false) {
  const text =
    Math.abs(value) >= 1e4 ? value.toExponential(1) : String(Number(value.toPrecision(3)));
  return (signed && value > 0 ? "+" : "") + text.replace("-", "−");
}

export class Legend {
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

  /** @param {import("./colours.js").Colours} colours */
  update({ mapping, ramp }) {
    const { scale, diverging } = mapping;
    const start = scale === "squared" && diverging ? RAMP / 2 : 0;
    const stops = Array.from({ length: 41 }, (_, i) => {
      const at = Math.round(start + (i / 40) * (RAMP - 1 - start));
      return `${css(ramp[at])} ${(i / 40) * 100}%`;
    });
    this.bar.style.background = `linear-gradient(to right, ${stops.join(", ")})`;
    let [low, high] = mapping.range;
    if (scale === "sigmoid") [low, high] = [0, 1];
    const fixed = Array.isArray(scale);
    this.low.textContent = (fixed ? "≤ " : "") + short(low);
    this.high.textContent = (fixed ? "≥ " : "") + short(high, low < 0);
    this.middle.textContent = short((low + high) / 2);
    const units = /** @type {Record<string, string>} */ ({
      layer: "",
      cell: "÷ largest of the cell",
      sigmoid: "sigmoid(value)",
      squared: "value² ÷ largest of the cell²",
    });
    this.unit.textContent = fixed ? "" : units[/** @type {string} */ (scale)];
    this.root.setAttribute(
      "aria-label",
      `Colours from ${short(low)} to ${short(high)} ${this.unit.textContent}`,
    );
  }
}
