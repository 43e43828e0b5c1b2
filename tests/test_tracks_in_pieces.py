"""Concepts of a long text are said a stretch at a time, and say the same as of the whole."""

from __future__ import annotations

import re
import tracemalloc

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from lstm_widgets import concepts as c
from lstm_widgets.concepts import example, make_tracks, packed
from lstm_widgets.concepts.make_tracks import packed_tracks
from lstm_widgets.recording import RecordedLayer, Recording, open_recording
from lstm_widgets.recording.times import standard_times

PAIRED = (
    c.inside_double_quotes,
    c.inside_single_quotes,
    c.inside_brackets,
    c.bracket_depth,
    c.inside_tag,
    c.tag_depth,
    c.inside_comment,
)
EVERY = (
    *c.TEXT,
    *(concept.within(scope) for concept in PAIRED for scope in ("line", "paragraph", "document")),
    *(c.value, c.running_sum, c.carry, c.length(), c.since("a"), c.is_token("a"), c.next_is("b")),
    *(c.matches(r"a.*?b"), c.matches(r"(?m)^\W"), c.matches(r"\ba+\b|\s\Z")),
    *(c.digit.shift(3), c.line_length.shift(-4), c.vowel.shift(50), c.vowel.shift(-50)),
    *(~c.vowel, c.word_end & ~c.digit, (c.inside_brackets | c.digit).shift(-2) & c.word_start),
    c.of(lambda tokens: [token > "a" for token in tokens], name="own"),
    c.label([1.5]),
    c.correct(np.array([True])),
)
BITS = (
    *(
        "a",
        "b",
        "A",
        "I",
        "s",
        "1",
        "2",
        " ",
        "\n",
        "\n\n",
        "\u2029",
        "\r",
        "é",
        "\u0301",
        "\u200d",
    ),
    *(
        "中",
        "文",
        "ก็",
        "。",
        "😀",
        "\ud83d",
        "_",
        ",",
        ". A",
        "?",
        "…",
        "Mr.",
        "-",
        "=",
        ":-)",
        ";(",
    ),
    *("'", '"', "‘", "’", "‚", "“", "”", "„", "«", "»", "‹", "›", "「", "」", "s' b", "'tis "),
    *("(", "[", "{", ")", "]", "}", "<b>", "</b>", "<a x='1'>", "<br/>", "<", ">", "<?x a?>"),
    *("<!--", "-->", "/*", "*/", "//", "https://", " # ", "<![CDATA[", "]]>"),
)
TEXTS = st.lists(st.sampled_from(BITS), max_size=40).map("".join)


def words(text):
    return re.findall(r"\w+|[^\w ]", text)


TOKENS = {
    "characters": list,
    "pieces": lambda text: re.findall(r" ?\w+|\W", text),
    "words": words,
    "##": lambda text: [w if k % 3 else f"##{w}" for k, w in enumerate(words(text))],
    "</w>": lambda text: [w if k % 3 == 1 else f"{w}</w>" for k, w in enumerate(words(text))],
    "▁": lambda text: [f"▁{w}" if k % 2 else w for k, w in enumerate(words(text))],
    # Bytes of one character in several tokens.
    "Ġ": lambda text: [
        *("ĠĠa", "Ġb"),
        *(
            "".join("Ġ" if b == 32 else chr(b if 32 < b < 127 or b > 173 else 256 + b))
            for b in raw(text)
        ),
    ],
    "with empty ones": lambda text: ["", "", *(x for w in words(text) for x in (w, "", " "))],
}


def raw(text):
    return text.encode("utf-8", "surrogatepass")


@pytest.mark.parametrize("kind", TOKENS)
@settings(max_examples=25)
@given(text=TEXTS, size=st.integers(1, 9))
def test_however_a_text_is_cut_concepts_say_the_same(kind, text, size):
    tokens = TOKENS[kind](text)
    with pytest.MonkeyPatch.context() as patch:
        for concept in EVERY:
            patch.setattr(example, "STRETCH", max(1, len(tokens)))
            whole = concept(tokens)
            patch.setattr(example, "STRETCH", size)
            cut = concept(tokens)
            assert cut.dtype == whole.dtype
            np.testing.assert_array_equal(cut, whole, f"{concept.name} of {tokens}")


def recording_of(texts, mask=None, labels=None, times=None):
    width = max(map(len, texts))
    tokens = np.array([[*text, *[""] * (width - len(text))] for text in texts], object)
    states = np.zeros((*tokens.shape, 1), np.float32)
    if mask is None and any(len(text) < width for text in texts):
        mask = np.arange(width) < np.array([[len(text)] for text in texts])
    layer = RecordedLayer("lstm", "LSTM", {"hidden_state": states}, mask, tokens, times=times)
    return Recording.from_layers([layer], labels=labels)


