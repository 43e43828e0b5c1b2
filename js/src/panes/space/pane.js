// States as points in two or three dimensions: turned, zoomed, pointed at, and chosen by a lasso.

import { gestures } from "../../canvas/gestures.js";
import { Pixels } from "../../canvas/pixels.js";
import { Scroller } from "../../canvas/scroller.js";
import { css, mix } from "../../colour/palettes.js";
import { lengthOf, spansOf } from "../../data/spans.js";
import { clamp } from "../../lib/clamp.js";
import { div, element, listen, write } from "../../lib/dom.js";
import { press } from "../../lib/keyboard.js";
import { Memo } from "../../lib/memo.js";
import { placeFrom } from "../../lib/sorted.js";
import { quoted } from "../../lib/tokens.js";
import { many, NOTHING_RECORDED } from "../../lib/wording.js";
import { button, icon, menu, smallButton } from "../../ui/controls.js";
import { Legend } from "../../ui/legend.js";
import { Camera, EDGE } from "./camera.js";
import { colouring, colourings } from "./colouring.js";
import {
  axisNames,
  axes as drawAxes,
  fixedPoints,
  glyph,
  haloed,
  lasso,
  named,
  ring,
  trajectory,
} from "./drawing.js";
import { byDepth, density, dots, faded, inside, nearest } from "./raster.js";

/** @typedef {import("./frame.js").SpaceFrame} SpaceFrame */
/** @typedef {import("../../data/points.js").Points} Points */
/** @typedef {import("./colouring.js").Colouring} Colouring */
/** @typedef {[x: number, y: number]} Place */

/** Of more points in view, only how many there are is drawn. */
const MOST_DOTS = 100_000;
/** While that changes, about so many of them are counted, in pixels of so many; all of them once it rests. */
const MOVING = 125_000;
const COARSE = 2;
const RESTS_AFTER = 180;
/** How large dots are, by how many there are. @type {[number, number][]} */
const RADII = [
  [400, 4],
  [2500, 3],
  [12_000, 2.2],
  [40_000, 1.5],
];
const SMALLEST = 1;
const LARGEST = 4.5;
/** Dots of no more points have a rim. */
const RIMMED = 4000;
/** Of examples that are longer, a trajectory is drawn around the selected timestep only. */
const WHOLE = 400;
const BEFORE = 60;
const AFTER = 20;
/** A trajectory of more steps is thinner. */
const SHORT = 80;
/** So many steps are drawn of all trajectories, and from so many on they are paler. */
const MOST_STEPS = 30_000;
const MANY_STEPS = 4000;
const RIM = 0.4;
/** How near a pointer has to be. */
const NEAR = 14;
/** What isn't selected, while something is; what is farthest away. */
const FADED = 0.82;
const FAR = 0.55;
/** How far a key moves: in pixels, and in degrees. */
const MOVED = 40;
const TURNED = 10;
const CROSSED = 8;
const ZOOMED = 1.25;
const UPRIGHT = 90;

const LASSO =
  "M8 3c3.6 0 6.2 1.6 6.2 3.9S11.6 10.800 8 10.800 1.800 9.200 1.800 6.900 4.400 3 8 3M4.500 10.200c-1.300.9-1.300 2.700.2 2.800 1.600 0 1.900-1.700.9-2.400M4.700 13c.2 1 .9 1.700 2.100 1.900";
const MOVES = new Set(["layer", "signal", "axes"]);

/** @type {import("../../ui/keys.js").Key[]} */
const KEYS = [
  ["← →", "the timestep before, after"],
  ["↑ ↓", "the example before, after"],
  ["PageUp PageDown", "the cell before, after"],
  ["Home End", "the ends of the example"],
  ["drag, Shift+← → ↑ ↓", "turns three axes, moves two"],
  ["Shift+drag", "moves three axes, too"],
  ["+ −, Ctrl+wheel", "zooms in, out"],
  ["c", "puts the selected state into the middle"],
  ["0", "all of it, as at first"],
  ["3", "a third axis, or two again"],
  ["t", "keeps the trajectory of the example, or lets go of it"],
  ["f", "the next fixed point"],
  ["l", "the lasso: drag around states; Shift adds to those that are selected"],
  ["← → ↑ ↓ Space Enter", "with the lasso: move its cross, set a corner, close it"],
  ["Delete", "selects none"],
];

