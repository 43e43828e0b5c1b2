"""GateInspector in a real JupyterLab: bars as high as their values, the sum in words, keys."""

from __future__ import annotations

import re

import numpy as np
import recordings
from expected import KEPT, SPREAD, frames, palette, picture
from lab import eventually
from playwright.sync_api import expect
from widget_page import Widget, number

#: Lengths in the page, in pixels.
GUTTER, TOKENS, LABELS, SQUARE = 84, 20, 18, 18
SIGNED, GATE, WHY, APART = 42, 32, 92, 8
#: Ends of scales.
ROUND = np.array([1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10])
WRITE = {"light": (0xC2, 0x6A, 0x00), "dark": (0xF2, 0xA3, 0x3A)}
KEEP = {"light": (0x6A, 0x3D, 0x9A), "dark": (0xB9, 0xA2, 0xF0)}
STATES = {"LSTM": ("c", "cell_state", "forget_gate"), "GRU": ("h", "hidden_state", "update_gate")}


def bound(values):
    """The end of the scale that values are drawn on."""
    largest = np.abs(values).max()
    power = 10 ** np.floor(np.log10(largest))
    return float(f"{ROUND[ROUND * power >= largest * (1 - 1e-6)][0] * power:.2g}")


def colours(share, theme):
    """Lowest and highest colour allowed for a share, -1 to 1, of what the palette's ends stand for."""
    name = "berlin" if theme == "dark" else "RdBu_r"
    around = (share + 1) / 2 + np.array([-1, 0, 1]) / 1023
    found = palette(name, np.clip(around, 0, 1))
    return found.min(axis=0) - SPREAD[name], found.max(axis=0) + SPREAD[name]


def factor(value):
    return f"({number(value)})" if value < 0 else number(value)


def signed(value):
    return f"+{number(value)}" if value >= 0 else number(value)


