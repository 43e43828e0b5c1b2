import assert from "node:assert/strict";
import { test } from "node:test";
import { load, random } from "../load.mjs";

/** No element of a browser is higher. */
const MOST = 17_800_000;
const SEEN = 420;

/** What a browser makes of an element that is scrolled: whole numbers, and none beyond its end. */
class Box {
  style = /** @type {Record<string, string>} */ ({});
  clientWidth = 300;
  clientHeight = SEEN;
  offsetHeight = SEEN;
  /** @type {Box[]} */
  children = [];
  listeners = /** @type {Record<string, (event: any) => void>} */ ({});
  #at = { scrollTop: 0, scrollLeft: 0 };

  setAttribute() {}
  /** @param {Box[]} children */
  append(...children) {
    this.children.push(...children);
  }
  /** @param {string} type @param {(event: any) => void} call */
  addEventListener(type, call) {
    this.listeners[type] = call;
  }
  /** @param {"scrollTop" | "scrollLeft"} name @param {number} to */
  #scroll(name, to) {
    const side = name === "scrollTop" ? "height" : "width";
    const whole = Math.min(MOST, Number.parseFloat(this.children.at(-1)?.style[side] || "0"));
    const seen = name === "scrollTop" ? SEEN : this.clientWidth;
    this.#at[name] = Math.round(Math.max(0, Math.min(whole - seen, to)));
  }
  get scrollTop() {
    return this.#at.scrollTop;
  }
  set scrollTop(to) {
    this.#scroll("scrollTop", to);
  }
  get scrollLeft() {
    return this.#at.scrollLeft;
  }
  set scrollLeft(to) {
    this.#scroll("scrollLeft", to);
  }
}

Object.assign(globalThis, {
  document: { createElement: () => new Box() },
  ResizeObserver: class {
    observe() {}
  },
});
const { Scroller } = await load("canvas/scroller.js");

/** @param {number} height */
function scroller(height) {
  const made = new Scroller("lw-text", "text", "", () => {});
  made.resize();
  made.stretch(0, height);
  return made;
}

test("what a browser can hold is scrolled by its own numbers", () => {
  const text = scroller(10_000);
  text.top = 1234;
  assert.equal(text.root.scrollTop, 1234);
  text.root.scrollTop = 77;
  assert.equal(text.top, 77);
  text.top = 1e9;
  assert.equal(text.top, 10_000 - SEEN);
  assert.equal(scroller(100).top, 0);
});

test("each of a million lines is reached, to the pixel, and the last one ends where the view does", () => {
  const { integer } = random(8);
  for (const pitch of [21, 62, 333]) {
    const height = 1_000_000 * pitch + 12;
    const text = scroller(height);
    for (const line of [0, 1, 999_999, ...Array.from({ length: 50 }, () => integer(0, 999_000))]) {
      text.top = line * pitch;
      assert.equal(text.top, Math.min(height - SEEN, line * pitch));
    }
    // By its bar: whatever number it stands at, it goes on from top to bottom.
    text.root.scrollTop = 0;
    assert.equal(text.top, 0);
    text.root.scrollTop = MOST;
    assert.equal(Math.round(text.top), height - SEEN);
    // No line is left out between two of the browser's numbers.
    text.root.scrollTop = 5_000_000;
    const from = text.top;
    text.root.scrollTop = 5_000_001;
    assert.ok(text.top > from && text.top - from < SEEN - pitch);
  }
});

test("a wheel goes as far as it says, whatever the browser's numbers stand for", () => {
  const text = scroller(100_000_000);
  let stopped = 0;
  const turn = (/** @type {object} */ more) =>
    text.root.listeners.wheel({ deltaMode: 0, preventDefault: () => stopped++, ...more });
  for (let step = 1; step <= 40; step++) {
    turn({ deltaY: 53 });
    assert.equal(text.top, 53 * step);
  }
  turn({ deltaY: 3, deltaMode: 1 });
  assert.equal(text.top, 53 * 40 + 60);
  assert.equal(stopped, 41);
  // At the end it is the page's.
  text.top = 1e9;
  turn({ deltaY: 53 });
  // So it is where it zooms, or goes to the side.
  turn({ deltaY: -53, ctrlKey: true });
  turn({ deltaY: -53, shiftKey: true });
  assert.equal(text.top, 100_000_000 - SEEN);
  assert.equal(stopped, 41);
});
