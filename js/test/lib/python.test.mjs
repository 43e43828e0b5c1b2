import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "../load.mjs";

/** @type {typeof import("../../src/lib/python.js")} */
const { call, python } = await load("lib/python.js");

test("values are written as Python writes them", () => {
  /** @type {[unknown, string][]} */
  const cases = [
    [null, "None"],
    [true, "True"],
    [false, "False"],
    [0.25, "0.25"],
    [-3, "-3"],
    ["it's\n\u0000", '"it\'s\\n\\u0000"'],
    [[], "()"],
    [[1], "(1,)"],
    [[-0.5, [true]], "(-0.5, (True,))"],
  ];
  for (const [value, text] of cases) assert.equal(python(value), text);
});

test("a call has its keywords in their order", () => {
  assert.equal(call("lw.CellGrid(recording", []), "lw.CellGrid(recording)");
  const keywords = /** @type {[string, unknown][]} */ ([
    ["cell", 3],
    ["scale", [-1, 1]],
  ]);
  const written = "lw.CellGrid(recording, cell=3, scale=(-1, 1))";
  assert.equal(call("lw.CellGrid(recording", keywords), written);
});
