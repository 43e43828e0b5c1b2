"""States as points: what Python puts where, what the page is told, and what a figure has."""

from __future__ import annotations

import itertools
import json
import re

import numpy as np
import pytest
import recordings
import spaces
import traitlets
import xarray as xr

import lstm_widgets as lw
from lstm_widgets.figures import artist
from lstm_widgets.recording import RecordedLayer, Recording
from lstm_widgets.views import space as points
from lstm_widgets.views.selected import marked, spans_of
from lstm_widgets.widgets import state_space


@pytest.fixture(scope="module")
def cube():
    recording = spaces.corners()
    projection = lw.project(recording, method=spaces.axes_of_the_cube())
    return lw.StateSpace(
        recording, projection=projection, fixed_points=spaces.resting(), axes=(0, 1, 2)
    )


def parts(space):
    """What the page has of each part: its bytes, by kind and number."""
    found, at = {}, 0
    for kind, which, _, size in space._space["held"]:
        key = (kind, json.dumps(which))
        found[key] = space._space_values[at : at + size]
        at += size
    assert at == len(space._space_values)
    return found


def ask(space, wanted):
    """Ask as the page does: what is told, and the buffer."""
    content = {"id": "1", "layer": space.layer, "signal": space.signal, "space": wanted}
    content["variant"] = space.variant
    reply, (buffer,) = space._answer(content)
    assert reply["id"] == "1"
    assert reply["space"] == wanted
    return reply["told"], buffer


def test_places_are_those_of_the_projection(cube):
    held = parts(cube)
    position = spaces.corners()["gru"]["hidden_state"].values @ spaces.mixing().T
    for axis in range(3):
        sent = np.frombuffer(held["component", str(axis)], np.float32)
        np.testing.assert_allclose(sent, position[..., axis].ravel(), atol=1e-5)
        told = cube._space["components"][axis]
        assert told["name"] == f"bit {axis + 1}"
        assert (told["low"], told["high"]) == (sent.min(), sent.max())


def test_padding_is_no_point():
    space = lw.StateSpace(recordings.sums())
    mask = recordings.sums()["lstm"]["mask"].values
    columns = np.frombuffer(parts(space)["columns", "true"], np.uint32)
    np.testing.assert_array_equal(columns, np.flatnonzero(mask))
    assert space._space["points"] == mask.sum()


def test_a_place_is_asked_for_to_the_bit(monkeypatch):
    monkeypatch.setattr(state_space, "WHOLE_BYTES", 1000)
    space = lw.StateSpace(recordings.prose())
    assert space._space_values == b""
    projected = lw.project(recordings.prose(), components=6)["position"].values.reshape(-1, 6)
    _, buffer = ask(space, ["place", 17])
    np.testing.assert_array_equal(np.frombuffer(buffer, np.float32), projected[17])
    _, buffer = ask(space, ["component", 1])
    low, high = (space._space["components"][1][end] for end in ("low", "high"))
    codes = np.frombuffer(buffer, np.uint16)
    np.testing.assert_allclose(
        low + codes / 65535 * (high - low), projected[:, 1], atol=(high - low) / 65535
    )


def test_of_too_many_points_some_are_chosen_and_that_is_told(monkeypatch):
    monkeypatch.setattr(points, "MOST_POINTS", 500)
    space = lw.StateSpace(recordings.prose())
    assert (space._space["points"], space._space["total"]) == (500, 2118)
    columns = np.frombuffer(parts(space)["columns", "true"], np.uint32)
    assert len(np.unique(columns)) == 500
    assert (np.diff(columns) > 0).all()


def test_commonest_tokens_have_a_code():
    space = lw.StateSpace(recordings.prose(), coloured_by="token")
    tokens = recordings.prose()["lstm"]["token"].values.ravel()
    told, buffer = ask(space, ["tokens", True])
    names, counts = np.unique(tokens, return_counts=True)
    assert told["counts"] == sorted(counts.tolist(), reverse=True)[: points.CLASSES]
    codes = np.frombuffer(buffer, np.uint8)
    for code, name in enumerate(told["names"]):
        np.testing.assert_array_equal(codes == code, tokens == name)
    assert (codes[~np.isin(tokens, told["names"])] == points.OTHER).all()
    assert len(names) > points.CLASSES


