import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { load } from "../load.mjs";

/** @type {typeof import("../../src/colour/colours.js")} */
const { Colours } = await load("colour/colours.js");
/** @type {typeof import("../../src/colour/palettes.js")} */
const { palettes, pixel, resolve } = await load("colour/palettes.js");

/** tests/test_still.py holds the pictures that Python draws against the same table. */
const table = JSON.parse(await readFile(new URL("../colours.json", import.meta.url), "utf-8"));
const themes = {
  light: { background: pixel([255, 255, 255]), foreground: pixel([31, 35, 40]) },
  dark: { background: pixel([17, 20, 23]), foreground: pixel([230, 233, 238]) },
};

/** @param {number} value a pixel */
const hex = (value) =>
  [value & 255, (value >>> 8) & 255, (value >>> 16) & 255]
    .map((channel) => channel.toString(16).padStart(2, "0"))
    .join("");

test("values have the colours and the marks of Python's pictures", () => {
  for (const one of table) {
    const { signal, largest, scale, palette, threshold, cell, ...expected } = one;
    const dark = expected.theme === "dark";
    const most = Math.max(...largest);
    const gate = signal.endsWith("_gate") && most <= 1;
    const name = resolve(palette, !gate && scale !== "squared", dark);
    const statistics = { largest: Float32Array.from(largest) };
    const colours = new Colours(
      /** @type {any} */ ({
        source: { gate, largest: most, statistics, layer: { cells: 3 } },
        scale,
        palette: name,
        diverging: palettes[name].kind === "diverging",
        threshold,
        theme: themes[dark ? "dark" : "light"],
      }),
    );
    const values = expected.values
      .split(" ")
      .map((/** @type {string} */ value) =>
        Number(value.replace("inf", "Infinity").replace("nan", "NaN")),
      );
    const what = JSON.stringify({ signal, largest, scale, palette, threshold, cell, dark });
    const found = values.map((/** @type {number} */ value) => hex(colours.pixel(value, cell)));
    assert.equal(found.join(" "), expected.colours, what);
    const marks = values.map((/** @type {number} */ value) => colours.mark(value, cell)).join("");
    assert.equal(marks, expected.marks, what);
  }
});
