"""The compiled loop against the equations, step by step from given states, and its activations.

The weights, inputs and states of the property test are multiples of 1/16 and small, so that their sums
are exact in float32 in any order: what is left to differ is what the loop makes of the sums.
"""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lstm_widgets.rnn import compiled, compiling, fit_activations, parallel
from lstm_widgets.rnn import compiled_activations as ours
from lstm_widgets.rnn.activations import ACTIVATIONS
from lstm_widgets.rnn.cells import KINDS, Cell
from lstm_widgets.rnn.compiled_activations import CODES, activate
from lstm_widgets.rnn.numpy_loop import take_step

NAMES = sorted(map(str, CODES))
SPECIAL = [np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-45, -1e-45, 1e-39, -3e-39, 3e38, -3e38]
POINTS = np.concatenate([np.linspace(-20, 20, 40_001), np.linspace(-120, 120, 2001), SPECIAL])


THREADS = ThreadPoolExecutor(3)


def applied(name, x):
    """Apply a compiled activation to an array of one axis."""
    row = x.copy()[None, None, None]
    activate(CODES[name], row, np.uintp(0), np.uintp(0), np.uintp(0))
    return row[0, 0, 0]


def expect_close(found, expected, slack=0.0):
    """1e-6 absolute, and 1e-5 relative above 1e-4; in float64 1e-12. NaN and infinities alike."""
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(np.isnan(found), np.isnan(expected))
    finite = np.isfinite(expected)
    infinite = np.isinf(expected)
    np.testing.assert_array_equal(found[infinite], expected[infinite])
    slack = np.nan_to_num(np.broadcast_to(slack, expected.shape), nan=0.0)[finite]
    found, expected = found[finite].astype(np.float64), expected[finite].astype(np.float64)
    size = np.abs(expected)
    allowed = np.where(size > 1e-4, 1e-5 * size, 1e-6)
    if slack.dtype == np.float64:
        allowed = 1e-12 * np.maximum(1, size)
    assert (np.abs(found - expected) <= allowed + slack).all()


def test_every_activation_but_those_on_whole_layers_is_compiled():
    assert set(CODES) == set(ACTIVATIONS)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", NAMES)
def test_activations_on_all_kinds_of_numbers(name, dtype):
    x = POINTS.astype(dtype)
    with np.errstate(all="ignore"):
        expected = ACTIVATIONS[name].function(x.astype(np.float64)).astype(dtype)
    if name in ("silu", "gelu", "mish", "hard_silu"):  # minus infinity times zero
        x, expected = x[~np.isinf(x)], expected[~np.isinf(x)]
    expect_close(applied(name, x), expected, np.zeros((), dtype))


def test_gates_that_are_open_are_exactly_so():
    assert applied("sigmoid", np.zeros(1, np.float32))[0] == 0.5
    assert applied("sigmoid", np.full(1, 40, np.float32))[0] == 1
    assert np.abs(applied("tanh", np.linspace(-30, 30, 9999).astype(np.float32))).max() == 1


def test_the_coefficients_are_those_that_the_script_fits():
    np.testing.assert_array_equal(ours.EXP, fit_activations.exp_coefficients().astype(np.float32))
    x = np.linspace(1e-3, 9, 10_000).astype(np.float32)
    p, q = fit_activations.tanh_coefficients()
    for coefficients, fitted in ((ours.TANH_ABOVE, p), (ours.TANH_BELOW, q)):
        values = fit_activations.polynomial(coefficients, x * x)
        np.testing.assert_allclose(values, fit_activations.polynomial(fitted, x * x), rtol=1e-4)


