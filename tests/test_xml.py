"""The XML documents: well-formed for a parser that isn't ours, and indented by their depth."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lstm_widgets.datasets import xml

seeds = st.integers(0, 2**32)


@given(seeds)
@settings(deadline=None, max_examples=25)
def test_documents_are_well_formed(seed):
    written = xml.documents(10, seed=seed)
    assert len(written) == 10
    assert written == xml.documents(10, seed=seed)
    for document in written:
        assert set(document) <= set(xml.SYMBOLS)
        assert ET.fromstring(document).tag in {"library", "garden"}


@given(seeds)
@settings(deadline=None, max_examples=25)
def test_tabs_tell_the_depth(seed):
    for document in xml.documents(10, seed=seed):
        depth = 0
        assert document.endswith(">\n")
        for line in document.removesuffix("\n").split("\n"):
            tabs, content = re.fullmatch(r"(\t*)(<.*>)", line).groups()
            opened = len(re.findall(r"<[a-z][^>]*[^/]>", content))
            closed = len(re.findall(r"</", content))
            depth += min(opened - closed, 0)
            assert len(tabs) == depth
            depth += max(opened - closed, 0)
        assert depth == 0


@given(seeds, st.integers(0, 2000))
@settings(deadline=None, max_examples=25)
def test_a_text_is_documents_with_an_empty_line_after_each(seed, characters):
    text = xml.generate(characters, seed=seed)
    assert len(text) >= characters
    written = text.split("\n\n")
    assert written.pop() == ""
    assert [f"{document}\n" for document in written] == xml.documents(len(written), seed=seed)


def test_documents_nest_and_have_attributes():
    roots = [ET.fromstring(document) for document in xml.documents(200, seed=1)]
    assert max(document.count("\t") for document in xml.documents(200, seed=1)) > 4
    assert any(root.findall("./*/*/*") for root in roots)
    assert {name for root in roots for element in root.iter() for name in element.attrib} >= {
        *("id", "lang", "city", "number", "colour", "year"),
    }
    assert any(element.text and element.text.strip() for root in roots for element in root.iter())


def test_symbols_are_each_there_once():
    assert len(set(xml.SYMBOLS)) == len(xml.SYMBOLS)


def test_negative_counts_are_refused():
    with pytest.raises(ValueError, match="count: expected at least 0, got -1"):
        xml.documents(-1, seed=0)
    with pytest.raises(ValueError, match="characters: expected at least 0, got -2"):
        xml.generate(-2, seed=0)
