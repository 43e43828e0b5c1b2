import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { Clock, Times, unpacked } from "../../src/data/times.js";
import { random } from "../load.mjs";

/** tests/test_times_shown.py makes it. */
const table = JSON.parse(await readFile(new URL("../times.json", import.meta.url), "utf-8"));

/** @param {string} [zone] @param {import("../../src/data/times.js").Resolution} [resolution] */
const clock = (zone, resolution = "minute") => new Clock({ kind: "date", zone, resolution });
const DAY = 24 * 60 * 60 * 1000;

/** The texts of ticks, those of larger units in stars. @param {import("../../src/data/times.js").Tick[]} ticks */
const texts = (ticks) => ticks.map(({ text, major }) => (major ? `*${text}*` : text)).join(" | ");

for (const [name, { sent, packed, times, labels, said }] of Object.entries(table)) {
  test(`times are those that Python has, and written alike: ${name}`, () => {
    const of = new Clock(sent);
    for (const found of [
      unpacked(of, Buffer.from(packed, "base64")),
      new Times(of, sent.runs?.[0] ?? Float64Array.from(times)),
    ]) {
      assert.equal(found.count, times.length);
      const all = Array.from({ length: found.count }, (_, i) => found.at(i));
      const off = sent.kind === "date" ? 1e-3 : 0;
      all.forEach((time, i) => {
        assert.ok(Math.abs(time - times[i]) <= off, `${time} is not ${times[i]}`);
      });
      assert.deepEqual(
        all.map((_, i) => found.label(i)),
        labels,
      );
      assert.equal(found.say(found.count - 1), said);
      all.forEach((time, i) => {
        assert.equal(found.from(time), i);
        assert.equal(found.nearest(time), i);
      });
      assert.equal(found.from(all[all.length - 1] + 1), found.count);
    }
  });

  test(`what is written is read again: ${name}`, () => {
    const found = new Times(new Clock(sent), Float64Array.from(times));
    const exact = sent.decimals !== null && sent.resolution !== "microsecond";
    // Days that are always at noon are written without it.
    const short = sent.resolution === "day" && times[0] % DAY !== 0 && !sent.zone;
    labels.forEach((/** @type {string} */ label, /** @type {number} */ i) => {
      const time = found.clock.parse(label);
      assert.notEqual(time, undefined);
      const off = Math.abs(/** @type {number} */ (time) - times[i]);
      if (exact && !short) assert.ok(off <= 1e-12 * Math.abs(times[i]), label);
    });
  });
}

test("the end of a date may be left out, and what is none is none", () => {
  const utc = clock();
  const written = (/** @type {string} */ text) => {
    const time = utc.parse(text);
    return time === undefined ? undefined : new Date(time).toISOString().slice(0, 19);
  };
  assert.equal(written("2016"), "2016-01-01T00:00:00");
  assert.equal(written(" 2016-04 "), "2016-04-01T00:00:00");
  assert.equal(written("2016-4-2"), "2016-04-02T00:00:00");
  assert.equal(written("2016-04-12 6:30"), "2016-04-12T06:30:00");
  assert.equal(written("2016-04-12T06:30:05Z"), "2016-04-12T06:30:05");
  assert.equal(written("2016-04-12 06:30 +02:00"), "2016-04-12T04:30:00");
  for (const text of [
    "",
    "soon",
    "2016-02-30",
    "2016-13",
    "12",
    "2016-04-12 25:00",
    "2016-1-1 1:99",
  ])
    assert.equal(written(text), undefined, text);
  const steps = Times.counted(5);
  assert.equal(steps.clock.parse("t=3"), 3);
  assert.equal(steps.clock.parse("−2.5"), -2.5);
  assert.equal(steps.clock.parse("x"), undefined);
  assert.equal(steps.say(3), "t=3");
});

test("clocks that change are read both ways", () => {
  for (const zone of ["Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Asia/Kolkata"]) {
    const here = clock(zone);
    const start = Date.UTC(2021, 0, 1);
    for (let time = start; time < start + 366 * DAY; time += 30 * 60 * 1000) {
      const label = here.label(time);
      assert.equal(here.parse(label), time, `${zone} ${label}`);
    }
  }
  const berlin = clock("Europe/Berlin");
  // Twice half past two, and an hour that there is not.
  assert.equal(berlin.label(berlin.parse("2021-10-31 02:30") ?? 0), "2021-10-31 02:30 +02:00");
  assert.equal(berlin.label(berlin.parse("2021-03-28 02:30") ?? 0), "2021-03-28 03:30 +02:00");
});

test("ticks suit what is in view, from decades to milliseconds", () => {
  const utc = clock("", "millisecond");
  const over = (/** @type {string} */ from, /** @type {string} */ to, count = 5) => {
    const [a, b] = [Date.parse(`${from}Z`), Date.parse(`${to}Z`)];
    const ticks = utc.ticks(a, b, count);
    return `${utc.context(a, ticks)}: ${texts(ticks)}`;
  };
  assert.equal(
    over("1990-03-01", "2020-02-01", 6),
    "time: 1995 | 2000 | 2005 | 2010 | 2015 | 2020",
  );
  assert.equal(
    over("2015-09-01", "2017-01-20", 6),
    "2015: Oct | *2016* | Apr | Jul | Oct | *2017*",
  );
  assert.equal(
    over("2016-03-29", "2016-04-04T12:00:00", 7),
    "Mar 2016: 29 Mar | 30 Mar | 31 Mar | *Apr* | 2 Apr | 3 Apr | 4 Apr",
  );
  assert.equal(
    over("2016-04-12T19:00:00", "2016-04-13T08:00:00"),
    "12 Apr 2016: 21:00 | *13 Apr* | 03:00 | 06:00",
  );
  assert.equal(
    over("2016-04-12T06:00:00", "2016-04-12T06:01:05"),
    "12 Apr 2016: *06:00* | 06:00:15 | 06:00:30 | 06:00:45 | *06:01*",
  );
  assert.equal(
    over("2016-04-12T06:00:00.100", "2016-04-12T06:00:00.900", 4),
    "12 Apr 2016: 00.200 | 00.400 | 00.600 | 00.800",
  );
});

