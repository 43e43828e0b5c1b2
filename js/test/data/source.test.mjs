import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { BLOCK, decode, encode, strongest } from "../../src/data/codes.js";
import { KernelSource } from "../../src/data/kernel_source.js";
import { cellName } from "../../src/data/layer.js";
import { valueAt, WholeSource } from "../../src/data/source.js";
import { FakeModel, random } from "../load.mjs";

beforeEach(() => mock.timers.enable({ apis: ["setTimeout"] }));
afterEach(() => mock.timers.reset());

/** @typedef {import("../../src/data/layer.js").Layer} Layer */

/** @param {Partial<Layer>} more @returns {Layer} */
function layerOf(more = {}) {
  return {
    name: "lstm",
    kind: "LSTM",
    go_backwards: false,
    windowed: false,
    signals: ["hidden_state", "forget_gate"],
    examples: 40,
    timesteps: 1000,
    cells: 6,
    masked: true,
    tokens: true,
    labels: true,
    predictions: 0,
    check: {},
    ...more,
  };
}

// -- all of it in the page -----------------------------------------------------------------------

const SMALL = [
  layerOf({ name: "a", examples: 2, timesteps: 3, cells: 2, masked: false }),
  layerOf({ name: "b", examples: 2, timesteps: 700, cells: 3, signals: ["hidden_state"] }),
  layerOf({ name: "c", examples: 2, timesteps: 4, cells: 1, signals: ["hidden_state"] }),
];

/** What Python packs: float32 (layer, signal, cell, column), then the masks there are. */
function whole() {
  const { next } = random(1);
  /** @type {Record<string, Float32Array[]>} */
  const rows = {};
  /** @type {Record<string, Uint8Array>} */
  const masks = {};
  const parts = [];
  for (const { name, signals, examples, timesteps, cells } of SMALL) {
    for (const signal of signals) {
      rows[`${name}/${signal}`] = Array.from({ length: cells }, () =>
        Float32Array.from({ length: examples * timesteps }, () => 4 * next() - 2),
      );
      parts.push(...rows[`${name}/${signal}`].map((row) => Buffer.from(row.buffer)));
    }
  }
  for (const { name, masked, examples, timesteps } of SMALL) {
    if (!masked) continue;
    masks[name] = Uint8Array.from({ length: examples * timesteps }, () => (next() < 0.8 ? 1 : 0));
    parts.push(Buffer.from(masks[name]));
  }
  const joined = Buffer.concat([Buffer.alloc(3), ...parts]);
  const text = { tokens: ["x", "y"], labels: ["one", "two"] };
  const model = new FakeModel({
    _layers: SMALL,
    // At an odd address, as some hosts hand it over.
    _whole: new DataView(joined.buffer, joined.byteOffset + 3, joined.length - 3),
    _text: { a: text, b: text, c: { tokens: null, labels: null } },
  });
  return { model, rows, masks };
}

test("both directions have the cells of one and then of the other", () => {
  const { next } = random(5);
  const rows = Array.from({ length: 4 }, () => Float32Array.from({ length: 6 }, () => next()));
  const mask = Uint8Array.from([1, 1, 0, 1, 1, 1]);
  const part = { examples: 2, timesteps: 3, signals: ["hidden_state"] };
  const names = ["both/forward", "both/backward"];
  const layers = [
    layerOf({ ...part, name: "both", cells: 4, parts: names }),
    ...names.map((name) => layerOf({ ...part, name, cells: 2 })),
  ];
  const model = new FakeModel({
    _layers: layers,
    _whole: Buffer.concat([...rows.map((row) => Buffer.from(row.buffer)), mask, mask]),
    _text: { "both/forward": { tokens: [..."abcdef"] }, "both/backward": {} },
  });
  const source = new WholeSource(model, layers[0], "hidden_state");
  assert.deepEqual(source.rows, rows);
  assert.equal(source.token(4), "e");
  assert.equal(source.padding(2), true);
  assert.deepEqual(new WholeSource(model, layers[2], "hidden_state").rows, rows.slice(2));
  assert.equal(cellName(layers[0], 3), "cell 3 (backward 1)");
  assert.equal(cellName(layers[1], 1), "cell 1");
});

