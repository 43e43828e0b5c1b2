"""What a recording tells a person about itself."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import xarray as xr

    from lstm_widgets.recording.notes import Notes

__all__ = ["as_html", "as_text", "variants_as_html", "variants_as_text"]

TOKENS_SHOWN = 24
LABELS_SHOWN = 6
NOTES_SHOWN = 8
CHANNELS_SHOWN = 8
VARIANTS_SHOWN = 12


@dataclass(frozen=True)
class _Row:
    layer: str
    kind: str
    cells: str
    shape: str
    signals: str
    padding: str
    tokens: str
    check: str
    memory: str


@dataclass(frozen=True)
class _Shared:
    """What variants have in common of a layer."""

    layer: str
    kind: str
    cells: str
    shape: str
    signals: str
    padding: str
    tokens: str


_Cells = _Row | _Shared


TITLES = _Row(
    layer="layer",
    kind="kind",
    cells="cells",
    shape="examples × timesteps",
    signals="signals",
    padding="padding",
    tokens="tokens",
    check="self-check",
    memory="size",
)

SHARED = _Shared(
    **{name: title for name, title in vars(TITLES).items() if name not in ("check", "memory")}
)


def as_text(
    layers: Mapping[str, xr.Dataset], beside: Mapping[str, xr.Dataset], notes: Notes
) -> str:
    """Show a recording as a table, one line a layer, and a line for each thing beside them."""
    rows = [_row(name, dataset) for name, dataset in layers.items()]
    return _text(_title(layers, beside), TITLES, rows, _told(beside, notes))


def as_html(
    layers: Mapping[str, xr.Dataset], beside: Mapping[str, xr.Dataset], notes: Notes
) -> str:
    """Show a recording as a table in the page's own colours, with the beginnings of its texts.

    Names of layers and channels, tokens and labels may be anything, markup included: each is escaped.
    """
    rows = [_row(name, dataset) for name, dataset in layers.items()]
    texts = "".join(_texts(name, dataset) for name, dataset in layers.items())
    told = _told(beside, notes)
    return _page(_title(layers, beside), TITLES, rows, told, _labels(layers) + texts)


def variants_as_text(
    names: Sequence[str], layers: Mapping[str, xr.Dataset], elsewhere: Mapping[str, Sequence[str]]
) -> str:
    """Show variants as a table of the layers that all of them have."""
    rows = [_shared(name, dataset) for name, dataset in layers.items()]
    return _text(_count(names), SHARED, rows, _told_of_variants(names, elsewhere))


def variants_as_html(
    names: Sequence[str], layers: Mapping[str, xr.Dataset], elsewhere: Mapping[str, Sequence[str]]
) -> str:
    """Show variants as a table in the page's own colours; names and tokens are escaped."""
    rows = [_shared(name, dataset) for name, dataset in layers.items()]
    texts = "".join(_texts(name, dataset) for name, dataset in layers.items())
    told = _told_of_variants(names, elsewhere)
    return _page(_count(names), SHARED, rows, told, _labels(layers) + texts)


def _text(title: str, titles: _Cells, rows: Sequence[_Cells], told: Mapping[str, str]) -> str:
    every = [list(vars(row).values()) for row in (titles, *rows)]
    widths = [max(map(len, column)) for column in zip(*every, strict=True)]
    lines = [
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True))
        for row in every
    ]
    lines += [f"{what}: {text}" for what, text in told.items()]
    return "\n".join(line.rstrip() for line in [title, *lines])


def _page(
    title: str, titles: _Cells, rows: Sequence[_Cells], told: Mapping[str, str], texts: str
) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in vars(titles).values())
    body = "".join(
        "<tr>" + "".join(f"<td>{_bdi(text)}</td>" for text in vars(row).values()) + "</tr>"
        for row in rows
    )
    more = "".join(
        f'<p><span class="title">{what}</span>{_bdi(text)}</p>' for what, text in told.items()
    )
    return (
        f"<style>{_STYLE}</style>"
        f'<div class="lstm-widgets-recording"><b>{escape(title)}</b>'
        f"<div><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
        f"{more}{texts}</div>"
    )


