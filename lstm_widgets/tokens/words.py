"""Whether tokens are characters, words or pieces of words, and the text that they make: the one rule.

Everything that joins tokens to a text, or sets them apart on the screen, asks here: concepts, `match`,
`generate`, widgets and still pictures. js/src/data/spelling.js writes single tokens the same way; both
are held against one table, js/test/spelling.json.
"""

from __future__ import annotations

import codecs
import functools
import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import xarray as xr

__all__ = ["UNSPACED", "Joined", "Piece", "Spelling", "spelling_of"]

Kind: TypeAlias = Literal["characters", "pieces", "words", "##", "Ġ", "▁", "</w>"]

#: Scripts that are written without spaces between words: the insides of a character class.
UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u1950-\u19df\u1a20-\u1aaf\u2e80-\u2fdf\u3000-\u30ff"
    "\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\ua000-\ua4cf\ua9e0-\ua9ff\uaa60-\uaa7f\uf900-\ufaff"
    "\uff66-\uff9f\U00020000-\U0003ffff"
)
_UNSPACED = re.compile(f"[{UNSPACED}]")
#: Marks with a meaning of their own, in the middle of any kind of tokens.
_SPECIAL = re.compile(r"<[^<>\s]*\w[^<>\s]*>|\[[^\[\]\s]*\w[^\[\]\s]*\]")
_BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>")
#: So small a share of the different tokens says nothing of the others.
_FEW = 0.02
#: So many tokens are read to tell what all of them are.
_ENOUGH = 200_000
#: From such a share on, a mark that words begin with is that of a tokenizer.
_MARKED = 0.1


class Piece(NamedTuple):
    """What a token adds to the text that it is part of."""

    before: str
    """What stands between the token before and this one."""
    text: str
    """What it says itself."""
    new: bool
    """Whether it begins a word, where words stand apart; else False."""


class Joined(NamedTuple):
    """What a text's next tokens depend on, of those that stand before them."""

    begun: bool = False
    """Whether there are any."""
    waiting: bytes = b""
    """The first bytes of a character that isn't complete."""
    said: str = ""
    """The last character."""
    ended: bool = True
    """Whether the last word has ended."""