def test_values_have_the_codes_of_tiles():
    space = lw.StateSpace(recordings.prose())
    values = recordings.prose()["lstm"]["hidden_state"].values.reshape(-1, 12)[:, 4]
    _, buffer = ask(space, ["values", 4])
    codes = np.frombuffer(buffer, np.uint8).astype(float)
    largest = np.abs(values).max()
    np.testing.assert_allclose((codes - 127) / 126 * largest, values, atol=largest / 250)


def test_channels_and_targets_may_be_colours():
    recording = recordings.rivers()
    space = lw.StateSpace(recording, coloured_by="target flow")
    mask = recording["lstm"]["mask"].values
    flow = recording.targets.values[..., 0][mask]
    told, buffer = ask(space, ["series", ["target", 0]])
    codes = np.frombuffer(buffer, np.uint8)
    assert (told["low"], told["high"]) == (flow.min(), flow.max())
    np.testing.assert_allclose(
        told["low"] + codes / 254 * (told["high"] - told["low"]),
        flow,
        atol=(flow.max() - flow.min()) / 500,
    )
    with pytest.raises(traitlets.TraitError, match=r"coloured_by: expected one of .*'value'"):
        space.coloured_by = "target rain"


def test_colours_are_at_first_those_that_tell_most():
    recording = recordings.sums()
    assert lw.StateSpace(recording, tracks=[lw.concepts.vowel]).coloured_by == "vowel"
    assert lw.StateSpace(recording).coloured_by == "token"
    assert lw.StateSpace(spaces.corners()).coloured_by == "timestep"
    assert lw.StateSpace(recordings.rivers()).coloured_by == "label"


def test_fixed_points_stand_where_their_states_are(cube):
    found = spaces.resting()
    places = np.array([one["at"] for one in cube._fixed])
    np.testing.assert_allclose(places, found["readout"].values, atol=1e-6)
    kinds = [one["kind"] for one in cube._fixed]
    assert {kind: kinds.count(kind) for kind in kinds} == {"stable": 8, "saddle": 12, "slow": 6}
    for one, row in zip(cube._fixed, found["readout"].values, strict=True):
        assert one["unstable"] == (row == 0).sum()
        assert one["readout"] == row.tolist()
        assert one["names"] == ["bit 1", "bit 2", "bit 3"]
        assert ("along" in one) == (0 in row)
        if one["kind"] == "saddle":  # along the edge that it is in the middle of
            share = np.abs(one["along"]) / np.linalg.norm(one["along"])
            np.testing.assert_allclose(share, row == 0, atol=1e-6)


def test_other_layers_have_components_of_their_own():
    recording = recordings.sums()
    projection = lw.project(recording, "lstm", method=np.eye(40)[:3])
    space = lw.StateSpace(recording, projection=projection)
    assert [one["name"] for one in space._space["components"]] == [
        f"direction {i}" for i in (1, 2, 3)
    ]
    space.axes = (1, 2)
    space.layer = "lstm_1"
    assert space._space["layer"] == "lstm_1"
    assert space._space["components"][0]["name"] == "PC 1"
    shares = [one["share"] for one in space._space["components"]]
    assert shares == sorted(shares, reverse=True)
    space.signal = "cell_state"
    assert space._space["signal"] == "cell_state"


def test_axes_that_a_layer_has_not_are_left():
    recording = Recording.from_layers(
        [
            RecordedLayer("wide", "GRU", {"hidden_state": _noise(2, 30, 8)}),
            RecordedLayer("thin", "GRU", {"hidden_state": _noise(2, 30, 1)}),
        ]
    )
    space = lw.StateSpace(recording, axes=(3, 4, 5))
    space.layer = "thin"
    assert space.axes == (0, 1)
    # A single cell: its states lie on a line.
    assert [one["high"] for one in space._space["components"]][1] == 0
    assert space._png()


