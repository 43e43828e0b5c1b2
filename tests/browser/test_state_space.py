"""StateSpace in a real JupyterLab, and saved as a page: where points are, what is read, the lasso, the keys."""

from __future__ import annotations

from pathlib import Path as File

import numpy as np
import pytest
import spaces
from expected import frames, picture
from lab import eventually
from matplotlib.path import Path
from playwright.sync_api import expect
from recordings import prose
from widget_page import Widget, number

import lstm_widgets as lw
from lstm_widgets.views import space as points
from lstm_widgets.widgets import state_space

SPACES = File(spaces.__file__).read_text()
#: Around two axes: at the left, at the right, above, below; around three.
FLAT, SOLID = (54, 14, 12, 38), (16, 16, 16, 16)
#: How much room is left around points of two axes.
AROUND = 1.06
GREEN, GREY = (0, 143, 112), (0xB5, 0xB9, 0xC0)
#: What is anywhere around a place on a canvas, uint8 (pixel, 3).
AROUND_PLACE = """(canvas, [x, y, far]) => {
  const ratio = canvas.width / canvas.clientWidth;
  const [left, top, size] = [x - far, y - far, 2 * far + 1].map((v) => Math.round(v * ratio));
  return [...canvas.getContext("2d").getImageData(left, top, size, size).data];
}"""


class Space(Widget):
    scrolling = ".lw-space"

    def places(self, positions, angles=None, more=None):
        """Where points (point, axis), or further ones, are while all points are seen."""
        margins = FLAT if positions.shape[1] == 2 else SOLID
        width, height = self.size
        left, top = margins[0], margins[2]
        right, bottom = width - margins[1], height - margins[3]
        low, high = positions.min(axis=0), positions.max(axis=0)
        size = high - low
        apart = (positions if more is None else more) - (low + high) / 2
        if positions.shape[1] == 2:
            scale = min((right - left) / size[0], (bottom - top) / size[1]) / AROUND
        else:
            across, tilt = np.hypot(size[0], size[2]), np.radians(angles[1])
            up = size[1] * np.cos(tilt) + across * abs(np.sin(tilt))
            scale = min((right - left) / across, (bottom - top) / up)
            apart = points.turned(apart, angles)[:, :2]
        middle = np.array([(left + right) / 2, (top + bottom) / 2])
        return middle + apart * (scale, -scale)

    def colours(self, place, far=0):
        found = self.canvas.evaluate(AROUND_PLACE, [*map(float, place), far])
        return np.array(found, np.uint8).reshape(-1, 4)[:, :3]

    def has(self, place, colour, far=1):
        """Wait until a colour is somewhere around a place."""

        def apart():
            return int(np.abs(self.colours(place, far).astype(int) - colour).max(axis=1).min())

        eventually(lambda: apart() <= 2, True)

    def press(self, *keys):
        self.frame.evaluate("e => e.focus()")
        for key in keys:
            self.notebook.page.keyboard.press(key)
        frames(self.frame)

    def drag(self, *places):
        self.frame.scroll_into_view_if_needed()
        box = self.frame.bounding_box()
        mouse = self.notebook.page.mouse
        mouse.move(box["x"] + places[0][0], box["y"] + places[0][1])
        mouse.down()
        for x, y in places[1:]:
            mouse.move(box["x"] + x, box["y"] + y, steps=4)
        mouse.up()
        frames(self.frame)

    @property
    def box(self):
        return self.frame.bounding_box()


def positions(recording, layer, components=2):
    found = lw.project(recording, layer, components=6)["position"].values
    return found.reshape(-1, 6)[:, :components].astype(float)


def farthest(places):
    """Which point is farthest from all others."""
    apart = np.linalg.norm(places[:, None] - places[None], axis=2)
    apart[np.diag_indices(len(places))] = np.inf
    return int(apart.min(axis=1).argmax())


def spans(columns, timesteps):
    """Spans of chosen columns, one by one."""
    found = []
    for example, timestep in zip(*np.divmod(np.sort(columns), timesteps), strict=True):
        if found and found[-1][0] == example and found[-1][2] == timestep:
            found[-1][2] += 1
        else:
            found.append([int(example), int(timestep), int(timestep) + 1])
    return found


