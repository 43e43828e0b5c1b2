"""Machines that wear out: what their sensors say, and how many cycles they have left.

Each machine runs cycle after cycle, now under a higher and now under a lower load, until its damage
reaches 1. Every cycle adds damage, far more under a high load, and by how much differs from machine
to machine. The damage itself is hidden: sensors show it late, and through noise. To tell early how
long a machine will last, a network has to count, and to count heavy cycles for more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from lstm_widgets.checks import expect_whole

if TYPE_CHECKING:
    import keras
    import numpy.typing as npt

__all__ = ["SENSORS", "UNITS", "Arrays", "arrays", "build_model", "generate", "train"]

#: What is measured in each cycle.
SENSORS = ("load", "temperature", "vibration", "pressure")
#: The unit of each column.
UNITS = {
    "load": "%",
    "temperature": "°C",
    "vibration": "mm/s",
    "pressure": "bar",
    "damage": "",
    "remaining": "cycles",
}

_USUAL_LOAD = 75.0  # in %
_USUAL_LIFE = 80.0  # in cycles, under the usual load
_EXPONENT = 3.0


class Arrays(NamedTuple):
    """Machines as a network reads them: all as long as the longest, filled up at the end.

    Attributes
    ----------
    sensors : float32 array (machine, cycle, sensor)
        float32 ``(machine, cycle, sensor)`` in units of :data:`UNITS`, NaN after the last cycle.
    remaining : float32 array (machine, cycle)
        float32 ``(machine, cycle)``: cycles left, NaN after the last one.
    damage : float32 array (machine, cycle)
        float32 ``(machine, cycle)``, NaN after the last cycle.
    names : list of str
        ``"machine 0"``, ...
    """

    sensors: npt.NDArray[np.float32]
    remaining: npt.NDArray[np.float32]
    damage: npt.NDArray[np.float32]
    names: list[str]


def generate(machines: int, *, seed: int) -> pd.DataFrame:
    """Run machines until they break.

    A cycle under a load adds ``(load / 75 %) ^ 3 / life`` to the damage, where ``life`` is about 80
    cycles, from machine to machine more or less by a tenth. That the damage of cycles adds up is
    Miner's rule (1945, *Journal of Applied Mechanics* 12, A159-A164), that lives shrink with a power
    of the load is Basquin's law (1910, *Proceedings of the ASTM* 10, 625-630). Temperature and
    vibration follow the load and rise with the damage, the vibration steeply at the end; the pressure
    falls a little.

    Parameters
    ----------
    machines : int
        How many.
    seed : int
        What all draws follow from.

    Returns
    -------
    DataFrame
        A row for each cycle of each machine, by its ``machine`` and ``cycle`` (from 0): the
        :data:`SENSORS`, the hidden ``damage`` after it, and the cycles that ``remaining``, 0 in the
        last one.

    Raises
    ------
    ValueError
        If ``machines`` isn't a positive whole number.

    Examples
    --------
    >>> cycles = generate(3, seed=1)
    >>> cycles.loc[0].damage.is_monotonic_increasing, cycles.loc[0].remaining.iloc[-1]
    (True, np.float64(0.0))
    """
    expect_whole("machines", machines, 1)
    random = np.random.default_rng(seed)
    runs = {number: _run(random) for number in range(machines)}
    return pd.concat(runs, names=["machine", "cycle"])


def arrays(cycles: pd.DataFrame) -> Arrays:
    """Write machines as arrays, all as long as the longest.

    Parameters
    ----------
    cycles : DataFrame
        What :func:`generate` gave, or some of its machines.

    Returns
    -------
    Arrays
    """
    machines = [(f"machine {key}", run) for key, run in cycles.groupby(level="machine")]
    width = max(len(run) for _, run in machines)

    def filled(columns: list[str]) -> npt.NDArray[np.float32]:
        values = np.full((len(machines), width, len(columns)), np.nan, np.float32)
        for row, (_, run) in zip(values, machines, strict=True):
            row[: len(run)] = run[columns].to_numpy()
        return values

    return Arrays(
        filled([*SENSORS]),
        filled(["remaining"])[..., 0],
        filled(["damage"])[..., 0],
        [name for name, _ in machines],
    )


def build_model(*, cells: int = 16, seed: int = 0) -> keras.Model:
    """Build a network that reads cycles and says after each how many are left.

    ``Masking`` → ``LSTM`` → ``Dense(1)``, with the layers named ``padding``, ``lstm`` and
    ``remaining``. Takes ``(batch, cycles, sensors)``, in which a cycle of zeros is padding that the
    LSTM passes over; gives ``(batch, cycles, 1)``.

    Parameters
    ----------
    cells : int, default 16
        How many cells the LSTM has.
    seed : int, default 0
        What the first weights follow from. It is set for Keras, TensorFlow, NumPy and Python.
    """
    import keras  # noqa: PLC0415

    keras.utils.set_random_seed(seed)
    layers = keras.layers
    return keras.Sequential(
        [
            layers.Input((None, len(SENSORS))),
            layers.Masking(name="padding"),
            layers.LSTM(cells, return_sequences=True, name="lstm"),
            layers.Dense(1, name="remaining"),
        ],
        name="wear",
    )


def train(
    model: keras.Model,
    sensors: npt.ArrayLike,
    remaining: npt.ArrayLike,
    *,
    epochs: int,
    batch_size: int = 16,
    learning_rate: float = 0.01,
    seed: int = 0,
) -> list[float]:
    """Train on machines, by Adam with a learning rate that falls to 0 on a cosine.

    Parameters
    ----------
    model : keras.Model
        What :func:`build_model` gave. It is changed.
    sensors : array-like
        Scaled to be of the order of 1, zeros or NaN after the last cycle, shape (machines, cycles, sensors).
    remaining : array-like
        Cycles left, scaled likewise, shape (machines, cycles). What stands at padding doesn't count.
    epochs : int
        How often each machine is seen.
    batch_size : int, default 16
        Machines a step.
    learning_rate : float, default 0.01
        The learning rate at the first step.
    seed : int, default 0
        What the order of the machines follows from. It is set for Keras, TensorFlow, NumPy and
        Python.

    Returns
    -------
    list of float
        The mean squared error of each epoch.
    """
    import keras  # noqa: PLC0415

    keras.utils.set_random_seed(seed)
    read = np.nan_to_num(np.asarray(sensors, np.float32))
    said = np.nan_to_num(np.asarray(remaining, np.float32))
    steps = epochs * -(-len(read) // batch_size)
    rate = keras.optimizers.schedules.CosineDecay(learning_rate, steps)
    model.compile(optimizer=keras.optimizers.Adam(rate, clipnorm=1.0), loss="mse", jit_compile=True)
    history = model.fit(read, said[..., None], batch_size=batch_size, epochs=epochs, verbose=0)
    losses: list[float] = history.history["loss"]
    return losses


def _run(random: np.random.Generator) -> pd.DataFrame:
    """Run one machine until it breaks."""
    life = _USUAL_LIFE * np.exp(0.1 * random.standard_normal())
    usual, load = random.uniform(60, 90), 0.0
    loads, damages, damage = [], [], 0.0
    while damage < 1:
        load = 0.9 * load + 2.5 * random.standard_normal()
        loads.append(float(np.clip(usual + load, 30.0, 120.0)))
        damage += (loads[-1] / _USUAL_LOAD) ** _EXPONENT / life
        damages.append(damage)
    under, worn = np.array(loads), np.array(damages)
    noise = random.standard_normal((3, len(worn)))
    offset = random.standard_normal(3)
    columns = {
        "load": under,
        "temperature": 40 + 0.4 * under + 6 * worn**2 + 3 * offset[0] + 2 * noise[0],
        "vibration": np.exp(0.01 * under + 2 * worn**6 + 0.15 * offset[1] + 0.1 * noise[1]),
        "pressure": 6 - 0.3 * worn + 0.2 * offset[2] + 0.1 * noise[2],
        "damage": worn,
        "remaining": np.arange(len(worn) - 1, -1, -1, dtype=np.float64),
    }
    return pd.DataFrame(columns)
