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
        assert.ok(left >= camera.left && left <= camera.right, String(left));
        assert.ok(top >= camera.top && top <= camera.bottom, String(top));
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

test("three axes fill the picture as they turn, at whatever tilt, and never leave it", () => {
  const { next } = random(6);
  for (let k = 0; k < 20; k++) {
    const components = [0, 1, 2].map(() => component(-next(), 0.1 + 2 * next()));
    const tilt = 180 * next() - 90;
    const most = { width: 0, height: 0 };
    for (let yaw = 0; yaw < 360; yaw++) {
      const camera = of({ components, angles: [yaw, tilt] });
      for (let corner = 0; corner < 8; corner++) {
        const [x, y] = camera.at(
          components.map(({ low, high }, i) => ((corner >> i) & 1 ? low : high)),
        );
        assert.ok(x > camera.left - 1e-6 && x < camera.right + 1e-6, `${x} at ${yaw}, ${tilt}`);
        assert.ok(y > camera.top - 1e-6 && y < camera.bottom + 1e-6, `${y} at ${yaw}, ${tilt}`);
        const { left, right, top, bottom, middle } = camera;
        most.width = Math.max(most.width, Math.abs(x - middle.x) / ((right - left) / 2));
        most.height = Math.max(most.height, Math.abs(y - middle.y) / ((bottom - top) / 2));
      }
    }
    assert.ok(Math.max(most.width, most.height) > 0.999, JSON.stringify(most));
  }
});

test("all points at once are where each of them is, and as near", () => {
  const { next } = random(5);
  const columns = [0, 1, 2].map(() => Float32Array.from({ length: 400 }, () => 2 * next() - 1));
  for (const [axes, zoom] of [
    [2, 1],
    [2, 3],
    [3, 1],
    [3, 5],
  ]) {
    const camera = of({
      components: Array.from({ length: axes }, () => component(-1, 1)),
      view: { ...VIEW, zoom },
    });
    const into = { x: new Float32Array(400), y: new Float32Array(400) };
    const shown = columns.slice(0, axes);
    const seen = camera.project(shown, into);
    const depths = axes === 3 ? camera.depths(shown, into) : new Uint8Array();
    const { left, right, top, bottom } = camera;
    let within = 0;
    for (let i = 0; i < 400; i++) {
      const [x, y, depth] = camera.at(shown.map((column) => column[i]));
      near(into.x[i], x, 1e-3);
      near(into.y[i], y, 1e-3);
      const inside = x >= left && x <= right && y >= top && y <= bottom;
      within += Number(inside);
      if (axes === 2) continue;
      if (inside) near(depths[i], 128 + (depth / camera.reach) * 126.5, 1);
      const out = x < left - 7 || x > right + 7 || y < top - 7 || y > bottom + 7;
      if (inside || out) assert.equal(depths[i] > 0, inside);
    }
    assert.equal(seen, within);
    assert.ok(zoom > 1 ? seen < 400 : seen === 400, String(seen));
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
