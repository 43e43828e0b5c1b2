"""A host as odd as hosts are: echoes, bytes in any form, a shadow root, traits that come one by one.

It runs a widget's module in a page of its own, without a kernel: ``OddHost.mount`` puts one there.
"""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, Any

from expected import frames
from lab import settled
from playwright.sync_api import expect

if TYPE_CHECKING:
    from playwright.sync_api import Page

_HOST = """
globalThis.mounted = [];
globalThis.mount = async ({ id, esm, css, state, bytes, form, shadow, echo, into }) => {
  const decode = (text) => {
    const all = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
    if (form === "base64") return text;
    if (form === "array") return all;
    if (form === "buffer") return all.buffer;
    const within = new Uint8Array(all.length + 9).fill(88);  // others stand around them
    within.set(all, 3);
    return new DataView(within.buffer, 3, all.length);
  };
  const values = new Map(Object.entries(state));
  for (const [name, text] of Object.entries(bytes)) values.set(name, decode(text));
  const calls = new Map();
  const emit = (event, ...more) => {
    for (const call of [...(calls.get(event) ?? [])]) call(...more);
  };
  const model = {
    sent: [], depth: 0, most: 0, saved: 0, decode, emit, values, calls,
    get: (name) => values.get(name),
    set(name, value) {
      if (!echo && values.get(name) === value) return;
      values.set(name, value);
      this.depth++;
      this.most = Math.max(this.most, this.depth);
      if (this.depth > 50) throw new Error(`${name} is set again and again`);
      emit(`change:${name}`, value);
      this.depth--;
    },
    save_changes() { this.saved++; },
    on: (event, call) => calls.set(event, (calls.get(event) ?? new Set()).add(call)),
    off: (event, call) => calls.get(event)?.delete(call),
    send(message) { this.sent.push(message); },
    listeners: () => [...calls.values()].reduce((sum, each) => sum + each.size, 0),
  };
  const el = document.createElement("div");
  const outer = document.querySelector(into ?? "body");
  const at = document.createElement("div");
  outer.append(at);
  const inside = shadow ? at.attachShadow({ mode: "open" }) : at;
  const style = document.createElement("style");
  style.textContent = css;
  inside.append(style, el);
  el.dataset.mounted = String(mounted.length);
  const { default: made } = await import(URL.createObjectURL(new Blob([esm], { type: "text/javascript" })));
  const widget = typeof made === "function" ? await made() : made;
  const one = { id, model, el, widget, css, inside };
  one.host = {
    getModel: async (reference) => mounted.find(({ id }) => reference === `anywidget:${id}`).model,
    getWidget: async (reference) => {
      const child = mounted.find(({ id }) => reference === `anywidget:${id}`);
      if (!child) throw new Error(`no widget ${reference}`);
      return {
        async render({ el, signal }) {
          const cleanup = await child.widget.render({ model: child.model, el, host: child.host });
          signal.addEventListener("abort", () => cleanup?.());
        },
      };
    },
  };
  mounted.push(one);
  one.stop = await widget.initialize?.({ model });
  if (into !== null) one.cleanup = await widget.render({ model, el, host: one.host });
  return mounted.length - 1;
};
"""


class OddHost:
    """A page in which widgets stand that were made in this process."""

    def __init__(self, page: Page, body: str) -> None:
        self.page = page
        self.errors: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", self._on_console)
        page.set_content(f"<!doctype html><html><head><meta charset=utf-8></head>{body}</html>")
        # Not what `pageerror` tells: what an observer of sizes was not told in time.
        page.evaluate("addEventListener('error', (e) => console.error(e.message))")
        page.evaluate(f"() => {{ {_HOST} }}")

    def _on_console(self, message: Any) -> None:
        if message.type == "error":
            self.errors.append(message.text)

    def mount(
        self,
        widget: Any,
        *,
        form: str = "view",
        shadow: bool = False,
        echo: bool = True,
        into: str = "body",
        state: dict[str, Any] | None = None,
    ) -> Mounted:
        """Show a widget, with the state that it has or else with another."""
        state = widget.get_state() if state is None else state
        packed = {
            name: base64.b64encode(value).decode()
            for name, value in state.items()
            if isinstance(value, bytes)
        }
        plain = {
            name: value
            for name, value in state.items()
            if name not in packed and name not in {"_esm", "_css"}
        }
        given = {
            "id": widget.model_id,
            "esm": str(widget._esm),
            "css": str(widget._css),
            "state": plain,
            "bytes": packed,
            "form": form,
            "shadow": shadow,
            "echo": echo,
            "into": into,
        }
        return Mounted(self.page, self.page.evaluate("given => mount(given)", given))


class Mounted:
    """One of them."""

    def __init__(self, page: Page, number: int) -> None:
        self.page = page
        self.number = number
        # Playwright looks into open shadow roots, too.
        self.root = page.locator(f"[data-mounted='{number}'] > .lw")

    def evaluate(self, body: str, argument: Any = None) -> Any:
        """Run code that sees the widget as ``one`` and its model as ``model``."""
        code = f"([number, argument]) => {{ const one = mounted[number]; const {{ model }} = one; {body} }}"
        return self.page.evaluate(code, [self.number, argument])

    def get(self, trait: str) -> Any:
        return self.evaluate("return model.get(argument);", trait)

    def set(self, **traits: Any) -> None:
        """Let the kernel change traits, each in a message of its own."""
        for name, value in traits.items():
            if isinstance(value, bytes):
                packed = [name, base64.b64encode(value).decode()]
                self.evaluate("model.set(argument[0], model.decode(argument[1]));", packed)
            else:
                self.evaluate("model.set(argument[0], argument[1]);", [name, value])

    def control(self, name: str) -> Any:
        return self.root.locator(f"[data-control='{name}']")

    @property
    def paints(self) -> int:
        frames(self.root)
        return int(self.root.get_attribute("data-paints") or 0)

    def shown(self) -> Mounted:
        """Wait until it stands as it stays."""
        expect(self.root).to_have_attribute("data-paints", re.compile(r"\d"))
        settled(self.root)
        return self