test("what travels whole is read as it was packed", () => {
  const { model, rows, masks } = whole();
  for (const layer of SMALL) {
    for (const signal of layer.signals) {
      const source = new WholeSource(model, layer, signal);
      rows[`${layer.name}/${signal}`].forEach((row, cell) => {
        row.forEach((value, column) => {
          assert.deepEqual(valueAt(source, cell, column), { value, exact: true });
          assert.equal(source.padding(column), masks[layer.name]?.[column] === 0);
        });
      });
    }
  }
});

test("what travels whole has all signals of a cell by blocks", () => {
  const { model, rows } = whole();
  for (const layer of SMALL) {
    const source = new WholeSource(model, layer, layer.signals[0]);
    for (let cell = 0; cell < layer.cells; cell++) {
      for (let block = 0; block * BLOCK < source.columns; block++) {
        const found = source.series(block, cell);
        layer.signals.forEach((signal, i) => {
          const row = rows[`${layer.name}/${signal}`][cell];
          assert.deepEqual(found?.[i], row.slice(block * BLOCK, (block + 1) * BLOCK));
        });
      }
    }
  }
});

test("where only codes are in the page, numbers are known to be near", () => {
  const { next } = random(9);
  const names = ["both/forward", "both/backward"];
  const part = { examples: 2, timesteps: 3, rounded: true };
  const [columns, cells] = [6, 2];
  const layers = [
    layerOf({ ...part, name: "first", cells: 1, masked: false, signals: ["cell_state"] }),
    layerOf({ ...part, name: "both", cells: 2 * cells, parts: names }),
    ...names.map((name) => layerOf({ ...part, name, cells })),
  ];
  /** @type {Float32Array[]} */
  const rows = [];
  const codes = [];
  const statistics = [];
  for (const { parts, cells, signals } of layers) {
    for (const _ of parts ? [] : signals) {
      const own = Array.from({ length: cells }, () =>
        Float32Array.from({ length: columns }, () => 6 * next() - 3),
      );
      own[0][4] = Number.NaN;
      const largest = own.map((row) => Math.max(...row.map((v) => Math.abs(v) || 0)));
      codes.push(...own.map((row, cell) => encode(row, Math.fround(largest[cell]))));
      // The page takes means and variances as they come.
      const sent = [...largest, ...own.map((_, i) => 10 + i), ...own.map((_, i) => 20 + i)];
      statistics.push(Buffer.from(Float32Array.from(sent).buffer));
      rows.push(...own);
    }
  }
  const mask = Uint8Array.from([1, 1, 0, 1, 1, 1]);
  const model = new FakeModel({
    _layers: layers,
    _whole: Buffer.concat([...codes, ...statistics, mask, mask]),
    _text: Object.fromEntries(layers.map(({ name }) => [name, {}])),
  });
  // Rows stand as (layer, signal, cell): of the gate, cells 0 and 1 of either direction.
  const wanted = [rows[3], rows[4], rows[7], rows[8]];
  const source = new WholeSource(model, layers[1], "forget_gate");
  wanted.forEach((row, cell) => {
    const scale = source.statistics.largest[cell];
    assert.equal(scale, Math.max(...row.map((v) => Math.abs(v) || 0)));
    const series = source.series(0, cell);
    row.forEach((value, column) => {
      assert.equal(source.exact(cell, column), undefined);
      const told = valueAt(source, cell, column);
      assert.equal(told.exact, false);
      if (Number.isNaN(value)) assert.ok(Number.isNaN(told.value));
      else assert.ok(Math.abs(told.value - value) <= scale / 252 + 1e-6);
      assert.equal(series?.[1][column], Math.fround(told.value));
    });
  });
  assert.deepEqual([...source.statistics.meanMagnitude], [10, 11, 10, 11]);
  assert.deepEqual([...source.statistics.variance], [20, 21, 20, 21]);
  assert.equal(source.padding(2), true);
  assert.equal(source.padding(3), false);
  const alike = source.similarity(1);
  assert.ok(Math.abs((alike?.[1] ?? 0) - 1) < 1e-6);
  assert.deepEqual(new WholeSource(model, layers[0], "cell_state").series(0, 0)?.length, 1);
});