def _title(layers: Mapping[str, xr.Dataset], beside: Mapping[str, xr.Dataset]) -> str:
    total = _size(sum(map(_bytes, [*layers.values(), *beside.values()])))
    return f"Recording: {len(layers)} layer{'s' * (len(layers) != 1)}, {total}"


def _count(names: Sequence[str]) -> str:
    return f"Variants: {len(names)} recording{'s' * (len(names) != 1)} of the same inputs"


def _told_of_variants(
    names: Sequence[str], elsewhere: Mapping[str, Sequence[str]]
) -> dict[str, str]:
    told = {"variants": _some(names)}
    if elsewhere:
        each = [f"{_visible(layer)} (in {_some(has)})" for layer, has in elsewhere.items()]
        told["not alike in all"] = ", ".join(each)
    return told


def _some(names: Sequence[str]) -> str:
    """Name the first and the last of many variants."""
    shown = [_visible(name) for name in names]
    if len(shown) > VARIANTS_SHOWN:
        left = len(shown) - VARIANTS_SHOWN
        shown = [*shown[: VARIANTS_SHOWN - 1], f"… {left} more …", shown[-1]]
    return ", ".join(shown)


def _told(beside: Mapping[str, xr.Dataset], notes: Notes) -> dict[str, str]:
    told = {
        what: _guesses(dataset) if what == "predictions" else _numbers(dataset[what])
        for what, dataset in beside.items()
    }
    return {**told, "notes": _noted(notes)} if notes else told


def _numbers(values: xr.DataArray) -> str:
    """Name the channels of a series with their units, and when it begins and ends."""
    names, units = values[values.dims[2]].to_numpy(), values["unit"].to_numpy()
    every = [
        f"{_visible(n)} ({_visible(u)})" if u else _visible(n)
        for n, u in zip(names, units, strict=True)
    ]
    more = f" and {len(every) - CHANNELS_SHOWN} more" if len(every) > CHANNELS_SHOWN else ""
    shape = f"{values.sizes['example']} × {values.sizes['timestep']} timesteps"
    when = ""
    if "time" in values.coords and values.time.size:
        time = values.time.variable[..., [0, -1]].to_numpy()  # which go forward
        first, last = (
            str(np.datetime_as_string(each, "s")).replace("T", " ").removesuffix(" 00:00:00")
            if time.dtype.kind == "M"
            else f"{each:g}"
            for each in (time.min(), time.max())
        )
        when = f", {first} to {last}" + " UTC" * ("time_zone" in values.time.attrs)
    return f"{', '.join(every[:CHANNELS_SHOWN])}{more}, {shape}{when}"


def _row(name: str, dataset: xr.Dataset) -> _Row:
    sizes, attrs = dataset.sizes, dataset.attrs
    return _Row(
        layer=_visible(name),
        kind=attrs["kind"] + (" (backwards)" if attrs["go_backwards"] else ""),
        cells=str(sizes["cell"]),
        shape=f"{sizes['example']} × {sizes['timestep']}{_calls(attrs)}",
        signals=", ".join(str(signal) for signal in dataset.data_vars if signal != "mask"),
        padding=f"{attrs['masked_share']:.1%}" if "mask" in dataset else "none",
        tokens=_tokens(dataset),
        check=check_in_words(attrs["check"]),
        memory=_size(_bytes(dataset)),
    )


def _shared(name: str, dataset: xr.Dataset) -> _Shared:
    row = _row(name, dataset)
    return _Shared(**{title: getattr(row, title) for title in vars(SHARED)})


def _tokens(dataset: xr.Dataset) -> str:
    if "token" in dataset.coords:
        return "known"
    return "none, but times" if "time" in dataset.coords else "unknown"


def _noted(notes: Notes) -> str:
    """Name the cells that a person has named."""
    named = [f"{layer} {cell} “{notes.name(layer, cell)}”" for layer, cell in notes]
    more = f" and {len(named) - NOTES_SHOWN} more" if len(named) > NOTES_SHOWN else ""
    return ", ".join(named[:NOTES_SHOWN]) + more


def _calls(attrs: Mapping[str, Any]) -> str:
    return f" ({len(attrs['calls'])} calls)" if "calls" in attrs else ""


