"""What is written to a file stands there, whichever way it takes to the disk."""

import errno
import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lstm_widgets.recording.store import files

SIZES = st.one_of(
    st.integers(0, 3),
    st.builds(
        int.__add__, st.sampled_from([1 << 12, 1 << 18, (1 << 18) + (1 << 12)]), st.integers(-2, 2)
    ),
)
BYTES = np.random.default_rng(0).bytes(1 << 20)


@given(st.lists(SIZES, min_size=1, max_size=3))
def test_parts_stand_one_behind_the_other(tmp_path_factory, sizes):
    path = tmp_path_factory.getbasetemp() / "parts"
    parts = [BYTES[k : k + size] for k, size in enumerate(sizes)]
    files.write(path, *parts)
    assert path.read_bytes() == b"".join(parts)


@pytest.mark.parametrize("written", [0, 1 << 12, None])
def test_what_a_disk_does_not_take_directly_is_written_as_usual(tmp_path, monkeypatch, written):
    write = os.write

    def some(handle, content):
        if written is None:
            raise OSError(errno.EINVAL, "Invalid argument")
        return write(handle, content[:written])

    monkeypatch.setattr(os, "write", some)
    files.write(tmp_path / "c", BYTES, b"and more")
    assert (tmp_path / "c").read_bytes() == BYTES + b"and more"


def test_a_shorter_file_has_nothing_of_a_longer_one_before(tmp_path):
    for size in ((1 << 19) + 5, (1 << 18) + 7, 5):
        files.write(tmp_path / "c", BYTES[:size])
        assert (tmp_path / "c").read_bytes() == BYTES[:size]
