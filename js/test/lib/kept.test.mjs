// What is kept for a while, and what is remembered.

import assert from "node:assert/strict";
import { test } from "node:test";
import { clamp } from "../../src/lib/clamp.js";
import { Memo } from "../../src/lib/memo.js";
import { Recent } from "../../src/lib/recent.js";
import { placeFrom, placeOf } from "../../src/lib/sorted.js";
import { random } from "../load.mjs";

test("what was not looked at for longest goes first", () => {
  /** @type {Recent<string, number>} */
  const recent = new Recent(2);
  recent.set("a", 1);
  recent.set("b", 2);
  assert.equal(recent.get("a"), 1);
  recent.set("c", 3);
  assert.deepEqual(
    ["a", "b", "c"].map((key) => recent.get(key)),
    [1, undefined, 3],
  );
  assert.equal(recent.has("b"), false);
  recent.clear();
  assert.deepEqual([recent.has("a"), recent.get("c")], [false, undefined]);
});

test("it keeps what a list would that is put in order at each look", () => {
  const dice = random(9);
  for (let round = 0; round < 50; round++) {
    const most = dice.integer(1, 6);
    /** @type {Recent<number, number>} */
    const recent = new Recent(most);
    /** The one looked at last stands last. @type {[number, number][]} */
    let list = [];
    for (let step = 0; step < 200; step++) {
      const key = dice.integer(0, 9);
      const known = list.find(([k]) => k === key);
      const what = dice.pick(["get", "has", "set"]);
      if (what === "get") {
        assert.equal(recent.get(key), known?.[1]);
        if (known) list = [...list.filter(([k]) => k !== key), known];
      } else if (what === "has") assert.equal(recent.has(key), known !== undefined);
      else {
        recent.set(key, step);
        list = [...list.filter(([k]) => k !== key), [key, step]];
        list = list.slice(-most);
      }
    }
  }
});

test("something has changed when any of its parts has", () => {
  const memo = new Memo();
  const object = {};
  assert.equal(memo.changed([1, object]), true);
  assert.equal(memo.changed([1, object]), false);
  assert.equal(memo.changed([1, {}]), true);
  assert.equal(memo.changed([1]), true);
  assert.equal(memo.changed([undefined]), true);
  assert.equal(memo.changed([undefined]), false);
});

test("places in ascending numbers are those that counting finds", () => {
  const dice = random(10);
  for (let round = 0; round < 100; round++) {
    const all = Array.from({ length: dice.integer(0, 12) }, () => dice.integer(0, 20));
    const sorted = [...new Set(all)].sort((a, b) => a - b);
    const wanted = dice.integer(-1, 21);
    assert.equal(placeFrom(sorted, wanted), sorted.filter((number) => number < wanted).length);
    assert.equal(placeOf(sorted, wanted), sorted.indexOf(wanted));
  }
});

test("within bounds, and at the lower one where there is nothing between", () => {
  assert.deepEqual(
    [-1, 0, 2, 5, 9].map((value) => clamp(value, 0, 5)),
    [0, 0, 2, 5, 5],
  );
  assert.equal(clamp(3, 0, -1), 0);
});
