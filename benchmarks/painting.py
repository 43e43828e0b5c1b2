"""Steps in a widget, timed from the event to the painted canvas; events come at random moments of a frame."""

from __future__ import annotations

from typing import Any

#: ACTS is a JavaScript object: by its kind, what is done at the i-th step to `frame`, what scrolls in the
#: widget `root`, and to its controls.
_STEPS = """async ([root, scrolling, kind, count]) => {
  const frame = root.querySelector(scrolling);
  const control = (name) => root.querySelector(`[data-control="${name}"]`);
  const input = (element, value) => {
    element.value = String(value);
    element.dispatchEvent(new Event(element.tagName === "SELECT" ? "change" : "input"));
  };
  const key = (key) => frame.dispatchEvent(
    new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
  const box = frame.getBoundingClientRect();
  const acts = ACTS;
  const times = [];
  for (let i = 1; i <= count; i++) {
    await new Promise((r) => setTimeout(r, 20 + Math.random() * 40));
    const painted = new Promise((done) => {
      const observer = new MutationObserver(() => { observer.disconnect(); done(performance.now()); });
      observer.observe(root, { attributes: true, attributeFilter: ["data-paints"] });
    });
    const start = performance.now();
    acts[kind](i);
    times.push((await painted) - start);
  }
  return times;
}"""

#: From a jump to where nothing is in the page yet until the last tile has come and is painted.
_JUMPS = """async ([root, scrolling, count]) => {
  const frame = root.querySelector(scrolling);
  const times = [];
  const quiet = async () => {
    let last = performance.now();
    const observer = new MutationObserver(() => { last = performance.now(); });
    observer.observe(root, { attributes: true, attributeFilter: ["data-paints"] });
    while (performance.now() - last < 400) await new Promise((r) => setTimeout(r, 10));
    observer.disconnect();
    return last;
  };
  for (let i = 1; i <= count; i++) {
    await quiet();
    const start = performance.now();
    frame.scrollLeft = ((i * 0.6180339887) % 1) * (frame.scrollWidth - frame.clientWidth);
    times.push((await quiet()) - start);
  }
  return times;
}"""


class Painting:
    """
    A widget whose painting is timed.

    Parameters
    ----------
    page : playwright.sync_api.Page
    root : playwright.sync_api.ElementHandle
        The widget.
    scrolling : str
        A selector of what scrolls in it.
    acts : str
        A JavaScript object of functions of the step's number, by the kind of step. They may use ``frame``
        and its ``box``, ``control(name)``, ``input(control, value)`` and ``key(name)``.
    """

    def __init__(self, page: Any, root: Any, scrolling: str, acts: str) -> None:
        self.page, self.root, self.scrolling = page, root, scrolling
        self._steps = _STEPS.replace("ACTS", acts)

    def steps(self, kind: str, count: int) -> list[float]:
        """Take steps of one kind; give the milliseconds of each."""
        return self.page.evaluate(self._steps, [self.root, self.scrolling, kind, count])

    def jumps(self, count: int) -> list[float]:
        """Jump along the time axis; give the milliseconds until all tiles are painted."""
        return self.page.evaluate(_JUMPS, [self.root, self.scrolling, count])