test("tokens and labels are those of the layer", () => {
  const { model } = whole();
  const [a, , c] = SMALL.map((layer) => new WholeSource(model, layer, "hidden_state"));
  assert.equal(a.token(1), "y");
  assert.equal(a.label(0), "one");
  assert.equal(c.token(1), undefined);
  assert.equal(c.label(0), undefined);
});

test("statistics are over what is no padding", () => {
  const { model, rows, masks } = whole();
  const { statistics } = new WholeSource(model, SMALL[1], "hidden_state");
  rows["b/hidden_state"].forEach((row, cell) => {
    const kept = [...row].filter((_, column) => masks.b[column]);
    const mean = kept.reduce((sum, value) => sum + value, 0) / kept.length;
    const size = kept.reduce((sum, value) => sum + Math.abs(value), 0) / kept.length;
    const spread = kept.reduce((sum, value) => sum + (value - mean) ** 2, 0) / kept.length;
    assert.equal(statistics.largest[cell], Math.max(...row.map(Math.abs)));
    assert.ok(Math.abs(statistics.meanMagnitude[cell] - size) < 1e-6);
    assert.ok(Math.abs(statistics.variance[cell] - spread) < 1e-6);
  });
});

test("each tile is a part of its level", () => {
  const { model, rows } = whole();
  const source = new WholeSource(model, SMALL[1], "hidden_state");
  rows["b/hidden_state"].forEach((row, cell) => {
    const codes = encode(row, source.statistics.largest[cell]);
    for (const level of [0, 1, 2, 5, 12]) {
      const size = 2 ** level;
      const bins = source.bins(level);
      assert.equal(bins, Math.ceil(1400 / size));
      for (let bin = 0; bin < bins; bin++) {
        const tile = source.tile(level, Math.floor(bin / BLOCK), cell);
        const expected = strongest(codes, bin * size, Math.min(1400, (bin + 1) * size));
        assert.equal(tile?.[bin % BLOCK], expected);
      }
    }
    assert.equal(source.coarse(cell, 0, 77), codes[77]);
  });
});

test("the whole asks for nothing", () => {
  const { model } = whole();
  const source = new WholeSource(model, SMALL[1], "hidden_state");
  source.tile(0, 0, 0);
  source.request();
  source.dispose();
  assert.equal(source.notice, "");
  assert.deepEqual(model.sent, []);
});

// -- from the kernel -----------------------------------------------------------------------------

/** @param {Partial<Layer>} more @param {number} level of the overview */
function fromKernel(more = {}, level = 5) {
  const layer = layerOf(more);
  const bins = Math.ceil((layer.examples * layer.timesteps) / 2 ** level);
  const { integer } = random(2);
  const overview = Uint8Array.from({ length: layer.cells * bins }, () => integer(0, 254));
  const statistics = new Float32Array(3 * layer.cells).fill(1);
  const model = new FakeModel({
    _layers: [layer],
    _summary: { layer: layer.name, signal: "hidden_state", level },
    _overview: new DataView(overview.buffer),
    _statistics: new DataView(statistics.buffer),
  });
  const arrivals = { count: 0 };
  const source = new KernelSource(model, layer, "hidden_state", () => arrivals.count++);
  return { model, source, overview, bins, arrivals };
}

/** The code that the kernel answers with. @param {number} level @param {number} bin @param {number} cell */
const codeAt = (level, bin, cell) => (level * 31 + bin * 7 + cell * 13) % 255;
/** @param {number} cell @param {number} column */
const exactOf = (cell, column) => Math.fround(Math.sin(cell * 100_000 + column));

