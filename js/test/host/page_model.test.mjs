import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { NO_KERNEL, PageModel, pageModels, unpack } from "../../src/host/page_model.js";

test("a saved page's model tells of changes, and of nothing else", () => {
  const model = new PageModel({ cell: 1, layer: "lstm" });
  /** @type {string[]} */
  const heard = [];
  const cell = () => heard.push(`cell ${model.get("cell")}`);
  model.on("change:cell", cell);
  model.on("change", () => heard.push("any"));
  model.set("cell", 2);
  model.set("cell", 2);
  model.save_changes();
  assert.deepEqual(heard, ["cell 2", "any"]);
  model.off("change:cell", cell);
  model.off("change:layer", cell);
  model.set("cell", 3);
  assert.deepEqual(heard, ["cell 2", "any", "any"]);
  assert.equal(model.get("cell"), 3);
  assert.equal(model.get("layer"), "lstm");
  assert.equal(model.get("other"), undefined);
});

test("a listener may leave while it is told", () => {
  const model = new PageModel({ a: 0 });
  let calls = 0;
  const once = () => {
    calls++;
    model.off("change:a", once);
  };
  model.on("change:a", once);
  model.on("change:a", () => calls++);
  model.set("a", 1);
  model.set("a", 2);
  assert.equal(calls, 3);
});

test("a request is answered: there is no kernel", async () => {
  const model = new PageModel({});
  const answered = new Promise((done) => {
    model.on("msg:custom", (message, buffers) => done({ message, buffers }));
  });
  model.send({ id: "a1", tiles: [] });
  assert.deepEqual(await answered, { message: { id: "a1", error: NO_KERNEL }, buffers: [] });
});

test("bytes are unpacked as they were", async () => {
  for (const size of [0, 1, 100_000]) {
    const raw = Uint8Array.from({ length: size }, (_, i) => (i * 31) % 251);
    const view = await unpack(`\n${gzipSync(raw).toString("base64")}\n`);
    assert.deepEqual([...new Uint8Array(view.buffer)], [...raw]);
  }
  await assert.rejects(unpack("AAAA"));
});

test("a browser that cannot unpack says so", async () => {
  const kept = globalThis.DecompressionStream;
  // @ts-expect-error: as in a browser of before 2023
  delete globalThis.DecompressionStream;
  try {
    await assert.rejects(unpack(""), /too old/);
  } finally {
    globalThis.DecompressionStream = kept;
  }
});

test("a page has the models of widgets within its widget", async () => {
  const model = pageModels({ "": { _a: "IPY_MODEL_a" }, a: { cell: 3 } });
  const within = await model.widget_manager?.get_model("a");
  assert.equal(model.get("_a"), "IPY_MODEL_a");
  assert.equal(/** @type {PageModel} */ (within).get("cell"), 3);
});