test("ticks of a zone stand at its own midnights", () => {
  const kolkata = clock("Asia/Kolkata");
  const start = Date.UTC(2020, 0, 1);
  const ticks = kolkata.ticks(start, start + 4 * DAY, 4);
  assert.equal(texts(ticks), "2 Jan | 3 Jan | 4 Jan | 5 Jan");
  for (const { time } of ticks) assert.match(kolkata.label(time), / 00:00 \+05:30$/);
  // A day of 25 hours among them.
  const berlin = clock("Europe/Berlin");
  for (const { time } of berlin.ticks(Date.UTC(2021, 9, 28), Date.UTC(2021, 10, 3), 6))
    assert.match(berlin.label(time), / 00:00 \+0[12]:00$/);
});

test("ticks of numbers are round, and whole where times are", () => {
  const whole = new Clock({ kind: "number", decimals: 0 });
  assert.equal(texts(whole.ticks(0, 3, 10)), "0 | 1 | 2 | 3");
  assert.equal(texts(whole.ticks(-200, 1000, 5)), "−200 | 0 | 200 | 400 | 600 | 800 | 1000");
  const tenths = new Clock({ kind: "number", decimals: 1 });
  assert.equal(texts(tenths.ticks(0.05, 1.1, 4)), "0.2 | 0.4 | 0.6 | 0.8 | 1.0");
  assert.equal(whole.context(0, []), "time");
});

test("ticks are within what is asked for, in order, and bounded", () => {
  const { integer, next } = random(11);
  for (let trial = 0; trial < 300; trial++) {
    const of = clock(["", "Europe/Berlin", "-03:30"][trial % 3], "second");
    const from = Date.UTC(1960 + integer(0, 80), integer(0, 11), integer(1, 28));
    const to = from + 10 ** (3 + 9 * next());
    const count = integer(2, 20);
    const ticks = of.ticks(from, to, count);
    assert.ok(ticks.length <= Math.max(2, 1.5 * count), `${ticks.length} of ${count}`);
    ticks.forEach(({ time }, i) => {
      assert.ok(time >= from && time <= to);
      if (i > 0) assert.ok(time > ticks[i - 1].time, `${of.label(time)}`);
    });
  }
  assert.deepEqual(clock().ticks(5, 5, 4), []);
  assert.deepEqual(clock().ticks(Number.NaN, 5, 4), []);
});

test("uneven times have their ticks where they stand", () => {
  const days = [0, 1, 2, 40, 41, 42].map((day) => Date.UTC(2020, 0, 1) + day * DAY);
  const times = new Times(clock("", "day"), Float64Array.from(days));
  const ticks = times.ticks(0, 5, 4);
  assert.equal(texts(ticks), "9 Feb");
  assert.deepEqual(
    ticks.map(({ timestep }) => timestep),
    [3],
  );
  assert.equal(times.nearest(Date.UTC(2020, 0, 9)), 2);
  assert.equal(times.nearest(Date.UTC(2000, 0, 1)), 0);
  assert.equal(times.nearest(Date.UTC(2030, 0, 1)), 5);
});

test("a zone that this browser doesn't know is UTC, and says so", () => {
  const nowhere = clock("Nowhere/Land");
  assert.equal(nowhere.zone, "UTC");
  assert.equal(nowhere.label(0), "1970-01-01 00:00");
});

test("timesteps are missing where a step is longer than is usual there", () => {
  const every = (/** @type {number[]} */ ...steps) => {
    let at = 0;
    return Float64Array.from([0, ...steps], (step) => (at += step));
  };
  const days = new Array(30).fill(1);
  const weeks = Array.from({ length: 100 }, (_, i) => (i % 5 === 4 ? 3 : 1));
  /** @type {[number[], number[]][]} The same as in tests/test_times_shown.py. */
  const cases = [
    [days, []],
    [[...days, 2, ...days], [31]],
    [
      [...days, 9, 7, ...days],
      [31, 32],
    ],
    [weeks, []],
    [[...weeks, 4, ...weeks], []],
    [[...weeks, 10, ...weeks], [101]],
    // Rarer from some day on, which is no gap but for the first.
    [[...new Array(100).fill(1), 7, 7, 7, 7], [101]],
    [[5, 1], []],
    [[1, 1, 1, 4], [4]],
    [[3], []],
  ];
  const dates = new Clock({ kind: "number", decimals: 0 });
  for (const [steps, gaps] of cases)
    assert.deepEqual([...new Times(dates, every(...steps)).gaps], gaps, `${steps}`);
  /** @type {import("../../src/data/times.js").Run[]} */
  const runs = [
    [0, 1, 31],
    [32, 1, 30],
  ];
  assert.deepEqual([...new Times(dates, runs).gaps], [31]);
  assert.deepEqual([...Times.counted(50).gaps], []);
});