class Gates(Widget):
    """A GateInspector, and what it must show, worked out from the recording."""

    scrolling = ".lw-gates"

    def __init__(self, notebook, index, recording, *, name="shown"):
        super().__init__(notebook, index, name=name)
        self.recording = recording
        self.layer = recording.layers[0]
        self.sum = self.root.locator(".lw-gates-read .lw-gates-sum")
        self.note = self.root.locator(".lw-gates-read .lw-gates-note")
        self.square = SQUARE
        #: the timesteps that were in the page, whose largest values are the ends of scales
        self.seen = slice(None)

    @property
    def dataset(self):
        return self.recording[self.layer]

    def values(self, signal, cell):
        return self.dataset[signal].values[..., cell].astype(np.float64)

    def bands(self, cell):
        """Each signal's band: top, height and range."""
        examples = self.dataset.sizes["example"]
        top = (TOKENS if "token" in self.dataset.coords else 6) + LABELS * (examples > 1) + 2
        for signal in self.recording.signals(self.layer):
            gate = signal.endswith("_gate")
            height = GATE if gate else SIGNED
            end = 1.0 if gate else bound(self.values(signal, cell)[:, self.seen])
            yield signal, top, height, (0.0 if gate else -end, end)
            top += height + APART
        keep, write, change = (np.nan_to_num(part) for part in self.change(cell))
        up = np.maximum(keep, 0) + np.maximum(write, 0)
        down = np.minimum(keep, 0) + np.minimum(write, 0)
        end = bound(np.stack([up, down, change])[..., self.seen])
        yield "", top + APART, WHY, (-end, end)

    def change(self, cell, before=0.25):
        """What was lost, what was written, and their sum: (example, timestep); the first state is known."""
        kind, backwards = self.dataset.attrs["kind"], self.dataset.attrs["go_backwards"]
        _, state, gate = STATES.get(kind, ("h", "hidden_state", None))
        values = self.values(state, cell)
        rows = values[:, ::-1] if backwards else values
        last = np.concatenate([np.full_like(rows[:, :1], before), rows[:, :-1]], axis=1)
        last = last[:, ::-1] if backwards else last
        real = self.dataset["mask"].values if "mask" in self.dataset else np.ones(last.shape, bool)
        nothing = np.zeros_like(last)
        if gate is None:
            # Nothing tells what a SimpleRNN's state was before its first timestep.
            change = np.where(real, values - last, 0)
            change[:, -1 if backwards else 0] = 0
            return nothing, nothing, change
        share = self.values(gate, cell)
        put = self.values("input_gate", cell) if kind == "LSTM" else 1 - share
        write = put * self.values("candidate", cell)
        return tuple(np.where(real, v, 0) for v in ((share - 1) * last, write, values - last))

    def lefts(self, columns):
        """Where columns begin."""
        timesteps = self.dataset.sizes["timestep"]
        gap = 0
        if self.dataset.sizes["example"] > 1:
            gap = max(2, min(8, round(self.square * 0.4)))
        example = columns // timesteps
        return GUTTER + columns * self.square + example * gap - self.scrolled[0]

    def in_view(self):
        columns = np.arange(self.dataset.sizes["example"] * self.dataset.sizes["timestep"])
        left = self.lefts(columns)
        return columns[(left >= GUTTER) & (left + self.square <= self.size[0])]

    def bad(self, cell, theme="light", threshold=0.0):
        """Tell the first bars in view that are not as they must be."""
        image = picture(self.canvas).astype(int)
        columns, paper = self.in_view(), np.array(self.paper)
        assert len(columns) > 5
        real = np.ones(columns.max() + 1, bool)
        if "mask" in self.dataset:
            real = self.dataset["mask"].values.reshape(-1)
        shown = self.get("signal")
        found = []
        *bands, (_, why_top, _, (_, end)) = self.bands(cell)
        selected = self.get("example") * self.dataset.sizes["timestep"] + self.get("timestep")
        for column in columns:
            if abs(column - selected) <= 1 or not real[column]:
                continue  # under the outline, or faint
            x = int(self.lefts(np.array([column]))[0]) + 6
            for signal, top, height, (low, high) in bands:
                value = self.values(signal, cell).reshape(-1)[column]
                strip = image[top : top + height, x]
                zero = round((1 - (0 - low) / (high - low)) * (height - 1))
                at = (1 - (value - low) / (high - low)) * (height - 1)
                if abs(at - zero) < 4:
                    continue
                middle = round((at + zero) / 2)
                beyond = round(at + (4 if at > zero else -4))
                inside = strip[round(at + (-2 if at > zero else 2))]
                if 1 < beyond < height - 2 and (strip[beyond] != paper).any():
                    found.append((signal, int(column), "is too high"))
                if (strip[middle] != inside).any() or (inside == paper).all():
                    found.append((signal, int(column), "is too low"))
                if low < 0:
                    largest = np.abs(self.dataset[shown].values).max() if signal == shown else high
                    least, most = colours(value / largest, theme)
                    if abs(value) < threshold:
                        least, most = (paper + KEPT * (c - paper) for c in (least, most))
                    if (inside < least - 2).any() or (inside > most + 2).any():
                        found.append((signal, int(column), inside.tolist(), least, most))
            keep, write, change = (part.reshape(-1)[column] for part in self.change(cell))
            strip = image[why_top : why_top + WHY, x]

            def height_of(size):
                return abs(size) / (2 * end) * (WHY - 1)

            simple = self.dataset.attrs["kind"] == "SimpleRNN"
            orange = (np.abs(strip - WRITE[theme]) <= 1).all(axis=1)
            put = change if simple else write
            rows = np.flatnonzero(orange)
            if abs(orange.sum() - height_of(put)) > (1.5 if simple else 3.5):
                found.append(("write", int(column), int(orange.sum()), height_of(put)))
            middle = (WHY - 1) / 2
            if len(rows) > 3 and (rows.mean() < middle) != (put > 0):
                found.append(("write", int(column), "has the wrong side"))
            if simple:
                continue
            mark = round(middle - np.sign(change) * height_of(change))
            if height_of(keep) > 3:
                edge = round(middle - np.sign(keep) * height_of(keep))
                purple = (np.abs(strip - KEEP[theme]) <= 1).all(axis=1)
                if not purple[max(0, edge - 2) : edge + 3].any() and abs(mark - edge) > 2:
                    found.append(("keep", int(column), edge, np.flatnonzero(purple).tolist()))
            if max(height_of(keep), height_of(write)) > 3:
                around = np.abs(strip[max(0, mark - 2) : mark + 2] - paper).sum(axis=1)
                if around.max() < 560:
                    found.append(("sum", int(column), mark, around.tolist()))
        return found[:5]

    def paints_bars(self, cell, theme="light", threshold=0.0):
        eventually(lambda: self.bad(cell, theme, threshold), [])

    def says(self, cell, example, timestep):
        """Compare the readout with the numbers."""
        kind = self.dataset.attrs["kind"]
        symbol, _, gate = STATES.get(kind, ("h", "hidden_state", None))

        def now(signal):
            return self.values(signal, cell)[example, timestep]

        keep, write, change = (part[example, timestep] for part in self.change(cell))
        if kind == "SimpleRNN":
            h = now("hidden_state")
            text = f"Δh = h − h₋₁ = {number(h)} − {factor(h - change)}"
        else:
            share = now(gate)
            z, h = ("f", "c") if kind == "LSTM" else ("z", "h")
            put = factor(now("input_gate")) if kind == "LSTM" else f"(1 − {number(share)})"
            parts = "i·g" if kind == "LSTM" else "(1 − z)·h̃"
            before = keep / (share - 1)
            text = (
                f"Δ{symbol} = ({z} − 1)·{h}₋₁ + {parts} = ({number(share)} − 1)·{factor(before)}"
                f" + {put}·{factor(now('candidate'))}"
                f" = {number(keep)} {'−' if write < 0 else '+'} {number(abs(write))}"
            )
        expect(self.sum).to_have_text(f"{text} = {signed(change)}")
        values = self.root.locator(".lw-gates-values span")
        signals = self.recording.signals(self.layer)
        expect(values).to_have_count(len(signals))
        for i, signal in enumerate(signals):
            expect(values.nth(i).locator("b")).to_have_text(number(now(signal)))
            expect(values.nth(i)).to_contain_text(signal.replace("_", " "))


