import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeModel, load } from "../load.mjs";

/** @type {typeof import("../../src/data/points.js")} */
const { Points, pointsHere } = await load("data/points.js");

const COMPONENT = { name: "PC 1", share: 0.5, low: -1, high: 3 };
const bytes = (/** @type {ArrayBufferView} */ view) => new Uint8Array(view.buffer);

/** @param {any[]} held @param {Uint8Array[]} values */
function model(held, values) {
  const all = new Uint8Array(values.flatMap((each) => [...each]));
  return new FakeModel({
    _space: {
      ...{ layer: "lstm", signal: "hidden_state", variant: "", points: 3, total: 3, series: [] },
      ...{ components: [COMPONENT], held },
    },
    _space_values: new DataView(all.buffer),
  });
}
const COLUMNS = bytes(Uint32Array.of(2, 5, 6));

test("what is in the page is read from it, and nothing is asked", () => {
  const values = [COLUMNS, bytes(Float32Array.of(-1, 0.25, 3)), Uint8Array.of(0, 255, 1)];
  const fake = model(
    [
      ["columns", true, {}, 12],
      ["component", 0, { exact: true }, 12],
      ["tokens", true, { names: ["a", "b"], counts: [1, 1] }, 3],
    ],
    values,
  );
  assert.ok(pointsHere(fake));
  const points = new Points(fake, () => {});
  assert.deepEqual([...(points.columns ?? [])], [2, 5, 6]);
  assert.deepEqual([points.at(5), points.at(4)], [1, -1]);
  assert.deepEqual(points.place(5), { values: [0.25], exact: true });
  assert.deepEqual(points.classes("tokens")?.names, ["a", "b"]);
  points.request();
  assert.deepEqual(fake.sent, []);
  // A host that hands over one trait after the other.
  fake.set("_space_values", new Uint8Array(20));
  assert.ok(!pointsHere(fake));
});

test("what isn't in the page is asked for, one after the other, and rounded places lie where they are", () => {
  const fake = model([], []);
  let arrived = 0;
  const points = new Points(fake, () => {
    arrived++;
  });
  const answer = (/** @type {Uint8Array} */ buffer, told = {}) => {
    const { id, space } = fake.sent.at(-1);
    fake.emit("msg:custom", { id, space, told }, [new DataView(buffer.buffer)]);
  };
  assert.equal(points.columns, undefined);
  assert.equal(points.component(0), undefined);
  points.request();
  assert.deepEqual(fake.sent.at(-1).space, ["columns", true]);
  answer(COLUMNS);
  assert.deepEqual([...(points.columns ?? [])], [2, 5, 6]);
  assert.equal(points.component(0), undefined);
  points.request();
  assert.deepEqual(fake.sent.at(-1).space, ["component", 0]);
  answer(bytes(Uint16Array.of(0, 65_535, 32_768)), { exact: false });
  const places = [...(points.component(0) ?? [])];
  assert.deepEqual(places.slice(0, 2), [-1, 3]);
  assert.ok(Math.abs(places[2] - 1) < 1e-4);
  assert.equal(points.place(5), undefined);
  points.request();
  answer(bytes(Float32Array.of(2.5)));
  assert.deepEqual(Array.from(points.place(5)?.values ?? []), [2.5]);
  assert.equal(arrived, 3);
  points.dispose();
});
