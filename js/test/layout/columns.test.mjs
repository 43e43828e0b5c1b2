import assert from "node:assert/strict";
import { test } from "node:test";
import { Columns, fitHeight, fitWidth, runs, zoomStep } from "../../src/layout/columns.js";
import { extentOf, fromScroll, revealing, toScroll } from "../../src/layout/scrolling.js";
import { random } from "../load.mjs";

/** Sizes as they come: many short examples, few long ones. @param {ReturnType<typeof random>} dice */
function sizes({ integer, pick }) {
  return pick([
    [integer(1, 5000), integer(1, 8)],
    [integer(1, 40), integer(1, 400)],
    [1, integer(1, 200_000)],
  ]);
}

const WIDTHS = [1, 2, 3, 4, 6, 8, 10, 12, 15, 18, 22, 28, 36, 48, 64, 0.5, 0.25, 2 ** -10];

test("the column at the middle of a column is that column", () => {
  const dice = random(1);
  for (let i = 0; i < 2000; i++) {
    const [examples, timesteps] = sizes(dice);
    const width = dice.pick([...WIDTHS, 0.001 + 20 * dice.next()]);
    const columns = new Columns(examples, timesteps, width);
    const column = dice.integer(0, examples * timesteps - 1);
    const middle = columns.start(column) + width / 2;
    assert.equal(columns.at(middle), column);
    assert.equal(columns.nearest(middle), column);
  }
});

test("a column of whole pixels begins where it starts and ends where it stops", () => {
  const dice = random(2);
  for (let i = 0; i < 2000; i++) {
    const [examples, timesteps] = sizes(dice);
    const width = dice.pick(WIDTHS);
    const columns = new Columns(examples, timesteps, width);
    const column = dice.integer(0, examples * timesteps - 1);
    assert.equal(columns.at(columns.start(column)), column);
    assert.equal(columns.at(columns.start(column) + width * 0.999), column);
    assert.notEqual(columns.at(columns.start(column) + width), column);
  }
});

test("columns stand in order, end to end but for a gap between examples", () => {
  const dice = random(3);
  for (let i = 0; i < 300; i++) {
    const [examples, timesteps] = [dice.integer(1, 10), dice.integer(1, 20)];
    const width = dice.pick(WIDTHS);
    const columns = new Columns(examples, timesteps, width);
    assert.equal(columns.start(0), 0);
    for (let column = 1; column < examples * timesteps; column++) {
      const gap = column % timesteps === 0 ? columns.gap : 0;
      assert.equal(columns.start(column) - columns.start(column - 1), width + gap);
    }
    assert.equal(columns.start(examples * timesteps - 1) + width, columns.total);
  }
});

test("there is no column in a gap and outside, and the nearest one beside it", () => {
  const columns = new Columns(3, 4, 10);
  assert.ok(columns.gap > 0);
  assert.equal(columns.at(-0.1), -1);
  assert.equal(columns.at(columns.total), -1);
  assert.equal(columns.at(40 + columns.gap / 2), -1);
  assert.equal(columns.nearest(40 + columns.gap / 2), 3);
  assert.equal(columns.nearest(40 + columns.gap), 4);
  assert.equal(columns.nearest(-100), 0);
  assert.equal(columns.nearest(1e6), 11);
});

test("one example has no gap, nothing has no width", () => {
  assert.equal(new Columns(1, 100, 10).total, 1000);
  assert.equal(new Columns(0, 100, 10).total, 0);
  assert.equal(new Columns(0, 100, 10).at(0), -1);
  assert.equal(new Columns(5, 0, 10).at(0), -1);
});

test("what is fitted fits, in whole pixels where they are large", () => {
  const dice = random(4);
  for (let i = 0; i < 3000; i++) {
    const [examples, timesteps] = sizes(dice);
    const room = dice.integer(200, 4000);
    const width = fitWidth(examples, timesteps, room);
    const said = `${examples} × ${timesteps} in ${room}: ${width}`;
    assert.ok(width > 0, said);
    assert.ok(new Columns(examples, timesteps, width).total <= room * (1 + 1e-9), said);
    if (width > 6) assert.equal(width, Math.floor(width), said);
  }
});

test("what is fitted could be little wider", () => {
  const dice = random(5);
  for (let i = 0; i < 3000; i++) {
    const [examples, timesteps] = sizes(dice);
    const room = dice.integer(200, 4000);
    const width = fitWidth(examples, timesteps, room);
    if (width === 22) continue;
    const more = width >= 6 ? width + 1 : width >= 1 ? width + 0.051 : 1;
    const said = `${examples} × ${timesteps} in ${room}: ${width}`;
    assert.ok(new Columns(examples, timesteps, more).total > room, said);
    const { total } = new Columns(examples, timesteps, width);
    // Examples of few timesteps lose their gaps where that makes room.
    if (width < 1) assert.ok(total > room / 2, said);
  }
});