@settings(max_examples=20)
@given(
    texts=st.lists(TEXTS.filter(bool), min_size=1, max_size=4),
    data=st.data(),
    size=st.integers(1, 9),
    columns=st.sampled_from([8, 16, 32]),
)
def test_tracks_of_a_recording_are_the_same_packed_or_not(texts, data, size, columns):
    width = max(map(len, texts))
    rows = st.lists(st.booleans(), min_size=width, max_size=width)
    mask = np.array([data.draw(rows) for _ in texts])
    recording = recording_of(texts, mask)
    given_array = np.random.default_rng(0).normal(size=mask.shape)
    asked = {concept.name: concept for concept in (*c.TEXT, c.digit.shift(-2), c.running_sum)}
    asked |= {"mine": given_array, "long": lambda tokens: np.arange(len(tokens)), "re": "a.b"}
    whole = c.tracks(recording, asked)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(example, "STRETCH", size)
        patch.setattr(packed, "COLUMNS", columns)
        patch.setattr(make_tracks, "MANY_COLUMNS", 0)
        lazy = c.tracks(recording, asked)
        assert lazy.equals(whole)
        again = c.tracks(recording, lazy)
        for name, track in packed_tracks(recording, asked).items():
            expected = whole[name].to_numpy().ravel()
            assert again[name].attrs["kind"] == whole[name].attrs["kind"] == track.kind
            np.testing.assert_array_equal(again[name], whole[name])
            if track.kind == "yes_no":
                expected = expected == 1
            np.testing.assert_array_equal(track.block(slice(None)), expected)
    for name in asked:
        for k, row in enumerate(mask):
            tokens = recording["lstm"]["token"].to_numpy()[k, row].tolist()
            if isinstance(asked[name], c.Concept):
                np.testing.assert_array_equal(whole[name][k, row], asked[name](tokens))


def test_tracks_of_a_long_recording_are_unpacked_where_they_are_asked_for(tmp_path, monkeypatch):
    monkeypatch.setattr(make_tracks, "MANY_COLUMNS", 0)
    recording = recording_of(["a (b) c1", "“so”"])
    recording.save(tmp_path / "r")
    opened = open_recording(tmp_path / "r")
    lazy = c.tracks(opened, [c.inside_brackets, c.position_in_line])
    monkeypatch.undo()
    whole = c.tracks(recording, [c.inside_brackets, c.position_in_line])
    for name in lazy:
        assert not lazy[name].variable._in_memory
        for key in ((0, 3), (slice(None), 2), (1, slice(1, 7, 2)), ([1, 0], slice(None, None, -1))):
            np.testing.assert_array_equal(lazy[name][key], whole[name][key], str(key))
        at = xr.DataArray([0, 1, 1])
        np.testing.assert_array_equal(lazy[name][at, at + 2], whole[name][at, at + 2])
        assert not lazy[name].variable._in_memory
    lazy["inside_brackets"][0, 0] = 7
    assert lazy["inside_brackets"][0, 0] == 7
    assert c.fitting(opened) == c.fitting(recording)


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_tables_find_their_times_a_stretch_at_a_time(monkeypatch, size):
    days = pd.date_range("2001-03-01", periods=8, freq="D")
    mask = np.ones((2, 8), bool)
    mask[1, [0, 1, 7]] = False
    recording = recording_of(
        ["abcdefgh"] * 2, mask, labels=["x", "y"], times=standard_times(days, 2, 8)
    )
    asked = {
        "cut": pd.Series(np.arange(6), index=days[1:7])[::-1],
        "each": pd.DataFrame({"y": np.arange(8.0), "x": np.arange(8) > 3}, index=days),
        "counted": pd.Series(np.arange(8) % 3 == 0),
        "yes": pd.Series(np.arange(8) % 3 == 0, index=days),
    }
    none = {"none": pd.Series(True, index=days + pd.Timedelta(days=90))}
    some = {"some": pd.Series(True, index=days[:4])}
    whole = c.tracks(recording, asked)
    monkeypatch.setattr(example, "STRETCH", size)
    assert c.tracks(recording, asked).equals(whole)
    with pytest.raises(
        ValueError, match="none of its times is one of the recording's, from 2001-03-01"
    ):
        c.tracks(recording, none)
    with pytest.raises(ValueError, match="no value at 2001-03-05"):
        c.tracks(recording, some)


def test_what_a_long_text_takes_is_a_few_bytes_a_character(monkeypatch):
    part = "“So (it) is,” he 'said'. <b>Mr. X</b> /* told */ it's 12 [a]\n\n"
    monkeypatch.setattr(example, "STRETCH", 1 << 10)
    monkeypatch.setattr(packed, "COLUMNS", 1 << 10)
    monkeypatch.setattr("lstm_widgets.tokens.words._ENOUGH", 1 << 10)

    def grown(characters):
        recording = recording_of([(part * (characters // 50))[:characters]])
        recording["lstm"].sizes  # noqa: B018 - its index is made once
        tracemalloc.start()
        try:
            tracks = packed_tracks(recording, c.TEXT)
            return tracemalloc.get_traced_memory()[1], sum(t.nbytes for t in tracks.values())
        finally:
            tracemalloc.stop()

    grown(100)  # what is loaded once
    (few, few_packed), (many, many_packed) = grown(10_000), grown(60_000)
    # Seven bytes and fourteen bits; and two bytes a character of the text, which is there twice once.
    assert many_packed - few_packed < 50_000 * 9
    assert many - few < 50_000 * 20
