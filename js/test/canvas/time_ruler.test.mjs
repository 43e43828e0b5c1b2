import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "../load.mjs";

const { drawTimeRuler } = await load("canvas/time_ruler.js");
const { Columns } = await load("layout/columns.js");
const { Clock, Times } = await load("data/times.js");

const GUTTER = 84;
const theme = { font: "sans", colour: { line: "line", muted: "muted", fg: "fg" } };
const DAY = 86_400_000;

/** Where texts are written: their centre, or in the gutter their right end. */
class FakeContext {
  /** @type {{text: string, x: number, room: number | undefined}[]} */
  placed = [];
  textAlign = "";
  /** @param {string} text @param {number} x @param {number} _y @param {number} [room] */
  fillText(text, x, _y, room) {
    this.placed.push({ text, x, room });
  }
  /** @param {string} text */
  measureText(text) {
    return { width: 6 * text.length };
  }
  save() {}
  restore() {}
  beginPath() {}
  rect() {}
  clip() {}
  fillRect() {}
}

/**
 * What a ruler of so many timesteps says.
 * @param {{kind: string, [name: string]: unknown} | undefined} times
 * @param {number[]} run of them
 * @param {{timesteps?: number, width?: number, left?: number, column?: number}} [view]
 */
function written(times, run, { timesteps = 60, width = 12, left = 0, column = 30 } = {}) {
  const clock = times && new Clock(times);
  const source = {
    layer: { timesteps, times },
    clock,
    times: () => clock && new Times(clock, [run]),
  };
  const context = new FakeContext();
  drawTimeRuler(
    context,
    { source, theme, column },
    {
      columns: new Columns(1, timesteps, width),
      gutter: GUTTER,
      left,
      width: GUTTER + 800,
      top: 0,
      bottom: 20,
    },
  );
  return { ticks: context.placed.slice(0, -1), unsaid: context.placed.at(-1) };
}

test("where no times are known, timesteps are counted", () => {
  const { ticks, unsaid } = written(undefined, []);
  const texts = ticks.map(({ text }) => text);
  assert.equal(texts[0], "30");
  assert.deepEqual(
    texts.slice(1).map(Number),
    [0, 10, 20, 40, 50, 60].filter((tick) => texts.includes(String(tick))),
  );
  assert.ok(texts.length >= 4);
  assert.equal(unsaid?.text, "timestep");
  // Timestep 10 stands at the middle of its column.
  const ten = ticks.find(({ text }) => text === "10");
  assert.equal(ten?.x, GUTTER + 10 * 12 + 6);
});

test("what the first tick says is not said twice", () => {
  const hours = { kind: "date", resolution: "minute" };
  const start = Date.UTC(2003, 9, 28);
  const { ticks, unsaid } = written(hours, [start, DAY / 24, 60]);
  assert.ok(ticks.some(({ text }) => text === "28 Oct"));
  assert.equal(unsaid?.text, "2003");
  const days = { kind: "date", resolution: "day" };
  const year = { timesteps: 400, width: 2, column: 200 };
  const january = written(days, [Date.UTC(2001, 0, 1), DAY, 400], year);
  assert.ok(january.ticks.some(({ text }) => text === "2001"));
  assert.equal(january.unsaid?.text, "time");
  const february = written(days, [Date.UTC(2001, 1, 3), DAY, 400], year);
  assert.equal(february.unsaid?.text, "2001");
});

test("no text is cut off at an edge, where a column is seen in part", () => {
  const hours = { kind: "date", resolution: "minute" };
  const run = [Date.UTC(2003, 9, 26, 12), DAY / 24, 60];
  for (let left = 0; left < 40; left += 3) {
    const { ticks } = written(hours, run, { left, width: 24 });
    for (const { text, x } of ticks) assert.ok(x - 3 * text.length >= GUTTER, `${text} at ${x}`);
  }
  // A long date in the gutter has its letters a little closer.
  const { unsaid } = written(hours, run);
  assert.equal(unsaid?.text, "26 Oct 2003");
  assert.ok(/** @type {number} */ (unsaid?.room) <= GUTTER - 16);
});
