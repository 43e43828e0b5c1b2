// Dependencies in the page. dependency.json holds what a plain loop made of some rows; Python's pictures are
// held against the same.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { FakeModel, load, random } from "../load.mjs";

const { DependencyState } = await load("state/dependency.js");
const { caption, distance, sentence, target } = await load("panes/dependency/words.js");
const { position } = await load("colour/log_scale.js");
const { placeFrom, placeOf, stepTo } = await load("lib/sorted.js");
const { NEAR, summary } = await load("data/dependency.js");
const cases = JSON.parse(await readFile(new URL("../dependency.json", import.meta.url), "utf8"));

test("a row is summed up as by a plain loop", () => {
  for (const { start, values, timestep, largest, at, half } of cases.summaries) {
    const row = { start, values: Float32Array.from(values, (v) => v ?? Number.NaN) };
    assert.deepEqual(
      summary(row, timestep),
      { largest, at, half: half ?? undefined },
      JSON.stringify({ start, values, timestep }),
    );
  }
  const row = { start: 0, values: Float32Array.from([1, Number.POSITIVE_INFINITY, 3]) };
  assert.deepEqual(summary(row, 2), { largest: 3, at: 1, half: 1 });
});

test("values stand on the palette by share or by its logarithm", () => {
  for (const [value, largest, log, expected] of cases.positions) {
    assert.ok(Math.abs(position(value, largest, log) - expected) < 1e-12);
  }
  assert.equal(position(Number.POSITIVE_INFINITY, 2, false), 1);
});

test("steps lead to what was computed, in the direction of the step", () => {
  const computed = [3, 4, 5, 9];
  assert.deepEqual(
    [0, 3, 4, 6, 9, 10].map((t) => [placeOf(computed, t), placeFrom(computed, t)]),
    [
      [-1, 0],
      [0, 0],
      [1, 1],
      [-1, 3],
      [3, 3],
      [-1, 4],
    ],
  );
  for (const [from, to, expected] of [
    [4, 5, 5],
    [5, 6, 9],
    [9, 8, 5],
    [9, 10, 9],
    [3, 2, 3],
    [0, 1, 3],
    [7, 6, 5],
    [7, 8, 9],
    [3, 0, 3],
  ]) {
    assert.equal(stepTo(computed, from, to), expected, `${from} to ${to}`);
  }
  assert.equal(stepTo([], 7, 8), 7);
  assert.deepEqual([0, 3, -2].map(distance), ["just read", "3 back", "2 ahead"]);
});

/** Two models over two examples of six tokens, the second one with windows of two. */
const TIMESTEPS = [
  [1, 2, 5],
  [2, 3],
];
/** @type {[number, number[]][][][]} */
const STRETCHES = [
  [
    [
      [0, [0.5, 2]],
      [0, [1, 0, 4]],
      [0, [0, 0, 1, 1, 1, 3]],
    ],
    [
      [0, [1, 1]],
      [0, []],
      [0, [5, 0, 0, 0, 0, 0]],
    ],
  ],
  [
    [
      [1, [0.25, 0.75]],
      [2, [8, 2]],
    ],
    [
      [1, [1, 1]],
      [2, [Number.NaN, 1]],
    ],
  ],
];
const TEXT = [
  {
    tokens: [..."abc de"],
    targets: [
      ["=c", "= ", ""],
      ["#3", "#0"],
    ],
  },
  {
    tokens: [..."vwxyz!"],
    targets: [
      ["=x", "", "=?"],
      ["#1", "#2"],
    ],
  },
];

