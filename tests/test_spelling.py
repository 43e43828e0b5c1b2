"""How tokens spell a text: one rule, for characters, words and pieces of words."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lstm_widgets as lw
from lstm_widgets import concepts as c
from lstm_widgets.recording import RecordedLayer, Recording
from lstm_widgets.tokens.vocabulary import Vocabulary
from lstm_widgets.tokens.words import Spelling, spelling_of

# js/test/data/spelling.test.mjs holds the page against the same table.
CASES = json.loads((Path(__file__).parents[1] / "js" / "test" / "spelling.json").read_text("utf-8"))
N = np.nan


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_what_tokens_are_and_the_text_they_make(case):
    tokens = case["tokens"]
    spelling = Spelling.of(tokens)
    assert spelling.kind == case["kind"]
    assert spelling.join(tokens) == case["text"]
    assert [spelling.text(token) for token in tokens] == case["texts"]
    assert [spelling.begins(token) for token in tokens] == case["begins"]
    assert [spelling.ends(token) for token in tokens] == case["ends"]
    pieces = spelling.pieces(tokens)
    assert "".join(piece.before + piece.text for piece in pieces) == case["text"]
    # Neither order nor number counts.
    shuffled = random.Random(3).sample(tokens * 3, len(tokens) * 3)
    assert Spelling.of(shuffled) == spelling
    assert Vocabulary(list(dict.fromkeys(tokens)) or ["a"]).spelling == spelling


SENTENCE = "Don't play (the \"game\" of 12 états), naïvely.\nYes, 日本語 it's."
WORDS = ["Don't", "play", "(the", '"game"', "of", "12", "états),", "naïvely.", "\n", "Yes,"]


def byte_letters(text):
    """GPT-2's letters for bytes, from its definition."""
    kept = [*range(33, 127), *range(161, 173), *range(174, 256)]
    moved = {}
    for byte in range(256):
        moved[byte] = chr(byte) if byte in kept else chr(256 + len(moved) - len(kept))
    shifted = iter(range(256, 400))
    table = [chr(b) if b in kept else chr(next(shifted)) for b in range(256)]
    return "".join(table[byte] for byte in text.encode())


def cut(text, seed):
    """Cut a text into pieces of one to four characters, a space only at the start of one."""
    rng = random.Random(seed)
    pieces = [""]
    for character in text:
        if pieces[-1] and (len(pieces[-1]) >= rng.randint(1, 4) or character.isspace()):
            pieces.append("")
        pieces[-1] += character
    return pieces


SPELLED = {
    "Ġ": lambda pieces: [byte_letters(piece) for piece in pieces],
    "▁": lambda pieces: [piece.replace(" ", "▁") for piece in pieces],
    "pieces": lambda pieces: pieces,
}


@pytest.mark.parametrize("kind", SPELLED)
@pytest.mark.parametrize("seed", range(5))
def test_concepts_say_of_pieces_what_they_say_of_the_same_text_in_characters(kind, seed):
    pieces = cut(SENTENCE, seed)
    tokens = SPELLED[kind](pieces)
    assert Spelling.of(tokens).kind == kind
    ends = np.cumsum([len(piece) for piece in pieces])
    starts = ends - [len(piece) for piece in pieces]
    for concept in c.TEXT:
        values = concept(SENTENCE)
        found = concept(tokens)
        if concept in (c.word_start, c.word_end):
            expected = [values[a:b].any() for a, b in zip(starts, ends, strict=True)]
        elif concept in (c.upper_case, c.digit, c.vowel, c.whitespace, c.punctuation):
            continue  # of the token as a whole
        else:
            expected = values[ends - 1]
        np.testing.assert_array_equal(found, expected, concept.name)
    pattern = c.matches(r"play|état|\d+|it's")
    values = pattern(SENTENCE)
    expected = [values[a:b].any() for a, b in zip(starts, ends, strict=True)]
    assert pattern(tokens).tolist() == expected


