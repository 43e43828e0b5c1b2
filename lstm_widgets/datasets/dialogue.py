"""Small scenes with people who talk: text whose hidden state has names.

A reader of these scenes has to keep a few things in mind: whether somebody is speaking, whether a
bracket is open, how far a number or a clock time has
been read. The same things are said and told, but what is said is in the present tense and about what
is mine or yours, what is told is in the past and about what is his or hers: to choose the next word,
one has to know whether somebody is speaking. All of it is written by a small grammar, the same for
the same seed.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from lstm_widgets.datasets._writer import Writer

__all__ = ["SYMBOLS", "generate", "inside_brackets", "inside_quotes", "plain"]

#: Opening mark, closing mark, apostrophe.
_QUOTES = {"curly": ("“", "”", "’"), "straight": ('"', '"', "'")}
#: Every character that :func:`generate` and :func:`plain` write, by its id.
SYMBOLS = "\n !\"'(),-.0123456789:;?ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz—’“”"

_NAMES = ("Mara", "Otto", "Ines", "Jonas", "Vera", "Paul")
_PEOPLE = (*_NAMES, "the baker", "the old miller", "the captain", "a tall girl", "the doctor")
_PLACES = ("harbour", "mill", "station", "market", "bridge", "school", "garden", "lighthouse")
_THINGS = ("apples", "letters", "lanterns", "keys", "boats", "maps", "clocks", "kites", "bottles")
_KINDS = ("red", "empty", "heavy", "broken", "small", "golden", "forgotten")
_TIMES = ("before the storm", "in the dark", "in the morning", "before lunch")
_SAYING, _TELLING = 0, 1  # the places in what follows
_VERBS = (
    ("find", "lose", "sell", "hide", "count", "paint", "carry away"),
    ("found", "lost", "sold", "hid", "counted", "painted", "carried away"),
)
_REASONS = (
    ("it is raining", "the road is long", "the door stands open", "the light goes out"),
    ("it was raining", "the road was long", "the door stood open", "the light went out"),
)
_SPEAKERS = ("I", "we", "you", "they")
_WHOSE = (("my", "our", "your"), ("the", "his", "her"))
_SHORT = (
    ("yes", "no", "not now", "come here", "I know", "we are late", "it is cold", "wait for me"),
    ("nobody moved", "it was late", "she nodded", "he shrugged", "it was cold", "they waited"),
)
_SAID = ("said", "whispered", "answered", "cried", "repeated")
_MANNERS = ("", "", " quietly", " at last", " with a smile", " from the window")


class _Writer(Writer):
    """Draws words and writes the sentences made of them."""

    def __init__(self, seed: int, quotes: str) -> None:
        super().__init__(seed)
        self.opening, self.closing, self.apostrophe = _QUOTES[quotes]

    def scene(self, number: int) -> str:
        paragraphs = [self.told() if self.chance(0.3) else self.spoken() for _ in range(6)]
        return "\n\n".join([f"Chapter {number}", *paragraphs, ""])

    def told(self) -> str:
        return " ".join(self.sentence(_TELLING) + "." for _ in range(self.number(1, 2)))

    def spoken(self) -> str:
        said = [self.sentence(_SAYING) + "." for _ in range(self.number(0, 1))]
        said.append(self.sentence(_SAYING) + self.one((",", ",", "!", "?")))
        verb = "asked" if said[-1].endswith("?") else self.one(_SAID)
        text = f"{self.quoted(' '.join(said))} {verb} {self.one(_PEOPLE)}{self.one(_MANNERS)}."
        if self.chance(0.4):
            text += f" {self.quoted(self.sentence(_SAYING) + '.')}"
        if self.chance(0.6):
            text += f" {self.told()}"
        return text

    def quoted(self, text: str) -> str:
        return self.opening + text + self.closing

    def sentence(self, mode: int) -> str:
        if self.chance(0.5):
            text = self.one(_SHORT[mode])
            return text[0].upper() + text[1:]
        forms = (self.deed, self.journey, self.sight, self.worth)
        text = forms[self.number(0, len(forms) - 1)](mode)
        if self.chance(0.1):
            text += f", because {self.one(_REASONS[mode])}"
        return text[0].upper() + text[1:]

    def deed(self, mode: int) -> str:
        who = self.one((_SPEAKERS, _PEOPLE)[mode])
        where = f"near {self.place(mode)}" if self.chance(0.5) else self.one(_TIMES)
        return f"{who} {self.one(_VERBS[mode])} {self.things()}{self.aside(mode)} {where}"

    def journey(self, mode: int) -> str:
        clock = f"{self.number(0, 23):02}:{self.number(0, 59):02}"
        late = f", but it {('does', 'did')[mode]}n{self.apostrophe}t stop"
        return (
            f"{self.one(_WHOSE[mode])} train from {self.place(mode)} {('comes', 'came')[mode]} at {clock}"
            f"{self.aside(mode)}{late if self.chance(0.3) else ''}"
        )

    def sight(self, mode: int) -> str:
        return (
            f"nobody {('has', 'had')[mode]} seen {self.one(_WHOSE[mode])} {self.one(_KINDS)} "
            f"{self.one(_THINGS)}{self.aside(mode)} since {self.number(1700, 1999)}"
        )

    def worth(self, mode: int) -> str:
        return (
            f"{self.one(_WHOSE[mode])} {self.one(_THINGS)} at {self.place(mode)} "
            f"{('are', 'were')[mode]} worth {self.number(2, 999)} coins{self.aside(mode)}"
        )

    def place(self, mode: int) -> str:
        return f"{self.one(_WHOSE[mode])} {self.one(_PLACES)}"

    def things(self) -> str:
        kind = f"{self.one(_KINDS)} " if self.chance(0.5) else ""
        return f"{self.number(2, 99)} {kind}{self.one(_THINGS)}"

    def aside(self, mode: int) -> str:
        if self.chance(0.85):
            return ""
        inside = (
            self.one(_REASONS[mode]),
            f"not {self.number(2, 99)}, as {self.one(_NAMES)} {('says', 'said')[mode]}",
            f"and {self.things()} {self.one(_TIMES)}",
        )
        return f" ({self.one(inside)})"


def generate(characters: int, *, seed: int, quotes: Literal["curly", "straight"] = "curly") -> str:
    """Write scenes until there are at least ``characters`` characters.

    Parameters
    ----------
    characters : int
        The least length. The last scene is written to its end, so the text is some hundred
        characters longer.
    seed : int
        What all choices follow from.
    quotes : {"curly", "straight"}, default "curly"
        The quotation marks and apostrophes: ``“’”``, or ``"'"``, where only what came before tells
        whether a mark opens or closes.

    Returns
    -------
    str
        Chapters of paragraphs, made of :data:`SYMBOLS`. Quotes and brackets are closed in the
        paragraph that opens them.

    Raises
    ------
    ValueError
        If ``characters`` is negative, or ``quotes`` another word.
    """
    if quotes not in _QUOTES:
        raise ValueError(f"quotes: expected 'curly' or 'straight', got {quotes!r}")
    if characters < 0:
        raise ValueError(f"characters: expected at least 0, got {characters}")
    writer = _Writer(seed, quotes)
    scenes: list[str] = []
    length = 0
    while length < characters:
        scenes.append(writer.scene(writer.number(1, 99)))
        length += len(scenes[-1])
    return "".join(scenes)


def plain(text: str) -> str:
    """Write a book's text with the characters of :data:`SYMBOLS` only.

    What Project Gutenberg adds before and after a book is cut off. Lines of one paragraph are
    joined, paragraphs stand apart by an empty line, and other characters are left out.

    Parameters
    ----------
    text : str
        Any text, for example a plain text file of Project Gutenberg.
    """
    lines = text.lstrip("\ufeff").splitlines()
    marks = [k for k, line in enumerate(lines) if line.startswith("***")]
    starts = [k for k in marks if " START OF " in lines[k]]
    ends = [k for k in marks if " END OF " in lines[k]]
    first = starts[0] + 1 if starts else 0
    lines = lines[first : ends[0] if ends else len(lines)]
    paragraphs: list[list[str]] = [[]]
    for line in lines:
        if words := "".join(character for character in line if character in SYMBOLS).split():
            paragraphs[-1] += words
        elif paragraphs[-1]:
            paragraphs.append([])
    return "\n\n".join(" ".join(words) for words in paragraphs if words)


def inside_quotes(text: str) -> np.ndarray:
    """Tell where somebody is speaking: from an opening mark to just before the closing one.

    Curly marks say themselves which of the two they are; a straight one opens if none is open. An
    empty line closes what a writer left open. The apostrophe is no mark.

    Parameters
    ----------
    text : str
        Any text.

    Returns
    -------
    ndarray of bool, shape (len(text),)
        True at the opening mark and at what is said, False at the closing mark.
    """
    inside = np.zeros(len(text), bool)
    speaking = False
    for index, character in enumerate(text):
        if character == "“":
            speaking = True
        elif character == "”" or text[max(index - 1, 0) : index + 1] == "\n\n":
            speaking = False
        elif character == '"':
            speaking = not speaking
        inside[index] = speaking
    return inside


def inside_brackets(text: str) -> np.ndarray:
    """Tell where a round bracket is open: from ``(`` to just before its ``)``.

    Parameters
    ----------
    text : str
        Any text.

    Returns
    -------
    ndarray of bool, shape (len(text),)
    """
    step = np.array([(character == "(") - (character == ")") for character in text], np.int64)
    return np.cumsum(step) > 0
