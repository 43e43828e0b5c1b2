"""Light or dark is what stands behind a widget, whatever the page's variables say."""

from __future__ import annotations

import dependencies
import pytest
import recordings
import relevances
from playwright.sync_api import expect

import lstm_widgets as lw

LIGHT = "--jp-layout-color0: white; --jp-content-font-color1: black"
WRONG_WAY = "--jp-layout-color0: #111; --jp-content-font-color1: #eee"
VSCODE = "--vscode-editor-background: #1f1f1f; --vscode-editor-foreground: #ccc"

#: The least contrast of all text to what is drawn behind it, and whose text that is.
CONTRAST = """root => {
  const context = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (colour) => {
    context.clearRect(0, 0, 1, 1);
    context.fillStyle = colour;
    context.fillRect(0, 0, 1, 1);
    return [...context.getImageData(0, 0, 1, 1).data];
  };
  const light = ([r, g, b]) => {
    const linear = (v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4);
    return 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  };
  const behind = (at) => {
    for (; at; at = at.parentElement ?? at.getRootNode().host) {
      const colour = rgba(getComputedStyle(at).backgroundColor);
      if (colour[3] === 255) return colour;
    }
    return [255, 255, 255];
  };
  let least = [99, ""];
  for (const each of root.querySelectorAll("*")) {
    const own = [...each.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    const written = own || each.matches("input[type=number], select");
    const box = each.getBoundingClientRect();
    if (!written || box.width < 3 || each.disabled || each.closest("option, .lw-spoken")) continue;
    const [a, b] = [rgba(getComputedStyle(each).color), behind(each)].map(light);
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (contrast < least[0]) least = [contrast, each.outerHTML.slice(0, 120)];
  }
  return least;
}"""


def grid():
    return lw.CellGrid(recordings.prose())


@pytest.mark.parametrize("shadow", [False, True], ids=["", "shadow"])
@pytest.mark.parametrize(
    ("page", "theme", "colours"),
    [
        (
            f"<style>:root {{ {LIGHT} }} body {{ background: #111; color: #eee }}</style>",
            "dark",
            "",
        ),
        (f"<style>:root {{ {LIGHT}; color-scheme: dark }}</style>", "dark", ""),
        (f"<style>:root {{ {LIGHT} }}</style>", "light", "jp"),
        (
            "<style>:root { --jp-layout-color0: white; --jp-content-font-color1: rgba(0,0,0,.87) }",
            "light",
            "jp",
        ),
        (f"<style>:root {{ {WRONG_WAY} }}</style>", "light", ""),
        (f"<style>:root {{ {LIGHT}; {VSCODE} }} body {{ background: #1f1f1f }}", "dark", "vscode"),
        ("<style>:root { --jp-layout-color0: white; --jp-content-font-color1: #ddd }", "light", ""),
        # A thin veil over dark, a thick one, and one that is none.
        (
            "<style>html { background: #222 } body { background: rgb(255 255 255 / 0.1) }",
            "dark",
            "",
        ),
        (
            "<style>html { background: #222 } body { background: rgb(255 255 255 / 0.9) }",
            "light",
            "",
        ),
        ("<style>html { background: #222 } body { background: rgb(255 255 255 / 0) }", "dark", ""),
        ("<style>html { background: oklch(0.2 0 0) }", "dark", ""),
    ],
)
def test_the_colours_are_for_what_is_behind(open_host, page, theme, colours, shadow):
    host = open_host(f"{page}</style><body></body>")
    one = host.mount(grid(), shadow=shadow).shown()
    expect(one.root).to_have_attribute("data-theme", theme)
    expect(one.root).to_have_attribute("data-colours", colours)
    assert one.root.evaluate("e => getComputedStyle(e).colorScheme") == theme
    contrast, whose = one.root.evaluate(CONTRAST)
    assert contrast >= 4.5, whose


@pytest.mark.parametrize(
    ("outside", "inside", "scheme", "theme"),
    [
        ("background: #111", "", "light", "dark"),
        ("background: #111", "background: white", "light", "light"),
        ("background: white", "", "dark", "light"),
    ],
)
def test_a_frame_shows_what_is_behind_it(open_host, outside, inside, scheme, theme):
    host = open_host(f"<body style='{outside}'><iframe id=f></iframe></body>", scheme=scheme)
    one = host.mount(grid()).shown()
    host.page.evaluate(
        """style => {
          const page = document.querySelector("#f").contentDocument;
          page.body.style.cssText = style;
          page.body.append(mounted[0].inside);
        }""",
        inside,
    )
    root = host.page.frame_locator("#f").locator(".lw")
    host.page.evaluate("document.body.className = 'now'")
    expect(root).to_have_attribute("data-theme", theme)
    assert one.number == 0


@pytest.mark.parametrize(
    "make",
    [
        lambda: lw.TextHeatmap(recordings.guessed(), guesses=True, span=(2, 6)),
        lambda: lw.GateInspector(recordings.gates("LSTM")),
        lambda: lw.RelevanceHeatmap(relevances.sentences()),
        lambda: lw.DependencyHeatmap(dependencies.two()),
        lambda: lw.StateSpace(recordings.sums(), axes=(0, 1, 2)),
        lambda: lw.SeriesPlot(recordings.rivers(), tracks={"flood": recordings.flooded()}),
    ],
)
@pytest.mark.parametrize("back", ["#111", "#383838"])
def test_text_can_be_read_on_dark(open_host, make, back):
    page = f"<style>:root {{ {LIGHT} }} body {{ background: {back} }}</style><body></body>"
    one = open_host(page).mount(make()).shown()
    expect(one.root).to_have_attribute("data-theme", "dark")
    contrast, whose = one.root.evaluate(CONTRAST)
    assert contrast >= 4.5, whose


def test_what_changes_nothing_paints_nothing(open_host):
    """Hosts change the classes of the page all the time."""
    host = open_host()
    one = host.mount(grid(), shadow=True).shown()
    host.page.wait_for_timeout(300)
    before = one.paints
    host.page.evaluate("document.body.classList.add('busy')")
    host.page.wait_for_timeout(2300)  # when we look for the last time
    assert one.paints == before
    host.page.evaluate("document.body.style.background = 'black'")
    expect(one.root).to_have_attribute("data-theme", "dark")
    assert one.paints == before + 1