export class SpacePane {
  called = "state space";
  keys = KEYS;
  /** @type {import("./camera.js").View} */
  #view = { zoom: 1, x: 0, y: 0 };
  /** While it is turned, before that is told. @type {[number, number] | undefined} */
  #angles;
  /** @type {Camera | undefined} */
  #camera;
  #placed = new Memo();
  #coloured = new Memo();
  #drawn = new Memo();
  #keyed = new Memo();
  #places = blank(0);
  /** How many of them are within the picture. */
  #seen = 0;
  /** @type {Colouring | undefined} */
  #colouring;
  /** Which points are selected. @type {Uint8Array | undefined} */
  #chosen;
  #choice = new Memo();
  #pixels = new Pixels();
  #layer = document.createElement("canvas");
  /** Whether how many points there are is drawn; of so many one, while the picture changes. */
  #dense = false;
  #step = 1;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #resting;
  /** The point under the pointer. */
  #pointed = -1;
  /** The fixed point under it, or that keys have led to. */
  #fixedAt = -1;
  #fixedKeyed = false;
  /** @type {Place[]} */
  #fixedPlaces = [];
  #lassoing = false;
  /** @type {Place[]} */
  #corners = [];
  /** Where keys have moved the lasso to. @type {Place | undefined} */
  #cross;
  #adds = false;
  /** What a drag began with. @type {{x: number, y: number, view: import("./camera.js").View, angles: [number, number]} | undefined} */
  #began;
  #dragged = false;