test("rows that fit fill the height, in whole pixels where they are large", () => {
  for (const rows of [0, 1, 5, 32, 64, 100, 1000, 4096]) {
    for (const room of [100, 320, 481]) {
      const height = fitHeight(rows, room);
      assert.ok(height > 0 && height <= 22 && height * rows <= room);
      if (height > 6) assert.equal(height, Math.floor(height));
      if (height < 6) assert.ok(Math.abs(height * rows - room) < 1e-9);
    }
  }
});

test("zooming goes one way until it ends, and comes back", () => {
  const ins = [2 ** -20];
  for (let i = 0; i < 100; i++) ins.push(zoomStep(ins[ins.length - 1], 1));
  assert.equal(ins[ins.length - 1], 64);
  const outs = [64];
  for (let i = 0; i < 100; i++) outs.push(zoomStep(outs[outs.length - 1], -1));
  assert.equal(outs[outs.length - 1], 2 ** -20);
  assert.deepEqual([...new Set(ins)], [...new Set(outs)].reverse());
});

test("a step in makes any square larger, a step out smaller", () => {
  const { next } = random(6);
  for (let i = 0; i < 1000; i++) {
    const square = next() < 0.5 ? 1e-5 + next() : 1 + 62 * next();
    assert.ok(zoomStep(square, 1) > square);
    assert.ok(zoomStep(square, -1) < square);
  }
});

/** @param {ReturnType<typeof runs>} found @param {number} pixels */
function shownBy(found, pixels) {
  const shown = new Int32Array(pixels).fill(-1);
  for (let run = 0; run < found.count; run++) {
    assert.ok(found.from[run] < found.to[run]);
    assert.ok(found.first[run] <= found.last[run]);
    for (let x = found.from[run]; x < found.to[run]; x++) {
      assert.equal(shown[x], -1, `pixel ${x} is drawn twice`);
      shown[x] = run;
    }
  }
  return shown;
}

test("zoomed in, each pixel shows the column under it, once, and gaps none", () => {
  const dice = random(7);
  for (let i = 0; i < 600; i++) {
    const [examples, timesteps] = sizes(dice);
    const width = dice.pick(WIDTHS.filter((w) => w >= 1));
    const ratio = dice.pick([1, 1.25, 1.5, 2, 3]);
    const columns = new Columns(examples, timesteps, width);
    const pixels = dice.integer(100, 600);
    const scroll = dice.integer(0, Math.max(0, Math.floor(columns.total) - 50));
    const found = runs(columns, scroll, pixels, ratio);
    assert.equal(found.level, 0);
    const shown = shownBy(found, pixels);
    shown.forEach((run, x) => {
      const place = scroll + (x + 0.5) / ratio;
      const column = columns.at(place);
      const drawn = run < 0 ? -1 : found.first[run];
      if (drawn === column) return;
      // An edge in the middle of a pixel may go to either side.
      const [left, right] = [place - 0.5001 / ratio, place + 0.5001 / ratio];
      const beside = [columns.at(left), columns.at(right)];
      assert.ok(beside.includes(drawn), `pixel ${x} shows ${drawn}, not ${column}`);
    });
  }
});

test("zoomed in by any ratio, neighbours neither overlap nor leave a hole", () => {
  const dice = random(8);
  const holes = [];
  for (let i = 0; i < 600; i++) {
    const width = dice.pick([...WIDTHS.filter((w) => w > 1), fitWidth(1, 500, 800 + i)]);
    const ratio = dice.pick([1, 2, 1.1, 0.9, 1.3333334, 1.7647059, 2.2]);
    const columns = new Columns(1, 3000, width);
    const scroll = dice.pick([0, dice.integer(0, 500), 500 * dice.next()]);
    const hole = shownBy(runs(columns, scroll, 500, ratio), 500).indexOf(-1);
    if (hole >= 0) holes.push({ width, ratio, scroll, hole });
  }
  // Of a random search, one that has been found.
  const hole = shownBy(runs(new Columns(1, 3000, 36), 489, 500, 0.9), 500).indexOf(-1);
  if (hole >= 0) holes.push({ width: 36, ratio: 0.9, scroll: 489, hole });
  assert.deepEqual(holes, []);
});

test("the first run knows how much of it is cut off", () => {
  const columns = new Columns(1, 100, 20);
  assert.equal(runs(columns, 0, 100, 2).cut, 0);
  assert.equal(runs(columns, 47, 100, 1).cut, 7);
  assert.equal(runs(columns, 47, 100, 2).cut, 14);
});