/** Answer the last request as the kernel does. @param {FakeModel} model @param {any} request */
function answer(model, request = model.sent[model.sent.length - 1]) {
  const layer = model.get("_layers")[0];
  const columns = layer.examples * layer.timesteps;
  const buffers = [];
  for (const [level, block, cells] of request.tiles) {
    const bins = Math.ceil(columns / 2 ** level);
    const width = Math.max(0, Math.min(BLOCK, bins - block * BLOCK));
    const codes = new Uint8Array(width * cells.length + 2);
    cells.forEach((/** @type {number} */ cell, /** @type {number} */ row) => {
      for (let i = 0; i < width; i++) {
        codes[2 + row * width + i] = codeAt(level, block * BLOCK + i, cell);
      }
    });
    buffers.push(new DataView(codes.buffer, 2));
  }
  const strips = request.columns.map((/** @type {number} */ block) => {
    const [start, stop] = [block * BLOCK, Math.min(columns, (block + 1) * BLOCK)];
    const mask = Uint8Array.from({ length: stop - start }, (_, i) => ((start + i) % 10 ? 1 : 0));
    buffers.push(new DataView(layer.masked ? mask.buffer : new ArrayBuffer(0)));
    const first = Math.floor(start / layer.timesteps);
    const last = Math.ceil(stop / layer.timesteps);
    return {
      start,
      tokens: Array.from({ length: stop - start }, (_, i) => `t${start + i}`),
      first_example: first,
      labels: Array.from({ length: last - first }, (_, i) => `e${first + i}`),
    };
  });
  if (request.values) {
    const [cell, start, stop] = request.values;
    const values = Float32Array.from({ length: stop - start }, (_, i) => exactOf(cell, start + i));
    buffers.push(new DataView(values.buffer));
  }
  if (request.similarity !== null) {
    const values = Float32Array.from({ length: layer.cells }, (_, i) => i - request.similarity);
    buffers.push(new DataView(values.buffer));
  }
  for (const [cell, block] of request.series) {
    const start = block * BLOCK;
    const width = Math.min(BLOCK, columns - start);
    const values = Float32Array.from(
      { length: width * layer.signals.length },
      (_, i) => exactOf(cell, start + (i % width)) + Math.floor(i / width),
    );
    buffers.push(new DataView(values.buffer));
  }
  let text = null;
  if (request.text) {
    const [example, start, stop] = request.text;
    text = { example, start, table: ["b", "a"] };
    buffers.push(new DataView(Uint32Array.from({ length: stop - start }, (_, i) => i % 2).buffer));
  }
  const predictions = request.predictions.map((/** @type {number} */ block) => {
    const count = Math.min(columns, (block + 1) * BLOCK) - block * BLOCK;
    buffers.push(new DataView(Int32Array.from({ length: 2 * count }, (_, i) => i % 2).buffer));
    buffers.push(new DataView(Float32Array.from({ length: 2 * count }, (_, i) => i / 4).buffer));
    buffers.push(new DataView(Float32Array.from({ length: count }, (_, i) => block + i).buffer));
    return { block, table: ["x", "y"] };
  });
  model.emit("msg:custom", { ...request, columns: strips, text, predictions }, buffers);
}

test("what is missing is asked for once, and there when it has come", () => {
  const { model, source, arrivals } = fromKernel();
  assert.equal(source.tile(2, 3, 4), undefined);
  assert.equal(source.tile(2, 3, 1), undefined);
  assert.equal(source.tile(2, 3, 4), undefined);
  assert.equal(source.tile(0, 70, 0), undefined);
  source.request();
  assert.equal(model.sent.length, 1);
  const [request] = model.sent;
  assert.deepEqual([request.layer, request.signal], ["lstm", "hidden_state"]);
  assert.deepEqual(request.tiles, [
    [2, 3, [1, 4]],
    [0, 70, [0]],
  ]);
  assert.deepEqual([request.columns, request.values, request.similarity], [[], null, null]);
  answer(model);
  assert.equal(arrivals.count, 1);
  for (const cell of [1, 4]) {
    const tile = source.tile(2, 3, cell);
    assert.equal(tile?.length, BLOCK);
    tile?.forEach((code, i) => {
      assert.equal(code, codeAt(2, 3 * BLOCK + i, cell));
    });
  }
  source.request();
  assert.equal(model.sent.length, 1);
  assert.equal(source.notice, "");
});

