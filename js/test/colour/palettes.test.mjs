import assert from "node:assert/strict";
import { test } from "node:test";
import { load, random } from "../load.mjs";

/** @type {typeof import("../../src/colour/palettes.js")} */
const {
  css,
  INK_DARK,
  INK_LIGHT,
  ink,
  luminance,
  Mapping,
  mix,
  palettes,
  pixel,
  RAMP,
  ramp,
  resolve,
} = await load("colour/palettes.js");

/** @param {number} value a pixel */
const rgb = (value) => [value & 255, (value >>> 8) & 255, (value >>> 16) & 255];
/** @param {string} hex */
const parsed = (hex) => [0, 2, 4].map((i) => Number.parseInt(hex.slice(i, i + 2), 16));
/** Where a position stands on a ramp. @param {number} position */
const at = (position) => Math.round(position * (RAMP - 1));

/** @param {number[]} found @param {number[]} expected @param {number} most */
function near(found, expected, most) {
  found.forEach((channel, i) => {
    assert.ok(Math.abs(channel - expected[i]) <= most, `${found} is not ${expected}`);
  });
}

test("a pixel is opaque, with its channels as ImageData holds them", () => {
  const value = pixel([1, 2, 3]);
  assert.deepEqual([...new Uint8Array(Uint32Array.of(value).buffer)], [1, 2, 3, 255]);
  assert.equal(css(value), "rgb(1 2 3)");
});

test("mixing goes from the one to the other", () => {
  const [a, b] = [pixel([0, 100, 255]), pixel([200, 100, 55])];
  assert.equal(mix(a, b, 0), a);
  assert.equal(mix(a, b, 1), b);
  assert.equal(mix(a, b, 0.5), pixel([100, 100, 155]));
});

for (const [name, palette] of Object.entries(palettes)) {
  test(`${name} runs from its first to its last colour, all opaque`, () => {
    const pixels = ramp(name);
    assert.equal(pixels.length, RAMP);
    const colours = palette.colours.split(" ");
    assert.deepEqual(rgb(pixels[0]), parsed(colours[0]));
    assert.deepEqual(rgb(pixels[RAMP - 1]), parsed(colours[colours.length - 1]));
    for (const value of pixels) assert.equal(value >>> 24, 255);
    assert.equal(ramp(name), pixels);
  });
}

test("blue_white_red_20 is twenty steps, each as wide as the others and each shown", () => {
  const { stepped } = palettes.blue_white_red_20;
  const colours = palettes.blue_white_red_20.colours.split(" ");
  assert.equal(stepped, true);
  assert.equal(colours.length, 20);
  const pixels = ramp("blue_white_red_20");
  const steps = Array.from({ length: 20 }, (_, step) => parsed(colours[step]));
  // As the notebooks choose one: by what part of twenty the position is.
  pixels.forEach((value, i) => {
    assert.deepEqual(rgb(value), steps[Math.floor((i / RAMP) * 20)]);
  });
  steps.forEach((colour, step) => {
    assert.deepEqual(rgb(pixels[at((step + 0.5) / 20)]), colour);
  });
  // Two beside each other in the middle are the same there, too.
  assert.equal(new Set(colours).size, 19);
  assert.equal(colours[9], colours[10]);
});

test("a smooth palette has no step that one would see", () => {
  for (const [name, { stepped }] of Object.entries(palettes)) {
    if (stepped) continue;
    const pixels = ramp(name);
    for (let i = 1; i < RAMP; i++) near(rgb(pixels[i]), rgb(pixels[i - 1]), 5);
  }
});

test("zero is the light middle of RdBu_r, red above and blue below", () => {
  const mapping = new Mapping("layer", { gate: false, largest: 0.9, diverging: true });
  const pixels = ramp("RdBu_r");
  near(rgb(pixels[at(mapping.position(0, 0.9))]), parsed("f7f6f6"), 1);
  const [redAbove, , blueAbove] = rgb(pixels[at(mapping.position(0.8, 0.9))]);
  const [redBelow, , blueBelow] = rgb(pixels[at(mapping.position(-0.8, 0.9))]);
  assert.ok(redAbove > blueAbove + 50 && blueBelow > redBelow + 50);
});

test("auto is diverging for signed signals, sequential for gates", () => {
  assert.equal(resolve("auto", true, false), "RdBu_r");
  assert.equal(resolve("auto", true, true), "berlin");
  assert.equal(resolve("auto", false, false), "cividis");
  assert.equal(resolve("auto", false, true), "cividis");
  assert.equal(resolve("vik", false, true), "vik");
  for (const name of ["RdBu_r", "berlin"]) assert.equal(palettes[name].kind, "diverging");
  assert.equal(palettes.cividis.kind, "sequential");
});

test("luminance is that of WCAG", () => {
  assert.equal(luminance(pixel([0, 0, 0])), 0);
  assert.ok(Math.abs(luminance(pixel([255, 255, 255])) - 1) < 1e-6);
  assert.ok(Math.abs(luminance(pixel([255, 0, 0])) - 0.2126) < 1e-6);
  assert.ok(Math.abs(luminance(pixel([128, 128, 128])) - 0.21586) < 1e-4);
});

