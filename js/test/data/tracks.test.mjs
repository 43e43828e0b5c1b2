import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeModel, load, random } from "../load.mjs";

const { Track, tracksOf, NONE } = await load("data/tracks.js");
const { shownColumn } = await load("data/align.js");

const bare = { padding: () => false };
const LAYER = { name: "lstm", timesteps: 5, examples: 4 };

test("a bit a column says yes or no", () => {
  const { integer } = random(3);
  const said = Array.from({ length: 37 }, () => integer(0, 1));
  const bytes = new Uint8Array(2 + Math.ceil(said.length / 8)).fill(255);
  bytes.fill(0, 2);
  said.forEach((yes, i) => {
    bytes[2 + Math.floor(i / 8)] |= yes << (i % 8);
  });
  const track = new Track({ name: "odd", start: 2, values: null, exact: true }, 0, bytes);
  assert.deepEqual(
    said.map((_, i) => track.code(i)),
    said,
  );
  assert.equal(track.say(1), "odd: yes");
  assert.equal(track.say(0), "odd: no");
  assert.equal(track.say(NONE), "odd: none");
  assert.equal(track.range, "");
  assert.deepEqual([track.share(0), track.share(1)], [0, 1]);
});

test("a byte a column is the place of its number", () => {
  const values = [-2, 0.5, 8];
  const codes = Uint8Array.of(9, 0, 2, 255, 1);
  const track = new Track({ name: "depth", start: 1, values, exact: true }, 1, codes);
  assert.deepEqual(
    [0, 1, 2, 3].map((i) => track.code(i)),
    [0, 2, NONE, 1],
  );
  assert.equal(track.say(0), "depth: −2");
  assert.equal(track.say(1), "depth: 0.5000");
  assert.equal(track.range, "−2 to 8");
  assert.deepEqual(
    [0, 1, 2].map((code) => track.share(code)),
    [0, 0.25, 1],
  );
  const about = new Track({ name: "depth", start: 1, values, exact: false }, 1, codes);
  assert.equal(about.say(2), "depth: ≈ 8");
});

test("a rounded number has no digits that nobody knows", () => {
  const made = (/** @type {number} */ low, /** @type {number} */ high) => {
    const values = Array.from({ length: 255 }, (_, i) => low + ((high - low) * i) / 254);
    return new Track({ name: "x", start: 0, values, exact: false }, 0, Uint8Array.of(0));
  };
  const level = made(-14.995, 139.23);
  assert.equal(level.range, "−15 to 139");
  assert.equal(level.say(38), "x: ≈ 8.1");
  assert.equal(level.say(25), "x: ≈ 0.2");
  assert.equal(made(0, 1).say(100), "x: ≈ 0.394");
  assert.equal(made(101_325, 101_326).say(100), "x: ≈ 101325.394");
  assert.equal(made(0, 2e6).say(100), "x: ≈ 787000");
  assert.equal(made(0, 1e-5).say(100), "x: ≈ 3.937e−6");
});

test("where all numbers are one there is no range to divide by", () => {
  const track = new Track({ name: "one", start: 0, values: [3], exact: true }, 0, Uint8Array.of(0));
  assert.equal(track.share(0), 1);
  const none = new Track(
    { name: "none", start: 0, values: [], exact: true },
    0,
    Uint8Array.of(NONE),
  );
  assert.equal(none.say(none.code(0)), "none: none");
  assert.equal(none.range, "");
});

test("of several columns the highest counts, and padding has none", () => {
  const track = new Track(
    { name: "n", start: 0, values: [1, 2, 3, 4], exact: true },
    0,
    Uint8Array.of(0, 2, 1, NONE, 3),
  );
  assert.equal(track.top(bare, 0, 3), 2);
  assert.equal(track.top(bare, 3, 4), NONE);
  assert.equal(track.top(bare, 2, 5), 3);
  const padded = { padding: (/** @type {number} */ column) => column === 4 };
  assert.equal(track.top(padded, 2, 5), 1);
  assert.equal(track.top(padded, 4, 5), NONE);
});

test("a name is text in which nothing acts", () => {
  const track = new Track(
    { name: "a\u202eb\n", start: 0, values: null, exact: true },
    0,
    Uint8Array.of(1),
  );
  assert.equal(track.say(1), "a◌b⏎: yes");
});

test("each layer has its own; both directions have those of one", () => {
  const sent = [{ name: "a", start: 0, values: null, exact: true }];
  const model = new FakeModel({
    _tracks: { lstm: sent, "both/forward": [] },
    _track_codes: Uint8Array.of(2, 0, 0),
  });
  const [track] = tracksOf(model, LAYER);
  assert.deepEqual([track.code(0), track.code(1)], [0, 1]);
  assert.deepEqual(tracksOf(model, { ...LAYER, name: "other" }), []);
  const both = { ...LAYER, name: "both", parts: ["lstm", "back"] };
  assert.equal(tracksOf(model, both).length, 1);
  assert.deepEqual(tracksOf(new FakeModel({}), LAYER), []);
  model.set("_track_codes", Uint8Array.of(2, 0)); // not all of them yet
  assert.deepEqual(tracksOf(model, LAYER), []);
});

test("what is said is said of the token that stands there, up to the end of its example", () => {
  assert.equal(shownColumn(LAYER, 7, "read"), 7);
  assert.equal(shownColumn(LAYER, 7, "predict"), 8);
  assert.equal(shownColumn(LAYER, 9, "predict"), undefined);
});
