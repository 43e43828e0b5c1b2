// Controls with their names: menus, sliders, buttons, boxes to tick and to write into.

import { clamp } from "../lib/clamp.js";
import { div, element, freshId, listen } from "../lib/dom.js";
import { Memo } from "../lib/memo.js";

/** How many characters a day takes; with its time, it takes more room than others do. */
const DAY = 10;

/** @typedef {import("../data/times.js").Times} Times */

/**
 * Say in a sentence what a control does: to those who point at it, to those who listen, and in the panel of
 * keys (keys.js).
 * @param {HTMLElement} root what is pointed at
 * @param {string} told
 * @param {HTMLElement[]} controls what is focused; the first stands for all
 */
export function tell(root, told, ...controls) {
  if (!told) return;
  root.title = told;
  for (const control of controls) control.setAttribute("aria-description", told);
}

/**
 * A labelled menu.
 * @param {string} name
 * @param {(value: string) => void} onChange
 * @param {string} told what is chosen, in a sentence
 */
export function menu(name, onChange, told = "") {
  const id = freshId();
  const select = element("select", { id, "data-control": name });
  const root = div("lw-menu", [element("label", { for: id }, [name]), select]);
  tell(root, told, select);
  listen(select, "change", () => onChange(select.value));
  const shown = new Memo();
  return {
    root,
    /**
     * @param {[value: string, text: string, off?: boolean][]} options
     * @param {string} value
     */
    update(options, value) {
      if (shown.changed([JSON.stringify(options)])) {
        select.replaceChildren(
          ...options.map(([option, text, off = false]) =>
            element("option", { value: option, disabled: off }, [text]),
          ),
        );
      }
      if (select.value !== value) select.value = value;
      // The longest choice must not decide how wide the menu is.
      const chosen = options.find(([option]) => option === value)?.[1] ?? "";
      select.title = told ? `${told}\nNow: ${chosen}` : chosen;
    },
  };
}

/**
 * A slider with a number box, both of which speak.
 * @param {string} name
 * @param {(value: number, typed: boolean) => void} onInput told the value, and whether it was typed
 * @param {string} told what it sets, in a sentence
 */
export function slider(name, onInput, told = "") {
  const id = freshId();
  const range = element("input", { type: "range", id, "data-control": name, min: 0, step: 1 });
  const box = element("input", {
    type: "number",
    "aria-label": `${name}, as a number`,
    "data-control": `${name} number`,
    min: 0,
    step: 1,
  });
  const label = element("label", { for: id }, [name]);
  const root = div("lw-slider", [label, range, box]);
  tell(root, told, range);
  const within = (/** @type {number} */ value) =>
    clamp(value, Number(range.min), Number(range.max));
  let current = 0;
  /** What values stand for; not if these are numbers themselves. @type {Times | undefined} */
  let times;
  /** The value to come of what is being written, which stays as it is written until then. @type {number | undefined} */
  let written;
  const show = () => {
    written = undefined;
    const text = times ? times.label(current) : String(Number(current.toFixed(4)));
    if (box.value !== text) box.value = text;
  };
  const take = (/** @type {number} */ value) => {
    written = value;
    if (value !== current) onInput(value, true);
  };
  listen(range, "input", () => onInput(Number(range.value), false));
  const meant = () => {
    if (times) {
      const time = times.clock.parse(box.value);
      return time === undefined ? NaN : times.nearest(time);
    }
    return range.step === "1" ? Math.round(box.valueAsNumber) : box.valueAsNumber;
  };
  listen(box, "input", () => {
    // The first year of a date is no date yet.
    if (times) {
      written = current;
      return;
    }
    const value = meant();
    // "3" on the way to "305" is not meant as the least there is; nor is nothing.
    if (value >= Number(box.min)) take(within(value));
    else written = current;
  });
  listen(box, "change", () => {
    if (Number.isFinite(meant())) take(within(meant()));
    show();
  });
  listen(box, "blur", show);
  listen(box, "keydown", (event) => {
    const step = { ArrowUp: 1, ArrowDown: -1 }[event.key];
    if (!times || !step) return;
    event.preventDefault();
    take(within(current + step));
    show();
  });
  return {
    root,
    /** @param {{value: number, min?: number, max: number, step?: number, text?: string, times?: Times}} to */
    update({ value, min = 0, max, step = 1, text = String(value), times: of }) {
      if (of !== times) {
        times = of;
        label.textContent = of ? of.clock.name : name;
        box.type = of ? "text" : "number";
        box.setAttribute(
          "aria-label",
          of ? `${of.clock.name}, as it is written` : `${name}, as a number`,
        );
      }
      for (const input of [range, box]) {
        if (input.min !== String(min)) input.min = String(min);
        if (input.max !== String(max)) input.max = String(max);
        if (input.step !== String(step)) input.step = String(step);
      }
      if (Number(range.value) !== value) range.value = String(value);
      current = value;
      if (written !== value || !box.matches(":focus")) show();
      // Of what isn't whole, four decimals are shown.
      const decimals = step < 1 ? 5 : 0;
      const length = (/** @type {number} */ end) =>
        (times ? times.label(end) : String(Math.trunc(end))).length;
      const digits = Math.max(...[min, max].map(length));
      box.style.setProperty("--lw-digits", String(digits + decimals));
      root.classList.toggle("lw-wide", digits > DAY);
      range.setAttribute("aria-valuetext", text);
      range.disabled = box.disabled = max === min;
    },
  };
}