test("another cell of a block that is there is asked for alone", () => {
  const { model, source } = fromKernel();
  source.tile(0, 1, 2);
  source.request();
  answer(model);
  source.tile(0, 1, 2);
  source.tile(0, 1, 3);
  source.request();
  assert.deepEqual(model.sent[1].tiles, [[0, 1, [3]]]);
  answer(model);
  assert.equal(source.tile(0, 1, 2)?.[5], codeAt(0, BLOCK + 5, 2));
  assert.equal(source.tile(0, 1, 3)?.[5], codeAt(0, BLOCK + 5, 3));
});

test("nothing missing, nothing asked", () => {
  const { model, source } = fromKernel();
  source.request();
  source.request();
  assert.deepEqual(model.sent, []);
});

test("one request is under way at a time", () => {
  const { model, source } = fromKernel();
  source.tile(0, 0, 0);
  source.request();
  source.tile(0, 1, 0);
  source.request();
  source.tile(0, 1, 0);
  source.request();
  assert.equal(model.sent.length, 1);
  answer(model);
  source.tile(0, 1, 0);
  source.request();
  assert.equal(model.sent.length, 2);
  assert.deepEqual(model.sent[1].tiles, [[0, 1, [0]]]);
  assert.notEqual(model.sent[0].id, model.sent[1].id);
});

test("what has scrolled out of view while an answer was due is not asked for", () => {
  const { model, source } = fromKernel();
  // A frame looks for what it shows, and then asks.
  for (const block of [0, 10, 20, 30]) {
    source.tile(0, block, 0);
    source.request();
  }
  answer(model);
  source.tile(0, 30, 0);
  source.request();
  assert.deepEqual(model.sent[1].tiles, [[0, 30, [0]]]);
});

test("an answer to another request changes nothing", () => {
  const { model, source, arrivals } = fromKernel();
  source.tile(0, 0, 0);
  source.request();
  const [request] = model.sent;
  answer(model, { ...request, id: "someone-else" });
  assert.equal(source.tile(0, 0, 0), undefined);
  assert.equal(arrivals.count, 0);
  source.request();
  assert.equal(model.sent.length, 1);
  answer(model);
  assert.ok(source.tile(0, 0, 0));
  answer(model, request);
  assert.equal(arrivals.count, 1);
});

test("a message that is no answer changes nothing, whether one is due or not", () => {
  const { model, source, arrivals } = fromKernel();
  const others = [{ kind: "error", text: "no" }, { kind: "anywidget-command-response" }, {}, null];
  for (const other of others) model.emit("msg:custom", other, []);
  source.tile(0, 0, 0);
  source.request();
  for (const other of others) model.emit("msg:custom", other, []);
  assert.equal(arrivals.count, 0);
  answer(model);
  assert.ok(source.tile(0, 0, 0));
});

test("an error stands in the notice until an answer comes", () => {
  const { model, source, arrivals } = fromKernel();
  source.tile(0, 0, 0);
  source.request();
  model.emit("msg:custom", { id: model.sent[0].id, error: "KeyError: <b>lstm</b>" }, []);
  assert.match(source.notice, /KeyError: <b>lstm<\/b>/);
  assert.equal(arrivals.count, 1);
  assert.equal(source.tile(0, 0, 0), undefined);
  mock.timers.tick(60_000);
  source.tile(0, 1, 0);
  source.request();
  answer(model);
  assert.equal(source.notice, "");
  assert.ok(source.tile(0, 1, 0));
});

