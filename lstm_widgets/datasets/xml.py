"""Small XML documents: text that a network can only write well if it keeps track of where it is.

Each document is a nested list of things, indented by tabs. To write the next character right, a
reader has to know how deep it is, which tags are open, and whether it stands in a tag, in an
attribute's value or between tags. All of it is written by a small grammar, the same for the same
seed.
"""

from __future__ import annotations

from lstm_widgets.datasets._writer import Writer

__all__ = ["SYMBOLS", "documents", "generate"]

#: Every character that :func:`generate` writes, by its id.
SYMBOLS = '\t\n "-./0123456789<=>abcdefghijklmnopqrstuvwxyz'

#: tag → the attributes that it may have, and the tags that it holds (none: it holds words).
_TAGS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "library": (("city",), ("shelf", "note")),
    "shelf": (("id", "room"), ("book", "map")),
    "book": (("id", "lang"), ("title", "author", "page")),
    "map": (("scale",), ("title", "place")),
    "page": (("number",), ("line", "note")),
    "garden": (("city",), ("bed", "note")),
    "bed": (("id",), ("tree", "flower")),
    "tree": (("id", "height"), ("title", "place")),
    "flower": (("colour",), ()),
    "title": ((), ()),
    "author": (("year",), ()),
    "place": ((), ()),
    "line": (("number",), ()),
    "note": ((), ()),
}
_ROOTS = ("library", "garden")
_VALUES: dict[str, tuple[str, ...]] = {
    "city": ("lima", "oslo", "bergen", "kyoto"),
    "lang": ("en", "de", "fr", "es"),
    "colour": ("red", "white", "yellow", "blue"),
}
_WORDS = (
    "the",
    "old",
    "sea",
    "river",
    "a",
    "long",
    "night",
    "under",
    "green",
    "stone",
    "and",
    "moon",
)


class _Writer(Writer):
    """Draws tags, attributes and words, and writes them down."""

    def element(self, tag: str, depth: int) -> str:
        attributes, children = _TAGS[tag]
        indent = "\t" * depth
        start = tag + "".join(self.attribute(name) for name in attributes if self.number(0, 2))
        if not children:
            return f"{indent}<{start}>{self.words()}</{tag}>\n"
        held = [self.element(self.one(children), depth + 1) for _ in range(self.number(0, 3))]
        if not held:
            return f"{indent}<{start}/>\n"
        return f"{indent}<{start}>\n{''.join(held)}{indent}</{tag}>\n"

    def attribute(self, name: str) -> str:
        value = self.one(_VALUES[name]) if name in _VALUES else str(self.number(1, 999))
        return f' {name}="{value}"'

    def words(self) -> str:
        return " ".join(self.one(_WORDS) for _ in range(self.number(1, 4)))


def documents(count: int, *, seed: int) -> list[str]:
    """Write some documents.

    Parameters
    ----------
    count : int
        How many.
    seed : int
        What all choices follow from.

    Returns
    -------
    list of str
        Well-formed XML, each with one root element, tabs for indentation and a newline at the end,
        made of :data:`SYMBOLS`.

    Raises
    ------
    ValueError
        If ``count`` is negative.
    """
    if count < 0:
        raise ValueError(f"count: expected at least 0, got {count}")
    writer = _Writer(seed)
    return [writer.element(writer.one(_ROOTS), 0) for _ in range(count)]


def generate(characters: int, *, seed: int) -> str:
    """Write documents, an empty line after each, until there are at least ``characters`` characters.

    Parameters
    ----------
    characters : int
        The least length. The last document is written to its end.
    seed : int
        What all choices follow from.

    Raises
    ------
    ValueError
        If ``characters`` is negative.
    """
    if characters < 0:
        raise ValueError(f"characters: expected at least 0, got {characters}")
    writer = _Writer(seed)
    written: list[str] = []
    length = 0
    while length < characters:
        written.append(writer.element(writer.one(_ROOTS), 0) + "\n")
        length += len(written[-1])
    return "".join(written)
