import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import {
  decode,
  encode,
  halve,
  NAN,
  NEGATIVE_INFINITY,
  POSITIVE_INFINITY,
  STEPS,
  strongest,
  ZERO,
} from "../../src/data/codes.js";
import { random } from "../load.mjs";

const { NaN: nan, POSITIVE_INFINITY: infinity } = Number;

/** tests/test_tiles.py holds the kernel's encoder against the same table. */
const table = JSON.parse(await readFile(new URL("../codes.json", import.meta.url), "utf-8"));

for (const { name, values, scale, codes } of table) {
  test(`codes are those that the kernel makes: ${name}`, () => {
    const numbers = Float32Array.from(values, (/** @type {string} */ value) =>
      Number(value.replace("inf", "Infinity").replace("nan", "NaN")),
    );
    assert.deepEqual([...encode(numbers, Math.fround(scale))], codes);
  });
}

test("a value is off by at most half a step", () => {
  const { next } = random(1);
  for (let i = 0; i < 500; i++) {
    const scale = Math.fround(10 ** (60 * next() - 30));
    const values = Float32Array.from({ length: 20 }, () => (2 * next() - 1) * scale);
    encode(values, scale).forEach((code, k) => {
      const error = Math.abs(decode(code, scale) - values[k]);
      assert.ok(error <= scale * (1 / 252 + 126 * 2 ** -23), `${values[k]} of ${scale}: ${error}`);
    });
  }
});

test("zero is exact, what is not finite keeps its own code", () => {
  const special = Float32Array.of(0, -0, nan, infinity, -infinity);
  for (const scale of [0, 1e-40, 1, 3e38]) {
    const codes = encode(special, scale);
    assert.deepEqual([...codes], [ZERO, ZERO, NAN, POSITIVE_INFINITY, NEGATIVE_INFINITY]);
    const decoded = Array.from(codes, (code) => decode(code, scale));
    assert.deepEqual(decoded, [0, 0, nan, infinity, -infinity]);
  }
});

test("the outermost codes are the scale itself", () => {
  assert.equal(decode(ZERO + STEPS, 0.3), 0.3);
  assert.equal(decode(ZERO - STEPS, 0.3), -0.3);
});

test("every code comes back from what it stands for", () => {
  for (const scale of [Math.fround(0.999), 1, 126, 1e-20, 1e20]) {
    for (let code = 0; code < 256; code++) {
      assert.equal(encode(Float32Array.of(decode(code, scale)), Math.fround(scale))[0], code);
    }
  }
});

/** Which of two codes is shown, said in values. @param {number[]} codes */
function byHand(codes) {
  let best = codes[0];
  for (const code of codes) {
    const [left, right] = [decode(code, 1), decode(best, 1)];
    if (Number.isNaN(right)) break;
    const wins = Math.abs(left) > Math.abs(right) || left === -right;
    if (Number.isNaN(left) || (wins && left > -Math.abs(right))) best = code;
    else if (Math.abs(left) > Math.abs(right)) best = code;
  }
  return best;
}

test("the strongest code is that of the largest magnitude, NaN before all", () => {
  assert.equal(strongest(Uint8Array.of(127, 20, 200), 0, 3), 20);
  assert.equal(strongest(Uint8Array.of(127, 254, 255, 0), 0, 4), NAN);
  assert.equal(strongest(Uint8Array.of(1, 253), 0, 2), 253);
  assert.equal(strongest(Uint8Array.of(0, 254), 0, 2), POSITIVE_INFINITY);
  assert.equal(strongest(Uint8Array.of(0, 253), 0, 2), NEGATIVE_INFINITY);
  assert.equal(strongest(Uint8Array.of(200, 127, 128, 200), 1, 3), 128);
  const { integer } = random(2);
  for (let i = 0; i < 2000; i++) {
    const codes = Uint8Array.from({ length: integer(1, 6) }, () => integer(0, 255));
    assert.equal(strongest(codes, 0, codes.length), byHand([...codes]), `${codes}`);
  }
});

test("halving again and again is pooling at once", () => {
  const { integer } = random(3);
  for (const length of [0, 1, 2, 3, 17, 512, 1001]) {
    const codes = Uint8Array.from({ length }, () => integer(0, 255));
    let level = codes;
    for (let size = 2; size <= 64; size *= 2) {
      level = halve(level);
      assert.equal(level.length, Math.ceil(length / size));
      level.forEach((code, i) => {
        assert.equal(code, strongest(codes, i * size, Math.min(length, (i + 1) * size)));
      });
    }
  }
});