test("a kernel that refuses is not asked for the same again and again", () => {
  const { model, source } = fromKernel();
  // Each arrival is painted, and each painting asks.
  for (let frame = 0; frame < 20; frame++) {
    source.tile(0, 0, 0);
    source.request();
    const { id } = model.sent[model.sent.length - 1];
    model.emit("msg:custom", { id, error: "MemoryError" }, []);
  }
  assert.ok(model.sent.length < 10, `asked ${model.sent.length} times in 20 frames`);
});

test("a silent kernel is told of, and forgotten when it answers", () => {
  const { model, source, arrivals } = fromKernel();
  source.tile(0, 0, 0);
  source.request();
  assert.equal(source.notice, "");
  mock.timers.tick(1000);
  assert.match(source.notice, /waiting/);
  mock.timers.tick(60_000);
  assert.match(source.notice, /does not answer/);
  assert.equal(arrivals.count, 2);
  answer(model);
  assert.equal(source.notice, "");
});

test("a quick answer and a disposed source leave no notice behind", () => {
  const { model, source, arrivals } = fromKernel();
  source.tile(0, 0, 0);
  source.request();
  answer(model);
  mock.timers.tick(60_000);
  assert.equal(source.notice, "");
  source.tile(0, 1, 0);
  source.request();
  source.dispose();
  mock.timers.tick(60_000);
  answer(model);
  assert.equal(arrivals.count, 1);
  assert.equal(model.listeners("msg:custom"), 0);
});

test("exact values are the numbers of the array, asked for around the place", () => {
  const { model, source } = fromKernel();
  for (const [cell, column] of [
    [3, 0],
    [5, 39_999],
    [0, 20_000],
  ]) {
    assert.equal(source.exact(cell, column), undefined);
    source.request();
    const [asked, start, stop] = model.sent[model.sent.length - 1].values;
    assert.equal(asked, cell);
    assert.ok(start >= 0 && start <= column && column < stop && stop <= 40_000);
    assert.ok(stop - start <= BLOCK);
    answer(model);
    for (let at = start; at < stop; at++) assert.equal(source.exact(cell, at), exactOf(cell, at));
  }
});

test("until the exact value comes, what its code stands for is said to be inexact", () => {
  const { model, source } = fromKernel();
  source.tile(0, 1, 2);
  source.request();
  answer(model);
  const column = BLOCK + 9;
  const approximate = { value: decode(codeAt(0, column, 2), 1), exact: false };
  assert.deepEqual(valueAt(source, 2, column), approximate);
  source.request();
  answer(model);
  assert.deepEqual(valueAt(source, 2, column), { value: exactOf(2, column), exact: true });
});

test("tokens, labels and padding come by blocks", () => {
  const { model, source } = fromKernel();
  for (const column of [0, 511, 512, 1999, 39_999]) {
    assert.equal(source.token(column), undefined);
    assert.equal(source.padding(column), false);
  }
  assert.equal(source.label(39), undefined);
  source.request();
  assert.deepEqual(
    [...model.sent[0].columns].sort((a, b) => a - b),
    [0, 1, 3, 76, 78],
  );
  answer(model);
  for (const column of [0, 511, 512, 1999, 39_999]) {
    assert.equal(source.token(column), `t${column}`);
    assert.equal(source.padding(column), column % 10 === 0);
  }
  assert.equal(source.label(39), "e39");
  assert.equal(source.label(0), "e0");
});

test("a label is that of its example, wherever blocks begin", () => {
  const { model, source } = fromKernel({ examples: 3000, timesteps: 7 });
  for (let example = 0; example < 3000; example += 37) source.label(example);
  source.request();
  answer(model);
  for (let example = 0; example < 3000; example += 37) {
    const found = source.label(example);
    assert.equal(found, `e${example}`);
  }
});

test("what a layer doesn't have is not asked for", () => {
  const { model, source } = fromKernel({ masked: false, tokens: false, labels: false });
  source.token(3);
  source.label(1);
  source.padding(9);
  source.request();
  assert.deepEqual(model.sent, []);
});

test("a layer without padding has none", () => {
  const { model, source } = fromKernel({ masked: false });
  source.token(3);
  source.request();
  answer(model);
  assert.equal(source.padding(0), false);
});

