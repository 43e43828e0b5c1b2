"""Flip-flops: bits are the last pulses, and a network learns to hold them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lstm_widgets.datasets import flip_flop


@settings(max_examples=25, deadline=None)
@given(
    trials=st.integers(1, 5),
    timesteps=st.integers(1, 30),
    bits=st.integers(1, 4),
    rate=st.floats(0, 1),
    seed=st.integers(0, 1000),
)
def test_bits_are_the_last_pulses(trials, timesteps, bits, rate, seed):
    pulses, held = flip_flop.generate(trials, timesteps=timesteps, bits=bits, rate=rate, seed=seed)
    assert pulses.shape == held.shape == (trials, timesteps, bits)
    assert pulses.dtype == held.dtype == np.float32
    assert set(np.unique(pulses)) <= {-1.0, 0.0, 1.0}
    last = np.zeros((trials, bits))
    for timestep in range(timesteps):
        now = pulses[:, timestep]
        last = np.where(now != 0, now, last)
        np.testing.assert_array_equal(held[:, timestep], last)
    assert (pulses[:, 0] != 0).all()


def test_pulses_come_at_the_rate_and_either_way():
    pulses, _ = flip_flop.generate(200, timesteps=200, rate=0.2, seed=3)
    later = pulses[:, 1:]
    assert (later != 0).mean() == pytest.approx(0.2, abs=0.005)
    assert later.mean() == pytest.approx(0, abs=0.005)


def test_the_same_seed_draws_the_same():
    first, again = (flip_flop.generate(3, seed=5) for _ in range(2))
    np.testing.assert_array_equal(first.pulses, again.pulses)
    assert not np.array_equal(first.pulses, flip_flop.generate(3, seed=6).pulses)


def test_what_is_asked_for_is_checked():
    with pytest.raises(ValueError, match="rate: expected a probability"):
        flip_flop.generate(1, rate=1.5, seed=0)
    with pytest.raises(ValueError, match="bits"):
        flip_flop.generate(1, bits=0, seed=0)
    with pytest.raises(ValueError, match="kind: expected one of 'LSTM', 'GRU', 'SimpleRNN'"):
        flip_flop.build_model(kind="lstm")


@pytest.mark.parametrize("kind", flip_flop.KINDS)
def test_a_network_learns_to_hold_one_bit(kind):
    trials = flip_flop.generate(256, timesteps=24, bits=1, seed=1)
    model = flip_flop.build_model(kind=kind, cells=8, bits=1, seed=1)
    losses = flip_flop.train(model, trials, epochs=40, batch_size=32, seed=1)
    assert losses[-1] < 0.1 * losses[0]
    unseen = flip_flop.generate(32, timesteps=48, bits=1, seed=2)
    assert (np.sign(model.predict(unseen.pulses, verbose=0)) == unseen.bits).mean() > 0.95
