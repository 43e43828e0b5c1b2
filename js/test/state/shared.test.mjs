import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32 } from "node:zlib";
import { FakeModel, load } from "../load.mjs";

/** @type {typeof import("../../src/state/shared.js")} */
const { SharedState } = await load("state/shared.js");
/** @type {typeof import("../../src/state/dependency.js")} */
const { DependencyState } = await load("state/dependency.js");
/** @type {typeof import("../../src/state/recording.js")} */
const { RecordingState } = await load("state/recording.js");
/** @type {typeof import("../../src/ui/hosted.js")} */
const { hostedView } = await load("ui/hosted.js");

/** A host that tells of every change, also of one that is none, and hands over copies. */
class EchoingModel extends FakeModel {
  depth = 0;

  /** @param {string} name */
  get(name) {
    return structuredClone(this.values[name]);
  }

  /** @param {string} name @param {unknown} value */
  set(name, value) {
    assert.ok(this.depth < 20, `${name} is set again and again`);
    this.depth++;
    this.values[name] = value;
    this.emit(`change:${name}`, value);
    this.depth--;
  }
}

const DEPENDENCY = {
  _models: [
    {
      name: "",
      of: "logit",
      how: "",
      unit: "",
      examples: 2,
      timesteps: [0, 1, 2],
      first: 0,
      largest: 1,
    },
  ],
  _extent: { first: 0, stop: 3, examples: 2, tokens: false },
  _whole: new DataView(new ArrayBuffer(0)),
  _text: [],
  example: 0,
  timestep: 1,
  input_timestep: null,
};

/** @param {any} state @returns {string[]} what it announces from now on */
function told(state) {
  /** @type {string[]} */
  const names = [];
  state.watch((/** @type {Set<string>} */ changed) => names.push(...changed));
  return names;
}

test("setting what is already so does nothing, whatever a host makes of it", () => {
  const model = new EchoingModel({ ...DEPENDENCY, scale: [0, 1] });
  const state = new SharedState(model, ["timestep", "scale"]);
  const names = told(state);
  state.set({ timestep: 1, scale: [0, 1] }, "view");
  assert.deepEqual([model.saved, names], [0, []]);
  state.set({ timestep: 2, scale: [0, 1] }, "view");
  assert.deepEqual([model.saved, names], [1, ["timestep"]]);
  model.set("timestep", 2);
  model.set("scale", [0, 1]);
  assert.deepEqual(names, ["timestep"]);
});

test("a selection is kept inside without end, in a host that tells of every change", () => {
  const model = new EchoingModel({ ...DEPENDENCY });
  const state = new DependencyState(model);
  const names = told(state);
  state.set({ timestep: 99 }, undefined);
  assert.equal(model.get("timestep"), 2);
  model.set("timestep", -5);
  model.set("example", 7);
  model.set("input_timestep", 8);
  assert.deepEqual(
    [model.get("timestep"), model.get("example"), model.get("input_timestep")],
    [0, 1, 2],
  );
  assert.ok(names.length < 9);
});

test("who changes something is forgotten afterwards, also when it fails", () => {
  const model = new FakeModel({ cell: 0 });
  const state = new SharedState(model, ["cell"]);
  state.watch(() => {
    throw new Error("a view that fails");
  });
  assert.throws(() => state.set({ cell: 1 }, "view"), /a view that fails/);
  assert.equal(state.origin, undefined);
});

test("a change within a change has its own origin, and the outer one gets its back", () => {
  const model = new FakeModel({ cell: 0, timestep: 0 });
  const state = new SharedState(model, ["cell", "timestep"]);
  /** @type {unknown[]} */
  const seen = [];
  state.watch((names) => {
    if (names.has("cell")) state.set({ timestep: 1 }, "inner");
    seen.push(state.origin);
  });
  state.set({ cell: 1 }, "outer");
  assert.deepEqual(seen, ["inner", "outer"]);
  assert.equal(state.origin, undefined);
});

test("an error stays in sight when a host tells of a change that is none", () => {
  const model = new EchoingModel({ cell: 0 });
  const state = new SharedState(model, ["cell"]);
  model.emit("msg:custom", { kind: "error", text: "no such cell" });
  model.set("cell", 0);
  assert.equal(state.error, "no such cell");
  model.set("cell", 1);
  assert.equal(state.error, "");
});

test("bytes are the same by what they say", () => {
  const model = new FakeModel({ _whole: new DataView(new ArrayBuffer(8)) });
  const names = told(new SharedState(model, ["_whole"]));
  model.set("_whole", new DataView(new ArrayBuffer(12), 2, 8));
  assert.deepEqual(names, []);
  model.set("_whole", new DataView(Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 1).buffer));
  assert.deepEqual(names, ["_whole"]);
});