def test_points_are_where_their_states_are_and_are_read_out(show):
    notebook = show(
        "space = lw.StateSpace(prose(), tracks=[lw.concepts.vowel], trajectories='none')\nspace"
    )
    space = Space(notebook, 1, name="space")
    recording = prose()
    at = positions(recording, "lstm")
    places = space.places(at)
    tokens = recording["lstm"]["token"].values.ravel()
    vowel = np.isin(tokens, [*"aeiouAEIOU"])
    lonely = np.argsort(-nearest_other(places))
    for kind, colour in ((vowel, GREEN), (~vowel, None)):
        column = next(int(i) for i in lonely if kind[i])
        if colour:
            space.has(places[column], colour)
        space.click(*places[column])
        example, timestep = divmod(column, 1059)
        space.becomes(example=example, timestep=timestep)
        values = recording["lstm"]["hidden_state"].values.reshape(-1, 12)
        expect(space.status).to_contain_text(f"t={timestep} '{tokens[column]}'")
        expect(space.status).to_contain_text(f"hidden_state {number(float(values[column, 0]))}")
        expect(space.status).to_contain_text(
            f"PC 1 {number(at[column, 0])}, PC 2 {number(at[column, 1])}"
        )
    # What is selected elsewhere has a ring here.
    space.set(timestep=7, example=0)
    eventually(lambda: int(space.colours(places[7] + (7.5, 0), 2).max(axis=1).min()) < 70, True)
    # Pointing reads out, and selects nothing.
    other = int(lonely[5])
    space.frame.hover(position=dict(zip("xy", places[other].tolist(), strict=True)))
    expect(space.status).to_contain_text(f"t={other % 1059} ")
    space.becomes(timestep=7, example=0)
    told = space.root.locator(".lw-space-key")
    expect(told).to_contain_text(f"vowel: yes {int(vowel.sum())}")
    expect(told).to_contain_text("2118 states")


def nearest_other(places):
    """How far from each point the nearest other is."""
    apart = np.linalg.norm(places[:, None] - places[None], axis=2)
    apart[np.diag_indices(len(places))] = np.inf
    return apart.min(axis=1)


def test_a_lasso_chooses_timesteps_that_other_widgets_mark(show):
    notebook = show(
        "space = lw.StateSpace(prose(), trajectories='none')\n"
        "grid = lw.CellGrid(prose())\n"
        "link = ipywidgets.jslink((space, 'selected_timesteps'), (grid, 'selected_timesteps'))\n"
        "space",
        "grid",
    )
    space = Space(notebook, 1, name="space")
    places = space.places(positions(prose(), "lstm"))
    middle = np.median(places, axis=0)
    corners = [middle + offset for offset in ((-60, -50), (70, -40), (50, 60), (-40, 30))]
    inside = np.flatnonzero(Path([*corners, corners[0]]).contains_points(places))
    assert 50 < len(inside) < 1000
    space.press("l")
    expect(space.root.get_by_role("button", name="lasso")).to_have_attribute("aria-pressed", "true")
    space.drag(*corners, corners[0])
    space.becomes(selected_timesteps=spans(inside, 1059))
    expect(space.root.locator(".lw-space-key")).to_contain_text(f"{len(inside)} timesteps selected")
    grid = notebook.output(2).locator(".lw")
    eventually(lambda: notebook.kernel.value("grid.selected_timesteps"), spans(inside, 1059))
    expect(grid.locator(".lw-status")).to_contain_text("selected: ")
    # Shift adds; Delete selects none.
    box = [middle + np.array(at) for at in ((90, 70), (150, 70), (150, 110), (90, 110))]
    more = np.flatnonzero(Path([*box, box[0]]).contains_points(places))
    notebook.page.keyboard.down("Shift")
    space.drag(*box, box[0])
    notebook.page.keyboard.up("Shift")
    space.becomes(selected_timesteps=spans(np.union1d(inside, more), 1059))
    space.press("l", "Delete")
    space.becomes(selected_timesteps=[])
    # And back: what is chosen elsewhere stands out here.
    before = picture(space.canvas)
    notebook.kernel.run("grid.selected_timesteps = [(0, 10, 30)]")
    expect(space.root.locator(".lw-space-key")).to_contain_text("20 timesteps selected")
    frames(space.frame)

    def lighter():
        """Which part of the picture is lighter than before."""
        after = picture(space.canvas)
        return (after.astype(int).sum(axis=2) > before.astype(int).sum(axis=2)).mean()

    eventually(lambda: bool(lighter() > 0.01), True)
    for column in range(10, 30):  # at least as dark as the grey of other tokens
        assert space.colours(places[column]).min() < 190


