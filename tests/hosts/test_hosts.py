"""Every public widget in every host: painted, moved from both sides, readable, and asking nobody else."""

from __future__ import annotations

import pytest
from host import FOLLOWED, NAMES, root_of
from lab import eventually
from looks import control_of, faint, painted
from samples import LARGE, WIDGETS

import lstm_widgets as lw

PALETTES = ("RdBu_r", "berlin")


def test_every_public_widget_has_a_sample():
    public = {name for name in lw.__all__ if hasattr(getattr(lw, name), "_esm")}
    assert public == set(WIDGETS)


def of(name):
    """Give what a sample's widget is called in Python."""
    return f"shown[{name!r}].widget"


def another(control, trait, value):
    """Give a value beside the one that a trait has."""
    if trait == "palette":
        return next(each for each in PALETTES if each != value)
    return value + 1 if value < control.evaluate("e => Number(e.max)") else value - 1


@pytest.mark.parametrize("name", NAMES)
def test_it_is_painted(host, name):
    root = root_of(host, name)

    eventually(lambda: painted(root), True)


@pytest.mark.parametrize("name", NAMES)
def test_a_slider_moves_python(host, name):
    control, trait = control_of(root_of(host, name))
    before = host.value(f"{of(name)}.{trait}")
    control.focus()
    after = another(control, trait, before)
    if trait == "palette":
        control.select_option(after)
    else:
        control.press("ArrowRight" if after > before else "ArrowLeft")
    eventually(lambda: host.value(f"{of(name)}.{trait}"), after)


@pytest.mark.parametrize("name", NAMES)
def test_python_moves_the_page(host, name):
    root = root_of(host, name)
    control, trait = control_of(root)
    before = host.value(f"{of(name)}.{trait}")
    after = another(control, trait, before)
    paints = int(root.get_attribute("data-paints"))
    host.run(f"{of(name)}.{trait} = {after!r}")
    eventually(control.input_value, str(after))
    eventually(lambda: int(root.get_attribute("data-paints")) > paints, True)


def test_what_follows_a_widget_follows_the_page(host):
    """In marimo, a cell that reads a value of it runs again."""
    control = root_of(host, FOLLOWED).locator("[data-control='cell']")
    for key in ("End", "ArrowLeft"):
        control.press(key)
        eventually(host.following, f"cell {control.input_value()}")


def test_the_kernel_brings_values_that_are_asked_for(host):
    root = root_of(host, LARGE)
    host.run(f"{of(LARGE)}.timestep = 31_111; {of(LARGE)}.cell = 40")
    eventually(lambda: "hidden_state −3.0000" in root.locator(".lw-status").inner_text(), True)
    assert root.locator(".lw-notice").inner_text() == ""


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_can_be_read(host, theme):
    host.theme(theme)
    found = {}
    for name in NAMES:
        root = root_of(host, name)
        ground = host.ground(name, theme)
        eventually(lambda root=root: root.get_attribute("data-theme"), ground)
        found[name] = faint(root, ground)
    assert found == {name: {} for name in NAMES}


def test_nothing_of_ours_asks_the_network(host):
    for name in NAMES:
        root_of(host, name)
    assert [url for url in host.watched.outside if not url.startswith(host.own)] == []
    assert host.watched.errors == []