@st.composite
def cases(draw):
    kind = draw(st.sampled_from(["GRU", "LSTM", "SimpleRNN"]))
    rng = np.random.default_rng(draw(st.integers(0, 2**20)))
    dtype = draw(st.sampled_from(["float32", "float64"]))
    examples, timesteps = draw(st.integers(1, 5)), draw(st.integers(1, 7))
    features, units = draw(st.integers(1, 6)), draw(st.integers(1, 40))
    width = KINDS[kind].gates * units
    reset_after = kind == "GRU" and draw(st.booleans())
    scale = draw(st.sampled_from([1, 4, 16]))

    def some(*shape):
        return (rng.integers(-4 * scale, 4 * scale + 1, shape) / 16).astype(dtype)

    bias = some(2, width) if reset_after else some(width)
    cell = Cell(
        *(kind, some(features, width), some(units, width), bias if draw(st.booleans()) else None),
        activation_names=(draw(st.sampled_from(NAMES)), draw(st.sampled_from(NAMES))),
        reset_after=reset_after,
    )
    x = some(examples, timesteps, features)
    special = draw(st.sampled_from([None, None, *SPECIAL[:-2]]))
    if special is not None:
        x[rng.random(x.shape) < 0.2] = special
    mask = rng.random((examples, timesteps)) < 0.7 if draw(st.booleans()) else None
    held = None
    if draw(st.booleans()):
        held = {
            name: (rng.random((examples, units)) < 0.3, rng.normal(size=(examples, units)))
            for name in KINDS[kind].signals
            if rng.random() < 0.6
        }
    return cell, x, mask, held, some(2, examples, units), draw(st.booleans())


@settings(max_examples=120, deadline=None)
@given(cases(), st.sampled_from([1, 1 << 17]), st.integers(1, 3), st.sampled_from([1, 1 << 15]))
def test_each_step_is_what_the_equations_say(case, ahead, threads, shared):
    cell, x, mask, held, first, reverse = case
    kind, dtype = KINDS[cell.kind], x.dtype
    examples, timesteps, _ = x.shape
    out = {name: np.empty((examples, timesteps, cell.units), dtype) for name in kind.signals}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiled, "_AHEAD", ahead)
        patch.setattr(compiled, "_THREAD_WORK", 1)
        patch.setattr(compiled, "cpus", lambda: threads)
        patch.setattr(parallel, "cpus", lambda: threads)
        patch.setattr(parallel, "_threads", lambda: THREADS)
        patch.setattr(compiled, "_SHARED_WEIGHTS", shared)
        patch.setattr(compiled, "_TOGETHER", 1)
        ended = compiled.scan(
            cell, x, list(first[: kind.states]), mask, out, reverse=reverse, held=held
        )
    plain = cell.in_numpy()

    def hold(name, values):
        if not held or name not in held:
            return values
        which, to = held[name]
        return np.where(which, to.astype(dtype), values)

    def values_of(t, state, nudge=0.0):
        return dict(zip(kind.signals, take_step(plain, x[:, t], state, nudge, hold), strict=True))

    before = [s.astype(dtype) for s in first[: kind.states]]
    times = list(reversed(range(timesteps)) if reverse else range(timesteps))
    for t in times:
        expected = values_of(t, before)
        sizes = [np.abs(v[np.isfinite(v)]).max(initial=0) for v in expected.values()]
        if max(sizes) > 1e12:
            return  # on the way to overflow, where the last digit decides what is infinite
        # Sums of what is no multiple of 1/16 are rounded, in whichever order.
        rounding = 8 * np.finfo(dtype).eps
        moved = [values_of(t, before, nudge) for nudge in (rounding, -rounding)]
        for k, (name, value) in enumerate(expected.items()):
            with np.errstate(all="ignore"):
                slack = sum(np.abs(other[name] - value) for other in moved)
                slack += rounding * moved_by_sum(cell.kind, name, expected, before, plain)
            is_exact = t == times[0] and cell.kind != "GRU" and k >= kind.states
            found, slack = out[name][:, t], np.zeros((), dtype) if is_exact else slack
            rows = slice(None)
            if mask is not None and k < kind.states:
                rows = mask[:, t]
                np.testing.assert_array_equal(found[~rows], before[k][~rows])
            expect_close(found[rows], value[rows], np.broadcast_to(slack, value.shape)[rows])
        before = [out[name][:, t] for name in kind.signals[: kind.states]]
    for state, last in zip(ended, before, strict=True):
        np.testing.assert_array_equal(state, last)


