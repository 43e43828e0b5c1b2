"""What two recordings have to have in common to be the same."""

from __future__ import annotations


def expect_same(expected, got):
    """Hold all of a recording against another: values, tokens, masks, and what is known of them."""
    assert got.layers == expected.layers
    for name in expected.layers:
        ours, theirs = expected[name], got[name]
        assert list(theirs.data_vars) == list(ours.data_vars)
        assert list(theirs.coords) == list(ours.coords)
        assert theirs.equals(ours), name
        assert theirs.attrs == ours.attrs
    for what in ("predictions", "inputs", "outputs", "targets"):
        ours, theirs = getattr(expected, what), getattr(got, what)
        assert (theirs is None) == (ours is None), what
        assert ours is None or theirs.equals(ours), what
    assert got.tree.attrs == expected.tree.attrs
