"""Concepts: strings marked by hand, and what must hold of every text."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lstm_widgets import concepts as c
from lstm_widgets.datasets import dialogue
from lstm_widgets.recording import RecordedLayer, Recording


def marked(concept, text):
    """A line under the text: ^ where the concept holds."""
    return "".join("^" if holds else " " for holds in concept(text)).rstrip()


def recording_of(rows, mask=None, tokens=True):
    width = max(map(len, rows))
    grid = np.full((len(rows), width), "", object)
    for k, row in enumerate(rows):
        grid[k, : len(row)] = list(row)
    layer = RecordedLayer(
        "lstm",
        "LSTM",
        {"hidden_state": np.zeros((*grid.shape, 1), np.float32)},
        mask=mask,
        tokens=grid if tokens else None,
    )
    return Recording.from_layers([layer])


@pytest.mark.parametrize(
    ("concept", "text", "line"),
    [
        (c.upper_case, "Ab ÄcD1", "^  ^ ^"),
        (c.digit, "a12 3", " ^^ ^"),
        (c.vowel, "Eel by é", "^^     ^"),
        (c.whitespace, "a b\n\tc", " ^ ^^"),
        (c.newline, "a\n\nb", " ^^"),
        (c.punctuation, "a_b, “c”!", "   ^ ^ ^^"),
        (c.inside_double_quotes, 'say "yes, no" now', "    ^^^^^^^^"),
        (c.inside_double_quotes, "say “yes” now “", "    ^^^^"),
        (c.inside_double_quotes, "er „so“ und „so”", "   ^^^      ^^^"),
        (c.inside_double_quotes, 'a 5" by 6" board', ""),
        (c.inside_double_quotes, 'f("x")', "  ^^"),
        # A line break alone ends no paragraph.
        (c.inside_double_quotes, "“a\nb” “c\n\nd”", "^^^^"),
        (c.inside_single_quotes, "it's 'so', don't", "     ^^^"),
        (c.inside_single_quotes, "it’s ‘so’, don’t", "     ^^^"),
        (c.inside_single_quotes, "the boys' books' end", ""),
        (c.inside_single_quotes, "'the boys' books,' he said", "^^^^^^^^^^^^^^^^^"),
        (c.inside_single_quotes, "'yes' and 'no'", "^^^^      ^^^"),
        (c.inside_single_quotes, "'tis the '90s, rock 'n' roll", ""),
        (c.inside_single_quotes, "‘I can’t,’ said Otto", "^^^^^^^^^"),
        (c.inside_single_quotes, "‘Nobody’s. No.’ He", "^^^^^^^^^^^^^^"),
        # A mark that nothing closes in its paragraph is none.
        (c.inside_single_quotes, "a 'b\n\nc' d", ""),
        (c.inside_single_quotes, "a ‘b\n\nc’", ""),
        (c.inside_single_quotes, "“say ‘yes’ now”", "     ^^^^"),
        (c.inside_brackets, "a(b[c]d)e", " ^^^^^^"),
        (c.inside_brackets, "a) (b", ""),
        (c.inside_brackets, "{\nx}", "^^^"),
        (c.inside_tag, '<a b="x>y">t</a>', "^^^^^^^^^^  ^^^"),
        (c.inside_tag, "1 < 2, <b/> a <b c <i>", "       ^^^         ^^"),
        (c.inside_tag, "<!doctype x>\n<b\nc>", "^^^^^^^^^^^  ^^^^"),
        (c.inside_comment, "x /* y\nz */ // w\nv", "  ^^^^^^^   ^^^^"),
        (c.inside_comment, "# a\nb #c http://d e#f", "^^^   ^^^^^^^^^^^^^^^"),
        (c.inside_comment, "http://a <!-- b --> c", "         ^^^^^^^"),
        (c.word_start, "It’s don't 'a' x_1", "^    ^      ^  ^"),
        (c.word_end, "It’s don't 'a' x_1", "   ^     ^  ^    ^"),
        (c.first_word_of_sentence, "So it is. “No!” he said. I’m", "^^         ^^            ^^^"),
        (c.first_word_of_sentence, "Mr. Bo met J. Li? 3.5 Is 2", "^^                ^"),
        (c.first_word_of_sentence, "Title\n\nnot. This", "^^^^^  ^^^  ^^^^"),
        (c.is_token("a", "b"), "abc a", "^^  ^"),
        (c.next_is("b"), "abcb", "^ ^"),
        (c.matches(r"\d\d:\d\d"), "at 12:30 or 1:30", "   ^^^^^"),
        (c.upper_case & c.word_start, "Ab aB", "^"),
        (c.digit | c.whitespace, "a 1b", " ^^"),
        (~c.whitespace, "a b", "^ ^"),
        (c.digit.shift(1), "1a2", " ^"),
        (c.digit.shift(-1), "a12", "^^"),
    ],
)
def test_yes_no(concept, text, line):
    values = concept(text)
    assert values.dtype == bool
    assert values.shape == (len(text),)
    assert marked(concept, text) == line


N = np.nan


@pytest.mark.parametrize(
    ("concept", "text", "expected"),
    [
        (c.position_in_word, "ab’c, d", [0, 1, 2, 3, N, N, 0]),
        (c.position_in_line, "ab\n\nc", [0, 1, 2, 0, 0]),
        (c.line_length, "ab\n\nc", [1, 2, 0, 0, 1]),
        (c.bracket_depth, "([a)]{}", [1, 1, 1, 0, 0, 1, 0]),
        (
            c.tag_depth,
            "<a><b/><c>x</c></a></a>",
            [*[0] * 2, *[1] * 7, *[2] * 5, *[1] * 4, *[0] * 5],
        ),
        (c.since("a"), "bacda", [N, 0, 1, 2, 0]),
        (c.value, "7+12=x", [7, N, 1, 12, N, N]),
        (c.running_sum, "7+12=", [7, 7, 8, 19, 19]),
        (c.carry, "7+15=", [0, 0, 0, 1, 1]),
        (c.carry, "01+9", [0, 0, 0, 1]),
        (c.length(), "abc", [3, 3, 3]),
        (c.line_length.shift(2), "abc", [N, N, 1]),
        (c.line_length.shift(-5), "abc", [N, N, N]),
    ],
)
def test_numeric(concept, text, expected):
    values = concept(text)
    assert values.dtype == np.float64
    np.testing.assert_array_equal(values, expected)


def test_tokens_of_several_characters():
    words = ["“", "Don't", "go", "(", "yet", ")", "”", "Otto", "said", "so"]
    assert c.inside_double_quotes(words).tolist() == [True] * 6 + [False] * 4
    assert c.inside_brackets(words).tolist() == [False] * 3 + [True] * 2 + [False] * 5
    assert c.word_start(words).tolist() == [token.isalpha() or token == "Don't" for token in words]
    assert c.upper_case(words).tolist() == [token in ("Don't", "Otto") for token in words]
    pieces = ["He", " said", " “", "No", "”", "", ".\n", "Well"]
    assert c.inside_double_quotes(pieces).tolist() == [False, False, True, True, *[False] * 4]
    assert c.word_start(pieces).tolist() == [True, True, False, True, False, False, False, True]
    np.testing.assert_array_equal(c.line_length(pieces), [2, 7, 9, 11, 12, 12, 0, 4])
    assert c.newline(pieces).tolist() == [False] * 6 + [True, False]
    np.testing.assert_array_equal(c.value(["0.5", "add", "-2", "12"]), [0.5, N, -2, 12])
    np.testing.assert_array_equal(c.running_sum(["0.5", "add", "-2"]), [0.5, 0.5, -1.5])


@given(st.text("ab'’‘\"“”([{)]}<>/=-#! \n.A1", max_size=60))
def test_every_text_has_values(text):
    for concept in (*c.TEXT, c.value, c.running_sum, c.carry, c.since("a")):
        values = concept(text)
        assert values.shape == (len(text),)
        assert values.dtype == (bool if concept.kind == "yes_no" else np.float64)
    assert (c.inside_brackets(text) == (c.bracket_depth(text) > 0)).all()
    assert (c.bracket_depth(text) >= 0).all()
    assert (c.tag_depth(text) >= 0).all()
    ends = c.word_end(text)
    assert c.word_start(text).sum() == ends.sum()
    in_word = ~np.isnan(c.position_in_word(text))
    assert (ends <= in_word).all()


@given(st.integers(0, 30), st.sampled_from(["curly", "straight"]))
def test_dialogue_has_its_quotes_and_brackets(seed, quotes):
    text = dialogue.generate(500, seed=seed, quotes=quotes)
    assert (c.inside_double_quotes(text) == dialogue.inside_quotes(text)).all()
    assert (c.inside_brackets(text) == dialogue.inside_brackets(text)).all()
    assert not c.inside_single_quotes(text).any()


def test_names_of_what_is_made_of_others():
    assert (c.digit | ~c.vowel).name == "digit | ~vowel"
    assert (~(c.digit | c.vowel) & c.newline).name == "~(digit | vowel) & newline"
    assert (c.digit & c.vowel).shift(2).name == "(digit & vowel).shift(2)"
    assert c.next_is("\n").name == r"next_is('\n')"
    assert {concept.name for concept in c.TEXT} <= set(c.__all__)
    assert all(concept.description for concept in c.TEXT)


def test_tracks_stay_within_examples_and_leave_padding_out():
    mask = np.array([[True] * 4, [False, True, True, False]])
    recording = recording_of(["a(b)", ".1(."], mask)
    given_array = np.arange(8).reshape(2, 4)
    result = c.tracks(
        recording,
        {
            "open": c.inside_brackets,
            "later": c.digit.shift(1),
            "upper": lambda tokens: [token == "b" for token in tokens],
            "place": lambda tokens: np.arange(len(tokens)),
            "digits": r"\d",
            "mine": given_array,
            "truth": c.label([True, False]),
            "right": c.correct(np.array([False, True])),
            "length": c.length(),
        },
    )
    expected = {
        "open": [[0, 1, 1, 0], [N, 0, 0, N]],
        "later": [[0, 0, 0, 0], [N, 0, 1, N]],
        "upper": [[0, 0, 1, 0], [N, 0, 0, N]],
        "place": [[0, 1, 2, 3], [N, 0, 1, N]],
        "digits": [[0, 0, 0, 0], [N, 1, 0, N]],
        "mine": [[0, 1, 2, 3], [N, 5, 6, N]],
        "truth": [[1, 1, 1, 1], [N, 0, 0, N]],
        "right": [[0, 0, 0, 0], [N, 1, 1, N]],
        "length": [[4, 4, 4, 4], [N, 2, 2, N]],
    }
    assert list(result.data_vars) == list(expected)
    for name, values in expected.items():
        assert result[name].dims == ("example", "timestep")
        np.testing.assert_array_equal(result[name], values)
    numeric = {name for name in expected if result[name].attrs["kind"] == "numeric"}
    assert numeric == {"place", "mine", "length"}
    # What came out goes in again, with its kinds.
    again = c.tracks(recording, result)
    assert again.equals(result)
    assert [v.attrs["kind"] for v in again.values()] == [v.attrs["kind"] for v in result.values()]


def test_what_is_refused():
    recording = recording_of(["ab", "cd"])
    silent = recording_of(["ab", "cd"], tokens=False)
    assert c.tracks(silent, [c.length(), c.label([1, 2])])["label"].values.tolist() == [
        [1, 1],
        [2, 2],
    ]
    with pytest.raises(ValueError, match="needs tokens"):
        c.tracks(silent, [c.digit])
    with pytest.raises(ValueError, match="got 'digit' twice"):
        c.tracks(recording, [c.digit, c.digit])
    with pytest.raises(ValueError, match="expected another name than 'timestep'"):
        c.tracks(recording, {"timestep": c.digit})
    with pytest.raises(TypeError, match="need a name"):
        c.tracks(recording, ["a+"])
    with pytest.raises(TypeError, match="expected a concept, several"):
        c.tracks(recording, "a+")
    with pytest.raises(TypeError, match=r"concepts\['x'\]"):
        c.tracks(recording, {"x": 3})
    with pytest.raises(ValueError, match=r"\(2 examples, 2 timesteps\), got shape \(2, 3\)"):
        c.tracks(recording, {"x": np.zeros((2, 3))})
    with pytest.raises(ValueError, match="each of 2 examples, got 3"):
        c.tracks(recording, [c.label([1, 2, 3])])
    with pytest.raises(ValueError, match="each of 2 timesteps, got shape"):
        c.tracks(recording, [c.of(lambda _: np.zeros(5), name="five")])
    with pytest.raises(ValueError, match="kind='numeric'"):
        c.of(lambda tokens: [0.5] * len(tokens))("abc")
    with pytest.raises(TypeError, match="bools or numbers"):
        c.of(list)("abc")
    with pytest.raises(ValueError, match="regular expression"):
        c.matches("(")
    with pytest.raises(TypeError, match="numeric 'line_length'"):
        c.digit & c.line_length
    with pytest.raises(TypeError, match="numeric 'line_length'"):
        c.line_length.__invert__()
    with pytest.raises(TypeError, match="whole number"):
        c.digit.shift(0.5)
    with pytest.raises(TypeError, match="one string or more"):
        c.is_token()
    with pytest.raises(TypeError, match="bools"):
        c.correct([1, 0])
    with pytest.raises(TypeError, match="values"):
        c.label(["a", "b"])
