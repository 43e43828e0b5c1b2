"""Recordings to look at. A notebook gets this file as a cell, a test imports it: same seed, same values."""

import numpy as np

from lstm_widgets.recording import (
    RecordedLayer,
    RecordedPredictions,
    RecordedSeries,
    Recording,
    Times,
)

CHECK = {
    "difference": 3e-7,
    "tolerance": 1e-5,
    "mode": "prefix",
    "examples": 4,
    "timesteps": 5,
}
#: As hostile as a token, a label or a layer's name can be.
HOSTILE = (
    "<script>window.hacked=1</script>",
    "<img src=x onerror=window.hacked=1>",
    '"><b>bold</b>',
)
#: Where the long text has one value that is larger than all others by far.
SPIKE_CELL, SPIKE_TIMESTEP, SPIKE = 40, 31_111, -3.0


def layer(name, signals, *, tokens=None, mask=None, go_backwards=False):
    """Make one recorded layer; ``tokens`` are one sequence of texts an example."""
    array = None
    if tokens is not None:
        shape = next(iter(signals.values())).shape[:2]
        array = np.empty(shape, dtype=object)
        for example, row in enumerate(tokens):
            array[example] = list(row)
    signals = {signal: values.astype(np.float32) for signal, values in signals.items()}
    return RecordedLayer(name, "LSTM", signals, mask, array, check=CHECK, go_backwards=go_backwards)


def questions():
    """Sums as text: what is asked, and what is answered."""
    pairs = [(a, b) for a in range(1, 9) for b in (2, 7, 10)]
    return [f"{a}+{b}".ljust(5) for a, b in pairs], [f"{a + b:2d}" for a, b in pairs]


def sums():
    """Make two layers over 24 sums, small enough to travel whole; the first has padding."""
    rng = np.random.default_rng(7)
    asked, answered = questions()

    def signals(timesteps, cells):
        shape = (24, timesteps, cells)
        # Every cell has a strength of its own, so that no order of the cells is close.
        strength = rng.permutation(np.linspace(0.1, 1.5, cells))
        return {
            "hidden_state": np.tanh(rng.standard_normal(shape) * strength),
            "cell_state": 3 * rng.standard_normal(shape) * strength,
            "forget_gate": 1 / (1 + np.exp(-2 * rng.standard_normal(shape))),
        }

    mask = np.ones((24, 5), dtype=bool)
    mask[1, 3:] = mask[4, 3:] = False
    return Recording.from_layers(
        [
            layer("lstm", signals(5, 40), tokens=asked, mask=mask),
            layer("lstm_1", signals(2, 12), tokens=answered),
        ],
        labels=[f"{a.strip()}={b}" for a, b in zip(asked, answered, strict=True)],
    )


def long_text():
    """Make one layer over a long text, which travels in tiles; one value of it is a spike."""
    rng = np.random.default_rng(8)
    values = rng.uniform(-1, 1, (1, 40_000, 64)) ** 3
    values *= np.linspace(0.4, 1, 64)
    values[0, SPIKE_TIMESTEP, SPIKE_CELL] = SPIKE
    text = "the cat sat on a mat and ate all of it, then it ran off. "
    return Recording.from_layers(
        [layer("lstm", {"hidden_state": values}, tokens=[(text * 1000)[:40_000]])]
    )


def many_examples():
    """Make one layer over 2500 labelled examples, too many to travel whole; every third ends early."""
    rng = np.random.default_rng(12)
    values = np.tanh(rng.standard_normal((2500, 20, 1)) + rng.standard_normal((2500, 20, 16)))
    values *= rng.permutation(np.linspace(0.2, 1, 16))
    mask = np.ones((2500, 20), dtype=bool)
    mask[::3, 15:] = False
    tokens = ["abcdefghijklmnopqrst"] * 2500
    return Recording.from_layers(
        [layer("lstm", {"hidden_state": values}, tokens=tokens, mask=mask)],
        labels=[f"number {example}" for example in range(2500)],
    )