def moved_by_sum(kind, name, values, before, cell):
    """How far a state moves if the sum that it comes from is rounded: in units of that rounding."""
    if kind == "LSTM" and name in ("cell_state", "hidden_state"):
        size = np.abs(values["forget_gate"] * before[1])
        size = size + np.abs(values["input_gate"] * values["candidate"])
        if name == "cell_state":
            return size
        # Activations here have slopes of at most some, but for the exponential function.
        state = values["cell_state"]
        slope = 2 + np.abs(np.exp(np.minimum(state, 80)) if cell.activation is np.exp else 0)
        return np.abs(values["output_gate"]) * slope * size
    if kind == "GRU" and name == "hidden_state":
        update = values["update_gate"]
        # One less the gate is known no better than the gate itself.
        rest = np.abs(update) + np.abs(1 - update)
        return np.abs(update * before[0]) + rest * np.abs(values["candidate"])
    return 0 * values[name]


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "SimpleRNN"])
@pytest.mark.parametrize("units", [50, 100, 128])
def test_units_that_are_shared_out_do_what_all_do_together_to_the_bit(monkeypatch, kind, units):
    rng = np.random.default_rng(0)
    width, timesteps = KINDS[kind].gates * units, 1000
    cell = Cell(
        *(kind, *(rng.normal(size=s).astype(np.float32) / 9 for s in ((3, width), (units, width)))),
        rng.normal(size=(2, width) if kind == "GRU" else width).astype(np.float32),
        *(None, None, ("tanh", "sigmoid"), kind == "GRU"),
    )
    x = rng.normal(size=(1, timesteps, 3)).astype(np.float32)
    initial = [np.zeros((1, units), np.float32)] * KINDS[kind].states
    made = []
    monkeypatch.setattr(parallel, "_threads", lambda: THREADS)
    monkeypatch.setattr(compiled, "_SHARED_WEIGHTS", 1)
    for threads in (1, 2, 3):
        for module in (compiled, parallel):
            monkeypatch.setattr(module, "cpus", lambda n=threads: n)
        out = {name: np.empty((1, timesteps, units), np.float32) for name in KINDS[kind].signals}
        compiled.scan(cell, x, initial, None, out)
        made.append(out)
    with parallel.one_thread():  # as in a worker of a cluster, whatever processors there are
        out = {name: np.empty((1, timesteps, units), np.float32) for name in KINDS[kind].signals}
        compiled.scan(cell, x, initial, None, out)
        made.append(out)
    for name, values in made[0].items():
        for other in made[1:]:
            assert other[name].tobytes() == values.tobytes()


def test_nobody_waits_for_a_thread_that_has_failed(monkeypatch):
    cell = Cell(
        *("SimpleRNN", *(np.ones(s, np.float32) for s in ((1, 4), (4, 4))), None),
        activation_names=("tanh", "tanh"),
    )
    for module in (compiled, parallel):
        monkeypatch.setattr(module, "cpus", lambda: 2)
    monkeypatch.setattr(parallel, "_threads", lambda: THREADS)
    monkeypatch.setattr(compiled, "_SHARED_WEIGHTS", 1)
    monkeypatch.setattr(compiled, "_TOGETHER", 1)
    own = compiled._scan_block

    def fails_in_the_second(share, *arguments, **named):
        if share.units.start:
            raise MemoryError
        return own(share, *arguments, **named)

    monkeypatch.setattr(compiled, "_scan_block", fails_in_the_second)
    x = np.ones((1, 100_000, 1), np.float32)
    with pytest.raises(MemoryError):
        compiled.scan(cell, x, [np.zeros((1, 4), np.float32)], None, {})


def test_only_what_is_asked_for_is_kept_in_any_layout():
    rng = np.random.default_rng(0)
    cell = Cell(
        *("LSTM", *(rng.normal(size=s).astype(np.float32) for s in ((3, 16), (4, 16), (16,)))),
        activation_names=("tanh", "sigmoid"),
    )
    x = rng.normal(size=(3, 5, 3)).astype(np.float32)
    zeros = [np.zeros((3, 4), np.float32)] * 2
    whole = {name: np.empty((3, 5, 4), np.float32) for name in KINDS["LSTM"].signals}
    compiled.scan(cell, x, zeros, None, whole)
    turned = np.full((4, 5, 3), 7.0).T.swapaxes(1, 1)
    compiled.scan(cell, x, zeros, None, {"candidate": turned})
    np.testing.assert_array_equal(turned.astype(np.float32), whole["candidate"])