def _noise(*shape):
    return np.random.default_rng(1).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"axes": (0, 0)}, "axes: expected two or three different ones of 0 to 5"),
        ({"axes": (0, 6)}, "axes: expected two or three different ones of 0 to 5"),
        ({"axes": (0,)}, "which are PC 1, PC 2, PC 3, PC 4, PC 5, PC 6; got (0,)"),
        ({"axes": (0, 1, 2, 3)}, "axes: expected two or three different ones of 0 to 5"),
        ({"axes": ("PC 1", "PC 2")}, "axes: expected two or three different ones of 0 to 5"),
        ({"axes": (0.0, 1.5)}, "axes: expected two or three different ones of 0 to 5"),
        ({"axes": 2}, "expected a tuple, not the int 2"),
        ({"angles": (10.0,)}, "requires 2 elements"),
        ({"coloured_by": "mood"}, "coloured_by: expected one of 'token', 'example'"),
        ({"coloured_by": "label"}, "coloured_by: expected one of 'token', 'example'"),
        ({"trajectories": (0, 2)}, "trajectories: expected 'none', 'selected', 'all'"),
        ({"trajectories": "both"}, "trajectories"),
        ({"selected_timesteps": [(0, 3, 3)]}, "selected_timesteps: expected spans"),
        ({"selected_timesteps": [(2, 0, 1)]}, "of 2 examples with 1059 timesteps"),
        ({"selected_timesteps": [3]}, "selected_timesteps: expected spans"),
    ],
)
def test_what_does_not_fit_is_said(given, told):
    with pytest.raises(traitlets.TraitError, match=re.escape(told)):
        lw.StateSpace(recordings.prose(), **given)


def test_a_projection_of_something_else_is_said():
    other = lw.project(recordings.sums(), "lstm")
    with pytest.raises(ValueError, match="projection: expected positions of 2 examples and 1059"):
        lw.StateSpace(recordings.prose(), projection=other)
    with pytest.raises(TypeError, match=r"projection: expected an xarray.Dataset"):
        lw.StateSpace(recordings.prose(), projection=other["position"].values)
    with pytest.raises(TypeError, match=r"what lw.fixed_points gives, got dict"):
        lw.StateSpace(recordings.prose(), fixed_points={})
    few = spaces.resting().isel(state=slice(2))
    with pytest.raises(ValueError, match="fixed_points: expected those of a layer with 12 cells"):
        lw.StateSpace(spaces.corners(), fixed_points=few)
    positions = lw.project(recordings.prose())
    with pytest.raises(ValueError, match=r"fixed_points: expected what .*a dataset of 'position'"):
        lw.StateSpace(recordings.prose(), fixed_points=positions)
    with pytest.raises(ValueError, match=r"projection: expected what .*a dataset of 'direction'"):
        lw.StateSpace(recordings.prose(), projection=positions[["direction"]])


def test_fixed_points_need_directions():
    found = spaces.resting()
    projection = lw.project(spaces.corners()).drop_vars(["direction", "center"])
    with pytest.raises(ValueError, match="projection: expected one with directions"):
        lw.StateSpace(spaces.corners(), projection=projection, fixed_points=found)


def test_selected_timesteps_are_in_order_and_merged():
    grid = lw.CellGrid(recordings.sums(), selected_timesteps=[(3, 1, 2), (0, 2, 4), (0, 0, 3)])
    assert grid.selected_timesteps == ((0, 0, 4), (3, 1, 2))
    grid.selected_timesteps = ()
    assert grid.view["selected_timesteps"] == ()
    grid.selected_timesteps = [(0, 0, 2), (5, 3, 5)]
    grid.layer = "lstm_1"  # which has two timesteps
    assert grid.selected_timesteps == ((0, 0, 2),)