test("a second initialize cleans up after the first, and its end lets go of the model", () => {
  const widget = hostedView(
    (model) => new SharedState(model, ["cell", "timestep"]),
    () => ({ destroy() {} }),
  )();
  const [one, other] = [new FakeModel({ cell: 0 }), new FakeModel({ cell: 0 })];
  const count = (/** @type {FakeModel} */ model) =>
    ["change:cell", "change:timestep", "msg:custom"].reduce(
      (sum, e) => sum + model.listeners(e),
      0,
    );
  widget.initialize({ model: one });
  widget.initialize({ model: one });
  assert.equal(count(one), 3);
  const end = widget.initialize({ model: other });
  assert.deepEqual([count(one), count(other)], [0, 3]);
  end();
  assert.equal(count(other), 0);
});

// -- traits that come one after the other ----------------------------------------------------------

/** @template T @param {T[]} all @returns {T[][]} */
function orders(all) {
  if (all.length < 2) return [all];
  return all.flatMap((one) =>
    orders(all.filter((other) => other !== one)).map((rest) => [one, ...rest]),
  );
}

const KNOWN = { masked: false, tokens: true, labels: false, check: {} };
const SELECTED = {
  example: 0,
  cell: 0,
  timestep: 0,
  threshold: 0,
  scale: "layer",
  palette: "auto",
};

/** What a run of a model sends. @param {number} run @param {string} text @param {number} value */
function sent(run, text, value) {
  const shape = { examples: 1, timesteps: text.length, cells: 2 };
  const whole = new Uint8Array(new Float32Array(2 * text.length).fill(value).buffer);
  const layer = { name: "lstm", kind: "LSTM", signals: ["hidden_state"], ...shape, ...KNOWN, run };
  return {
    _layers: [layer],
    _text: { lstm: { tokens: [...text], run } },
    _whole: new DataView(whole.buffer),
    _summary: { stamp: crc32(whole), run },
  };
}

test("traits that belong together may come one by one, in any order", () => {
  const [first, longer, other] = [
    sent(1, "abc", 0.5),
    sent(2, "abcde", 0.25),
    sent(3, "edcba", -1),
  ];
  for (const order of orders(Object.keys(first))) {
    const model = new FakeModel({
      ...SELECTED,
      layer: "lstm",
      signal: "hidden_state",
      ...first,
      timestep: 2,
    });
    const state = new RecordingState(model);
    const names = told(state);
    assert.equal(state.source?.exact(1, 2), 0.5);
    for (const [next, value] of /** @type {const} */ ([
      [longer, 0.25],
      [other, -1],
      [first, 0.5],
    ])) {
      for (const [i, name] of order.entries()) {
        model.set(name, /** @type {any} */ (next)[name]);
        assert.ok(names.includes(name));
        const { source } = state;
        if (i === order.length - 1) {
          assert.equal(source?.exact(0, 2), value, order.join());
          assert.equal(source?.token(0), next._text.lstm.tokens[0]);
        }
        if (source) {
          // What is shown meanwhile is all of one time.
          const { tokens, run } = /** @type {any} */ (source).text;
          assert.deepEqual([source.columns, source.layer.run], [tokens.length, run]);
        }
      }
      names.length = 0;
    }
  }
});

test("an overview is shown with its own statistics only", () => {
  const overview = (/** @type {string} */ signal, /** @type {number} */ code) => {
    const statistics = new Uint8Array(new Float32Array(6).fill(code).buffer);
    const codes = new Uint8Array(6).fill(code);
    const stamp = crc32(codes, crc32(statistics));
    return {
      _statistics: new DataView(statistics.buffer),
      _overview: new DataView(codes.buffer),
      _summary: { layer: "lstm", signal, level: 0, stamp },
      signal,
    };
  };
  const shape = { examples: 1, timesteps: 3, cells: 2 };
  const _layers = [{ name: "lstm", kind: "LSTM", signals: ["a", "b"], ...shape, ...KNOWN }];
  const [one, other] = [overview("a", 3), overview("b", 7)];
  for (const order of orders(Object.keys(one))) {
    const _whole = new DataView(new ArrayBuffer(0));
    const model = new FakeModel({ ...SELECTED, layer: "lstm", _layers, _whole, _text: {}, ...one });
    const state = new RecordingState(model);
    for (const next of [other, one, other]) {
      for (const name of order) {
        model.set(name, /** @type {any} */ (next)[name]);
        const { source } = state;
        if (source) assert.equal(source.overview[0], source.statistics.largest[0]);
      }
      assert.equal(state.source?.signal, next.signal);
    }
    assert.equal(model.listeners("msg:custom"), 2); // its own, and those of the source that is shown
  }
});
