import assert from "node:assert/strict";
import { test } from "node:test";
import { csv, shortest } from "../../src/lib/csv.js";

test("fields that hold marks are quoted, numbers keep their digits, what is missing is empty", () => {
  assert.equal(
    csv(
      ["a", "b,c"],
      [
        ['say "hi"', 0.1 + 0.2],
        ["two\nlines", Number.NaN],
        ["", undefined],
        ["plain", -1e-7],
      ],
    ),
    'a,"b,c"\r\n"say ""hi""",0.30000000000000004\r\n"two\nlines",\r\n,\r\nplain,-1e-7\r\n',
  );
});

test("no text is a formula in a spreadsheet", () => {
  assert.equal(
    csv(["x"], [["=1+1"], ["@a"], ["-b"], ["+c"], ["\td"], [-5]]),
    "x\r\n'=1+1\r\n'@a\r\n'-b\r\n'+c\r\n'\td\r\n-5\r\n",
  );
});

test("a float32 is written with the digits that it has", () => {
  for (const value of [0.1, 1 / 3, 123456.7, 1e-20, -2.5, 0]) {
    const travelled = Math.fround(value);
    assert.equal(Math.fround(shortest(travelled)), travelled);
    assert.ok(String(shortest(travelled)).length <= 14);
  }
  assert.equal(shortest(Math.fround(0.1)), 0.1);
  assert.ok(Number.isNaN(shortest(Number.NaN)));
});
