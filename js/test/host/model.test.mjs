import assert from "node:assert/strict";
import { test } from "node:test";
import { bytes, floats } from "../../src/host/model.js";

const numbers = Float32Array.of(1.5, -2, Number.NaN, 3e38);
const raw = new Uint8Array(numbers.buffer);

/** The same bytes, further on in a buffer with others around. @param {number} offset */
function within(offset) {
  const whole = new Uint8Array(raw.length + offset + 5).fill(77);
  whole.set(raw, offset);
  return whole.buffer;
}

test("bytes of whatever a host hands over", () => {
  const expected = [...raw];
  assert.deepEqual([...bytes(raw.buffer)], expected);
  assert.deepEqual([...bytes(raw)], expected);
  assert.deepEqual([...bytes(Buffer.from(raw))], expected);
  assert.deepEqual([...bytes(Buffer.from(raw).toString("base64"))], expected);
  for (const offset of [0, 1, 3, 4, 8]) {
    const buffer = within(offset);
    assert.deepEqual([...bytes(new DataView(buffer, offset, raw.length))], expected);
    assert.deepEqual([...bytes(new Uint8Array(buffer, offset, raw.length))], expected);
  }
});

test("nothing has no bytes", () => {
  for (const nothing of [
    undefined,
    null,
    "",
    new ArrayBuffer(0),
    new DataView(new ArrayBuffer(0)),
  ]) {
    assert.equal(bytes(nothing).length, 0);
    assert.equal(floats(nothing).length, 0);
  }
});

test("float32 values at any address, to the bit", () => {
  for (const offset of [0, 1, 2, 3, 4, 7]) {
    const found = floats(new DataView(within(offset), offset, raw.length));
    assert.equal(found.length, 4);
    assert.deepEqual([...new Uint8Array(found.buffer)], [...raw]);
  }
  assert.deepEqual([...floats(Buffer.from(raw).toString("base64"))], [...numbers]);
});

test("float32 values are a copy", () => {
  const source = Float32Array.of(1, 2);
  const copy = floats(source.buffer);
  source[0] = 9;
  assert.equal(copy[0], 1);
});