def test_weights_that_may_not_be_written_to_need_no_other_loop():
    weights = [np.ones(s, np.float32) for s in ((3, 5), (5, 5), (5,))]
    cells = [Cell("SimpleRNN", *weights, activation_names=("tanh", "tanh"))]
    for w in weights:
        w.flags.writeable = False
    cells.append(Cell("SimpleRNN", *weights, activation_names=("tanh", "tanh")))
    x, counts = np.ones((2, 2, 3), np.float32), []
    for cell in cells:
        compiled.scan(cell, x, [np.zeros((2, 5), np.float32)], None, {})
        counts.append(len(compiled._LOOPS["SimpleRNN"].signatures))
    assert counts[0] == counts[1]


# What is kept of it -------------------------------------------------------------------------------


def test_compiled_code_is_only_kept_where_nobody_else_can_write(tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(folder))
    assert compiling.cache_folder() == folder.resolve()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "other"))
    if not hasattr(os, "getuid"):
        return
    for mode in (0o770, 0o702, 0o777):
        folder.chmod(mode)
        assert not compiling.is_private(folder)
        assert not compiling.is_private(folder / ".." / folder.name)
        below = folder / "below"
        below.mkdir(mode=0o700, exist_ok=True)
        assert not compiling.is_private(below)
        assert compiling.cache_folder() is None
    folder.chmod(0o1777)  # as /tmp: what is below can't be replaced by others
    assert compiling.is_private(below)
    assert not compiling.is_private(folder)


SCRIPT = """
import numpy as np
from lstm_widgets.rnn.cells import Cell
from lstm_widgets.rnn.scan import scan
weights = [np.ones(s, np.float32) for s in ((2, 3), (3, 3), (3,))]
cell = Cell("SimpleRNN", *weights, activation_names=("linear", "linear"))
out = {"hidden_state": np.empty((1, 2, 3), np.float32)}
for _ in range(2):
    scan(cell, np.ones((1, 2, 2), np.float32), [np.zeros((1, 3), np.float32)], None, out)
print(out["hidden_state"].tolist())
"""


def test_it_is_said_once_that_something_is_compiled(tmp_path):
    shut = tmp_path / "shut"
    shut.mkdir()
    shut.chmod(0o777)
    for folder, told in ((tmp_path / "cache", (1, 0)), (shut, (1, 1))):
        environment = os.environ | {"NUMBA_CACHE_DIR": str(folder), "XDG_CACHE_HOME": str(folder)}
        for times in told:
            done = subprocess.run(
                [sys.executable, "-c", SCRIPT],
                env=environment,
                capture_output=True,
                text=True,
                check=True,
            )
            assert done.stdout.strip() == str([[[3.0] * 3, [12.0] * 3]])
            assert done.stderr.count("compiles its recurrent loops") == times
    assert not list(shut.rglob("*.nb?"))


def test_recordings_in_two_threads_are_right():
    rng = np.random.default_rng(0)
    weights = [(rng.normal(size=s) / 9).astype(np.float32) for s in ((8, 256), (64, 256), (256,))]
    cell = Cell("LSTM", *weights, activation_names=("tanh", "sigmoid"))
    inputs = [rng.normal(size=(n, 90, 8)).astype(np.float32) for n in (1, 40, 3, 64)]

    def run(x):
        out = {"hidden_state": np.empty((*x.shape[:2], 64), np.float32)}
        compiled.scan(cell, x, [np.zeros((len(x), 64), np.float32)] * 2, None, out)
        return out["hidden_state"]

    expected, found = [run(x) for x in inputs], [None] * len(inputs)

    def work(k):
        for _ in range(5):
            found[k] = run(inputs[k])

    threads = [threading.Thread(target=work, args=(k,)) for k in range(len(inputs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one, other in zip(expected, found, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)
