"""A river whose hidden stores are known: rain, snow, soil and discharge, simulated day by day.

:func:`weather` draws days of precipitation, temperature and evaporation. :func:`simulate` lets them
through a small catchment: snow piles up and melts, the soil fills and dries, a fast and a slow store
let the water go. A network that learns the discharge from the weather never sees these stores, and
can only do well if it keeps something like them. Here they are known, so that its cells can be held
against them.

The winters are meant to differ: in some, most of the snow falls as rain. So a cell that follows the
snow can be told from one that follows the calendar.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from lstm_widgets.checks import expect_whole

if TYPE_CHECKING:
    from collections.abc import Sequence

    import keras
    import numpy.typing as npt

__all__ = [
    "INPUTS",
    "STORES",
    "UNITS",
    "Parameters",
    "build_model",
    "generate",
    "simulate",
    "train",
    "weather",
]

#: What falls on the catchment and what the air can take up: the columns that :func:`weather` gives.
INPUTS = ("precipitation", "temperature", "evaporation")
#: Where water is kept, at the end of the day.
STORES = ("snow", "soil", "fast", "slow")
#: The unit of each column.
UNITS = {
    "precipitation": "mm/day",
    "temperature": "°C",
    "evaporation": "mm/day",
    "discharge": "mm/day",
    "actual_evaporation": "mm/day",
    **dict.fromkeys(STORES, "mm"),
}

_FIRST_DAY = "2000-10-01"  # The water year: it begins without snow.
_LATITUDE = np.radians(47.0)


@dataclass(frozen=True)
class Parameters:
    """How a catchment lets water through.

    Parameters
    ----------
    threshold : float, default 0.0
        Below this temperature precipitation is snow, above it snow melts, in °C.
    degree_day : float, default 3.0
        Snow that melts in a day for each degree above the threshold, in mm/(°C day).
    capacity : float, default 150.0
        Water that the soil holds, in mm.
    shape : float, default 2.0
        How much more of the water a wet soil lets through than a dry one (HBV's β), without unit.
    wet : float, default 0.7
        The share of the capacity from which on plants evaporate all they can.
    percolation : float, default 1.5
        Water that seeps from the fast to the slow store in a day, at most, in mm/day.
    fast_rate : float, default 0.15
        The share of the fast store that leaves it in a day, in 1/day.
    slow_rate : float, default 0.02
        The share of the slow store that leaves it in a day, in 1/day.

    Raises
    ------
    ValueError
        If a number isn't finite, a rate or share isn't between 0 and 1, the capacity isn't positive,
        or another but the threshold is negative.
    """

    threshold: float = 0.0
    degree_day: float = 3.0
    capacity: float = 150.0
    shape: float = 2.0
    wet: float = 0.7
    percolation: float = 1.5
    fast_rate: float = 0.15
    slow_rate: float = 0.02

    def __post_init__(self) -> None:
        for name in (field.name for field in fields(self)):
            value = getattr(self, name)
            least = -np.inf if name == "threshold" else 0.0
            most = 1.0 if name in {"wet", "fast_rate", "slow_rate"} else np.inf
            if not (np.isfinite(value) and least <= value <= most):
                between = f" from {least:g} to {most:g}"
                raise ValueError(f"{name}: expected a finite number{between}, got {value!r}")
        for name in ("capacity", "wet"):
            if getattr(self, name) == 0:
                raise ValueError(f"{name}: expected more than 0, got 0")


def weather(years: int = 20, *, seed: int) -> pd.DataFrame:
    """Draw the weather of some years.

    Temperature is a season, and around it weather that lasts for about five days and moods that last
    for about two months. Whether a day is wet depends on the day before (a Markov chain, as in
    Richardson, 1981, *Water Resources Research* 17, 182-190) and on a slow mood again; how much falls
    on a wet day follows a gamma distribution. Evaporation is what the air could take up: the formula
    of Oudin et al. (2005, *Journal of Hydrology* 303, 290-306) from the temperature and the sun above
    the atmosphere at 47° N, which is that of Allen et al. (1998, FAO paper 56).

    Parameters
    ----------
    years : int, default 20
        How many, each from 1 October to 30 September.
    seed : int
        What all draws follow from.

    Returns
    -------
    DataFrame
        A row for each day from 1 October 2000 on, with the columns :data:`INPUTS` in the units
        :data:`UNITS`.

    Raises
    ------
    ValueError
        If ``years`` isn't a positive whole number.

    Examples
    --------
    >>> days = weather(2, seed=1)
    >>> list(days), len(days), str(days.index[-1].date())
    (['precipitation', 'temperature', 'evaporation'], 730, '2002-09-30')
    """
    expect_whole("years", years, 1)
    first = pd.Timestamp(_FIRST_DAY)
    dates = pd.date_range(first, first + pd.DateOffset(years=years), inclusive="left", name="date")
    angle = 2 * np.pi * dates.day_of_year.to_numpy() / 365.25
    random = np.random.default_rng(seed)

    season = 5.0 - 9.0 * np.cos(angle - 0.35)  # The coldest day is 20 January.
    moods = 2.2 * _lasting(random, len(dates), 60) + 3.5 * _lasting(random, len(dates), 5)
    temperature = season + moods

    mood = 0.35 * _lasting(random, len(dates), 60)
    draws = random.random(len(dates))
    amounts = random.gamma(0.75, 8.0, len(dates)) * np.exp(0.3 * mood)
    after_dry, after_wet = (1 / (1 + np.exp(-(odds + mood))) for odds in (-0.95, 0.5))
    wet = np.zeros(len(dates), bool)
    for day in range(len(dates)):
        chance = after_wet if day and wet[day - 1] else after_dry
        wet[day] = draws[day] < chance[day]

    evaporation = _sun(angle) / 2.45 * np.maximum(temperature + 5.0, 0.0) / 100.0
    columns = (np.where(wet, amounts, 0.0), temperature, evaporation)
    return pd.DataFrame(dict(zip(INPUTS, columns, strict=True)), index=dates)


def simulate(weather: pd.DataFrame, parameters: Parameters | None = None) -> pd.DataFrame:
    """Let the weather's water through a catchment.

    Every day, in this order:

    - Precipitation is snow below the threshold, else rain. Above it, snow melts by a rate for each
      degree (the degree-day method; see Martinec, 1975, *Nordic Hydrology* 6, 145-154).
    - Of rain and meltwater, the share (soil / capacity) ^ shape goes through, and all that is
      more than the soil can hold. Plants evaporate what the air can take up, less where
      the soil is drier than ``wet``. Both are as in HBV (Bergström, 1976, SMHI report RHO 7).
    - What goes through reaches the fast store, seeps from there to the slow one, and each lets a
      share of its water go: the discharge is the sum.

    Parameters
    ----------
    weather : DataFrame
        The columns :data:`INPUTS` in the units :data:`UNITS`, a row for each day.
    parameters : Parameters, optional
        Those of the catchment.

    Returns
    -------
    DataFrame
        For each day ``discharge`` and ``actual_evaporation`` (mm/day), and the :data:`STORES` at its
        end (mm). No water is lost: what has fallen is what has left and what is stored. The stores
        begin empty but for the soil, which is full to two thirds.

    Raises
    ------
    ValueError
        If a column is missing, has missing values, or negative ones where there are none.

    Examples
    --------
    >>> import pandas as pd
    >>> frost, thaw = [10.0, -5.0, 0.0], [0.0, 2.0, 0.0]  # mm/day, °C, mm/day
    >>> days = pd.DataFrame([frost, thaw, thaw], columns=list(INPUTS))
    >>> simulate(days).snow.tolist()
    [10.0, 4.0, 0.0]
    """
    if missing := [name for name in INPUTS if name not in weather]:
        raise ValueError(f"weather: expected the columns {', '.join(INPUTS)}; no {missing[0]!r}")
    values = weather[list(INPUTS)].to_numpy(np.float64)
    for name, column in zip(INPUTS, values.T, strict=True):
        if not np.isfinite(column).all():
            raise ValueError(f"weather: expected finite numbers, {name} has others")
        if name != "temperature" and column.size and column.min() < 0:
            raise ValueError(f"weather: expected {name} of at least 0, got {column.min():g}")
    of = Parameters() if parameters is None else parameters

    snow, soil, fast, slow = 0.0, of.capacity * 2 / 3, 0.0, 0.0
    rows = []
    for precipitation, temperature, evaporation in values.tolist():
        warmth = temperature - of.threshold
        melt = min(snow, of.degree_day * max(warmth, 0.0))
        falls_as_snow = precipitation if warmth < 0 else 0.0
        snow += falls_as_snow - melt
        water = precipitation - falls_as_snow + melt

        through = water * (soil / of.capacity) ** of.shape
        through += max(soil + water - through - of.capacity, 0.0)
        soil += water - through
        taken = min(evaporation * min(soil / (of.wet * of.capacity), 1.0), soil)
        soil -= taken

        fast += through
        seeps = min(fast, of.percolation)
        fast -= seeps
        slow += seeps
        fast_out, slow_out = of.fast_rate * fast, of.slow_rate * slow
        fast -= fast_out
        slow -= slow_out
        rows.append((fast_out + slow_out, taken, snow, soil, fast, slow))
    columns = ["discharge", "actual_evaporation", *STORES]
    return pd.DataFrame(rows, index=weather.index, columns=columns, dtype=np.float64)


def generate(years: int = 20, *, seed: int) -> pd.DataFrame:
    """Draw the weather of some years, and let it through the catchment.

    Parameters
    ----------
    years : int, default 20
        How many, each from 1 October to 30 September.
    seed : int
        What all draws follow from.

    Returns
    -------
    DataFrame
        What :func:`weather` and :func:`simulate` give, side by side.

    Examples
    --------
    >>> days = generate(2, seed=1)
    >>> days[["snow", "soil"]].min().ge(0).all()
    np.True_
    """
    days = weather(years, seed=seed)
    return days.join(simulate(days))


def build_model(
    channels: int = len(INPUTS), *, cells: int = 32, window: int | None = None, seed: int = 0
) -> keras.Model:
    """Build a network that reads days and gives the discharge of the last one.

    ``LSTM`` → ``Dense(1)``, with the layers named ``lstm`` and ``discharge``.
    Takes ``(batch, window, channels)``, gives ``(batch, 1)``.

    Parameters
    ----------
    channels : int, default len(INPUTS)
        How many numbers there are of each day.
    cells : int, default 32
        How many cells the LSTM has.
    window : int, optional
        How many days it reads. Default: any number.
    seed : int, default 0
        What the first weights follow from. It is set for Keras, TensorFlow, NumPy and Python.
    """
    import keras  # noqa: PLC0415

    keras.utils.set_random_seed(seed)
    layers = keras.layers
    return keras.Sequential(
        [
            layers.Input((window, channels)),
            layers.LSTM(cells, name="lstm"),
            layers.Dense(1, name="discharge"),
        ],
        name="catchment",
    )


def train(
    model: keras.Model,
    inputs: npt.ArrayLike,
    targets: npt.ArrayLike,
    *,
    steps: int,
    window: int = 365,
    days: int = 91,
    batch_size: int = 16,
    dropout: float = 0.15,
    learning_rate: float = 0.01,
    seed: int = 0,
) -> list[float]:
    """Train on stretches of some years, by Adam with a learning rate that falls to 0 on a cosine.

    One window for each day would mean to read nearly the same days over and over. So a stretch is
    longer than a window, by ``days - 1``, and each of its last ``days`` days is told: from no less
    than a window, from a quarter more at most. That takes a fraction of the time.

    Parameters
    ----------
    model : keras.Model
        What :func:`build_model` gave. It is changed.
    inputs : array-like
        What is known of each day, scaled to be of the order of 1, shape (days, channels).
    targets : array-like
        The discharge of each day, scaled likewise, shape (days,).
    steps : int
        How often ``batch_size`` stretches are drawn.
    window : int, default 365
        Days that the network reads before it tells the discharge.
    days : int, default 91
        How many days of a stretch are told.
    batch_size : int, default 16
        Stretches a step.
    dropout : float, default 0.15
        The share of the LSTM's cells that ``Dense`` doesn't see at a step of training.
    learning_rate : float, default 0.01
        The learning rate at the first step.
    seed : int, default 0
        What dropout and the choice of stretches follow from. It is set for Keras, TensorFlow, NumPy
        and Python.

    Returns
    -------
    list of float
        The mean squared error of each step.

    Raises
    ------
    ValueError
        If there are fewer days than a stretch has, or not as many targets.
    """
    import keras  # noqa: PLC0415

    keras.utils.set_random_seed(seed)
    read, said = np.asarray(inputs, np.float32), np.asarray(targets, np.float32)
    stretch = window - 1 + days
    if read.ndim != 2 or len(read) < stretch:
        raise ValueError(
            f"inputs: expected shape (days, channels), {stretch} days at least, got {read.shape}"
        )
    if said.shape != (len(read),):
        raise ValueError(f"targets: expected shape ({len(read)},), got {said.shape}")
    layers = keras.layers
    cells = model.get_layer("lstm").units
    reader = keras.Sequential(
        [
            layers.Input((stretch, read.shape[1])),
            layers.LSTM(cells, return_sequences=True),
            layers.Cropping1D((window - 1, 0)),
            layers.Dropout(dropout),
            layers.Dense(1),
        ]
    )
    reader.set_weights(model.get_weights())
    rate = keras.optimizers.schedules.CosineDecay(learning_rate, steps)
    reader.compile(keras.optimizers.Adam(rate, clipnorm=1.0), loss="mse", jit_compile=True)
    random = np.random.default_rng(seed)
    losses = []
    for _ in range(steps):
        first = random.integers(0, len(read) - stretch, batch_size, endpoint=True)
        drawn = first[:, None] + np.arange(stretch)
        reader.reset_metrics()  # else it gives the mean over all steps so far
        loss = reader.train_on_batch(read[drawn], said[drawn[:, window - 1 :]][..., None])
        losses.append(float(loss))
    model.set_weights(reader.get_weights())
    return losses


def _lasting(random: np.random.Generator, days: int, lasts: float) -> npt.NDArray[np.float64]:
    """Draw numbers of variance 1 that forget themselves over some days (autoregressive, order 1)."""
    kept = np.exp(-1 / lasts)
    draws: Sequence[float] = random.standard_normal(days).tolist()
    values = [draws[0]]
    for draw in draws[1:]:
        values.append(kept * values[-1] + np.sqrt(1 - kept**2) * draw)
    return np.array(values)


def _sun(angle: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Give the sun's radiation above the atmosphere in MJ/(m² day), by the angle of the year."""
    declination = 0.409 * np.sin(angle - 1.39)
    sunset = np.arccos(-np.tan(_LATITUDE) * np.tan(declination))
    height = sunset * np.sin(_LATITUDE) * np.sin(declination)
    height += np.cos(_LATITUDE) * np.cos(declination) * np.sin(sunset)
    return np.asarray(24 * 60 / np.pi * 0.0820 * (1 + 0.033 * np.cos(angle)) * height)