def test_a_lasso_by_keys(open_page):
    space = Space(open_page(lw.StateSpace(prose(), trajectories="none", timestep=30)), 0)
    places = space.places(positions(prose(), "lstm"))
    start = places[30]
    corners = [start + offset for offset in ((-32, -32), (32, -32), (32, 32), (-32, 32))]
    inside = np.flatnonzero(Path(corners).contains_points(places))
    assert len(inside) > 3
    space.press("l", "Shift+ArrowLeft", "Shift+ArrowUp", " ")
    space.press("Shift+ArrowRight", "Shift+ArrowRight", " ", "Shift+ArrowDown", "Shift+ArrowDown")
    space.press(" ", "Shift+ArrowLeft", "Shift+ArrowLeft", "Enter")
    told = space.root.locator(".lw-space-key")
    expect(told).to_contain_text(f"{len(inside)} timesteps selected")
    # Two corners are those of a box; arrows move the cross, not the selection.
    space.press("Shift+ArrowLeft", "Shift+ArrowUp", "Enter")
    expect(space.status).to_contain_text("t=30 ")
    space.press("Escape", "ArrowRight")
    expect(space.status).to_contain_text("t=31 ")
    expect(space.root.get_by_role("button", name="lasso")).to_have_attribute(
        "aria-pressed", "false"
    )
    # Keys stay here.
    assert space.notebook.page.evaluate("document.activeElement.className").count("lw-space")


def test_three_axes_are_turned_and_fixed_points_are_read_out(show):
    notebook = show(
        SPACES,
        "r = corners()\n"
        "space = lw.StateSpace(r, projection=lw.project(r, method=axes_of_the_cube()), "
        "axes=(0, 1, 2), fixed_points=resting(), coloured_by='timestep', trajectories='none')\n"
        "space",
    )
    space = Space(notebook, 2, name="space")
    recording = spaces.corners()
    at = recording["gru"]["hidden_state"].values.reshape(-1, spaces.CELLS) @ spaces.mixing().T
    resting = spaces.resting()

    def corner(which, angles):
        """Where a fixed point is, among all states."""
        return space.places(at, angles, resting["readout"].values[which][None])[0]

    blue = (11, 98, 214)
    stable = int(np.flatnonzero(resting["stable"].values)[0])
    angles = tuple(space.get("angles"))
    assert angles == points.ANGLES
    space.has(corner(stable, angles), blue)
    key = space.root.locator(".lw-space-key")
    for told in ("stable fixed points 8", "saddles 12", "slow points 6", "960 states"):
        expect(key).to_contain_text(told)
    # A drag turns it, half a degree a pixel; so do keys, by ten degrees.
    space.drag((400, 200), (440, 220))
    space.becomes(angles=[-15.0, 30.0])
    space.has(corner(stable, (-15, 30)), blue)
    space.press("Shift+ArrowRight", "Shift+ArrowUp")
    space.becomes(angles=[-5.0, 20.0])
    space.has(corner(stable, (-5, 20)), blue)
    # Python turns it, too.
    space.set(angles=(60.0, -40.0))
    space.has(corner(stable, (60, -40)), blue)
    saddle = int(np.flatnonzero(resting["speed"].values < 1e-6)[1])
    kinds = np.where(resting["stable"], "stable fixed point", "saddle")
    for which in (stable, saddle):
        x, y = corner(which, (60, -40)).tolist()
        space.frame.hover(position={"x": x, "y": y})
        readout = [float(value) for value in resting["readout"].values[which]]
        expect(space.status).to_contain_text(str(kinds[which]))
        said = ", ".join(f"bit {i + 1} {number(value)}" for i, value in enumerate(readout))
        expect(space.status).to_contain_text(f"readout {said}")
    # f goes from one to the next.
    space.press("f")
    first = space.status.text_content()
    space.press("f")
    expect(space.status).not_to_have_text(first)
    expect(space.status).to_contain_text("largest eigenvalues")
    # 3 takes the third axis away, and 0 shows all as at first.
    space.press("3")
    space.becomes(axes=[0, 1])
    space.press("3", "0")
    space.becomes(axes=[0, 1, 2], angles=list(points.ANGLES))


