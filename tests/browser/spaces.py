"""States whose geometry is known. A notebook gets this file as a cell, a test imports it: same seed, same values."""

import numpy as np
import xarray as xr

from lstm_widgets.recording import RecordedLayer, Recording

CELLS = 12


def mixing():
    """Give three directions of the states, at right angles: (3, cell)."""
    return np.linalg.qr(np.random.default_rng(3).standard_normal((CELLS, CELLS)))[0][:3]


def bits(examples=24, timesteps=40):
    """Give what a network remembers of three bits: (example, timestep, 3), from -1 to 1."""
    rng = np.random.default_rng(5)
    pulses = rng.choice([-1, 0, 1], (examples, timesteps, 3), p=[0.08, 0.84, 0.08])
    pulses[:, 0] = rng.choice([-1, 1], (examples, 3))
    held, state, known = np.zeros((examples, 3)), np.zeros((examples, 3)), []
    for t in range(timesteps):
        held = np.where(pulses[:, t] != 0, pulses[:, t], held)
        state = state + 0.65 * (held - state)
        known.append(state)
    return np.stack(known, axis=1)


def corners(examples=24, timesteps=40):
    """Make states that go from corner to corner of a cube, as those of a network that remembers three bits."""
    noise = 0.02 * np.random.default_rng(7).standard_normal((examples, timesteps, CELLS))
    states = bits(examples, timesteps) @ mixing() + noise
    layer = RecordedLayer("gru", "GRU", {"hidden_state": states.astype(np.float32)})
    return Recording.from_layers([layer], labels=[f"trial {i}" for i in range(examples)])


def resting():
    """Make what rests in that cube: its corners, on its edges saddles, in the middle of its sides what is slow."""
    grid = np.stack(np.meshgrid(*[[-1.0, 0.0, 1.0]] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    zeros = (grid == 0).sum(axis=1)
    grid, zeros = grid[zeros < 3], zeros[zeros < 3]
    eigenvalues = np.full((len(grid), CELLS), 0.25 + 0.1j)
    eigenvalues[:, :3] = -np.sort(-np.where(grid == 0, 1.75, 0.35), axis=1)
    along = np.where(zeros[:, None] > 0, (grid == 0).astype(float), np.nan)
    return xr.Dataset(
        {
            "state": (("point", "state"), grid @ mixing()),
            "eigenvalue": (("point", "state"), eigenvalues),
            "speed": (("point",), np.where(zeros == 2, 1e-4, 1e-12)),
            "stable": (("point",), zeros == 0),
            "fixed": (("point",), zeros != 2),
            "readout": (("point", "channel"), grid),
            "unstable_direction": (("point", "state"), along @ mixing()),
            "count": (("point",), np.arange(len(grid)) + 3),
        },
        {
            "signal": ("state", ["hidden_state"] * CELLS),
            "cell": ("state", np.arange(CELLS)),
            "channel": ["bit 1", "bit 2", "bit 3"],
        },
        {"layer": "gru"},
    )


def axes_of_the_cube():
    """Give the three bits as directions, by their names."""
    names = ["bit 1", "bit 2", "bit 3"]
    return xr.DataArray(mixing(), {"component": names}, ("component", "cell"))