test("similarity comes once for each cell", () => {
  const { model, source } = fromKernel();
  assert.equal(source.similarity(2), undefined);
  source.request();
  answer(model);
  assert.deepEqual([...(source.similarity(2) ?? [])], [-2, -1, 0, 1, 2, 3]);
  source.request();
  assert.equal(model.sent.length, 1);
  assert.equal(source.similarity(3), undefined);
});

test("all signals of a cell come by blocks, exact", () => {
  const { model, source } = fromKernel();
  assert.equal(source.series(0, 2), undefined);
  assert.equal(source.series(78, 5), undefined);
  source.request();
  assert.deepEqual(model.sent[0].series, [
    [2, 0],
    [5, 78],
  ]);
  assert.deepEqual([model.sent[0].tiles, model.sent[0].values], [[], null]);
  answer(model);
  for (const [block, cell, width] of [
    [0, 2, BLOCK],
    [78, 5, 40_000 - 78 * BLOCK],
  ]) {
    const rows = source.series(block, cell);
    assert.equal(rows?.length, 2);
    rows?.forEach((row, signal) => {
      assert.equal(row.length, width);
      row.forEach((value, i) => {
        assert.equal(value, Math.fround(exactOf(cell, block * BLOCK + i) + signal));
      });
    });
  }
  source.request();
  assert.equal(model.sent.length, 1);
});

test("of all signals the stretches looked at last are kept", () => {
  const { model, source } = fromKernel({ cells: 400 });
  for (let cell = 0; cell < 400; cell++) {
    source.series(0, cell);
    source.series(0, 0);
    source.request();
    answer(model);
  }
  const kept = [];
  for (let cell = 0; cell < 400; cell++) if (source.series(0, cell)) kept.push(cell);
  assert.equal(kept.length, 256);
  assert.ok(kept.includes(0) && kept.includes(399) && !kept.includes(1));
});

test("the overview and all that is coarser needs no kernel", () => {
  const { model, source, overview, bins } = fromKernel();
  for (const cell of [0, 5]) {
    const row = overview.subarray(cell * bins, (cell + 1) * bins);
    for (const level of [5, 6, 8, 20]) {
      const size = 2 ** (level - 5);
      for (let bin = 0; bin < source.bins(level); bin++) {
        const tile = source.tile(level, Math.floor(bin / BLOCK), cell);
        const expected = strongest(row, bin * size, Math.min(bins, (bin + 1) * size));
        assert.equal(tile?.[bin % BLOCK], expected);
      }
    }
    // What stands in for a finer tile.
    for (const column of [0, 31, 32, 39_999]) {
      assert.equal(source.coarse(cell, 0, column), row[Math.floor(column / 32)]);
    }
  }
  source.request();
  assert.deepEqual(model.sent, []);
});

test("a request asks for no more than a megabyte", () => {
  const { model, source } = fromKernel({ cells: 5000 });
  for (let cell = 0; cell < 5000; cell++) source.tile(0, 0, cell);
  source.request();
  const rows = model.sent[0].tiles.reduce(
    (/** @type {number} */ sum, /** @type {any[]} */ [, , cells]) => sum + cells.length,
    0,
  );
  assert.ok(rows > 1000 && rows * BLOCK <= 1024 * 1024);
});

test("what is kept stays bounded, and what is looked at stays", () => {
  const { model, source } = fromKernel({ examples: 1, timesteps: 100 * BLOCK, cells: 1024 }, 8);
  for (let block = 0; block < 100; block++) {
    for (let cell = 0; cell < 1024; cell++) source.tile(0, block, cell);
    source.tile(0, 0, 0);
    source.request();
    answer(model);
  }
  const kept = [];
  for (let block = 0; block < 100; block++) {
    if (source.tile(0, block, 5)) kept.push(block);
  }
  const bytes = kept.length * 1024 * BLOCK;
  assert.ok(bytes <= 24 * 1024 * 1024, `${bytes} bytes`);
  assert.ok(kept.length > 20);
  assert.ok(kept.includes(0), "the block that every frame looked at is gone");
  assert.ok(kept.includes(99) && kept.includes(98));
  assert.ok(!kept.includes(1) && !kept.includes(20));
});

