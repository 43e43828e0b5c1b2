"""A widget as a page of its own: one file, which opens without a kernel and without a network.

The page holds the widget's module and style sheet, its traits as JSON, and its bytes packed by gzip.
What runs it is js/src/host/page.js. Texts in it may hold anything: none of them gets into the page
other than escaped.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import math
import uuid
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lstm_widgets.tokens.wording import sendable

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

#: A file holds at most so many bytes of values, before they are packed.
FILE_BYTES = 64 * 1024 * 1024

_STYLE = """\
:root { color-scheme: light dark; --lw-picture: 62vh; }
body {
  margin: 0; padding: 20px 24px 28px; background: #fff; color: #1f2328;
  font: 14px / 1.5 system-ui, -apple-system, "Segoe UI", sans-serif;
}
h1 { font-size: 18px; line-height: 1.3; margin: 0 0 12px; overflow-wrap: anywhere; }
#widget { min-height: 120px; }
#widget:not(:has(.lw)) { white-space: pre-wrap; }
noscript img { max-width: 100%; }
#about { font-size: 12px; color: #5b6370; margin: 12px 0 0; overflow-wrap: anywhere; }
@media (max-height: 900px) {
  body { padding: 10px 16px; }
  h1 { font-size: 15px; margin: 0 0 6px; }
}
@media (prefers-color-scheme: dark) {
  body { background: #111417; color: #e6e9ee; }
  #about { color: #a0a9b5; }
}
@media print {
  body { padding: 0; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  .lw .lw-sliders, .lw .lw-zoom { display: none; }
}"""

_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="{generator}">
<title>{title}</title>
<style>
{style}
{css}
</style>
</head>
<body>
<main>
<h1>{title}</h1>
<div id="widget">Opening …</div>
<noscript>
<p>JavaScript is switched off: without it, there is no more than a still picture.</p>
{still}
</noscript>
<p id="about">{about}</p>
</main>
<script id="state" type="application/json">{state}</script>
{held}
<script type="module">{script}</script>
</body>
</html>
"""


def fitting(
    layers: Sequence[Mapping[str, Any]], layer: str, signal: str, width: int = 4
) -> dict[str, tuple[str, ...]]:
    """
    Choose what of a recording goes into a file.

    Parameters
    ----------
    layers : list of dict
        A widget's ``_layers``.
    layer, signal : str
        What is shown.
    width : int
        Bytes that a value takes.

    Returns
    -------
    dict of tuple of str
        Signals of layers, in their order: all of them if they fit, else those of the layer shown, else
        the signal shown.

    Raises
    ------
    ValueError
        If the signal shown doesn't fit alone.
    """
    (shown,) = (each for each in layers if each["name"] == layer)
    stored = {each["name"]: each for each in layers if "parts" not in each}
    parts = [stored[name] for name in shown.get("parts", [layer])]
    everything = {name: tuple(each["signals"]) for name, each in stored.items()}
    whole_layer = {each["name"]: everything[each["name"]] for each in parts}
    one_signal: dict[str, tuple[str, ...]] = {each["name"]: (signal,) for each in parts}

    def size(kept: Mapping[str, tuple[str, ...]]) -> int:
        each = (len(signals) * _values(stored[name]) for name, signals in kept.items())
        return width * sum(each)

    for kept in (everything, whole_layer, one_signal):
        if size(kept) <= FILE_BYTES:
            return kept
    raise ValueError(
        f"save_html: {signal!r} of layer {layer!r} takes {size(one_signal) / 2**20:.1f} MiB; a file "
        f"holds at most {FILE_BYTES / 2**20:.0f} MiB. "
        + ("exact=False takes a quarter of that. Or record" if width > 1 else "Record")
        + " fewer examples, timesteps or cells for the page, or keep the recording itself with "
        "recording.save()"
    )


def _values(layer: Mapping[str, Any]) -> int:
    return math.prod(layer[axis] for axis in ("examples", "timesteps", "cells"))


def without(layer: Mapping[str, Any], kept: Mapping[str, tuple[str, ...]]) -> dict[str, Any]:
    """
    Describe a layer to a page that has only some of its signals.

    Parameters
    ----------
    layer : dict
        One of a widget's ``_layers``.
    kept : dict of tuple of str
        What `fitting` gave.

    Returns
    -------
    dict
        The layer with the signals that are kept; ``absent`` names the others, if there are any.
    """
    parts = [kept.get(name, ()) for name in layer.get("parts", [layer["name"]])]
    signals = [signal for signal in layer["signals"] if all(signal in part for part in parts)]
    absent = [signal for signal in layer["signals"] if signal not in signals]
    described = {**layer, "signals": signals}
    if not signals:
        described |= {"masked": False, "tokens": False, "labels": False}
    return {**described, "absent": absent} if absent else described


def page(
    traits: Mapping[str, Any],
    *,
    esm: str,
    css: str,
    host: str,
    still: bytes,
    title: str,
    version: str,
    missing: Sequence[str],
    rounded: bool = False,
    subtracted: bool = False,
    within: Mapping[str, Mapping[str, Any]] | None = None,
) -> str:
    """
    Write a widget as a page.

    Parameters
    ----------
    traits : dict
        The widget's state by name: bytes, or what JSON can hold.
    esm, css : str
        The widget's module and style sheet.
    host : str
        The module that runs the page.
    still : bytes
        The PNG that is shown where scripts don't run; empty if there is none.
    title : str
        The heading.
    version : str
        Of this package.
    missing : list of str
        What there is in the notebook but not in the page.
    rounded : bool
        Whether values in it are rounded to what is drawn.
    subtracted : bool
        Whether the page can subtract such values from each other.
    within : dict of dict, optional
        The same as ``traits`` of widgets within it, by the names that it refers to them by.

    Returns
    -------
    str
        HTML that Unicode can hold: no lone surrogates.
    """
    about = (
        f"Made with lstm_widgets {version}. This page works without Python and without a network."
    )
    if rounded:
        less = ", differences to 1/126" if subtracted else ""
        about += f" Values marked ≈ are rounded to 1/252 of their cell's largest magnitude{less}."
    if missing:
        about += f" Not in this file, but in the notebook: {', '.join(missing)}."
    every = {"": traits} | dict(within or {})
    held = {
        (of, name): value
        for of, each in every.items()
        for name, value in each.items()
        if isinstance(value, bytes) and value
    }
    plain = {
        of: {name: value for name, value in each.items() if not isinstance(value, bytes)}
        for of, each in every.items()
    }
    # Modules by address rather than as text in the page: nothing in them can end the script.
    script = (
        f'\nimport widget from "{_module(esm)}";\nimport open from "{_module(host)}";\n'
        "await open(widget);\n"
    )
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; script-src 'sha256-{digest}' data:; style-src 'unsafe-inline'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
    encoded = base64.b64encode(still).decode()
    return _PAGE.format(
        policy=escape(policy),
        generator=escape(f"lstm_widgets {version}"),
        title=escape(sendable(title)),
        style=_STYLE,
        css=css.replace("</", "<\\/"),
        about=escape(sendable(about)),
        still=f'<img alt="{escape(sendable(title))}" src="data:image/png;base64,{encoded}">'
        if still
        else "",
        state=_json(plain),
        held="\n".join(
            f'<script type="text/plain" data-of="{escape(of)}" data-trait="{escape(name)}">'
            f"{_packed(value)}</script>"
            for (of, name), value in held.items()
        ),
        script=script,
    )


def _module(text: str) -> str:
    return f"data:text/javascript;base64,{base64.b64encode(text.encode()).decode()}"


def _packed(value: bytes) -> str:
    return base64.b64encode(gzip.compress(value, 6, mtime=0)).decode()


def _json(value: Mapping[str, Any]) -> str:
    """Give JSON in which no character means anything to HTML: ASCII, without < > &."""
    text = json.dumps(_finite(value), allow_nan=False, separators=(",", ":"))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _finite(value: object) -> object:
    """Replace what JSON has no number for by null."""
    if isinstance(value, dict):
        return {name: _finite(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def write(path: str | os.PathLike[str], content: str | bytes, *, overwrite: bool) -> None:
    """
    Write a file so that it is there as a whole or not at all.

    Raises
    ------
    FileExistsError
        If something stands at the path that may not be replaced.
    FileNotFoundError
        If its folder doesn't exist.
    """
    path = Path(path)
    if path.is_dir():
        raise FileExistsError(f"path: {str(path)!r} is a folder; expected the name of a file")
    if path.exists() and not overwrite:
        raise FileExistsError(f"path: {str(path)!r} exists; pass overwrite=True to replace it")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"path: expected an existing folder, found no {str(path.parent)!r}")
    draft = path.with_name(f".{path.name}-{uuid.uuid4().hex}")
    try:
        draft.write_bytes(content.encode() if isinstance(content, str) else content)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