#: Of the first river: on one day it rains more than on all others; for some days nobody measured how warm
#: it was; so many days have no state.
FLOOD, FLOOD_DAY, UNMEASURED, BEFORE = 500.0, 777, (1000, 1060), 60


def rivers(days=1500, cells=6):
    """Make series of two rivers, day by day: rain and warmth, how much flows, and states of cells."""
    rng = np.random.default_rng(4)
    rain = rng.gamma(0.6, 8.0, (2, days)) * (rng.random((2, days)) < 0.4)
    warm = 9 - 11 * np.cos(2 * np.pi * np.arange(days) / 365.25) + rng.normal(size=(2, days))
    rain[0, FLOOD_DAY : FLOOD_DAY + 1] = FLOOD
    warm[0, slice(*UNMEASURED)] = np.nan
    flow = np.stack([np.convolve(r, np.exp(-np.arange(30) / 6) / 6)[:days] for r in rain])
    mask = np.ones((2, days), bool)
    mask[:, :BEFORE] = False
    states = np.tanh(rng.standard_normal((2, days, cells)).cumsum(axis=1) / 20)
    states[..., 1] = flow / 5
    values = np.where(mask[..., None], states, np.nan).astype(np.float32)
    said = np.where(mask, 0.9 * flow + 0.2, np.nan)
    times = Times(np.datetime64("2001-01-01", "ns") + np.arange(days) * np.timedelta64(1, "D"))
    signals = {"hidden_state": np.tanh(values), "cell_state": values}

    def series(arrays, names, units):
        made = np.stack(arrays, axis=-1).astype(np.float32)
        return RecordedSeries(made, names, units, times)

    return Recording.from_layers(
        [RecordedLayer("lstm", "LSTM", signals, mask, times=times, check=CHECK)],
        labels=["Inn", "Elbe"],
        inputs=series([rain, warm], ("rain", "temperature"), ("mm", "°C")),
        outputs=series([said], ("flow",), ("mm",)),
        targets=series([flow], ("flow",), ("mm",)),
    )


def flooded():
    """Tell of every day of the rivers whether much flows."""
    return rivers().targets.values[..., 0] > 4


#: Of the forecasts that are explained: from so many days each, and this many days before it is where the rain
#: counted most, and the warmth against it; what was read first doesn't count.
WINDOW, RAINED, WARMED, UNREAD = 90, 12, 40, 10


def why_it_flows(recording, ends=(400, 800), river="Inn"):
    """Make the relevance of two channels for the forecasts of some days, by two methods."""
    import xarray as xr  # noqa: PLC0415 - of few tests

    ends = np.asarray(ends)
    values = np.zeros((2, len(ends), WINDOW, 2), np.float32)
    values[0, :, WINDOW - 1 - RAINED, 0] = 2 + np.arange(len(ends))
    values[0, :, WINDOW - 1 - WARMED, 1] = -1
    values[0, :, :UNREAD, 0] = np.nan
    values[1] = values[0] ** 2
    times = recording.inputs["time"].values[ends[:, None] + np.arange(1 - WINDOW, 1)]
    return xr.Dataset(
        {
            "relevance": (("method", "example", "timestep", "channel"), values),
            "score": ("example", np.arange(len(ends), dtype=np.float32), {"units": "mm"}),
        },
        {
            "method": ["integrated_gradients", "sensitivity"],
            "channel": ["rain", "temperature"],
            "end": ("example", ends),
            "label": ("example", [river] * len(ends)),
            "time": (("example", "timestep"), times),
        },
        {"outputs": 1, "meaning": "values"},
    )


def both_directions():
    """Make both directions of a layer over twelve letters."""
    rng = np.random.default_rng(13)
    return Recording.from_layers(
        [
            layer(
                f"both/{direction}",
                {"hidden_state": rng.uniform(-1, 1, (1, 12, 8))},
                tokens=["abcdefghijkl"],
                go_backwards=direction == "backward",
            )
            for direction in ("forward", "backward")
        ]
    )