function packed() {
  const parts = [];
  for (const examples of STRETCHES) {
    const rows = examples.flat();
    const starts = Int32Array.from(rows, ([start]) => start);
    const stops = Int32Array.from(rows, ([start, values]) => start + values.length);
    const values = Float32Array.from(rows.flatMap(([, values]) => values));
    for (const array of [starts, stops, values]) parts.push(new Uint8Array(array.buffer));
  }
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

function stateOf(more = {}) {
  const models = ["LSTM", "GRU"].map((name, k) => ({
    name,
    of: "logit",
    how: "norm l2",
    unit: "",
    examples: 2,
    timesteps: TIMESTEPS[k],
    first: 0,
    largest: [5, 8][k],
    forwards: true,
  }));
  const model = new FakeModel({
    _models: models,
    _extent: { first: 0, stop: 6, examples: 2, tokens: true },
    _text: TEXT,
    _whole: packed(),
    example: 0,
    timestep: 2,
    input_timestep: null,
    scale: "prediction",
    same_scale: false,
    ...more,
  });
  return { model, state: new DependencyState(model) };
}

test("what came with the widget is read back row by row", () => {
  const { model, state } = stateOf();
  for (const example of [0, 1]) {
    model.set("example", example);
    STRETCHES.forEach((examples, k) => {
      TIMESTEPS[k].forEach((timestep, row) => {
        const [start, values] = examples[example][row];
        const found = state.row(k, timestep);
        assert.deepEqual([found.start, [...found.values]], [start, values]);
      });
      const near = state.near(k);
      TIMESTEPS[k].forEach((_, row) => {
        const [, values] = examples[example][row];
        const line = [...near.values.subarray(row * (NEAR + 1), (row + 1) * (NEAR + 1))];
        assert.equal(line[0], Math.max(0, ...values.filter(Number.isFinite)));
        assert.deepEqual(line.slice(1, 1 + values.length), [...values].reverse());
        assert.ok(line.slice(1 + values.length).every(Number.isNaN));
      });
    });
    assert.equal(state.passage.token(3), TEXT[example].tokens[3]);
  }
  assert.deepEqual(state.available, [1, 2, 3, 5]);
  assert.equal(state.row(0, 3), "none");
  assert.equal(model.sent.length, 0);
});

test("scales: each prediction's or of all, each model's or the same", () => {
  const { model, state } = stateOf();
  assert.deepEqual(state.largest(2), [4, 0.75]);
  model.set("same_scale", true);
  assert.deepEqual(state.largest(2), [4, 4]);
  assert.deepEqual(state.largest(3), [8, 8]);
  model.set("scale", "all");
  assert.deepEqual(state.largest(2), [8, 8]);
  model.set("same_scale", false);
  assert.deepEqual(state.largest(5), [5, 8]);
});

test("predictions are told in words, with the numbers of the array", () => {
  const { model, state } = stateOf();
  assert.equal(
    sentence(state, 2, null),
    "example 0 · t=2 'c', next ' ' · strongest: LSTM 4.0000 on 'c' just read · GRU 0.7500 on 'c' just read",
  );
  assert.equal(
    sentence(state, 2, 0),
    "example 0 · t=2 'c', next ' ' · on t=0 'a' (2 back): LSTM 1.0000 · GRU not read",
  );
  assert.equal(
    sentence(state, 5, 5, String),
    "example 0 · t=5 'e' · on t=5 'e' (just read): LSTM 3 · GRU not computed",
  );
  assert.equal(
    caption(state, 0, 1),
    "logit of 'c' · strongest 2.0000 on 'b' just read · half of the sum within the last token",
  );
  assert.equal(
    caption(state, 1, 3),
    "logit of class 0 · strongest 8.0000 on 'c' 1 back · half of the sum within the last 2 tokens",
  );
  assert.equal(caption(state, 1, 5), "no dependency was computed for the prediction after t=5");
  model.set("example", 1);
  assert.match(caption(state, 0, 2), /^nothing is known of the prediction after t=2: /);
  assert.equal(caption(state, 0, 5).slice(0, 36), "logit of '?' · strongest 5.0000 on '");
  assert.match(sentence(state, 2, null), /LSTM unknown · GRU 1\.0000 on 'w' 1 back$/);
});

test("a link may bring what the text doesn't have", () => {
  const { model } = stateOf();
  model.set("timestep", 99);
  assert.equal(model.get("timestep"), 5);
  model.set("example", 7);
  assert.equal(model.get("example"), 1);
  model.set("input_timestep", -3);
  assert.equal(model.get("input_timestep"), 0);
  model.set("input_timestep", null);
  assert.equal(model.get("input_timestep"), null);
});

test("what doesn't come with the widget is asked for where one looks", () => {
  const { model, state } = stateOf({ _whole: new Uint8Array(0), _text: [] });
  let arrivals = 0;
  state.watch(() => arrivals++);
  assert.equal(state.row(0, 2), undefined);
  assert.equal(state.row(1, 2), undefined);
  assert.equal(state.row(0, 3), "none");
  assert.equal(state.token(2), undefined);
  assert.equal(state.near(0).known, 0);
  assert.match(caption(state, 0, 2), /loading/);
  state.request();
  state.request();
  assert.equal(model.sent.length, 1);
  const { id, ...request } = model.sent[0];
  const wanted = {
    example: 0,
    rows: [
      [0, 1],
      [1, 0],
    ],
    text: true,
    near: [[0, 0, 3]],
  };
  assert.deepEqual(request, wanted);

  const near = new Float32Array(3 * (NEAR + 1)).fill(7);
  const buffers = [STRETCHES[0][0][1][1], STRETCHES[1][0][0][1]].map(
    (values) => new DataView(Float32Array.from(values).buffer),
  );
  const rows = [
    [0, 1, 0],
    [1, 0, 1],
  ];
  const reply = { id, example: 0, rows, text: TEXT[0], near: [[0, 0, 3]] };
  model.emit("msg:custom", reply, [...buffers, new DataView(near.buffer)]);
  assert.equal(arrivals, 1);
  assert.deepEqual([...state.row(0, 2).values], [1, 0, 4]);
  assert.equal(state.row(1, 2).start, 1);
  assert.equal(state.token(2), "c");
  assert.equal(state.near(0).known, 3);
  assert.equal(state.near(0).values[5], 7);
  state.request();
  assert.equal(model.sent.length, 1);

  // Of another example, everything anew; what comes too late for it is kept for when one comes back.
  model.set("example", 1);
  assert.equal(state.row(0, 2), undefined);
  assert.equal(state.near(0).known, 0);
  state.token(0);
  state.request();
  assert.equal(model.sent[1].example, 1);
  model.emit("msg:custom", { id: model.sent[1].id, error: "KeyError: 1" }, []);
  assert.equal(state.notice, "The kernel could not answer: KeyError: 1");
  model.set("example", 0);
  assert.deepEqual([...state.row(0, 2).values], [1, 0, 4]);
});

test("any stretches come back as they went in", () => {
  const dice = random(4);
  for (let round = 0; round < 20; round++) {
    const timesteps = Array.from(
      { length: dice.integer(1, 9) },
      (_, i) => 3 * i + dice.integer(0, 2),
    );
    const rows = timesteps.map((t) => {
      const start = dice.integer(0, t);
      const stretch = Array.from({ length: t + 1 - start }, () => dice.integer(0, 64) / 8);
      return /** @type {[number, number[]]} */ ([start, stretch]);
    });
    const values = Float32Array.from(rows.flatMap(([, stretch]) => stretch));
    const whole = new Uint8Array(8 * rows.length + values.byteLength);
    whole.set(new Uint8Array(Int32Array.from(rows, ([start]) => start).buffer), 0);
    const stops = Int32Array.from(rows, ([start, stretch]) => start + stretch.length);
    whole.set(new Uint8Array(stops.buffer), 4 * rows.length);
    whole.set(new Uint8Array(values.buffer), 8 * rows.length);
    const first = dice.integer(0, 50);
    const shifted = timesteps.map((t) => t + first);
    const info = { ...stateOf().state.models[0], examples: 1, timesteps: shifted, first };
    const { state } = stateOf({
      _models: [info],
      _whole: whole,
      _text: [{ tokens: null, targets: [null] }],
      _extent: { first, stop: first + 40, examples: 1, tokens: false },
    });
    rows.forEach(([start, stretch], i) => {
      const found = state.row(0, shifted[i]);
      assert.deepEqual([found.start, [...found.values]], [start + first, stretch]);
    });
    assert.equal(target(state, 0, shifted[0]), "logit");
    assert.equal(state.passage.known, 40);
  }
});

test("what is no class is not called one", () => {
  const { model, state } = stateOf();
  const [first, second] = model.get("_models");
  model.set("_models", [
    { ...first, of: "forecast" },
    { ...second, of: "value" },
  ]);
  model.set("_text", [
    {
      tokens: [..."abc de"],
      targets: [null, TIMESTEPS[1].map((_, k) => `@${k}`)],
    },
    TEXT[1],
  ]);
  assert.match(caption(state, 0, 1), /^forecast · strongest 2\.0000 on /);
  assert.match(caption(state, 1, TIMESTEPS[1][0]), /^value of output 0 · strongest /);
});

test("of a series, channels are told with dates and units", () => {
  const info = (/** @type {string} */ name) => ({
    ...{ name, of: "forecast", how: "", unit: "mm", examples: 1, timesteps: [1, 2], first: 0 },
    ...{ largest: 4, forwards: true, every: 2 },
  });
  const values = [1, 2, 4, 0, 3, 1, 0, 1, 2, 1];
  const [starts, stops] = [
    [0, 0],
    [2, 3],
  ];
  const parts = [starts, stops].flatMap((each) => [Int32Array.from(each)]);
  const whole = [0, 5].flatMap((at) => [...parts, Float32Array.from(values.slice(at, at + 5))]);
  const model = new FakeModel({
    ...{ example: 0, timestep: 2, input_timestep: null, scale: "prediction", same_scale: true },
    _models: [info("rain (mm)"), info("cold")],
    _extent: { first: 0, stop: 3, examples: 1, tokens: false, spelling: "words", series: true },
    _text: [{ tokens: null, targets: [null, null], times: ["", "2003-05-16", "2003-05-17"] }],
    _whole: new Uint8Array(Buffer.concat(whole.map(({ buffer }) => new Uint8Array(buffer)))),
  });
  const state = new DependencyState(model);
  // Each of the rows near a prediction stands for two timesteps, by the largest.
  assert.deepEqual([...state.near(0).values.subarray(NEAR + 1, NEAR + 4)], [4, 3, 4]);
  assert.equal(state.noun, "timestep");
  assert.equal(
    sentence(state, 2, null),
    "2003-05-17 · strongest: rain (mm) 4.0000 mm on t=0 2 back · cold 2.0000 mm on 2003-05-16 1 back",
  );
  assert.equal(
    sentence(state, 2, 1),
    "2003-05-17 · on 2003-05-16 (1 back): rain (mm) 0.0000 mm · cold 2.0000 mm",
  );
  assert.equal(
    caption(state, 0, 2),
    "forecast · strongest 4.0000 mm on t=0 2 back · half of the sum within the last 3 timesteps",
  );
});

test("of several series each is as long as it is", () => {
  // Both were predicted at 1 and at 3, but the second has ended by then.
  const whole = [0, 0, 0, 0, 2, 4, 2, 0, ...[1, 2, 1, 2, 3, 4, 5, 6]];
  const model = new FakeModel({
    _models: [
      { name: "rain", of: "forecast", how: "", unit: "", examples: 2, timesteps: [1, 3], first: 0 },
    ],
    _extent: {
      ...{ first: 0, stop: 4, stops: [4, 2], examples: 2, tokens: false, spelling: "words" },
      series: true,
      labels: ["Ems", "Rur\n"],
    },
    _text: [0, 1].map(() => ({ tokens: null, targets: [null], times: null })),
    _whole: Uint8Array.from([
      ...new Uint8Array(Int32Array.from(whole.slice(0, 8)).buffer),
      ...new Uint8Array(Float32Array.from(whole.slice(8)).buffer),
    ]),
    ...{ example: 0, timestep: 3, input_timestep: null, scale: "prediction", same_scale: true },
  });
  const state = new DependencyState(model);
  assert.deepEqual([state.available, state.passage.codes.length], [[1, 3], 4]);
  assert.match(
    sentence(state, 3, null),
    /^example 0 "Ems" · t=3 · strongest: rain 4.0000 on t=3 just/,
  );
  // Where another is chosen, the last prediction that it has takes the place of one that it hasn't.
  assert.deepEqual(state.chosen(1), { example: 1, timestep: 1 });
  model.set("example", 1);
  assert.deepEqual([state.available, state.passage.codes.length, state.stop], [[1], 2, 2]);
  assert.equal(
    caption(state, 0, 3),
    "nothing is known of the prediction after t=3: the series has ended",
  );
  assert.match(
    sentence(state, 1, null),
    /^example 1 "Rur.+" · t=1 · strongest: rain 6.0000 on t=1 just/,
  );
  assert.doesNotMatch(sentence(state, 1, null), /\n/);
  model.set("timestep", 1);
  assert.deepEqual(state.chosen(0), { example: 0 });
});