/**
 * @param {string} text
 * @param {string} name what it does, for those who don't see it
 * @param {() => void} onClick
 */
export function button(text, name, onClick) {
  const made = element("button", { type: "button", title: name, "aria-label": name }, [text]);
  listen(made, "click", onClick);
  return made;
}

/**
 * A picture of one line, as large as a letter.
 * @param {string} path of an SVG, 16 by 16
 */
export function icon(path) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  const line = document.createElementNS(space, "path");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("aria-hidden", "true");
  line.setAttribute("d", path);
  svg.append(line);
  return svg;
}

/**
 * One that stands in a line of text.
 * @param {string} text
 * @param {string} name what it does, for those who don't see it
 * @param {() => void} onClick
 */
export function smallButton(text, name, onClick) {
  const made = button(text, name, onClick);
  made.className = "lw-small";
  return made;
}

/**
 * A button that gives a table to the person as a file.
 * @param {string} of what the table is
 * @param {() => {name: string, text: string}} make the file, in CSV
 */
export function csvButton(of, make) {
  return smallButton("CSV", `save ${of} as CSV`, () => {
    const { name, text } = make();
    save(new Blob([text], { type: "text/csv" }), `${name}.csv`);
  });
}

/**
 * Give a file to the person.
 * @param {Blob} file
 * @param {string} name
 */
export function save(file, name) {
  const address = URL.createObjectURL(file);
  element("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address));
}

/**
 * A labelled box to tick.
 * @param {string} name
 * @param {(value: boolean) => void} onChange
 * @param {string} told what is then shown, in a sentence
 */
export function tick(name, onChange, told = "") {
  const input = element("input", { type: "checkbox", "data-control": name });
  const root = element("label", { class: "lw-tick" }, [input, element("span", {}, [name])]);
  tell(root, told, input);
  listen(input, "change", () => onChange(input.checked));
  return {
    root,
    /** @param {boolean} value */
    update(value) {
      input.checked = value;
    },
  };
}

/**
 * A labelled box to write a text into.
 * @param {string} name
 * @param {string} hint what stands in it while it is empty
 * @param {(value: string) => void} onInput
 * @param {string} told what is then found, in a sentence
 */
export function field(name, hint, onInput, told = "") {
  const id = freshId();
  const input = element("input", { type: "search", id, placeholder: hint, "data-control": name });
  const root = element("div", { class: "lw-menu" }, [element("label", { for: id }, [name]), input]);
  tell(root, told, input);
  input.addEventListener("input", () => onInput(input.value));
  return {
    root,
    /** @param {string} value */
    update(value) {
      // Not under the hands of who is writing.
      if (input.value !== value && !input.matches(":focus")) input.value = value;
    },
  };
}
