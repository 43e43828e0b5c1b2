"""Products and work in blocks: the same as without."""

import threading

import numpy as np
import pytest

from lstm_widgets import parallel
from lstm_widgets.parallel import in_blocks, product

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("rows", "inner", "columns"),
    [(0, 3, 4), (1, 300, 700), (7, 1, 1), (251, 65, 130), (33, 700, 90), (20, 3, 9000), (5, 0, 6)],
)
def test_products_are_those_of_numpy(rows, inner, columns, dtype):
    a = RNG.normal(size=(rows, 2 * inner)).astype(dtype)[:, ::2]
    b = RNG.normal(size=(inner, columns)).astype(dtype)
    found = product(a, b)
    assert found.dtype == dtype
    np.testing.assert_allclose(found, a @ b, atol=1e-3 if dtype == np.float32 else 1e-11)


@pytest.mark.parametrize("examples", [0, 1, 5, 300, 4097])
@pytest.mark.parametrize("width", [1, 100, 1 << 17])
def test_every_example_is_in_one_block(monkeypatch, examples, width):
    monkeypatch.setattr(parallel, "cpus", lambda: 2)
    parts = in_blocks(lambda some: np.arange(examples)[some], examples, width)
    np.testing.assert_array_equal(np.concatenate(parts), np.arange(examples))


def test_large_blocks_run_in_threads_and_errors_arrive():
    seen = set(in_blocks(lambda _: threading.get_ident(), 10_000, 100))
    assert threading.get_ident() not in seen
    assert in_blocks(lambda _: threading.get_ident(), 3, 100) == [threading.get_ident()]
    with pytest.raises(ZeroDivisionError):
        in_blocks(lambda _: 1 / 0, 10_000, 100)