PROSE = (
    "“Where is the (small) key?” asked the miller, and he looked at the 14 sacks that stood by the "
    "door, one beside the other, as they had stood there for 23 years.\n"
    "\n"
    "“On the shelf,” said his daughter; “and I told you so at 7 this morning.” She had told him. He "
    "went up the stairs, opened the window, and saw nothing but rain, and more rain, over the fields.\n"
)


def prose(repeats=3, cells=12):
    """Make two examples of written text, character by character, small enough to travel whole."""
    text = PROSE * repeats
    rng = np.random.default_rng(13)
    values = rng.uniform(-1, 1, (2, len(text), cells)) * rng.permutation(np.linspace(0.3, 1, cells))
    return Recording.from_layers(
        [layer("lstm", {"hidden_state": values}, tokens=[text, text[::-1]])]
    )


def guesses(text, ranks):
    """Make guesses for a text: some hit what comes next, some don't; the ends are as they should be."""
    rng = np.random.default_rng(15)
    symbols = sorted(set(text))
    ids = rng.permuted(np.tile(np.arange(len(symbols)), (len(text), 1)), axis=1)[:, :ranks]
    probabilities = np.sort(rng.dirichlet(np.full(ranks + 1, 0.4), len(text)), axis=1)[:, :0:-1]
    tokens = np.array(symbols, dtype=object)[ids]
    targets = np.full(len(text), np.nan)
    for t, (row, following) in enumerate(zip(tokens[:-1], text[1:], strict=True)):
        if rng.random() < 0.6 and following not in row:
            row[rng.integers(ranks)] = following
        hit = np.flatnonzero(row == following)
        targets[t] = probabilities[t, hit[0]] if len(hit) else probabilities[t, -1] / 2
    number = {symbol: i for i, symbol in enumerate(symbols)}
    return RecordedPredictions(
        ids=np.vectorize(number.__getitem__, otypes=[np.int32])(tokens)[None],
        probabilities=probabilities[None].astype(np.float32),
        targets=targets[None].astype(np.float32),
        tokens=tokens[None],
    )


def guessed():
    """Make one example of written text with three guesses at each timestep."""
    values = np.random.default_rng(16).uniform(-1, 1, (1, len(PROSE), 8))
    return Recording.from_layers(
        [layer("lstm", {"hidden_state": values}, tokens=[PROSE])], predictions=guesses(PROSE, 3)
    )


def written_signals(cells=12):
    """Make the two texts with every signal of an LSTM, each as its equations give it."""
    text = PROSE * 3
    rng = np.random.default_rng(15)
    gates = {
        f"{gate}_gate": 1 / (1 + np.exp(-2 * rng.standard_normal((2, len(text), cells))))
        for gate in ("input", "forget", "output")
    }
    candidate = np.tanh(rng.standard_normal((2, len(text), cells)))
    cell = np.zeros_like(candidate)
    for t in range(len(text)):
        kept = gates["forget_gate"][:, t] * (cell[:, t - 1] if t else 0)
        cell[:, t] = kept + gates["input_gate"][:, t] * candidate[:, t]
    signals = {
        "hidden_state": gates["output_gate"] * np.tanh(cell),
        "cell_state": cell,
        "input_gate": gates["input_gate"],
        "forget_gate": gates["forget_gate"],
        "candidate": candidate,
        "output_gate": gates["output_gate"],
    }
    return Recording.from_layers([layer("lstm", signals, tokens=[text, text[::-1]])])


def book():
    """Make one layer over 150 000 characters in numbered lines, with two guesses at each."""
    lines = (f"{line}: {PROSE[line % 90 : line % 90 + 95]!r}\n" for line in range(1500))
    text = "".join(lines)[:150_000]
    values = np.random.default_rng(14).uniform(-1, 1, (1, 150_000, 6))
    return Recording.from_layers(
        [layer("lstm", {"hidden_state": values}, tokens=[text])], predictions=guesses(text, 2)
    )