def test_spans_are_what_they_mark():
    rng = np.random.default_rng(2)
    for _ in range(20):
        spans = [
            (int(rng.integers(3)), *sorted(rng.choice(9, 2, False).tolist())) for _ in range(6)
        ]
        flags = np.zeros((3, 8), bool)
        for example, start, stop in spans:
            flags[example, start:stop] = True
        found = spans_of(spans, {"example": 3, "timestep": 8})
        np.testing.assert_array_equal(marked(found, 3, 8), flags.ravel())
        assert all(a[0] < b[0] or a[2] < b[1] for a, b in itertools.pairwise(found))


def test_turning_is_a_rotation():
    rng = np.random.default_rng(4)
    places = rng.standard_normal((50, 3))
    for angles in ((0.0, 0.0), (30.0, -50.0), (-170.0, 80.0)):
        turned = points.turned(places, angles)
        np.testing.assert_allclose(turned @ turned.T, places @ places.T, atol=1e-12)
    np.testing.assert_allclose(points.turned(places, (0.0, 0.0)), places)


def test_three_axes_of_a_figure_fill_it_and_are_told_beside_their_lines(cube):
    for angles in (points.ANGLES, (0.0, 0.0), (130.0, -60.0)):
        cube.angles = angles
        sheet = cube._sheet(7.2, "light")
        lines = [s.points for s in sheet.strokes if s.colour == sheet.theme.line]
        assert len(lines) == 12
        edges = np.concatenate(lines)
        height = 400 - 2 * 18
        assert np.ptp(edges[:, 1]) > 0.88 * height
        assert np.ptp(edges[:, 1]) < height + 1
        axes = [
            s.points for s in sheet.strokes if s.colour == sheet.theme.muted and len(s.points) == 2
        ]
        names = [word for word in sheet.words if word.text.startswith("bit ")][:3]
        for word, (start, end) in zip(names, axes, strict=True):
            along = np.linspace(start, end, 50)
            width = sheet.text_width(word.text, size=word.size)
            over = (along[:, 0] > word.x) & (along[:, 0] < word.x + width)
            over &= (along[:, 1] > word.y - 0.7 * word.size) & (along[:, 1] < word.y)
            assert not over.any()
    cube.angles = points.ANGLES


def test_a_figure_has_what_is_seen(cube):
    cube.selected_timesteps = [(0, 0, 10)]
    text = _svg(cube, coloured_by="timestep")
    for wanted in ("stable, filled (8)", "saddle, open (12)", "slow, crossed (6)", "selected (10)"):
        assert wanted in text
    assert "bit 1 × bit 2 × bit 3" in text
    cube.selected_timesteps = ()
    flat = _svg(lw.StateSpace(recordings.prose(), tracks=[lw.concepts.vowel]))
    vowels = sum(c in "aeiouAEIOU" for c in recordings.prose()["lstm"]["token"].values.ravel())
    assert f"vowel: yes ({vowels})" in flat
    assert "PC 1 (18 %)" in flat


def _svg(space, **traits):
    for name, value in traits.items():
        setattr(space, name, value)
    return artist.picture(space._sheet(7.2, "light")).file("svg").decode()


@pytest.mark.parametrize(
    "coloured_by", ["token", "label", "example", "timestep", "value", "vowel", "position"]
)
def test_points_of_a_figure_have_the_colours_of_its_legend(coloured_by):
    tracks = {"vowel": lw.concepts.vowel, "position": np.tile(np.arange(5.0), (24, 1))}
    space = lw.StateSpace(
        recordings.sums(), coloured_by=coloured_by, tracks=tracks, trajectories="none"
    )
    sheet = space._sheet(7.2, "light")
    strokes = {stroke.colour for stroke in sheet.strokes if np.isnan(stroke.points).any()}
    assert strokes
    swatches = {tuple(colour) for _, _, fills in sheet.fills for colour in fills.tolist()}
    near = [min(np.abs(np.subtract(one, other)).max() for other in swatches) for one in strokes]
    assert max(near) <= 8, near


def test_many_points_are_drawn_as_how_many_there_are():
    sheet = lw.StateSpace(recordings.long_text(), trajectories="none")._sheet(7.2, "dark")
    dots = [stroke for stroke in sheet.strokes if np.isnan(stroke.points).any()]
    assert not dots
    assert sum(len(boxes) for _, boxes, _ in sheet.fills) > 2000


