"""Errors of the package: one base class, and still the built-in errors that they are."""

from __future__ import annotations

import inspect

import pytest

import lstm_widgets as lw


def test_every_error_has_the_one_base_and_a_built_in_one() -> None:
    for name in lw.errors.__all__:
        error = getattr(lw.errors, name)
        assert getattr(lw, name) is error
        assert issubclass(error, lw.errors.LstmWidgetsError)
        if error is not lw.errors.LstmWidgetsError:
            assert issubclass(error, ValueError | KeyError | RuntimeError)


def test_all_of_them_are_public() -> None:
    members = inspect.getmembers(lw.errors, inspect.isclass)
    classes = {name for name, one in members if one.__module__ == lw.errors.__name__}
    assert classes == set(lw.errors.__all__)


def test_a_missing_layer_shows_its_message_and_not_the_repr_of_it() -> None:
    with pytest.raises(KeyError) as caught:
        raise lw.LayerNotFoundError("layer: expected 'lstm', got 'x'")
    assert str(caught.value) == "layer: expected 'lstm', got 'x'"
