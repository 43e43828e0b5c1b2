import assert from "node:assert/strict";
import { before, test } from "node:test";
import { load, random } from "../load.mjs";

/** @type {typeof import("../../src/data/ticks.js").dateTicks} */
let dateTicks;
/** @type {typeof import("../../src/data/ticks.js").numberTicks} */
let numberTicks;

before(async () => {
  ({ dateTicks, numberTicks } = await load("data/ticks.js"));
});

test("ticks of numbers are the decimals that are written, none left out", () => {
  const { integer, next } = random(3);
  for (let trial = 0; trial < 400; trial++) {
    const from = (next() - 0.5) * 10 ** integer(-3, 6);
    const to = from + 10 ** (7 * next() - 3);
    const count = integer(2, 20);
    const { ticks, decimals } = numberTicks(from, to, count, false);
    for (const tick of ticks) assert.equal(Number(tick.toFixed(decimals)), tick);
    const step = ticks[1] - ticks[0];
    ticks.slice(1).forEach((tick, i) => {
      assert.ok(Math.abs(tick - ticks[i] - step) < 1e-4 * step);
    });
    assert.ok(ticks[0] <= from && ticks[ticks.length - 1] >= to);
    // 1, 2, 5, 10 are at most 2.5 times each other.
    const rough = (to - from) / count;
    assert.ok(step < 1.6 * rough && rough < 1.6 * step, `${step} for ${rough}`);
  }
});

test("where only whole numbers will do, ticks are whole", () => {
  assert.deepEqual(numberTicks(0, 3, 30, true).ticks, [0, 1, 2, 3]);
  assert.deepEqual(numberTicks(1e17, 1e17 + 64, 2, true).ticks.length > 1, true);
});

test("ticks of dates are all that begin between two: days, Sundays, months, years, however far back", () => {
  const day = (/** @type {number} */ time) => new Date(time).toISOString().slice(0, -14);
  const over = (
    /** @type {string} */ from,
    /** @type {string} */ to,
    /** @type {number} */ count,
  ) => dateTicks(Date.parse(from), Date.parse(to), count).map(day);
  assert.deepEqual(over("2024-02-27", "2024-03-02", 4), [
    ...["2024-02-27", "2024-02-28", "2024-02-29", "2024-03-01", "2024-03-02"],
  ]);
  const weeks = over("1969-12-01", "1970-02-01", 9);
  assert.equal(weeks.length, 9);
  for (const week of weeks) assert.equal(new Date(week).getUTCDay(), 0, week);
  assert.deepEqual(over("1899-11-15", "1900-04-15", 5), [
    ...["1899-12-01", "1900-01-01", "1900-02-01", "1900-03-01", "1900-04-01"],
  ]);
  assert.deepEqual(over("0048-06-01", "0113-01-01", 3), [
    ...["0060-01-01", "0080-01-01", "0100-01-01"],
  ]);
  assert.deepEqual(over("-000150-01-01", "000150-01-01", 3), [
    ...["-000100-01-01", "0000-01-01", "0100-01-01"],
  ]);
  // The last that there are.
  assert.deepEqual(dateTicks(8.64e15 - 2, 8.64e15, 2), [8.64e15 - 2, 8.64e15 - 1, 8.64e15]);
});
