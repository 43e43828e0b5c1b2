// Folders import in one direction only, and leave each other's parts alone.

import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const SOURCES = fileURLToPath(new URL("../src", import.meta.url));

/** From those that import none of the others to those that may import all: the same as in CONTRIBUTING.md. */
const ORDER = [
  ...["lib", "host", "data", "layout", "colour", "state", "canvas", "ui", "panes", "widgets"],
];
/** What of a pane others may import: only widgets do. */
const OPEN = /^(pane|frame)\.(js|css)$/;

/**
 * What is imported, also as a type or by a style sheet.
 * @param {string} text
 */
function importsOf(text) {
  const code = text.replaceAll(/^\s*\/\/.*$/gm, "");
  const found = code.matchAll(/(?:\bfrom\s*|\bimport\s*\(?\s*|@import\s*)"(\.[^"]+)"/g);
  return Array.from(found, ([, path]) => path);
}

/** Every import of one source by another. @returns {Promise<{from: string, to: string}[]>} */
async function edges() {
  const names = await readdir(SOURCES, { recursive: true });
  const all = await Promise.all(
    names
      .filter((name) => /\.(js|css)$/.test(name))
      .map(async (name) => {
        const text = await readFile(join(SOURCES, name), "utf-8");
        return importsOf(text).map((path) => ({ from: name, to: join(dirname(name), path) }));
      }),
  );
  return all.flat();
}

const ALL = await edges();
/** Within the page's sources. */
const INSIDE = ALL.filter(({ to }) => !to.startsWith(".."));
/** @param {string} path */
const folder = (path) => path.split("/")[0];
/** @param {string} path */
const pane = (path) => (folder(path) === "panes" ? path.split("/")[1] : undefined);
/** @param {{from: string, to: string}} edge */
const told = ({ from, to }) => `${from} imports ${to}`;

test("imports are found in code, in types and in style sheets", () => {
  const text = [
    'import { a } from "./a.js";',
    'import {\n  b,\n} from "../b.js";',
    'export { c } from "./c.js";',
    'import "./d.js";',
    'const e = await import("./e.js");',
    '/** @param {import("./f.js").F} f */',
    '@import "../g.css";',
    '// import { h } from "./h.js";',
    'import { test } from "node:test";',
  ].join("\n");
  const found = ["./a.js", "../b.js", "./c.js", "./d.js", "./e.js", "./f.js", "../g.css"];
  assert.deepEqual(importsOf(text), found);
  assert.ok(INSIDE.length > 300, `${INSIDE.length} imports`);
});

test("every folder has its place in the order", () => {
  const folders = new Set(ALL.flatMap(({ from, to }) => [from, to]).map(folder));
  folders.delete("..");
  assert.deepEqual([...folders].sort(), [...ORDER].sort());
});

test("a folder imports only from itself and from those before it", () => {
  const wrong = INSIDE.filter(
    ({ from, to }) => ORDER.indexOf(folder(from)) < ORDER.indexOf(folder(to)),
  );
  assert.deepEqual(wrong.map(told), []);
});

test("a pane imports no other pane, and widgets only what a pane shows them", () => {
  const wrong = INSIDE.filter(({ from, to }) => {
    if (folder(to) !== "panes" || pane(from) === pane(to)) return false;
    const [, , ...inner] = to.split("/");
    return folder(from) === "panes" || inner.length !== 1 || !OPEN.test(inner[0]);
  });
  assert.deepEqual(wrong.map(told), []);
});

test("no source imports itself, by whatever way round", async () => {
  /** Of code alone: what only a type needs is not there when it runs. @type {Map<string, string[]>} */
  const next = new Map();
  for (const name of await readdir(SOURCES, { recursive: true })) {
    if (!name.endsWith(".js")) continue;
    const text = await readFile(join(SOURCES, name), "utf-8");
    const code = text.replaceAll(/\/\*[\s\S]*?\*\//g, "");
    next.set(
      name,
      importsOf(code).map((path) => join(dirname(name), path)),
    );
  }
  /** @type {Set<string>} */
  const done = new Set();
  /** @param {string} at @param {string[]} way */
  const walk = (at, way) => {
    assert.ok(!way.includes(at), [...way, at].join(" → "));
    if (done.has(at)) return;
    for (const to of next.get(at) ?? []) walk(to, [...way, at]);
    done.add(at);
  };
  for (const name of next.keys()) walk(name, []);
  assert.equal(done.size >= next.size, true);
});

test("no two panes style the same thing: one page may show both", async () => {
  /** @type {{selector: string, of: string}[]} */
  const rules = [];
  for (const name of await readdir(join(SOURCES, "panes"), { recursive: true })) {
    if (!name.endsWith(".css")) continue;
    const text = await readFile(join(SOURCES, "panes", name), "utf-8");
    const code = text.replaceAll(/\/\*[\s\S]*?\*\/|@import[^;]*;|@[\w-]+[^{;]*\{/g, "");
    for (const [, several] of code.matchAll(/([^{}]+)\{/g)) {
      // At commas, but not at those within brackets.
      const selectors = several.trim().split(/,(?![^(]*\))/);
      rules.push(...selectors.map((selector) => ({ selector, of: name.split("/")[0] })));
    }
  }
  assert.ok(rules.length > 100, `${rules.length} rules`);
  const classes = (/** @type {string} */ text) =>
    Array.from(text.matchAll(/\.lw-[\w-]+/g), ([name]) => name);
  const own = (/** @type {string} */ name, /** @type {string} */ pane) =>
    rules.every(({ selector, of }) => of === pane || !classes(selector).includes(name));
  const shared = rules.filter(
    ({ selector, of }) =>
      // The colours of a pane may stand where all colours do.
      !/^\s*\.lw(\[[^\]]*\])?$/.test(selector) && !classes(selector).some((name) => own(name, of)),
  );
  assert.deepEqual(shared, []);
});

test("outside of its sources, the page needs nothing but the palettes", () => {
  const outside = ALL.filter(({ to }) => to.startsWith(".."));
  assert.deepEqual(
    [...new Set(outside.map(({ to }) => relative("../..", to)))],
    ["lstm_widgets/palettes.json"],
  );
});
