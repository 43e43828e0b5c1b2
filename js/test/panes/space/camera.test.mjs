import assert from "node:assert/strict";
import { test } from "node:test";
import { load, random } from "../../load.mjs";

/** @type {typeof import("../../../src/panes/space/camera.js")} */
const { Camera } = await load("panes/space/camera.js");

const component = (/** @type {number} */ low, /** @type {number} */ high) => ({
  ...{ name: "PC", share: null, low, high },
});
const VIEW = { zoom: 1, x: 0, y: 0 };
const of = (/** @type {Partial<ConstructorParameters<typeof Camera>[0]>} */ more = {}) =>
  new Camera({
    components: [component(-2, 4), component(0, 1)],
    angles: [-35, 20],
    view: VIEW,
    ...{ width: 800, height: 400 },
    ...more,
  });
const near = (/** @type {number} */ a, /** @type {number} */ b, /** @type {number} */ by = 1e-6) =>
  assert.ok(Math.abs(a - b) <= by, `${a} is not ${b}`);

test("all points are within the picture, and alike along both axes unless one would be flat", () => {
  const alike = of({ components: [component(-2, 4), component(0, 3)] });
  near(alike.scaleX, alike.scaleY);
  const flat = of({ components: [component(-2, 4), component(0, 0.1)] });
  assert.ok(flat.scaleY > 4 * flat.scaleX);
  for (const camera of [alike, flat]) {
    const [across, up] = camera.components;
    for (const x of [across.low, across.high])
      for (const y of [up.low, up.high]) {
        const [left, top] = camera.at([x, y]);
        assert.equal(camera.seen(Float32Array.of(left, -9), Float32Array.of(top, 9)), 1);
        const [a, b] = camera.under(left, top);
        near(a, x);
        near(b, y);
      }
  }
});

test("three axes are turned as Python turns them, and keep their lengths", () => {
  const { next } = random(4);
  for (const angles of /** @type {[number, number][]} */ ([
    [0, 0],
    [30, -50],
    [-170, 80],
  ])) {
    const camera = of({
      components: [component(-1, 1), component(-1, 1), component(-1, 1)],
      angles,
    });
    const place = [next(), next(), next()];
    const [x, y, depth] = camera.at(place);
    const [right, up] = [
      (x - camera.middle.x) / camera.scaleX,
      (camera.middle.y - y) / camera.scaleY,
    ];
    near(Math.hypot(right, up, depth), Math.hypot(...place));
    // lstm_widgets/views/space.py: turned
    const [yaw, tilt] = angles.map((angle) => (angle * Math.PI) / 180);
    const ahead = place[2] * Math.cos(yaw) - place[0] * Math.sin(yaw);
    near(right, place[0] * Math.cos(yaw) + place[2] * Math.sin(yaw));
    near(up, place[1] * Math.cos(tilt) - ahead * Math.sin(tilt));
    near(depth, ahead * Math.cos(tilt) + place[1] * Math.sin(tilt));
  }
});

test("all points at once are where each of them is", () => {
  const { next } = random(5);
  const columns = [0, 1, 2].map(() => Float32Array.from({ length: 40 }, () => 2 * next() - 1));
  for (const axes of [2, 3]) {
    const camera = of({ components: Array.from({ length: axes }, () => component(-1, 1)) });
    const into = { x: new Float32Array(40), y: new Float32Array(40), depth: new Float32Array(40) };
    camera.project(columns.slice(0, axes), into);
    for (let i = 0; i < 40; i++) {
      const [x, y, depth] = camera.at(columns.slice(0, axes).map((column) => column[i]));
      near(into.x[i], x, 1e-3);
      near(into.y[i], y, 1e-3);
      if (axes === 3) near(into.depth[i], depth, 1e-5);
    }
  }
});

test("what is under the pointer stays there while it is zoomed, and goes with it when moved", () => {
  let camera = of();
  const before = camera.under(300, 120);
  camera = of({ view: camera.zoomed(3, 300, 120) });
  for (const i of [0, 1]) near(camera.under(300, 120)[i], before[i]);
  camera = of({ view: camera.moved(25, -40) });
  for (const i of [0, 1]) near(camera.under(325, 80)[i], before[i]);
  assert.ok(of({ view: camera.zoomed(1e9) }).view.zoom <= 4096);
});
