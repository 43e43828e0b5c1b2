import assert from "node:assert/strict";
import { test } from "node:test";
import { load, random } from "../../load.mjs";

/** @type {typeof import("../../../src/panes/space/raster.js")} */
const { byDepth, density, dots, faded, inside, nearest } = await load("panes/space/raster.js");

/** What stands for an image here. @param {number} width @param {number} height @returns {any} */
const blank = (width, height) => ({ width, height, all: new Uint32Array(width * height) });
const RED = 0xff0000ff;
const BLUE = 0xffff0000;
const alpha = (/** @type {number} */ pixel) => pixel >>> 24;

test("a dot is round, whole in the middle, and cut off at the edges", () => {
  const pixels = blank(40, 30);
  const placed = {
    x: Float32Array.of(10, 0, 500),
    y: Float32Array.of(12, 0, 10),
    colours: Uint32Array.of(RED, BLUE, BLUE),
    order: undefined,
  };
  dots(pixels, placed, { ratio: 1, radius: 4, rim: 0 });
  assert.equal(pixels.all[12 * 40 + 10], RED);
  const seen = pixels.all.filter((/** @type {number} */ pixel) => (pixel & 255) === 255);
  const area = seen.reduce(
    (/** @type {number} */ sum, /** @type {number} */ p) => sum + alpha(p) / 255,
    0,
  );
  assert.ok(Math.abs(area - Math.PI * 16) < 6, String(area));
  assert.equal(pixels.all[0], BLUE);
});

test("what is drawn last lies on top", () => {
  for (const [order, top] of /** @type {[number[], number][]} */ ([
    [[0, 1], BLUE],
    [[1, 0], RED],
  ])) {
    const pixels = blank(20, 20);
    const [x, y] = [Float32Array.of(9, 9), Float32Array.of(9, 9)];
    const colours = Uint32Array.of(RED, BLUE);
    dots(
      pixels,
      { x, y, colours, order: Uint32Array.from(order) },
      { ratio: 1, radius: 1, rim: 0 },
    );
    assert.equal(pixels.all[9 * 20 + 9], top);
  }
});

test("the more points a pixel has, the stronger it is, in the mean of their colours", () => {
  const pixels = blank(10, 4);
  const xs = [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 3, 5, 5, 5, 5, -1, 99];
  const x = Float32Array.from(xs, (v) => v + 0.3);
  const colours = Uint32Array.from(xs, (_, i) => (i % 2 ? RED : BLUE));
  const most = density(pixels, {
    x,
    y: new Float32Array(xs.length).fill(2),
    colours,
  });
  assert.equal(most, 16);
  const [many, one, some] = [1, 3, 5].map((column) => pixels.all[20 + column]);
  assert.deepEqual([many, one, some].map(alpha), [255, 64, Math.round(255 * (0.25 + 0.75 / 2))]);
  assert.equal(many & 255, 128);
  assert.equal((many >>> 16) & 255, 128);
  assert.equal(pixels.all.filter(Boolean).length, 3);
});

test("while it changes, some of the points are counted in larger pixels", () => {
  const pixels = blank(5, 2);
  const x = Float32Array.from({ length: 64 }, (_, i) => (i < 32 ? 2 + (i % 2) : 8.9));
  const y = new Float32Array(64).fill(1.5);
  const colours = new Uint32Array(64).fill(RED);
  assert.equal(density(pixels, { x, y, colours }, { scale: 0.5, step: 4 }), 8);
  assert.deepEqual([...pixels.all], [0, RED, 0, 0, RED, 0, 0, 0, 0, 0]);
  // What comes again with every eighth point is not left out, nor all that is left.
  const turns = Float32Array.from({ length: 80_000 }, (_, i) => i % 8);
  const among = blank(8, 1);
  const flat = {
    x: turns,
    y: new Float32Array(80_000),
    colours: new Uint32Array(80_000).fill(RED),
  };
  const most = density(among, flat, { step: 8 });
  assert.ok(most < 1300, String(most));
  assert.ok(among.all.every((/** @type {number} */ pixel) => alpha(pixel) > 245));
});

test("points are in the order of their depth, without those that aren't seen", () => {
  const { next } = random(2);
  const depths = Uint8Array.from({ length: 300 }, () => 256 * next());
  depths.fill(0, 20, 60);
  const order = byDepth(depths);
  assert.deepEqual(
    [...order].sort((a, b) => a - b),
    [...depths.keys()].filter((i) => depths[i] > 0),
  );
  for (let k = 1; k < order.length; k++) {
    const [before, after] = [order[k - 1], order[k]];
    assert.ok(
      depths[before] < depths[after] || (depths[before] === depths[after] && before < after),
    );
  }
});

test("what is far, or isn't selected, fades into the paper", () => {
  const { next, integer } = random(8);
  const channels = (/** @type {number} */ pixel) =>
    [0, 8, 16].map((shift) => (pixel >>> shift) & 255);
  const colours = Uint32Array.from(
    { length: 200 },
    () => (0xff000000 | integer(0, 0xffffff)) >>> 0,
  );
  const depths = Uint8Array.from({ length: 200 }, () => integer(1, 255));
  const chosen = Uint8Array.from({ length: 200 }, () => Number(next() < 0.5));
  const paper = 0xff201040;
  const [far, others] = [0.55, 0.82];
  for (const of of [
    { depths, far },
    { chosen, others },
    { depths, far, chosen, others },
  ]) {
    const found = faded(colours, paper, of);
    for (let i = 0; i < 200; i++) {
      let keep = of.depths ? 1 - (far * (255 - depths[i])) / 255 : 1;
      if (of.chosen && !chosen[i]) keep *= 1 - others;
      assert.equal(alpha(found[i]), 255);
      channels(found[i]).forEach((channel, k) => {
        const wanted = keep * channels(colours[i])[k] + (1 - keep) * channels(paper)[k];
        assert.ok(Math.abs(channel - wanted) < 2, `${channel} is not ${wanted}`);
      });
    }
  }
});

test("inside of a line is what a walk around it goes around", () => {
  const { next } = random(3);
  const x = Float32Array.from({ length: 400 }, () => 10 * next());
  const y = Float32Array.from({ length: 400 }, () => 10 * next());
  /** @type {[number, number][]} */
  const corners = [
    [1, 1],
    [9, 2],
    [8, 9],
    [4.5, 4],
    [2, 8],
  ];
  // By the angles under which the corners are seen from a point.
  const wound = (/** @type {number} */ i) => {
    let angle = 0;
    corners.forEach(([ax, ay], k) => {
      const [bx, by] = corners[(k + 1) % corners.length];
      const [a, b] = [Math.atan2(ay - y[i], ax - x[i]), Math.atan2(by - y[i], bx - x[i])];
      const step = b - a;
      angle += step > Math.PI ? step - 2 * Math.PI : step < -Math.PI ? step + 2 * Math.PI : step;
    });
    return Math.abs(angle) > Math.PI;
  };
  assert.deepEqual(
    inside(x, y, corners),
    [...x.keys()].filter((i) => wound(i)),
  );
});

test("the nearest point is found, unless it is too far", () => {
  const [x, y] = [Float32Array.of(1, 5, 9), Float32Array.of(1, 5, 9)];
  assert.equal(nearest(x, y, 5.5, 5.2, 3), 1);
  assert.equal(nearest(x, y, 3, 7, 2), -1);
});