def hostile():
    """Make layers whose names, tokens and labels would run if they were ever taken for HTML."""
    rng = np.random.default_rng(9)
    return Recording.from_layers(
        [
            layer(name, {"hidden_state": rng.standard_normal((2, 3, 4))}, tokens=[HOSTILE] * 2)
            for name in HOSTILE
        ],
        labels=HOSTILE[:2],
    )


def odd():
    """Make one example with what is no plain number, a padded end, and one cell that stays at zero."""
    rng = np.random.default_rng(10)
    values = rng.uniform(-0.5, 0.5, (1, 8, 6))
    values[0, 1, 1], values[0, 2, 2], values[0, 3, 3] = np.nan, np.inf, -np.inf
    values[0, :, 4] = 0
    mask = np.ones((1, 8), dtype=bool)
    mask[0, 6:] = False
    return Recording.from_layers([layer("odd", {"hidden_state": values}, mask=mask)])


def wide():
    """Make three examples that are wider than a page; the label of one is long, too."""
    values = np.random.default_rng(18).uniform(-1, 1, (3, 180, 4))
    tokens = ["abcdefghijklmnopqrs\u0301" * 9] * 3
    return Recording.from_layers(
        [layer("lstm", {"hidden_state": values}, tokens=tokens)],
        labels=["short", "a long label " * 25, "日本語のラベル" * 10],
    )


#: What is hard to draw, and to tell apart: of no width, of two directions, of several code points.
STRANGE = (
    *("日", "本", "e\u0301", "\u0301", "👩\u200d🔬", "🇩🇪", "🙂", "\u200b", "\u202e", "\u2066a"),
    *("שלום", "مرحبا", "\x00", "\x7f", "\u00a0", "", "\r", "\t", "\n", " the", "x" * 500, "\ufeff"),
)


def strange():
    """Make one example of tokens that are hard to draw."""
    values = np.random.default_rng(17).uniform(-1, 1, (1, len(STRANGE), 3))
    return Recording.from_layers([layer("lstm", {"hidden_state": values}, tokens=[STRANGE])])


def of_shape(*shape):
    """Make a recording of one layer with tokens and labels, of any shape, none at all included."""
    values = np.random.default_rng(11).uniform(-1, 1, shape)
    return Recording.from_layers(
        [layer("lstm", {"hidden_state": values}, tokens=[["a"] * shape[1]] * shape[0])],
        labels=[f"number {i}" for i in range(shape[0])],
    )