@dataclass(frozen=True)
class Spelling:
    """How tokens spell a text.

    Parameters
    ----------
    kind : str
        - ``"characters"``: each token is a character, and spaces are tokens;
        - ``"pieces"``: of several characters, with the spaces in them (``" the"``, ``"the "``);
        - ``"words"``: with a space between any two;
        - ``"##"``: words, but that tokens with this mark go on with the word before (WordPiece);
        - ``"</w>"``: words, but that tokens without this mark at their end go on in the next;
        - ``"Ġ"``: pieces, their bytes written as letters, the space as Ġ (GPT-2's encoding);
        - ``"▁"``: pieces, the space written as ▁ (SentencePiece).
    """

    kind: Kind

    @classmethod
    def of(cls, tokens: Iterable[str]) -> Spelling:
        """Tell it from tokens, how often each of them stands there being of no account.

        Tokens are words if most have several characters and none, or hardly any, has white space at
        its ends; line breaks may be there and stand alone, spaces may not. Empty tokens (padding)
        and those like ``<s>`` or ``[CLS]`` are left out.

        >>> Spelling.of(["the", "cat", "sat"]).kind
        'words'
        >>> Spelling.of(["play", "##ing"]).join(["play", "##ing"])
        'playing'
        """
        different = {token for token in tokens if token and not _SPECIAL.fullmatch(token)}
        count = len(different)
        few = _FEW * count
        blank = any(token.isspace() and not re.search(r"[\n\r]", token) for token in different)
        bare = [token.strip("\n\r") for token in different if not token.isspace()]
        spaced = sum(token.strip() != token for token in bare)
        if not blank and spaced <= few:
            marked = _MARKED * count
            if sum(len(token) > 1 and token[0] == "Ġ" for token in different) > marked:
                return cls("Ġ")
            if sum(token[0] == "▁" or token[-1] == "▁" for token in different) > marked:
                return cls("▁")
            if sum(token[:2] == "##" and len(token) > 2 for token in different) > few:
                return cls("##")
            if sum(token[-4:] == "</w>" and len(token) > 4 for token in different) > marked:
                return cls("</w>")
        if 2 * sum(map(_is_long, different)) <= count:
            return cls("characters")
        return cls("pieces" if blank or spaced > few else "words")

    @property
    def apart(self) -> bool:
        """Whether words stand apart without any token being the space between."""
        return self.kind in ("words", "##", "</w>")

    def begins(self, token: str) -> bool:
        """Whether a token that stands apart begins a word, rather than goes on with the one before."""
        return not (self.kind == "##" and token[:2] == "##" and len(token) > 2)

    def ends(self, token: str) -> bool:
        """Whether a token that stands apart ends a word, rather than that the next goes on with it."""
        return self.kind != "</w>" or token[-4:] == "</w>" or bool(_SPECIAL.fullmatch(token))

    def text(self, token: str) -> str:
        """Give what a token says by itself, without the marks that its tokenizer put there."""
        if self.kind == "##":
            return token if self.begins(token) else token[2:]
        if self.kind == "</w>":
            return token.removesuffix("</w>") or token
        if self.kind in ("Ġ", "▁"):
            return self._bytes(token).decode("utf-8", "replace")
        return token

    def _bytes(self, token: str) -> bytes:
        byte = _BYTE.fullmatch(token) if self.kind == "▁" else None
        if byte:
            return bytes((int(byte[1], 16),))
        if self.kind == "▁":
            return token.replace("▁", " ").encode("utf-8", "surrogatepass")
        numbers = [_bytes_by_letter().get(letter) for letter in token]
        if None in numbers or _SPECIAL.fullmatch(token):
            return token.encode("utf-8", "surrogatepass")
        return bytes(number for number in numbers if number is not None)

    def parted(self, token: str, following: str) -> bool:
        """Tell whether something stands between two tokens that follow each other."""
        if self.apart:
            return self.ends(token) and self.begins(following)
        if self.kind == "characters":
            return False
        return self.text(token)[-1:].isspace() or self.text(following)[:1].isspace()

    def alone(self, token: str) -> str:
        """Give a token by itself, such as a guess, so that it tells whether it begins a word."""
        return token if self.apart else self.text(token)

    def pieces(self, tokens: Sequence[str]) -> list[Piece]:
        """Give what each token adds to the text; together they are the text.

        A character that is spread over several tokens belongs to the last of them.
        """
        return self.go_on(Joined(), tokens, last=True)[0]

    def go_on(
        self, before: Joined, tokens: Sequence[str], *, last: bool
    ) -> tuple[list[Piece], Joined]:
        """Give what some tokens add to the text of those before, and what the next ones depend on.

        Parameters
        ----------
        before : Joined
            What the tokens before left; ``Joined()`` at the beginning of a text.
        tokens : sequence of str
            The tokens.
        last : bool
            Whether the text ends with them.
        """
        if self.kind in ("characters", "pieces") or not tokens:
            known = {token: Piece("", token, False) for token in set(tokens)}
            return [known[token] for token in tokens], before
        if not self.apart:
            decoder = codecs.getincrementaldecoder("utf-8")("replace")
            decoder.setstate((before.waiting, 0))
            texts = [decoder.decode(self._bytes(token)) for token in tokens]
            if last:
                texts[-1] += decoder.decode(b"", final=True)
            if self.kind == "▁" and not before.begun:
                texts[0] = texts[0].removeprefix(" ")
            after = Joined(begun=True, waiting=decoder.getstate()[0])
            return [Piece("", text, False) for text in texts], after
        result: list[Piece] = []
        said, ended = before.said, before.ended
        for token in tokens:
            text = self.text(token)
            new = ended and self.begins(token) and token != ""
            together = bool(_UNSPACED.fullmatch(said) and _UNSPACED.fullmatch(text[:1]))
            blank = said.isspace() or text[:1].isspace()
            space = new and said and not together and not blank
            result.append(Piece(" " if space else "", text, new))
            if token:
                said, ended = text[-1:], self.ends(token)
        return result, Joined(begun=True, said=said, ended=ended)

    def join(self, tokens: Sequence[str]) -> str:
        """Give the text that tokens make."""
        return "".join(before + text for before, text, _ in self.pieces(tokens))


def spelling_of(dataset: xr.Dataset) -> Spelling:
    """Tell how the tokens of one layer of a recording spell their text; padding is left out."""
    if "token" not in dataset.coords:
        return Spelling("characters")
    examples = max(1, _ENOUGH // max(1, dataset.sizes["timestep"]))
    first = {"example": slice(examples), "timestep": slice(_ENOUGH)}
    tokens = np.asarray(dataset["token"].isel(first))
    masked = "mask" in dataset
    given = tokens[np.asarray(dataset["mask"].isel(first))] if masked else tokens.ravel()
    return Spelling.of(given.tolist())


def _is_long(token: str) -> bool:
    """Tell whether a token is several characters as a reader counts them, accents and emoji whole."""
    count = 0
    joined = False
    flags = 0
    for character in token:
        joiner = character == "\u200d"
        flag = "\U0001f1e6" <= character <= "\U0001f1ff"
        flags = flags + 1 if flag else 0
        extends = unicodedata.category(character)[0] == "M" or (
            "\U0001f3fb" <= character <= "\U0001f3ff" or "\U000e0020" <= character <= "\U000e007f"
        )
        if not (joiner or joined or extends or (flag and flags % 2 == 0)):
            count += 1
        joined = joiner
    return count > 1


@functools.cache
def _bytes_by_letter() -> dict[str, int]:
    """List the letters that GPT-2's encoding writes bytes with: printable ones stand for themselves."""
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {
        chr(256 + k): byte for k, byte in enumerate(others)
    }