@pytest.mark.parametrize(
    "tokens",
    [
        ["The", "Ġpl", "aying", "Ċ", "Ġ", "Of", "Ġ12", "Ġa", "!"],
        ["▁The", "▁pl", "aying", "\n", "▁", "Of", "▁12", "▁a", "!"],
        ["The", " pl", "aying", "\n", " ", "Of", " 12", " a", "!"],
        ["The ", "pl", "aying ", "\n", " ", "Of ", "12 ", "a ", "!"],
        ["The", "pl", "##aying", "\n", "\n", "Of", "12", "a", "!"],
        ["The</w>", "pl", "aying</w>", "\n", "\n", "Of</w>", "12</w>", "a</w>", "!</w>"],
    ],
    ids=["Ġ", "▁", "spaces before", "spaces behind", "##", "</w>"],
)
def test_each_way_to_cut_words_says_the_same(tokens):
    assert c.upper_case(tokens).tolist() == [True, *[False] * 4, True, *[False] * 3]
    assert c.digit(tokens).tolist() == [*[False] * 6, True, False, False]
    assert c.vowel(tokens).tolist() == [*[False] * 7, True, False]
    assert c.punctuation(tokens).tolist() == [*[False] * 8, True]
    assert c.whitespace(tokens).tolist() == [*[False] * 3, True, True, *[False] * 4]
    assert c.newline(tokens)[3]
    assert not c.newline(tokens)[[0, 1, 2, 5, 6, 7, 8]].any()
    starts = [True, True, False, False, False, True, True, True, False]
    assert c.word_start(tokens).tolist() == starts
    assert c.word_end(tokens).tolist() == [True, False, True, False, False, *[True] * 3, False]
    np.testing.assert_array_equal(c.position_in_word(tokens), [2, 1, 6, N, N, 1, 1, 0, N])
    np.testing.assert_array_equal(c.value(tokens), [*[N] * 6, 12, N, N])
    assert c.matches("playing")(tokens).tolist() == [i in (1, 2) for i in range(9)]
    # What tokens are called is left as it is.
    assert c.is_token(tokens[1])(tokens).tolist() == [i == 1 for i in range(9)]


def test_a_sentence_without_spaces_is_no_word():
    text = "日本語の文です。ภาษาไทย and iPhoneを"
    assert np.flatnonzero(c.word_start(text)).tolist() == [text.index("and"), text.index("iP")]
    assert np.isnan(c.position_in_word(text)[: text.index("and")]).all()
    words = ["日本語", "の", "文", "です", "。", "เรา", "ไป"]
    assert c.word_start(words).tolist() == [True] * 4 + [False] + [True] * 2
    np.testing.assert_array_equal(c.position_in_word(words), [2, 0, 0, 1, N, 2, 1])
    assert c.matches("日本語の文")(words).tolist() == [True] * 3 + [False] * 4


def test_letters_with_marks_are_one_word():
    # Hindi, Arabic with its vowels, Hebrew with its points, Persian with a joiner, an accent apart.
    for word in ("हिन्दी", "مَرْحَبًا", "שָׁלוֹם", "می\u200cخواهم", "e\u0301te\u0301"):
        assert c.word_start(f"{word} a").tolist() == [
            k in (0, len(word) + 1) for k in range(len(word) + 2)
        ]


def test_words_may_have_line_breaks_at_their_ends():
    tokens = ["the", "cat\n", "\nsat", "down"]
    assert Spelling.of(tokens).join(tokens) == "the cat\n\nsat down"
    assert c.word_start(tokens).all()


def test_digits_that_a_space_parts_are_two_numbers():
    np.testing.assert_array_equal(c.value(["Ġ1", "2", "Ġ3", "Ġof", "Ġthe"]), [1, 12, 3, N, N])
    np.testing.assert_array_equal(c.value(["of", "the", "many", "1", "2"]), [N, N, N, 1, 2])


def recording_of(rows, mask=None):
    grid = np.full((len(rows), max(map(len, rows))), "", object)
    for k, row in enumerate(rows):
        grid[k, : len(row)] = row
    values = np.zeros((*grid.shape, 1), np.float32)
    values[0, 1:3] = 1.0
    values[1, 1:3] = 1.0
    layer = RecordedLayer("lstm", "LSTM", {"hidden_state": values}, mask=mask, tokens=grid)
    return Recording.from_layers([layer])


def test_all_rows_of_a_recording_are_read_the_same_way():
    # The second row alone would be taken for words.
    rows = [["the", "Ġplay", "ing", "Ġdog"], ["play", "a", "way", "now"]]
    recording = recording_of(rows)
    assert spelling_of(recording["lstm"]).kind == "Ġ"
    found = c.tracks(recording, c.word_start)["word_start"]
    np.testing.assert_array_equal(found, [[1, 1, 0, 1], [1, 0, 0, 0]])
    table = lw.match(recording, (1, 3), context=(1, 1))
    assert table["text"].tolist() == ["away"]


def test_padding_has_no_say():
    mask = np.array([[True] * 4, [True, True, False, False]])
    rows = [["the", "play", "##ing", "dog"], ["a", "##way", " ", " "]]
    assert spelling_of(recording_of(rows, mask)["lstm"]).kind == "##"
    assert spelling_of(recording_of(rows)["lstm"]).kind != "##"


@given(st.lists(st.text("aĠ▁# \n<>/w0xé日ا\ud800", max_size=6), max_size=12))
def test_pieces_make_the_text_whatever_stands_there(tokens):
    spelling = Spelling.of(tokens)
    pieces = spelling.pieces(tokens)
    assert len(pieces) == len(tokens)
    assert spelling.join(tokens) == "".join(piece.before + piece.text for piece in pieces)
    for concept in c.TEXT:
        assert concept(tokens).shape == (len(tokens),)