def test_a_saved_page_has_all_points(tmp_path, monkeypatch):
    monkeypatch.setattr(state_space, "WHOLE_BYTES", 1000)
    space = lw.StateSpace(recordings.prose())
    file = space._file_state()
    assert [part[:2] for part in file.traits["_space"]["held"]][:3] == [
        ["columns", True],
        ["component", 0],
        ["component", 1],
    ]
    size = sum(part[3] for part in file.traits["_space"]["held"])
    assert len(file.traits["_space_values"]) == size
    assert file.missing == []
    space.save_html(tmp_path / "space.html")
    # States that aren't shown have no place in it.
    assert lw.StateSpace(recordings.sums())._file_state().missing == [
        "lstm (cell_state, forget_gate)",
        "lstm_1 (hidden_state, cell_state, forget_gate)",
    ]


def test_nothing_recorded_is_no_error():
    empty = Recording.from_layers([RecordedLayer("gru", "GRU", {"hidden_state": _noise(0, 5, 3)})])
    space = lw.StateSpace(empty)
    assert space._space == {}
    assert space._png()


def test_an_unknown_question_is_answered_with_an_error(cube):
    with pytest.raises(ValueError, match="unknown question 'mood'"):
        ask(cube, ["mood", 1])


def test_it_is_shown_again_by_its_view(cube):
    usual = cube._made["traits"]
    assert (usual["angles"], usual["selected_timesteps"]) == (points.ANGLES, ())
    again = lw.StateSpace(cube.recording, **cube.view)
    assert again.view == cube.view
    assert xr.testing.assert_identical(cube.projection, cube.projection) is None


def test_variants_stand_in_one_space():
    one, other = _two()
    variants = lw.Variants({"before": one, "after": other})
    space = lw.StateSpace(variants)
    together = lw.project(variants, components=6)["position"].values.reshape(2, -1, 6)
    told = space._space["components"]
    for variant, positions in zip(("before", "after"), together, strict=True):
        space.variant = variant
        assert space._space["variant"] == variant
        sent = np.frombuffer(parts(space)["component", "0"], np.float32)
        np.testing.assert_allclose(sent, positions[:, 0], atol=1e-6)
        # Nothing moves but the states.
        assert space._space["components"] == told
    assert told[0]["low"] == together[..., 0].min()
    assert told[0]["high"] == together[..., 0].max()
    alone = lw.project(one)
    with pytest.raises(ValueError, match="projection: expected positions of all variants"):
        lw.StateSpace(variants, projection=alone)
    renamed = lw.project(lw.Variants({"before": one, "later": other}))
    with pytest.raises(ValueError, match=r"of the variants 'before', 'after'.*'before', 'later'"):
        lw.StateSpace(variants, projection=renamed)
    assert space._png()
    assert "the other variants" in space._file_state().missing


def _two():
    states = _noise(2, 30, 8)
    return [
        Recording.from_layers([RecordedLayer("gru", "GRU", {"hidden_state": scale * states})])
        for scale in (np.float32(1), np.float32(3))
    ]


def test_fixed_points_beyond_all_states_are_in_view():
    recording = spaces.corners()
    found = spaces.resting().copy(deep=True)
    found["state"] = 1.5 * found["state"]
    plain = lw.StateSpace(recording)._space["components"]
    shown = lw.StateSpace(recording, fixed_points=found)
    for k, (axis, before) in enumerate(zip(shown._space["components"], plain, strict=True)):
        places = [point["at"][k] for point in shown._fixed]
        low, high = (axis[name] for name in ("low", "high"))
        assert low <= min(places) + 1e-6
        assert high >= max(places) - 1e-6
        assert low <= before["low"] + 1e-9
    found["state"] = 30 * found["state"] + 5  # so far that states would be a dot
    assert lw.StateSpace(recording, fixed_points=found)._space["components"] == plain
