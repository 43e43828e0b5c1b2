"""What a cell's output carries of a widget: itself, a page that needs no kernel, or a picture."""

from __future__ import annotations

from html import escape
from typing import Literal, get_args

As = Literal["widget", "page", "picture"]

_chosen: As = "widget"

#: No more than that scripts run: the page is of no origin, and reaches neither the notebook nor the network.
_FRAME = (
    '<iframe sandbox="allow-scripts" title="{title}" srcdoc="{page}" loading="lazy" '
    'style="width: 100%; height: {height}px; border: 0; resize: vertical; overflow: auto"></iframe>'
)

#: In pixels: a frame of no origin can't be measured from outside, so that what is higher is scrolled in it.
_HEIGHT = 840


def show_as(what: As) -> None:
    """
    Choose what cells' outputs carry of the widgets that are shown from now on.

    Parameters
    ----------
    what : {"widget", "page", "picture"}
        ``"widget"``, as it is at first: the widget, which needs the kernel, and a still picture beside it
        for viewers that show no widgets. ``"page"``: what `save_html` writes, in a frame of the output. It
        works on in a saved notebook and in what nbconvert, Quarto and MyST make of it, without a kernel
        and without a network; what is moved in it no longer reaches Python, and it makes the notebook
        larger, by 150 KB for a small recording, by megabytes for a large one. ``"picture"``: the still
        picture only, as for GitHub, which shows neither of the others.

    Raises
    ------
    ValueError
        If there is no such choice.

    Examples
    --------
    In the first cell of a notebook that is to be handed out:

    >>> lw.show_as("page")

    And back:

    >>> lw.show_as("widget")
    """
    global _chosen  # noqa: PLW0603 - a choice for all that is shown
    if what not in get_args(As):
        raise ValueError(f"what: expected one of {', '.join(get_args(As))}; got {what!r}")
    _chosen = what


def shown_as() -> As:
    """Give what was chosen."""
    return _chosen


def frame(page: str, title: str) -> str:
    """Put a page into a frame that stands in a cell's output."""
    return _FRAME.format(title=escape(title), page=escape(page), height=_HEIGHT)