test("a text comes in pieces, and what is there can be read", () => {
  const { model, source } = fromKernel({ examples: 2, timesteps: 150_000, masked: false });
  const passage = source.passage(1);
  assert.equal(passage.known, 0);
  assert.equal(source.token(150_000), undefined);
  for (const [start, stop] of [
    [0, 65_536],
    [65_536, 131_072],
    [131_072, 150_000],
  ]) {
    assert.equal(source.passage(1), passage);
    source.request();
    assert.deepEqual(model.sent[model.sent.length - 1].text, [1, start, stop]);
    answer(model);
    assert.equal(passage.known, stop);
    // Pieces are of even length here, so that each begins with the first of its table.
    assert.deepEqual([passage.token(stop - 2), passage.token(stop - 1)], ["b", "a"]);
    assert.equal(passage.token(stop), undefined);
  }
  const asked = model.sent.length;
  source.passage(1);
  assert.equal(source.token(150_001), "a");
  source.request();
  assert.equal(model.sent.length, asked);
});

test("of a layer without tokens no text is asked for", () => {
  const { model, source } = fromKernel({ tokens: false });
  assert.equal(source.passage(3).known, 1000);
  source.request();
  assert.deepEqual(model.sent, []);
});

test("guesses are asked for block by block", () => {
  const { model, source } = fromKernel({ predictions: 2 });
  assert.equal(source.guesses(3), undefined);
  assert.equal(source.guesses(1), undefined);
  source.request();
  assert.deepEqual(model.sent[0].predictions, [3, 1]);
  answer(model);
  const block = source.guesses(3);
  assert.deepEqual(block?.table, ["x", "y"]);
  assert.deepEqual([...(block?.ids.slice(0, 4) ?? [])], [0, 1, 0, 1]);
  assert.deepEqual([...(block?.probabilities.slice(0, 4) ?? [])], [0, 0.25, 0.5, 0.75]);
  assert.equal(block?.targets[7], 10);
  source.guesses(1);
  source.request();
  assert.equal(model.sent.length, 1);
});

test("guesses that travel whole are cut into the same blocks", () => {
  const layer = layerOf({ examples: 2, timesteps: 700, cells: 1, signals: ["h"], predictions: 2 });
  const floats = (/** @type {number} */ count, /** @type {number} */ from) =>
    Float32Array.from({ length: count }, (_, i) => from + i);
  const ids = Int32Array.from({ length: 2800 }, (_, i) => i);
  const parts = [floats(1400, 0), new Uint8Array(1400).fill(1), ids, floats(2800, 5000)];
  const model = new FakeModel({
    _layers: [layer],
    _whole: Buffer.concat([...parts, floats(1400, 9000)].map((part) => Buffer.from(part.buffer))),
    _text: { lstm: { tokens: null, guessed: ["x"] } },
  });
  const source = new WholeSource(model, layer, "h");
  const block = source.guesses(2);
  assert.deepEqual(block?.table, ["x"]);
  assert.deepEqual([block?.ids.length, block?.ids[0]], [2 * (1400 - 1024), 2048]);
  assert.deepEqual([block?.probabilities[0], block?.targets[0]], [5000 + 2048, 9000 + 1024]);
  assert.equal(source.passage(0).known, 700);
});

test("a passage of what travels whole is that of its example", () => {
  const { model } = whole();
  model.get("_text").b = { tokens: Array.from({ length: 1400 }, (_, i) => `t${i}`), labels: null };
  const source = new WholeSource(model, SMALL[1], "hidden_state");
  const first = source.passage(0);
  assert.deepEqual([first.known, first.token(0), first.token(699)], [700, "t0", "t699"]);
  assert.equal(source.passage(0), first);
  assert.equal(source.passage(1).token(3), "t703");
});
