"""What every test shares: a quiet TensorFlow on the CPU, hypothesis without deadlines."""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import settings

# Before anything imports TensorFlow.
os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ["MPLBACKEND"] = "agg"

# A shared machine is slow at times, which says nothing about the code. CI tries the same cases
# every time, so that a red run is due to its change; elsewhere new ones are tried.
settings.register_profile("here", deadline=None, print_blob=True)
settings.register_profile("ci", deadline=None, print_blob=True, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "here")

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def root() -> Path:
    """Return the folder of the checkout."""
    return ROOT


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Let all random numbers start anew, so that no test depends on those before it."""
    generator = getattr(getattr(item, "module", None), "RNG", None)
    if generator is not None:
        generator.bit_generator.state = np.random.default_rng(0).bit_generator.state
    # Keras draws the seeds of its initializers from Python's own.
    random.seed(0)
    if keras := sys.modules.get("keras"):
        keras.utils.set_random_seed(0)


@pytest.fixture(autouse=True)
def nothing_stays() -> Iterator[None]:
    """Close the widgets that a test leaves: a page that ipywidgets writes has all there are in it."""
    widgets = _widgets()
    before = set(widgets)
    yield
    for name in set(_widgets()) - before:
        if widget := _widgets().get(name):  # it may go with another
            widget.close()


def _widgets() -> dict[str, Any]:
    module = sys.modules.get("ipywidgets.widgets.widget")
    if module is None:
        return {}
    # ipywidgets 7 has them in another place.
    return module._instances if hasattr(module, "_instances") else module.Widget.widgets


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Run one Chromium for all tests that need a page."""
    from lab import launch  # noqa: PLC0415 - most tests need none

    with launch() as running:
        yield running


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the slow browser tests last: they start servers, and an event loop that stays."""
    order = ("tests", "browser", "hosts")
    items.sort(key=lambda item: order.index(item.path.parent.name))