def test_three_axes_fill_the_picture_however_they_are_turned(open_page):
    recording = spaces.corners()
    projection = lw.project(recording, method=spaces.axes_of_the_cube())
    widget = lw.StateSpace(recording, projection=projection, axes=(0, 1, 2), trajectories="none")
    space = Space(open_page(widget), 0)
    # At first, and tilted further and further: the box goes from the upper edge to the lower one.
    for _ in range(6):
        inked = (picture(space.canvas) < 235).any(axis=2)
        rows, columns = (np.flatnonzero(inked.any(axis=axis)) for axis in (1, 0))
        height, width = inked.shape
        assert np.ptp(rows) > 0.88 * (height - 32)
        assert rows[0] > 2
        assert rows[-1] < height - 3
        assert columns[0] > 2
        assert columns[-1] < width - 3
        space.press("Shift+ArrowDown")


def test_zoom_and_pan_by_wheel_drag_and_keys(open_page):
    space = Space(open_page(lw.StateSpace(prose(), trajectories="none")), 0)
    places = space.places(positions(prose(), "lstm"))
    column = int(np.argsort(-nearest_other(places))[3])
    place = places[column]

    def reads(at):
        space.frame.hover(position={"x": float(at[0]), "y": float(at[1])})
        expect(space.status).to_contain_text(f"t={column % 1059} ")

    reads(place)
    # What is under the pointer stays there.
    box = space.box
    space.notebook.page.mouse.move(box["x"] + place[0], box["y"] + place[1])
    space.notebook.page.keyboard.down("Control")
    for _ in range(4):
        space.notebook.page.mouse.wheel(0, -100)
    space.notebook.page.keyboard.up("Control")
    frames(space.frame)
    reads(place)
    aside, further = np.array([30, 20]), np.array([70, 20])
    space.drag(place, place + aside)
    reads(place + aside)
    space.press("Shift+ArrowLeft")
    reads(place + further)
    # Selected, it goes to the middle.
    space.click(*(place + further))
    space.press("c")
    middle = np.array([(54 + space.size[0] - 14) / 2, (12 + space.size[1] - 38) / 2])
    reads(middle)
    space.press("0")
    reads(place)


@pytest.mark.parametrize("exact", [True, False])
def test_a_saved_page_has_all_it_shows(open_page, monkeypatch, exact):
    if not exact:
        monkeypatch.setattr(state_space, "WHOLE_BYTES", 1000)
    widget = lw.StateSpace(prose(), coloured_by="token", tracks=[lw.concepts.vowel])
    space = Space(open_page(widget), 0)
    for colouring in ("vowel", "value", "timestep", "example", "token"):
        before = picture(space.canvas)
        space.control("colour").select_option(colouring)
        eventually(lambda before=before: bool((picture(space.canvas) != before).any()), True)
    for name, component in (("x", "4"), ("z", "2")):
        space.control(name).select_option(component)
    expect(space.status).to_contain_text("PC 5 " if exact else "PC 5 ≈ ")
    expect(space.status).to_contain_text("PC 3 ")
    expect(space.notice).to_have_text("")
    expect(space.root.locator(".lw-space-key b").first).to_have_text("408")  # spaces