def inspector(call, **traits):
    options = "".join(f", {name}={value!r}" for name, value in traits.items())
    return f"recording = {call}\nshown = lw.GateInspector(recording{options})\nshown"


def test_bars_are_as_high_as_their_values(show):
    notebook = show(inspector("gates('LSTM')", cell=3, timestep=9))
    gates = Gates(notebook, 1, recordings.gates("LSTM"))
    gates.paints_bars(3)
    gates.says(3, 0, 9)
    expect(gates.note).to_have_text("")
    gates.set(cell=5, signal="candidate")
    gates.paints_bars(5)
    gates.says(5, 0, 9)
    # The first state was worked out: it is not zero.
    gates.set(timestep=0)
    gates.says(5, 0, 0)
    expect(gates.note).to_have_text(
        "c₋₁ = 0.2500 is the state before the first timestep, computed from the equation."
    )
    gates.set(threshold=0.4)
    gates.paints_bars(5, threshold=0.4)
    gates.set(threshold=0.0, signal="cell_state")

    notebook.theme("dark")
    expect(gates.root).to_have_attribute("data-theme", "dark")
    gates.paints_bars(5, "dark")


def test_keys_clicks_and_hover(show):
    notebook = show(inspector("gates('LSTM')", cell=3, timestep=9))
    gates = Gates(notebook, 1, recordings.gates("LSTM"))
    tokens = gates.dataset["token"].values[0]
    before = notebook.count()
    for key, cell, timestep in (
        ("ArrowRight", 3, 10),
        ("ArrowDown", 4, 10),
        ("ArrowUp", 3, 10),
        ("PageDown", 5, 10),
        ("PageUp", 0, 10),
        ("ArrowUp", 0, 10),
        ("End", 0, 119),
        ("ArrowRight", 0, 119),
        ("ArrowLeft", 0, 118),
        ("b", 0, 118),
        ("Home", 0, 0),
        ("ArrowLeft", 0, 0),
    ):
        gates.frame.press(key)
        gates.says(cell, 0, timestep)
        gates.becomes(cell=cell, timestep=timestep)
        # The selected timestep is in view.
        frames(gates.frame)
        (left,) = gates.lefts(np.array([timestep]))
        assert GUTTER <= left <= gates.size[0] - SQUARE
    assert notebook.count() == before

    gates.click(GUTTER + 20 * SQUARE + 5, 100)
    gates.becomes(timestep=20, cell=0, signal="hidden_state")
    gates.frame.hover(position={"x": GUTTER + 7 * SQUARE + 5, "y": 60})
    gates.says(0, 0, 7)
    at = gates.root.locator(".lw-gates-values > b")
    expect(at).to_have_text(f"t=7 '{tokens[7]}'")
    spoken = gates.root.locator(".lw-gates-read [aria-live]")
    expect(spoken).to_have_attribute("aria-live", "off")
    gates.becomes(timestep=20)
    notebook.page.mouse.move(5, 5)
    gates.says(0, 0, 20)
    expect(spoken).to_have_attribute("aria-live", "polite")
    # A name at the left makes its signal the one that the legend explains.
    tops = {signal: top for signal, top, *_ in gates.bands(0)}
    gates.click(30, tops["forget_gate"] + 10)
    gates.becomes(signal="forget_gate", timestep=20)

    gates.set(align="predict")
    expect(at).to_have_text(f"t=20 '{tokens[21]}'")
    gates.set(align="read")
    expect(at).to_have_text(f"t=20 '{tokens[20]}'")

    gates.set(signal="hidden_state", cell=2)
    for key, square in (("+", 22), ("+", 28), ("-", 22), ("-", 18), ("-", 15), ("0", SQUARE)):
        gates.frame.press(key)
        frames(gates.frame)
        gates.square = square
        whole = gates.frame.evaluate("e => e.scrollWidth")
        assert whole == max(gates.size[0], GUTTER + 120 * square)
        gates.paints_bars(2)
    gates.root.get_by_role("button", name="wider").click()
    gates.square = 22
    frames(gates.frame)
    gates.paints_bars(2)
    inside = gates.frame.evaluate("e => [e.scrollHeight <= e.clientHeight, e.scrollTop]")
    assert inside == [True, 0]


