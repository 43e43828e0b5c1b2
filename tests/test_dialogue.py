"""The dialogue: always the same, closed quotes and brackets, and where somebody is speaking."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lstm_widgets.datasets import dialogue

seeds = st.integers(0, 2**32)


@given(seeds, st.integers(0, 3000))
@settings(deadline=None, max_examples=25)
def test_text_follows_from_the_seed_and_has_known_characters_only(seed, characters):
    text = dialogue.generate(characters, seed=seed)
    assert len(text) >= characters
    assert text == dialogue.generate(characters, seed=seed)
    assert set(text) <= set(dialogue.SYMBOLS)


def test_symbols_are_each_there_once():
    assert len(set(dialogue.SYMBOLS)) == len(dialogue.SYMBOLS)


def test_a_longer_text_begins_like_a_shorter_one():
    short = dialogue.generate(1000, seed=3)
    assert dialogue.generate(5000, seed=3).startswith(short)


def test_another_seed_writes_another_text():
    assert dialogue.generate(500, seed=1) != dialogue.generate(500, seed=2)


@given(seeds)
@settings(deadline=None, max_examples=25)
def test_each_paragraph_closes_what_it_opens(seed):
    for paragraph in dialogue.generate(3000, seed=seed).split("\n\n"):
        left = re.sub(r'“[^“”"]*”|"[^“”"]*"', "", paragraph)
        assert not set(left) & set('“”"')
        left = re.sub(r"\([^()]*\)", "", paragraph)
        assert not set(left) & set("()")


def test_quotation_marks_are_of_one_kind():
    curly, straight = (dialogue.generate(5000, seed=5, quotes=q) for q in ("curly", "straight"))
    assert {"“", "”", "’"} <= set(curly)
    assert not {'"', "'"} & set(curly)
    assert straight == curly.translate(str.maketrans("“”’", '""\''))
    np.testing.assert_array_equal(dialogue.inside_quotes(straight), dialogue.inside_quotes(curly))
    with pytest.raises(ValueError, match="quotes: expected 'curly' or 'straight', got 'round'"):
        dialogue.generate(1, seed=5, quotes="round")


def test_what_is_said_is_in_the_present_tense_what_is_told_in_the_past():
    text = dialogue.generate(100_000, seed=5)
    inside = dialogue.inside_quotes(text)
    said = set(re.findall(r"[A-Za-z]+", "".join(np.where(inside, list(text), " "))))
    told = set(re.findall(r"[A-Za-z]+", "".join(np.where(inside, " ", list(text)))))
    present, past = {"comes", "are", "has", "find", "I"}, {"came", "were", "had", "found", "asked"}
    assert present <= said - told
    assert past <= told - said
    assert {"train", "seen", "worth", "kites", "because"} <= said & told


@given(seeds, st.sampled_from(["curly", "straight"]))
@settings(deadline=None, max_examples=25)
def test_inside_is_what_a_regular_expression_finds(seed, quotes):
    text = dialogue.generate(2000, seed=seed, quotes=quotes)
    for found, pattern in (
        (dialogue.inside_quotes(text), r'“[^”]*(?=”)|"[^"]*(?=")(?:")?'),
        (dialogue.inside_brackets(text), r"\([^)]*(?=\))"),
    ):
        expected = np.zeros(len(text), bool)
        for match in re.finditer(pattern, text):
            end = match.end() - (match.group().startswith('"'))
            expected[match.start() : end] = True
        np.testing.assert_array_equal(found, expected)


def test_inside_by_hand():
    assert dialogue.inside_quotes("").tolist() == []
    assert "".join("01"[int(k)] for k in dialogue.inside_quotes('a "b" c “d” e\'s')) == (
        "0011000011" + "00000"
    )
    assert "".join("01"[int(k)] for k in dialogue.inside_quotes('“left open\n\nnext "one"')) == (
        "1" * 11 + "0" * 6 + "1" * 4 + "0"
    )
    assert "".join("01"[int(k)] for k in dialogue.inside_brackets("a (b) c")) == "0011000"


def test_a_book_becomes_plain():
    book = (
        "\ufeffThe Project Gutenberg eBook\r\n\r\n*** START OF THE PROJECT GUTENBERG EBOOK X ***\r\n"
        "\r\n\r\nCHAPTER I.\r\n\r\nAlice was  beginning to get\r\nvery _tired_; “é” café\r\n\r\n\r\n"
        "* * *\r\n\r\nThe end\r\n\r\n*** END OF THE PROJECT GUTENBERG EBOOK X ***\r\nlicence\r\n"
    )
    assert dialogue.plain(book) == (
        "CHAPTER I.\n\nAlice was beginning to get very _tired_; “” caf\n\nThe end"
    )
    assert dialogue.plain("one\ntwo\n\n\nthree") == "one two\n\nthree"
    assert dialogue.plain("") == ""


def test_plain_leaves_generated_text_as_it_is():
    text = dialogue.generate(2000, seed=1)
    assert dialogue.plain(text) == text.rstrip("\n")


def test_negative_lengths_are_refused():
    with pytest.raises(ValueError, match="characters: expected at least 0, got -1"):
        dialogue.generate(-1, seed=0)