test("nothing has no runs", () => {
  for (const columns of [new Columns(0, 5, 10), new Columns(5, 0, 10), new Columns(0, 5, 0.1)]) {
    assert.equal(runs(columns, 0, 100, 1).count, 0);
  }
});

/**
 * Columns wholly in view that no run shows.
 * @param {Columns} columns
 * @param {number} scroll
 * @param {number} pixels
 * @param {number} ratio
 */
function unseen(columns, scroll, pixels, ratio) {
  const { level, count, first, last } = runs(columns, scroll, pixels, ratio);
  const seen = new Set();
  for (let run = 0; run < count; run++) {
    for (let bin = first[run]; bin <= last[run]; bin++) seen.add(bin);
  }
  const missed = [];
  for (let column = 0; column < columns.examples * columns.timesteps; column++) {
    const start = columns.start(column);
    const inside = start >= scroll && start + columns.width <= scroll + pixels / ratio;
    if (inside && !seen.has(column >> level)) missed.push(column);
  }
  return missed;
}

test("zoomed out, every timestep in the midst of one example is in some pixel", () => {
  const dice = random(9);
  for (let i = 0; i < 100; i++) {
    const columns = new Columns(1, dice.integer(20_000, 40_000), dice.pick([0.5, 0.1, 0.37, 0.03]));
    const scroll = dice.integer(0, Math.floor(columns.total) - 401);
    assert.deepEqual(unseen(columns, scroll, 400, dice.pick([1, 2])), []);
  }
});

test("zoomed out, the last timesteps of all are in some pixel", () => {
  // 105 timesteps on 10.5 pixels: the last pixel shows five of them, and then nothing.
  assert.deepEqual(unseen(new Columns(1, 105, 0.1), 0, 20, 1), []);
});

test("zoomed out, every timestep of examples without gaps is in some pixel", () => {
  const dice = random(10);
  for (let i = 0; i < 100; i++) {
    const columns = new Columns(dice.integer(3000, 4000), 7, dice.pick([0.5, 0.1, 0.37, 0.03]));
    assert.equal(columns.gap, 0);
    assert.deepEqual(unseen(columns, 0, 400, dice.pick([1, 2])), []);
  }
});

test("zoomed out, the timesteps at both ends of examples with gaps are in some pixel", () => {
  // 20 examples × 500 timesteps, fitted to 1000 pixels.
  const columns = new Columns(20, 500, fitWidth(20, 500, 1000));
  assert.deepEqual(unseen(columns, 0, 1000, 1), []);
});

test("zoomed out, each pixel that shows something shows what is under it", () => {
  const dice = random(11);
  for (let i = 0; i < 100; i++) {
    const columns = new Columns(dice.integer(1, 30), 1000, dice.pick([0.5, 0.1, 0.37, 0.03]));
    const ratio = dice.pick([1, 2]);
    const found = runs(columns, 0, 400, ratio);
    assert.ok(2 ** found.level * columns.width * ratio <= 1);
    shownBy(found, 400).forEach((run, x) => {
      if (run < 0) return;
      const middle = columns.at((x + 0.5) / ratio);
      if (middle < 0) return;
      const bin = middle >> found.level;
      assert.ok(found.first[run] <= bin && bin <= found.last[run]);
      // A pixel shows no more than a bin beyond its edges, so that nothing seems to be elsewhere.
      assert.ok(found.last[run] - found.first[run] <= 3);
    });
  }
});

test("a scroll bar stands for a place, also where it moves in larger steps", () => {
  for (const whole of [500, 5000, 40_000_000]) {
    const extent = extentOf(whole, 900);
    assert.ok(extent.shown <= 12_000_000);
    const last = Math.max(0, whole - 900);
    for (const share of [0, 0.3, 1]) {
      const place = share * last;
      const found = fromScroll(toScroll(place, extent), extent);
      assert.ok(Math.abs(found - place) < 1e-6 * whole, `${whole}: ${found} is not ${place}`);
    }
    // A scroll bar at its end shows the end.
    assert.equal(fromScroll(extent.shown - 900, extent), last);
  }
});

test("what is seen is not scrolled to; what is near comes in, what is far to the middle", () => {
  assert.equal(revealing(100, 100, 15, 900, true), 100);
  assert.equal(revealing(100, 985, 15, 900, true), 100);
  assert.equal(revealing(100, 990, 15, 900, true), 105);
  assert.equal(revealing(100, 90, 15, 900, true), 90);
  assert.equal(revealing(100, 90, 15, 900, false), -360);
  assert.equal(revealing(100, 9000, 15, 900, true), 8550);
});