  /** @param {import("../../ui/frame.js").Frame} frame */
  constructor(frame) {
    this.frame = /** @type {SpaceFrame} */ (frame);
    this.state = /** @type {import("../../state/space.js").SpaceState} */ (frame.state);
    const { state } = this;
    const axis = (
      /** @type {string} */ name,
      /** @type {number} */ which,
      /** @type {string} */ told,
    ) => menu(name, (value) => this.#choose(which, Number(value)), told);
    this.axes = [
      axis("x", 0, "The component along the horizontal axis."),
      axis("y", 1, "The component along the vertical axis."),
      axis("z", 2, "A third component: then the picture can be turned."),
    ];
    this.colour = menu(
      "colour",
      (value) => state.set({ coloured_by: value }, this.frame),
      "What the colours of points stand for.",
    );
    this.lines = menu(
      "lines",
      (value) => {
        if (value !== "chosen") state.set({ trajectories: value }, this.frame);
      },
      "Whose trajectories are drawn, from each timestep to the next.",
    );
    this.lasso = button("", "lasso (l)", () => this.#lassoes(!this.#lassoing));
    this.lasso.classList.add("lw-space-lasso");
    this.lasso.append(icon(LASSO));
    this.menus = [...this.axes, this.colour, this.lines].map(({ root }) => root);
    this.tools = [
      element("div", { class: "lw-zoom", role: "group", "aria-label": "view" }, [
        button("−", "zooms out (−)", () => this.#zoom(1 / ZOOMED)),
        button("+", "zooms in (+)", () => this.#zoom(ZOOMED)),
        button("all", "all of it, as at first (0)", () => this.#reset()),
        this.lasso,
      ]),
    ];
    this.view = new Scroller(
      "lw-space",
      "states as points",
      "States as points. Left and right go through the timesteps, up and down through the examples, with " +
        "Shift they turn or move the picture, plus and minus zoom, l begins a lasso.",
      () => this.frame.schedule(),
    );
    this.scroller = this.view.root;
    this.empty = div("lw-empty");
    this.legend = new Legend();
    this.names = element("span", { class: "lw-space-names" });
    this.told = element("span", { class: "lw-space-told" });
    this.clear = smallButton("clear", "selects no timesteps (Delete)", () => this.#select([]));
    this.chosen = element("span", {});
    this.chosenBox = element("span", {}, [this.chosen, " ", this.clear]);
    this.key = div("lw-space-key", [this.legend.root, this.names, this.chosenBox, this.told]);
    this.body = [this.scroller, this.empty, this.key];
    this.#listen();
  }

  #listen() {
    const { scroller } = this;
    listen(scroller, "keydown", (event) => this.#key(event));
    listen(scroller, "click", (event) => this.#click(event));
    listen(scroller, "pointermove", (event) => this.#hover(this.view.at(event)));
    listen(scroller, "pointerleave", () => this.#hover(undefined));
    gestures(scroller, {
      press: (event) => this.#press(event),
      drag: (event) => this.#drag(event),
      drop: () => this.#drop(),
    });
    let [zoom, last] = [1, { x: 0, y: 0 }];
    this.view.onZoom({
      step: (direction, x, y) => this.#zoom(ZOOMED ** direction, x, y),
      begin: () => {
        zoom = this.#view.zoom;
        last = { x: NaN, y: NaN };
      },
      scale: (factor, x, y) => {
        if (Number.isFinite(last.x) && this.#camera) {
          this.#view = this.#camera.moved(x - last.x, y - last.y);
          this.#aim();
        }
        last = { x, y };
        this.#zoom((zoom * factor) / this.#view.zoom, x, y);
      },
    });
  }

  destroy() {
    clearTimeout(this.#resting);
    this.view.destroy();
  }

  resize() {
    this.view.resize();
  }

  /** @param {Set<string>} names */
  changed(names) {
    if ([...names].some((name) => MOVES.has(name))) this.#view = { zoom: 1, x: 0, y: 0 };
    if (names.has("_fixed") || names.has("layer")) this.#fixedAt = -1;
    if (names.has("angles")) this.#angles = undefined;
  }

  /** @returns {{cell: number, column: number} | undefined} */
  get hovered() {
    const column = this.state.points?.columns?.[this.#pointed];
    return column === undefined ? undefined : { cell: this.state.model.get("cell"), column };
  }

  /** The fixed point that is read out. */
  get fixedPoint() {
    return this.frame.pointing || this.#fixedKeyed ? this.state.fixed[this.#fixedAt] : undefined;
  }

  /** @returns {[number, number]} */
  get #turned() {
    return this.#angles ?? this.state.model.get("angles");
  }

  // -- what a person does -------------------------------------------------------------------------

  /** @param {number} which @param {number} component -1: no third axis */
  #choose(which, component) {
    const axes = [...this.state.axes];
    const before = axes[which];
    const other = axes.indexOf(component);
    if (component < 0) axes.length = 2;
    else {
      // What stood there takes the other's place.
      if (other >= 0 && before !== undefined) axes[other] = before;
      if (other < 0 || before !== undefined) axes[which] = component;
    }
    this.state.set({ axes }, this.frame);
  }

  #third() {
    const { axes, points } = this.state;
    const free = (points?.sent.components ?? []).findIndex((_, i) => !axes.includes(i));
    if (axes.length === 3) this.#choose(2, -1);
    else if (free >= 0) this.#choose(2, free);
  }

  /** @param {number} factor @param {number} [x] @param {number} [y] */
  #zoom(factor, x, y) {
    if (!this.#camera) return;
    this.#view = this.#camera.zoomed(factor, x, y);
    this.#aim();
  }

  #reset() {
    this.#view = { zoom: 1, x: 0, y: 0 };
    this.#angles = undefined;
    const { model } = this.state;
    const usual = model.get("_made")?.traits?.angles;
    if (usual) this.state.set({ angles: usual }, this.frame);
    this.frame.schedule();
  }

  /** @param {number} right @param {number} down */
  #move(right, down) {
    if (!this.#camera) return;
    this.#view = this.#camera.moved(right, down);
    this.#aim();
  }

  /** @param {number} yaw @param {number} tilt in degrees @param {boolean} done */
  #turn(yaw, tilt, done) {
    /** @type {[number, number]} */
    const angles = [
      Math.round((((yaw % 360) + 540) % 360) * 10) / 10 - 180,
      Math.round(clamp(tilt, -UPRIGHT, UPRIGHT) * 10) / 10,
    ];
    this.#angles = angles;
    if (done) this.state.set({ angles }, this.frame);
    this.frame.schedule();
  }

  /** Puts the selected state into the middle. */
  #centre() {
    const at = this.state.points?.at(this.state.column) ?? -1;
    if (!this.#camera || at < 0) return;
    const { x, y } = this.#camera.middle;
    this.#move(x - this.#places.x[at], y - this.#places.y[at]);
  }

  /** Look from where the view is now. */
  #aim() {
    this.#camera = this.#made();
    this.frame.schedule();
  }

  /** @param {PointerEvent} event */
  #press(event) {
    const { x, y } = this.view.at(event);
    this.#dragged = false;
    this.#adds = event.shiftKey;
    if (this.#lassoing) {
      this.#corners = [[x, y]];
      this.#cross = undefined;
    }
    this.#began = { x, y, view: this.#view, angles: this.#turned };
    return true;
  }

  /** @param {PointerEvent} event */
  #drag(event) {
    const { x, y } = this.view.at(event);
    const began = this.#began;
    if (!began) return;
    this.#dragged = true;
    this.#pointed = -1;
    if (this.#lassoing) {
      this.#corners.push([x, y]);
      this.frame.schedule();
    } else if (this.#camera?.solid && !event.shiftKey) {
      this.#turn(began.angles[0] + (x - began.x) / 2, began.angles[1] + (y - began.y) / 2, false);
    } else {
      this.#move(x - began.x, y - began.y);
      this.#began = { ...began, x, y };
    }
  }

  #drop() {
    if (this.#dragged && this.#lassoing) this.#close();
    else if (this.#angles) this.state.set({ angles: this.#angles }, this.frame);
    this.#corners = this.#lassoing && !this.#dragged ? [] : this.#corners;
    this.#began = undefined;
  }

  /** @param {MouseEvent} event */
  #click(event) {
    const dragged = this.#dragged;
    this.#dragged = false;
    if (dragged || this.#lassoing) return;
    const at = this.#near(this.view.at(event));
    const column = this.state.points?.columns?.[at];
    if (column !== undefined) this.state.select(column, this.frame);
  }

  /** @param {{x: number, y: number}} place */
  #near({ x, y }) {
    return nearest(this.#places.x, this.#places.y, x, y, NEAR);
  }

  /** @param {{x: number, y: number} | undefined} place */
  #hover(place) {
    if (this.#began && this.#dragged) return;
    const fixed = place
      ? this.#fixedPlaces.findIndex(([x, y]) => Math.hypot(x - place.x, y - place.y) < NEAR / 2)
      : -1;
    const pointed = place && fixed < 0 ? this.#near(place) : -1;
    if (pointed === this.#pointed && fixed === this.#fixedAt) return;
    this.#pointed = pointed;
    this.#fixedAt = fixed;
    this.#fixedKeyed = false;
    this.frame.schedule();
  }

  /** @param {boolean} on */
  #lassoes(on) {
    this.#lassoing = on;
    this.#corners = [];
    this.#cross = undefined;
    if (on) this.scroller.focus();
    this.frame.schedule();
  }

  /** Select what is within the lasso. */
  #close() {
    const columns = this.state.points?.columns;
    const corners = this.#corners;
    this.#corners = [];
    this.#cross = undefined;
    this.frame.schedule();
    if (!columns || corners.length < 2) return;
    // Two corners are those of a box.
    const [[x0, y0], [x1, y1]] = corners;
    /** @type {Place[]} */
    const box = [
      [x0, y0],
      [x1, y0],
      [x1, y1],
      [x0, y1],
    ];
    const { x, y } = this.#places;
    let found = inside(x, y, corners.length === 2 ? box : corners);
    const before = this.#adds ? this.#chosen : undefined;
    if (before) {
      const both = before.slice();
      for (const i of found) both[i] = 1;
      found = [];
      both.forEach((is, i) => {
        if (is) found.push(i);
      });
    }
    this.#select(
      spansOf(
        found.map((i) => columns[i]),
        this.state.layer.timesteps,
      ),
    );
  }

  /** @param {import("../../data/spans.js").Span[]} spans */
  #select(spans) {
    this.state.set({ selected_timesteps: spans }, this.frame);
  }

  /** Keep the trajectory of the selected example, or let go of it. */
  #pin() {
    const { model } = this.state;
    const [pinned, example] = [model.get("trajectories"), model.get("example")];
    const kept = Array.isArray(pinned) ? pinned : [];
    const others = kept.filter((each) => each !== example);
    const trajectories = others.length < kept.length ? others : [...kept, example];
    this.state.set({ trajectories }, this.frame);
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (this.#lassoing && this.#lassoKey(event)) return;
    const { state } = this;
    const { model, column, layer } = state;
    const example = model.get("example");
    const go = (/** @type {number} */ to) => {
      this.#fixedKeyed = false;
      this.#fixedAt = -1;
      this.state.select(to, this.frame);
    };
    const within = (/** @type {number} */ step) => {
      const to = clamp(example + step, 0, layer.examples - 1);
      go(to * layer.timesteps + model.get("timestep"));
    };
    const turn = (/** @type {number} */ step) =>
      state.set({ cell: clamp(model.get("cell") + step, 0, layer.cells - 1) }, this.frame);
    const [yaw, tilt] = this.#turned;
    const aside = (/** @type {number} */ right, /** @type {number} */ down) =>
      this.#camera?.solid
        ? this.#turn(yaw + TURNED * right, tilt + TURNED * down, true)
        : this.#move(-MOVED * right, -MOVED * down);
    if (event.shiftKey) {
      /** @type {Record<string, () => void>} */
      const shifted = {
        ArrowLeft: () => aside(-1, 0),
        ArrowRight: () => aside(1, 0),
        ArrowUp: () => aside(0, -1),
        ArrowDown: () => aside(0, 1),
        "+": () => this.#zoom(ZOOMED),
      };
      return press(event, shifted);
    }
    /** @type {Record<string, () => void>} */
    const keys = {
      ArrowLeft: () => go(column - 1),
      ArrowRight: () => go(column + 1),
      ArrowUp: () => within(-1),
      ArrowDown: () => within(1),
      PageUp: () => turn(-1),
      PageDown: () => turn(1),
      Home: () => go(example * layer.timesteps),
      End: () => go((example + 1) * layer.timesteps - 1),
      "+": () => this.#zoom(ZOOMED),
      "=": () => this.#zoom(ZOOMED),
      "-": () => this.#zoom(1 / ZOOMED),
      0: () => this.#reset(),
      3: () => this.#third(),
      c: () => this.#centre(),
      t: () => this.#pin(),
      f: () => this.#nextFixed(),
      l: () => this.#lassoes(true),
      Delete: () => this.#select([]),
      Backspace: () => this.#select([]),
    };
    return press(event, keys);
  }

  /** @param {KeyboardEvent} event @returns {boolean} whether it was one of the lasso's */
  #lassoKey(event) {
    const camera = this.#camera;
    if (!camera) return false;
    const at = this.state.points?.at(this.state.column) ?? -1;
    const { x, y } = this.#places;
    const [cx, cy] = this.#cross ?? (at < 0 ? [camera.middle.x, camera.middle.y] : [x[at], y[at]]);
    const far = event.shiftKey ? 4 * CROSSED : CROSSED;
    const cross = (/** @type {number} */ right, /** @type {number} */ down) => {
      this.#cross = [
        clamp(cx + far * right, camera.left, camera.right),
        clamp(cy + far * down, camera.top, camera.bottom),
      ];
      this.frame.schedule();
    };
    const corner = () => {
      this.#corners = [...this.#corners, [cx, cy]];
      cross(0, 0);
    };
    /** @type {Record<string, () => void>} */
    const keys = {
      ArrowLeft: () => cross(-1, 0),
      ArrowRight: () => cross(1, 0),
      ArrowUp: () => cross(0, -1),
      ArrowDown: () => cross(0, 1),
      " ": corner,
      Enter: () => {
        this.#adds = event.shiftKey;
        if (this.#corners.length > 0) corner();
        this.#close();
      },
      l: () => this.#lassoes(false),
      Escape: () => this.#lassoes(false),
    };
    press(event, keys);
    return event.defaultPrevented;
  }