def test_each_kind_has_its_own_algebra_and_direction(show):
    call = "several(('GRU', False), ('SimpleRNN', False), ('LSTM', True))"
    notebook = show(inspector(call, cell=2, timestep=30))
    made = recordings.several(("GRU", False), ("SimpleRNN", False), ("LSTM", True))
    gates = Gates(notebook, 1, made)
    gates.paints_bars(2)
    gates.says(2, 0, 30)
    reset = gates.values("reset_gate", 2)[0, 30]
    expect(gates.note).to_have_text(
        f"The reset gate r = {number(reset)} scales the contribution of h₋₁ to h̃."
    )
    gates.set(timestep=0)
    gates.says(2, 0, 0)
    expect(gates.note).to_contain_text("h₋₁ = 0.2500 is the state before the first timestep")

    gates.layer = "simplernn"
    gates.set(layer="simplernn", timestep=30)
    gates.says(2, 0, 30)
    gates.paints_bars(2)
    gates.set(timestep=0)
    expect(gates.sum).to_have_text("Δh = h − h₋₁ is unknown")
    expect(gates.note).to_contain_text("unknown")

    title = gates.root.locator(".lw-gates-title")
    expect(title).not_to_contain_text("read from right to left")
    gates.layer = "lstm"
    gates.set(layer="lstm", cell=1, timestep=40)
    gates.says(1, 0, 40)
    gates.paints_bars(1)
    expect(title).to_contain_text("read from right to left")
    gates.frame.press("End")
    gates.says(1, 0, 119)
    expect(gates.note).to_contain_text("c₋₁ = 0.2500 is the state before the first timestep")