def recurrent(
    kind,
    shape=(1, 120, 6),
    *,
    name="layer",
    backwards=False,
    padded=False,
    without=(),
    tokens="good English; 'now I am out like the largest of all.' ",
):
    """Make one layer whose states follow from its gates, as a model's do; the first state is not zero."""
    rng = np.random.default_rng(14)
    examples, timesteps, cells = shape

    def gate(shift):
        return 1 / (1 + np.exp(-2 * rng.standard_normal(shape) - shift))

    strength = np.linspace(0.5, 1.5, cells)
    candidate = np.tanh(strength * rng.standard_normal(shape))
    mask = np.ones((examples, timesteps), dtype=bool)
    if padded:
        mask[::2, timesteps - timesteps // 3 :] = False

    def carried(keep, put):
        states, state = np.empty(shape), np.full((examples, cells), 0.25)
        for t in reversed(range(timesteps)) if backwards else range(timesteps):
            state = np.where(mask[:, t, None], keep[:, t] * state + put[:, t], state)
            states[:, t] = state
        return states

    if kind == "LSTM":
        keep, put, out = gate(2), gate(0), gate(0)
        states = carried(keep, put * candidate)
        signals = {"hidden_state": out * np.tanh(states), "cell_state": states, "input_gate": put}
        signals |= {"forget_gate": keep, "candidate": candidate, "output_gate": out}
    elif kind == "GRU":
        keep = gate(1)
        signals = {"hidden_state": carried(keep, (1 - keep) * candidate), "update_gate": keep}
        signals |= {"reset_gate": gate(0), "candidate": candidate}
    else:
        signals = {"hidden_state": carried(np.zeros(shape), candidate)}
    signals = {s: v.astype(np.float32) for s, v in signals.items() if s not in without}
    text = None
    if tokens:
        text = np.empty(shape[:2], dtype=object)
        text[:] = np.resize(list(tokens), examples * timesteps).reshape(shape[:2])
    return RecordedLayer(
        name, kind, signals, mask if padded else None, text, check=CHECK, go_backwards=backwards
    )


def gates(kind, **options):
    """Make a recording of one such layer."""
    return Recording.from_layers([recurrent(kind, **options)])


def several(*layers):
    """Make a recording of layers of these kinds, each with whether it reads from the end."""
    return Recording.from_layers(
        [recurrent(kind, name=kind.lower(), backwards=backwards) for kind, backwards in layers]
    )


def planted():
    """Make two layers over written text, in which one cell follows the quotes, and one counts a line."""
    rng = np.random.default_rng(21)
    words = PROSE.translate(str.maketrans("", "", "“”")).split()
    lines = [" ".join(rng.choice(words, rng.integers(4, 20))) for _ in range(60)]
    text = "".join(f"“{line}”\n" if rng.random() < 0.4 else f"{line}\n" for line in lines)
    said = np.cumsum([{"“": 1, "”": -1}.get(character, 0) for character in text])
    line = np.zeros(len(text))
    for t in range(1, len(text)):
        line[t] = 0 if text[t - 1] == "\n" else line[t - 1] + 1
    upper = 0.3 * rng.standard_normal((1, len(text), 6))
    upper[0, :, 4] = np.tanh(-1.5 * said + 0.6 + 0.3 * rng.standard_normal(len(text)))
    lower = 0.3 * rng.standard_normal((1, len(text), 5))
    lower[0, :, 2] = line / 200 + 0.05 * rng.standard_normal(len(text))
    return Recording.from_layers(
        [
            layer("upper", {"hidden_state": upper}, tokens=[text]),
            layer("lower", {"hidden_state": lower, "cell_state": 2 * lower}, tokens=[text]),
        ]
    )


def learned(recording, share, seed, *, keep=None):
    """Make what a recording may have been earlier: a share of each signal, and noise in place of the rest."""
    rng = np.random.default_rng(seed)
    layers = []
    for name, dataset in recording.items():
        signals = {}
        for signal in recording.signals(name):
            values = dataset[signal].values
            # What cells do comes bit by bit; what they did before is weak.
            noise = 0.3 * rng.standard_normal(values.shape) * np.nanstd(values)
            made = share * values + (1 - share) * noise
            signals[signal] = np.clip(made, 0, 1) if signal.endswith("_gate") else made
        tokens = dataset["token"].values if "token" in dataset.coords else None
        mask = dataset["mask"].values if "mask" in dataset else None
        made = layer(name, signals, tokens=tokens, mask=mask)
        check = {**CHECK, "difference": 1e-7 * (seed + 1)}
        layers.append(
            RecordedLayer(name, "LSTM", made.signals, mask, made.tokens, times=keep, check=check)
        )
    series = {}
    for what in ("inputs", "outputs", "targets"):
        array = getattr(recording, what)
        if array is not None:
            values = array.values * np.float32(share if what == "outputs" else 1)
            names = [str(one) for one in array[array.dims[-1]].values]
            series[what] = RecordedSeries(values, names, [str(u) for u in array.unit.values], keep)
    first = next(iter(recording.values()))
    labels = first["label"].values.tolist() if "label" in first.coords else None
    return Recording.from_layers(layers, labels=labels, **series)


def epochs(recording=None, shares=(0.05, 0.3, 0.7, 1.0)):
    """Make variants: a recording as it may have been after some epochs of training; by default `sums`."""
    from lstm_widgets.recording import Variants  # noqa: PLC0415 - of few tests

    recording = sums() if recording is None else recording
    times = None
    if recording.inputs is not None:
        times = Times(recording.inputs["time"].values)
    return Variants(
        {f"epoch {i}": learned(recording, s, i, keep=times) for i, s in enumerate(shares)}
    )