test("ink is the more readable of the two on every colour of every palette", () => {
  /** @param {number} a @param {number} b */
  const contrast = (a, b) => {
    const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y);
    return (high + 0.05) / (low + 0.05);
  };
  for (const name of Object.keys(palettes)) {
    for (const value of ramp(name)) {
      const other = ink(value) === INK_DARK ? INK_LIGHT : INK_DARK;
      const [chosen, left] = [contrast(value, ink(value)), contrast(value, other)];
      assert.ok(chosen >= left, `${name} ${css(value)}: ${chosen}, the other ${left}`);
      assert.ok(chosen >= 4.5, `${name} ${css(value)}: ${chosen}`);
    }
  }
});

/**
 * @param {import("../../src/colour/palettes.js").Scale} scale
 * @param {Partial<{gate: boolean, largest: number, diverging: boolean}>} signal
 */
function mappingOf(scale, signal = {}) {
  return new Mapping(scale, { gate: false, largest: 2, diverging: true, ...signal });
}

test("a signed signal is centred at zero", () => {
  const dice = random(1);
  for (let i = 0; i < 200; i++) {
    const largest = 10 ** (6 * dice.next() - 3);
    const value = (2 * dice.next() - 1) * largest;
    for (const scale of /** @type {const} */ (["layer", "cell", "sigmoid"])) {
      const mapping = mappingOf(scale, { largest });
      assert.equal(mapping.position(0, largest), 0.5);
      const sum = mapping.position(value, largest) + mapping.position(-value, largest);
      assert.ok(Math.abs(sum - 1) < 1e-9);
      const position = mapping.position(value, largest);
      assert.ok(position >= 0 && position <= 1);
    }
  }
});

test("the largest magnitude of the layer, or of the cell, is at the end", () => {
  assert.equal(mappingOf("layer").position(2, 1), 1);
  assert.equal(mappingOf("layer").position(-2, 1), 0);
  assert.equal(mappingOf("layer").position(1, 1), 0.75);
  assert.equal(mappingOf("cell").position(1, 1), 1);
  assert.equal(mappingOf("cell").position(-0.5, 1), 0.25);
});

test("what is always zero is in the middle", () => {
  assert.equal(mappingOf("layer", { largest: 0 }).position(0, 0), 0.5);
  assert.equal(mappingOf("cell").position(0, 0), 0.5);
  assert.equal(mappingOf("squared").position(0, 0), 0.5);
  assert.equal(mappingOf("cell", { gate: true }).position(0, 0), 0);
});

test("a gate uses the palette from end to end", () => {
  const gate = { gate: true, largest: 0.8, diverging: false };
  assert.equal(mappingOf("layer", gate).position(0, 0.5), 0);
  assert.equal(mappingOf("layer", gate).position(0.25, 0.5), 0.25);
  assert.equal(mappingOf("layer", gate).position(1, 0.5), 1);
  assert.equal(mappingOf("cell", gate).position(0.5, 0.5), 1);
});

test("sigmoid is the sigmoid of the value", () => {
  const mapping = mappingOf("sigmoid");
  assert.equal(mapping.position(0, 9), 0.5);
  assert.ok(Math.abs(mapping.position(Math.log(3), 9) - 0.75) < 1e-12);
  assert.ok(Math.abs(mapping.position(-Math.log(3), 9) - 0.25) < 1e-12);
  assert.equal(mapping.position(1000, 9), 1);
  assert.equal(mapping.position(-1000, 9), 0);
});

test("squared is the square over the cell's largest, from the middle of a diverging palette", () => {
  const sequential = mappingOf("squared", { diverging: false });
  assert.equal(sequential.position(0, 2), 0);
  assert.equal(sequential.position(1, 2), 0.25);
  assert.equal(sequential.position(-1, 2), 0.25);
  assert.equal(sequential.position(2, 2), 1);
  const diverging = mappingOf("squared");
  assert.equal(diverging.position(0, 2), 0.5);
  assert.equal(diverging.position(-2, 2), 1);
});

test("a fixed range is what it says, and beyond it there is more", () => {
  const mapping = mappingOf([-1, 3]);
  assert.deepEqual(mapping.range, [-1, 3]);
  assert.equal(mapping.position(-1, 9), 0);
  assert.equal(mapping.position(1, 9), 0.5);
  assert.equal(mapping.position(3, 9), 1);
  assert.ok(mapping.position(4, 9) > 1);
  assert.ok(mapping.position(-2, 9) < 0);
});

test("the legend's ends are the palette's ends", () => {
  assert.deepEqual(mappingOf("layer").range, [-2, 2]);
  assert.deepEqual(mappingOf("layer", { gate: true }).range, [0, 1]);
  const mapping = mappingOf("layer");
  assert.deepEqual(
    mapping.range.map((value) => mapping.position(value, 1)),
    [0, 1],
  );
});
