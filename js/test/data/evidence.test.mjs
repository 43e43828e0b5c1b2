import assert from "node:assert/strict";
import { test } from "node:test";
import { counted, EvidenceStore } from "../../src/data/evidence.js";
import { shares, steps } from "../../src/panes/finder/charts.js";
import { FakeModel } from "../load.mjs";

const packed = (/** @type {number[]} */ values) =>
  Buffer.from(Float32Array.from(values).buffer).toString("base64");

const sent = {
  passages: [
    {
      kind: "highest",
      example: 0,
      start: 3,
      peak: 4,
      values: packed([0.5, 1]),
      said: null,
      tokens: ["a", "b"],
      label: null,
    },
  ],
  histogram: null,
  null: packed([-0.5, 0.25]),
};

function store(held = {}) {
  const model = new FakeModel({ _evidence: held });
  let arrivals = 0;
  const made = new EvidenceStore(model, () => {
    arrivals++;
  });
  return { model, made, arrivals: () => arrivals };
}

test("the evidence of a row is asked for once, and kept", () => {
  const { model, made, arrivals } = store();
  assert.equal(made.of(7), undefined);
  made.flush();
  assert.equal(model.sent.length, 1);
  assert.equal(model.sent[0].evidence, 7);
  made.of(7);
  made.flush();
  assert.equal(model.sent.length, 1); // it is under way
  model.emit("msg:custom", { id: model.sent[0].id, evidence: 7, ...sent }, []);
  assert.equal(arrivals(), 1);
  const found = made.of(7);
  assert.deepEqual([...(found?.passages[0].values ?? [])], [0.5, 1]);
  assert.deepEqual([...(found?.null ?? [])], [-0.5, 0.25]);
  assert.equal(found?.passages[0].said, undefined);
  made.flush();
  assert.equal(model.sent.length, 1);
  made.dispose();
  assert.equal(model.listeners("msg:custom"), 0);
});

test("of rows that were chosen meanwhile only the last is asked for", () => {
  const { model, made } = store();
  for (const row of [1, 2, 3]) {
    made.of(row);
    made.flush();
  }
  model.emit("msg:custom", { id: model.sent[0].id, evidence: 1, ...sent }, []);
  made.of(3);
  made.flush();
  assert.deepEqual(
    model.sent.map(({ evidence }) => evidence),
    [1, 3],
  );
  // An answer to somebody else is none to us.
  model.emit("msg:custom", { id: "other", evidence: 3, ...sent }, []);
  assert.equal(made.known(3), undefined);
  model.emit("msg:custom", { id: model.sent[1].id, evidence: 3, ...sent }, []);
  assert.ok(made.known(3));
  made.dispose();
});

test("an error is told", () => {
  const { model, made } = store();
  made.of(1);
  made.flush();
  model.emit("msg:custom", { id: model.sent[0].id, error: "ValueError: no" }, []);
  assert.match(made.notice, /ValueError: no/);
  made.dispose();
});

test("a saved page has what it holds, and asks for nothing", () => {
  const { model, made } = store({ 4: sent });
  assert.ok(made.saved);
  assert.equal(made.of(4)?.passages[0].peak, 4);
  assert.equal(made.of(5), undefined);
  made.flush();
  assert.equal(model.sent.length, 0);
  made.dispose();
});

test("evidence of a difference is another, and is asked for by its name", () => {
  const { model, made } = store({ "4 early": sent });
  assert.ok(made.of(4, "early"));
  assert.equal(made.known(4), undefined);
  made.dispose();
  const live = store();
  live.made.of(7, "early");
  live.made.flush();
  const { id, evidence, difference } = live.model.sent[0];
  assert.deepEqual([evidence, difference], [7, "early"]);
  live.model.emit("msg:custom", { id, evidence, difference, ...sent }, []);
  assert.ok(live.made.of(7, "early"));
  assert.equal(live.made.known(7), undefined);
  live.made.ablate(7, "early");
  assert.deepEqual([live.model.sent[1].ablate, live.model.sent[1].difference], [7, "early"]);
  live.made.dispose();
  assert.equal(model.sent.length, 0);
});

test("scores are counted from −1 to 1, both ends included", () => {
  const counts = counted(Float32Array.of(-1, -0.99, 0, 0.5, 1, Number.NaN), 4);
  assert.deepEqual(counts, [2, 0, 1, 2]);
});

test("an outline has a step a bin", () => {
  assert.equal(steps([0, 0.5, 1]), "M0 100V100H33.33V50H66.67V0H100V100Z");
});

test("histograms of different size are drawn as shares of each", () => {
  assert.deepEqual(
    shares([
      [2, 2],
      [0, 400],
    ]),
    [
      [0.5, 0.5],
      [0, 1],
    ],
  );
  assert.deepEqual(shares([[0, 0]]), [[0, 0]]);
});
