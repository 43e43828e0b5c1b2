"""The self-check of PyTorch modules is sharp: each convention that goes wrong silently is told."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_sequence

import lstm_widgets as lw
from lstm_widgets.errors import SelfCheckError
from lstm_widgets.models.torch import loops, run
from lstm_widgets.models.torch.layers import Found


@pytest.fixture
def misread(monkeypatch):
    """Let cells be read wrongly."""

    def wrongly(change):
        read = loops.read_cell
        monkeypatch.setattr(loops, "read_cell", lambda *given: change(read(*given)))

    return wrongly


def swapped(weights, first, second, gates):
    """Swap two gates along the last axis."""
    parts = np.split(weights, gates, axis=-1)
    parts[first], parts[second] = parts[second], parts[first]
    return np.concatenate(parts, axis=-1)


def told(module, inputs, check="prefix"):
    with pytest.raises(SelfCheckError):
        lw.record(module, inputs, check=check)


def make(kind, **settings):
    torch.manual_seed(0)
    return kind(3, 4, batch_first=True, **settings), torch.randn(2, 12, 3)


@pytest.mark.parametrize(("kind", "gates"), [(nn.LSTM, 4), (nn.GRU, 3)])
@pytest.mark.parametrize(("first", "second"), [(0, 1), (1, 2), (0, 2)])
def test_a_wrong_order_of_gates(misread, kind, gates, first, second):
    misread(lambda cell: cell.changed(lambda w: swapped(w, first, second, gates)))
    told(*make(kind))


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
def test_input_and_recurrent_weights_of_different_gates(misread, kind):
    gates = 4 if kind is nn.LSTM else 3
    misread(lambda c: replace(c, recurrent_kernel=swapped(c.recurrent_kernel, 0, 1, gates)))
    told(*make(kind))


def test_an_update_gate_of_the_opposite_sense(misread):
    def opposite(cell):
        def change(weights):
            return np.concatenate([-weights[..., :4], weights[..., 4:]], axis=-1)

        return cell.changed(change)

    misread(opposite)
    told(*make(nn.GRU))


def test_the_two_biases_of_a_candidate_the_wrong_way_round(misread):
    def change(cell):
        bias = cell.bias.copy()
        bias[:, 8:] = bias[::-1, 8:]
        return replace(cell, bias=bias)

    misread(change)
    told(*make(nn.GRU))


@pytest.mark.parametrize("kind", [nn.LSTM, nn.RNN])
def test_one_of_two_biases_alone(misread, kind):
    module, x = make(kind)
    misread(lambda cell: replace(cell, bias=module.bias_ih_l0.detach().numpy()))
    told(module, x)


def test_a_wrong_direction(monkeypatch):
    monkeypatch.setattr(Found, "go_backwards", property(lambda _: False))
    told(*make(nn.LSTM, bidirectional=True))


def test_a_wrong_nonlinearity(misread):
    misread(lambda cell: replace(cell, activation_names=("tanh", "sigmoid")))
    told(*make(nn.RNN, nonlinearity="relu"))


@pytest.mark.parametrize("change", [lambda p: -p, lambda p: p[::-1], lambda p: p[:, ::-1]])
def test_a_wrong_projection(misread, change):
    misread(lambda cell: replace(cell, projection=change(cell.projection)))
    told(*make(nn.LSTM, proj_size=2))


def test_hidden_and_cell_state_of_a_projection_mixed_up(misread):
    # As wide as the cells: nothing but the numbers tells.
    misread(lambda cell: replace(cell, projection=np.eye(4, dtype=np.float32)))
    module, x = make(nn.LSTM, proj_size=3)
    with torch.no_grad():
        module.weight_hr_l0.copy_(torch.eye(4)[:3])
    misread(lambda cell: replace(cell, projection=np.eye(4, dtype=np.float32)[:, [1, 0, 2]]))
    told(module, x)


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
def test_a_wrong_order_of_what_is_packed(monkeypatch, kind):
    monkeypatch.setattr(loops, "_order", lambda _, count: np.arange(count))
    module, _ = make(kind)
    packed = pack_sequence([torch.randn(n, 3) for n in (2, 5, 3)], enforce_sorted=False)
    told(module, packed, check="full")


def test_what_is_right_passes():
    for kind in (nn.LSTM, nn.GRU, nn.RNN):
        lw.record(*make(kind, bidirectional=True), check="full")


@pytest.mark.parametrize("precision", ["tf32", "ieee", "none"])
def test_cudnn_rounds_nothing_meanwhile_and_that_is_said(monkeypatch, precision):
    module, x = nn.LSTM(3, 4), torch.randn(5, 2, 3)
    settings, name, exact = run._precision()
    if name == "allow_tf32":
        precision = precision == "tf32"
    seen = []
    module.register_forward_hook(lambda *_: seen.append(getattr(settings, name)))
    monkeypatch.setattr(settings, name, precision)
    before = getattr(settings, name)
    lw.record(module, x)  # on the CPU there is nothing to say
    monkeypatch.setattr(run, "rounds_products", lambda _: True)
    with pytest.warns(UserWarning, match="cuDNN multiplies float32 as such"):
        lw.record(module, x)
    assert set(seen) == {exact}
    assert getattr(settings, name) == before


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast_is_off_meanwhile_and_that_is_said(dtype):
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(3, 3), nn.LSTM(3, 4, batch_first=True))
    x = torch.randn(2, 9, 3)
    plain = lw.record(module, x)
    with torch.autocast("cpu", dtype=dtype):
        with pytest.warns(UserWarning, match="torch.autocast is off"):
            recording = lw.record(module, x)
        assert torch.is_autocast_enabled("cpu")
        assert module(x)[0].dtype == dtype
    np.testing.assert_array_equal(recording["1"]["cell_state"], plain["1"]["cell_state"])