  #nextFixed() {
    const count = this.state.fixed.length;
    if (count === 0) return;
    this.#fixedAt = (this.#fixedAt + 1) % count;
    this.#fixedKeyed = true;
    this.frame.schedule();
  }

  // -- painting -----------------------------------------------------------------------------------

  #made() {
    const { state, view } = this;
    const { points, axes } = state;
    if (!points || view.width < 2 || view.height < 2) return undefined;
    return new Camera({
      components: axes.map((axis) => points.sent.components[axis]),
      angles: this.#turned,
      view: this.#view,
      width: view.width,
      height: view.height,
    });
  }

  #controls() {
    const { points, axes, model } = this.state;
    const { components = [] } = points?.sent ?? {};
    const options = components.map(
      (component, i) => /** @type {[string, string]} */ ([String(i), named(component)]),
    );
    this.axes.forEach((each, i) => {
      each.update(i === 2 ? [["-1", "none"], ...options] : options, String(axes[i] ?? -1));
    });
    this.axes[2].root.hidden = components.length < 3;
    this.colour.update(colourings(this.state), model.get("coloured_by") ?? "");
    const pinned = model.get("trajectories");
    this.lines.update(
      [
        ["none", "none"],
        ["selected", this.state.layer.examples > 1 ? "of the example" : "around here"],
        [
          "chosen",
          Array.isArray(pinned) ? `of ${many(pinned.length, "example")}` : "chosen (t)",
          !Array.isArray(pinned),
        ],
        ["all", "all"],
      ],
      Array.isArray(pinned) ? "chosen" : pinned,
    );
    this.lasso.setAttribute("aria-pressed", String(this.#lassoing));
    this.scroller.classList.toggle("lw-lassoing", this.#lassoing);
  }

  paint() {
    const { state, frame } = this;
    const { points, layer } = state;
    this.#controls();
    const nothing = layer.examples * layer.timesteps * layer.cells === 0;
    this.empty.textContent = nothing ? NOTHING_RECORDED : "";
    this.scroller.hidden = this.key.hidden = nothing;
    if (nothing) return;
    const { theme } = frame;
    const components = points && state.axes.map((axis) => points.component(axis));
    const columns = points?.columns;
    const camera = this.#made();
    // Until what is on its way has come, what was seen stays.
    if (!points || !columns || !camera || !components?.every((each) => each !== undefined)) return;
    const context = this.view.prepare();
    if (!context) return;
    this.#camera = camera;
    context.fillStyle = theme.colour.bg;
    context.fillRect(0, 0, this.view.width, this.view.height);
    this.#place(camera, components);
    this.#colour(points, columns);
    this.#mark(columns);
    drawAxes(context, camera, theme);
    context.save();
    context.beginPath();
    context.rect(
      camera.left - EDGE,
      camera.top - EDGE,
      camera.right - camera.left + 2 * EDGE,
      camera.bottom - camera.top + 2 * EDGE,
    );
    context.clip();
    this.#all(context, columns);
    this.#raster(camera, components);
    context.drawImage(this.#layer, 0, 0, this.view.width, this.view.height);
    this.#trajectories(context, columns);
    this.#fixedPlaces = fixedPoints(context, camera, theme, state.fixed, state.axes);
    axisNames(context, camera, theme);
    this.#rings(context, points);
    lasso(context, theme, this.#corners, this.#lassoing ? this.#cross : undefined);
    context.restore();
    this.#legend(points);
  }

  /**
   * Where points are on the screen.
   * @param {Camera} camera
   * @param {Float32Array[]} components
   */
  #place(camera, components) {
    const { view } = this;
    const of = [
      ...components,
      ...this.#turned,
      ...Object.values(this.#view),
      view.width,
      view.height,
      components.length,
    ];
    if (!this.#placed.changed(of)) return;
    const count = components[0].length;
    const first = this.#places.x.length !== count;
    if (first) this.#places = blank(count);
    // Another object: what was drawn from the places before is drawn anew.
    this.#places = { ...this.#places };
    this.#seen = camera.project(components, this.#places);
    this.#dense = this.#seen > MOST_DOTS;
    this.#coarsely(first ? 0 : count);
  }

  /** Count a part of the points, if they are many, until nothing changes any more. @param {number} count */
  #coarsely(count) {
    clearTimeout(this.#resting);
    this.#step = this.#dense ? Math.max(1, Math.ceil(count / MOVING)) : 1;
    if (this.#step === 1) return;
    this.#resting = setTimeout(() => {
      this.#step = 1;
      this.frame.schedule();
    }, RESTS_AFTER);
  }

  /**
   * @param {Points} points
   * @param {Uint32Array} columns
   */
  #colour(points, columns) {
    const { frame, state } = this;
    const { model } = state;
    const wanted = model.get("coloured_by");
    const valued = wanted === "value";
    const of = [
      points,
      points.version,
      columns,
      frame.theme,
      wanted,
      state.everyTrack,
      model.get("align"),
      model.get("_beside"),
      ...(valued ? [frame.source, frame.colours, model.get("cell")] : []),
    ];
    if (!this.#coloured.changed(of)) return;
    if (this.#colouring) this.#coarsely(columns.length);
    this.#colouring = colouring(frame, points, columns) ?? this.#colouring;
  }

  /** Which points are selected. @param {Uint32Array} columns */
  #mark(columns) {
    const track = this.state.selectedTrack;
    if (!this.#choice.changed([track, columns])) return;
    this.#chosen = track && new Uint8Array(columns.length);
    for (let i = 0; track && this.#chosen && i < columns.length; i++)
      this.#chosen[i] = track.code(columns[i]);
  }

  /**
   * Draw points into their own canvas, if anything has changed.
   * @param {Camera} camera
   * @param {Float32Array[]} components
   */
  #raster(camera, components) {
    const { view, frame } = this;
    const { theme } = frame;
    const ratio = window.devicePixelRatio || 1;
    const places = this.#places;
    const found = this.#colouring;
    const chosen = this.#chosen;
    const step = this.#step;
    if (!this.#drawn.changed([places, found, chosen, step, ratio, view.width, view.height, theme]))
      return;
    const { x, y } = places;
    const paper = theme.background;
    const colours =
      found?.pixels ?? new Uint32Array(x.length).fill(mix(paper, theme.foreground, 0.5));
    if (colours.length !== x.length) return;
    const dense = this.#dense;
    const scale = dense ? (step > 1 ? 1 / COARSE : 1) : ratio;
    const pixels = this.#pixels;
    if (!pixels.resize(Math.ceil(view.width * scale), Math.ceil(view.height * scale)))
      pixels.all.fill(0);
    const depths = camera.solid && !dense ? camera.depths(components, places) : undefined;
    const drawn =
      depths || chosen
        ? faded(colours, paper, { depths, far: FAR, chosen, others: FADED })
        : colours;
    let order = depths && byDepth(depths);
    if (chosen && !dense) order = lifted(order, chosen);
    const placed = { x, y, colours: drawn, order };
    if (dense) density(pixels, placed, { scale, step });
    else {
      // The middle of a palette of values may be as pale as the paper.
      const valued = this.state.model.get("coloured_by") === "value";
      const least = RADII.find(([most]) => this.#seen <= most)?.[1] ?? SMALLEST;
      const radius = Math.min(LARGEST, least * this.#view.zoom ** 0.15);
      dots(pixels, placed, {
        ratio,
        radius,
        halo: this.#seen <= RIMMED ? 0.8 : 0,
        rim: valued ? mix(paper, theme.foreground, RIM) : paper,
      });
    }
    if (this.#layer.width !== pixels.width) this.#layer.width = pixels.width;
    if (this.#layer.height !== pixels.height) this.#layer.height = pixels.height;
    const context = this.#layer.getContext("2d");
    if (context) pixels.put(context);
  }

  /** Every trajectory, thinly and below the points. @param {CanvasRenderingContext2D} context @param {Uint32Array} columns */
  #all(context, columns) {
    const { model, layer } = this.state;
    if (model.get("trajectories") !== "all") return;
    const { x, y } = this.#places;
    const { theme } = this.frame;
    context.beginPath();
    let last = -2;
    for (let i = 0; i < Math.min(columns.length, MOST_STEPS); i++) {
      const goes = columns[i] === last + 1 && columns[i] % layer.timesteps !== 0;
      last = columns[i];
      if (goes) context.lineTo(x[i], y[i]);
      else context.moveTo(x[i], y[i]);
    }
    context.lineWidth = 1;
    context.globalAlpha = columns.length > MANY_STEPS ? 0.18 : 0.35;
    context.strokeStyle = theme.colour.muted;
    context.stroke();
    context.globalAlpha = 1;
  }

  /** @param {CanvasRenderingContext2D} context @param {Uint32Array} columns */
  #trajectories(context, columns) {
    const { state, frame } = this;
    const { model, layer, span } = state;
    const wanted = model.get("trajectories");
    if (wanted === "none") return;
    const { x, y } = this.#places;
    const { colour } = frame.theme;
    const selected = model.get("example");
    const kept = Array.isArray(wanted) ? wanted : [];
    for (const example of new Set([...kept, selected])) {
      const first = example * layer.timesteps;
      let [from, to] = [first, first + layer.timesteps];
      const own = example === selected;
      const spanned = span && Math.floor(span[0] / layer.timesteps) === example;
      if (spanned && span) [from, to] = [span[0], span[1]];
      else if (layer.timesteps > WHOLE) {
        const at = first + model.get("timestep");
        [from, to] = [Math.max(from, at - BEFORE), Math.min(to, at + AFTER + 1)];
      }
      const points = /** @type {[number, number]} */ (
        [from, to].map((column) => placeFrom(columns, column))
      );
      trajectory(context, frame.theme, x, y, points, {
        colour: own ? colour.fg : colour.muted,
        thick: own && points[1] - points[0] <= SHORT ? 1.8 : 1.2,
        strength: own ? 0.85 : 0.8,
        fades: own && !spanned,
      });
    }
  }

  /** @param {CanvasRenderingContext2D} context @param {Points} points */
  #rings(context, points) {
    const { frame, state } = this;
    const { theme } = frame;
    const { x, y } = this.#places;
    const at = points.at(state.column);
    if (at >= 0) {
      ring(context, theme, [x[at], y[at]], 7.5, true);
      this.#label(context, state.column, x[at], y[at], theme.colour.fg);
    }
    const pointed = this.#pointed;
    if (pointed >= 0 && pointed !== at && pointed < x.length) {
      ring(context, theme, [x[pointed], y[pointed]], 6.5, false);
      const column = points.columns?.[pointed] ?? 0;
      this.#label(context, column, x[pointed], y[pointed], theme.colour.accent);
    }
    const fixed = this.#fixedPlaces[this.#fixedAt];
    if (fixed && this.fixedPoint) {
      ring(context, theme, fixed, 11, false);
      glyph(context, theme, state.fixed[this.#fixedAt].kind, ...fixed);
    }
  }

  /**
   * What stands beside a ring: the token, else the timestep.
   * @param {CanvasRenderingContext2D} context
   * @param {number} column
   * @param {number} x
   * @param {number} y
   * @param {string} colour
   */
  #label(context, column, x, y, colour) {
    const { source, theme } = this.frame;
    if (!source) return;
    const token = source.token(column);
    const text = token === undefined ? source.when(column) : quoted(token);
    context.font = `600 12px ${theme.font}`;
    const wide = context.measureText(text).width;
    const left = x + 13 + wide > this.view.width - 8;
    context.textAlign = left ? "right" : "left";
    context.textBaseline = "middle";
    haloed(context, theme, text, x + (left ? -13 : 13), y - 9, colour);
  }

  /** What colours and marks stand for. @param {Points} points */
  #legend(points) {
    const { frame, state } = this;
    const found = this.#colouring;
    const { scale, names = [] } = found ?? {};
    this.legend.root.hidden = !scale;
    const chosen = lengthOf(state.selected);
    this.chosenBox.hidden = !chosen;
    write(this.chosen, `${many(chosen, "timestep")} selected`);
    const { points: count, total } = points.sent;
    const told = [
      count < total ? `${count} of ${total} states, at random` : many(total, "state"),
      this.#dense ? "the more states, the stronger the colour" : "",
      this.#step > 1 ? `one of ${this.#step} while it changes` : "",
    ];
    write(this.told, told.filter(Boolean).join(" · "));
    if (!this.#keyed.changed([found, state.fixed, frame.theme])) return;
    if (scale) this.legend.show(scale);
    this.names.replaceChildren(
      ...names.map(({ text, colour, count: many_ }) => {
        const swatch = element("i");
        swatch.style.background = css(colour);
        return element("span", {}, [swatch, text, " ", element("b", {}, [String(many_)])]);
      }),
      ...this.#glyphs(),
    );
  }

  /** The marks of fixed points, with how many there are. */
  #glyphs() {
    const { theme } = this.frame;
    const told = { stable: "stable fixed points", saddle: "saddles", slow: "slow points" };
    return /** @type {const} */ (["stable", "saddle", "slow"]).flatMap((kind) => {
      const count = this.state.fixed.filter((point) => point.kind === kind).length;
      if (count === 0) return [];
      const canvas = element("canvas", { "aria-hidden": "true" });
      const ratio = window.devicePixelRatio || 1;
      canvas.width = canvas.height = Math.round(16 * ratio);
      const context = canvas.getContext("2d");
      context?.scale(ratio, ratio);
      if (context) glyph(context, theme, kind, 8, 8);
      return [element("span", {}, [canvas, told[kind], " ", element("b", {}, [String(count)])])];
    });
  }
}

/** @param {number} count */
function blank(count) {
  return { x: new Float32Array(count), y: new Float32Array(count) };
}

/**
 * The same order, with those that are selected last.
 * @param {Uint32Array | undefined} order
 * @param {Uint8Array} chosen
 */
function lifted(order, chosen) {
  const count = order?.length ?? chosen.length;
  const found = new Uint32Array(count);
  let at = 0;
  for (const wanted of [0, 1])
    for (let k = 0; k < count; k++) {
      const i = order ? order[k] : k;
      if (chosen[i] === wanted) found[at++] = i;
    }
  return found;
}