def _guesses(predictions: xr.Dataset) -> str:
    sizes = predictions.sizes
    known = "known" if "predicted_token" in predictions else "unknown"
    return (
        f"the {sizes['rank']} most probable next at each of {sizes['example']} × "
        f"{sizes['timestep']} timesteps, tokens {known}, {_size(predictions.nbytes)}"
    )


def check_in_words(check: Mapping[str, Any]) -> str:
    """Tell what the self-check of a layer has found."""
    if check["mode"] == "none":
        return "not checked"
    difference, tolerance = check["difference"], check["tolerance"]
    extent = "prefix of" if check["mode"] == "prefix" else "all"
    part = f"({extent} {check['examples']} × {check['timesteps']})"
    # Written so that a difference of NaN doesn't count as equal.
    if difference <= tolerance:
        return f"equals the layer to {difference:.0e} {part}".replace("e-0", "e-")
    return f"DIFFERS from the layer by {difference:.0e} {part}".replace("e-0", "e-")


def _bytes(dataset: xr.Dataset) -> int:
    """Tell how much its arrays take; the numbers along its axes are ranges, which take nothing."""
    return sum(v.nbytes for name, v in dataset.variables.items() if name not in dataset.dims)


def _size(size: float) -> str:
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} GB"


def _visible(text: str) -> str:
    """Write out line ends, controls and direction marks, which would disturb the table."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def _bdi(text: str) -> str:
    return f"<bdi>{escape(text)}</bdi>"


def _labels(layers: Mapping[str, xr.Dataset]) -> str:
    labels = next((d.label for d in layers.values() if "label" in d.coords), None)
    return "" if labels is None else _strip("labels", labels, LABELS_SHOWN)


def _texts(name: str, dataset: xr.Dataset) -> str:
    if "token" not in dataset.coords or not dataset.sizes["example"]:
        return ""
    return _strip(f"{_visible(name)}, example 0", dataset.token[0], TOKENS_SHOWN)


def _strip(title: str, strings: xr.DataArray, shown: int) -> str:
    """Show the first few of many strings, each in a box of its own so that spaces are seen."""
    boxes = "".join(
        f"<span>{_bdi(_visible(text))}</span>" for text in np.asarray(strings[:shown]).tolist()
    )
    more = f" and {strings.size - shown:,} more" if strings.size > shown else ""
    return f'<p><span class="title">{_bdi(title)}</span>{boxes}{more}</p>'


# Jupyter's colours where it sets them, else the page's own, light or dark. The selectors are as
# specific as they are to stand above those that Jupyter has for every table.
_STYLE = """
.lstm-widgets-recording { --line: var(--jp-border-color2, rgba(128, 128, 128, .4));
  font-size: var(--jp-content-font-size1, 14px); color: var(--jp-content-font-color1, inherit); }
.lstm-widgets-recording > div { overflow-x: auto; margin: .5em 0; }
.lstm-widgets-recording table { border-collapse: collapse; margin: 0;
  font-size: inherit; color: inherit; }
.lstm-widgets-recording table tr:nth-child(n) { background: none; }
.lstm-widgets-recording table tr > :is(th, td):nth-child(n) { text-align: left; vertical-align: top;
  padding: .3em .7em .3em 0; border: 0; border-bottom: 1px solid var(--line); background: none;
  color: inherit; font-variant-numeric: tabular-nums; white-space: nowrap; }
.lstm-widgets-recording table tr > td:is(:nth-child(5), :nth-child(8)) { white-space: normal; }
.lstm-widgets-recording table tr > td:nth-child(5) { min-width: 11em; }
.lstm-widgets-recording table tr > td:nth-child(8) { min-width: 8em; }
.lstm-widgets-recording table tr > td:first-child { font-weight: 600; }
.lstm-widgets-recording :is(th, .title) { font-weight: 400; opacity: .75; white-space: nowrap; }
.lstm-widgets-recording p { margin: .3em 0; }
.lstm-widgets-recording .title { margin-right: .6em; }
.lstm-widgets-recording p > span:not(.title) { display: inline-block; white-space: pre;
  min-width: .6em; min-height: 1.2em; padding: 0 .3em; margin: 0 2px 2px 0; vertical-align: top;
  border: 1px solid var(--line); border-radius: 3px;
  font-family: var(--jp-code-font-family, monospace); }
"""