def test_many_points_are_asked_for_and_drawn_as_how_many_there_are(show):
    notebook = show(
        "from lstm_widgets.recording import RecordedLayer, Recording\n"
        "rng = np.random.default_rng(2)\n"
        "states = rng.standard_normal((50, 4000, 4)).astype(np.float32) \n"
        "many = Recording.from_layers([RecordedLayer('gru', 'GRU', {'hidden_state': states})])\n"
        "space = lw.StateSpace(many, coloured_by='value', cell=1)\nspace"
    )
    space = Space(notebook, 1, name="space")
    key = space.root.locator(".lw-space-key")
    expect(key).to_contain_text("200000 states · the more states, the stronger the colour")
    expect(key).not_to_contain_text("while it changes")
    assert notebook.kernel.value("len(space._space_values)") == 0
    width, height = space.size
    middle = space.colours((width / 2, height / 2), 12)
    edge = space.colours((width - 20, 20), 3)
    assert (255 - middle.astype(int)).max(axis=1).mean() > 20
    assert len(np.unique(edge, axis=0)) < 4
    # While it changes, a part of them is counted, which is said; then all of them again.
    before = picture(space.canvas)
    key.evaluate(
        "key => { window.said = [];"
        " new MutationObserver(() => window.said.push(key.textContent))"
        ".observe(key, { subtree: true, childList: true, characterData: true }); }"
    )
    space.press("+")
    space.press("0")
    said = notebook.page.evaluate("said.join()")
    assert (
        "200000 states · the more states, the stronger the colour · one of 2 while it changes"
        in said
    )
    expect(key).not_to_contain_text("while it changes")
    eventually(lambda: bool((picture(space.canvas) == before).all()), True)
    # Near enough, points are drawn one by one.
    space.press(*["+"] * 10)
    expect(key).not_to_contain_text("stronger")
    # Numbers are those of the array.
    space.set(example=3, timestep=17)
    at = notebook.kernel.value("space._points.at(3 * 4000 + 17)[:2].tolist()")
    expect(space.status).to_contain_text(f"PC 1 {number(at[0])}, PC 2 {number(at[1])}")


def test_two_views_look_each_from_its_own_place_at_the_same(show):
    notebook = show("space = lw.StateSpace(sums(), timestep=1)\nspace", "space")
    one, other = (Space(notebook, index, name="space") for index in (1, 2))
    before = picture(other.canvas)
    one.press("+", "+")
    np.testing.assert_array_equal(picture(other.canvas), before)
    one.press("ArrowRight", "t")
    one.becomes(timestep=2, trajectories=[0])
    expect(other.status).to_contain_text("t=2 ")
    one.press("t", "ArrowDown", "PageDown")
    one.becomes(trajectories=[], example=1, cell=1)
    expect(other.status).to_contain_text("example 1")


def test_states_of_variants_move_in_one_space(show):
    notebook = show(
        "from lstm_widgets.recording import RecordedLayer, Recording\n"
        "rng = np.random.default_rng(2)\n"
        "states = rng.standard_normal((3, 40, 6)).astype(np.float32)\n"
        "grown = {f'epoch {i}': Recording.from_layers([RecordedLayer('gru', 'GRU',\n"
        "    {'hidden_state': states * np.float32(1 + i)})]) for i in range(3)}\n"
        "space = lw.StateSpace(lw.Variants(grown), tracks={'every': np.ones((3, 40), bool)}, "
        "trajectories='none')\nspace"
    )
    space = Space(notebook, 1, name="space")

    def widest():
        """How far from left to right there are points."""
        frames(space.frame)
        seen = np.ptp(picture(space.canvas)[20:-60, 60:-20].astype(int), axis=2) > 40
        columns = np.flatnonzero(seen.any(axis=0))
        return int(np.ptp(columns))

    first = widest()
    space.set(variant="epoch 2")
    eventually(lambda: abs(widest() / first - 3) < 0.15, True)
    space.control("variant").fill("1")
    space.becomes(variant="epoch 1")
    eventually(lambda: abs(widest() / first - 2) < 0.15, True)