def test_examples_padding_and_what_was_not_recorded(show):
    notebook = show(
        inspector("gates('LSTM', shape=(30, 9, 4), padded=True)", cell=1, timestep=2),
        "part = lw.GateInspector(gates('LSTM', without=('candidate',)), timestep=4)\npart",
    )
    shape = (30, 9, 4)
    gates = Gates(notebook, 1, recordings.gates("LSTM", shape=shape, padded=True))
    gates.paints_bars(1)
    gates.set(example=20, timestep=5)
    gates.says(1, 20, 5)
    gates.paints_bars(1)
    gates.frame.press("ArrowRight")
    expect(gates.sum).to_have_text("Δc = 0")
    expect(gates.note).to_have_text("Padding: the state passes through unchanged.")
    # Faint and dotted, whatever stands under it.
    (left,) = gates.lefts(np.array([20 * 9 + 7])).astype(int)
    *_, (_, top, height, _) = gates.bands(1)
    frames(gates.frame)
    strip = picture(gates.canvas)[top : top + height, left : left + SQUARE - 1].reshape(-1, 3)
    dark = (strip < 140).all(axis=1).sum()
    assert 60 < dark < 130
    # An example goes on into the next.
    gates.frame.press("End")
    gates.frame.press("ArrowRight")
    gates.becomes(example=21, timestep=0)
    expect(gates.note).to_contain_text("c₋₁ = 0.2500 is the state before the first timestep")

    part = Gates(notebook, 2, recordings.gates("LSTM", without=("candidate",)), name="part")
    state = part.values("cell_state", 0)[0]
    expect(part.sum).to_have_text(f"Δc = (f − 1)·c₋₁ + i·g = {signed(state[4] - state[3])}")
    expect(part.note).to_have_text("Not recorded: candidate.")
    expect(part.root.locator(".lw-gates-legend")).to_contain_text("Not recorded: candidate")
    expect(part.root.locator(".lw-gates-values span")).to_have_count(5)


def test_a_long_recording_comes_in_stretches(show):
    shape = (1, 100_000, 8)
    notebook = show(inspector(f"gates('LSTM', shape={shape})", cell=3, timestep=99_995))
    gates = Gates(notebook, 1, recordings.gates("LSTM", shape=shape))
    assert gates.get("_whole") == "b''"
    assert gates.frame.evaluate("e => e.scrollWidth") == GUTTER + 100_000 * SQUARE
    gates.says(3, 0, 99_995)
    # All that is in view comes from the last stretch.
    gates.seen = slice(100_000 // 512 * 512 + 1, None)
    gates.paints_bars(3)
    gates.frame.press("Home")
    gates.says(3, 0, 0)
    for timestep in (511, 512, 50_000):
        gates.set(timestep=timestep)
        gates.says(3, 0, timestep)
    gates.frame.press("ArrowDown")
    gates.says(4, 0, 50_000)
    gates.frame.press("End")
    gates.says(4, 0, 99_999)
    expect(gates.notice).to_have_text("")


def test_hostile_text_and_odd_values_stay_what_they_are(show):
    notebook = show(
        "shown = lw.GateInspector(hostile(), cell=1, example=1, timestep=1)\nshown",
        "odd_one = lw.GateInspector(odd(), cell=1, timestep=1)\nodd_one",
        "none = lw.GateInspector(of_shape(1, 0, 3))\nnone",
    )
    first = Widget.__new__(Gates)
    Widget.__init__(first, notebook, 1, name="shown")
    for name in recordings.HOSTILE:
        first.set(layer=name)
        expect(first.root.locator(".lw-gates-values > b")).to_have_text(
            f"t=1 '{recordings.HOSTILE[1]}'"
        )
    assert first.root.evaluate("root => root.querySelectorAll('img, script').length") == 0
    assert notebook.page.evaluate("window.hacked") is None
    second = notebook.output(2).locator(".lw")
    expect(second.locator(".lw-gates-values span b")).to_have_text("NaN")
    expect(second.locator(".lw-gates-read .lw-gates-note")).to_contain_text("Not recorded")
    third = notebook.output(3).locator(".lw")
    expect(third.locator(".lw-empty")).to_have_text(re.compile("Nothing to show"))
    expect(third.locator(".lw-gates")).to_be_hidden()
