"""One mark that nothing closes decides about nothing, least of all about the text after it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lstm_widgets import concepts as c

CLEAN = "She went on (slowly). He said \"no\" and 'yes' [twice] <b>and</b> left «so» /* x */.\n\n"
PAIRED = (
    c.inside_double_quotes,
    c.inside_single_quotes,
    c.inside_brackets,
    c.bracket_depth,
    c.inside_tag,
    c.tag_depth,
    c.inside_comment,
)
ODD = (
    "[Only a whisper.)",
    "(Only a whisper.]",
    "That was all :(",
    "So glad ;-) and {sad",
    'A 5" nail.',
    'Then he said "this',
    "“Open, and ‘open",
    "„Offen und ‚offen",
    "»Offen und ›offen",
    "«Ouvert et ‹ouvert",
    "「開いた『まま",
    "if a <b then",
    "a < b and c <d",
    "an <unclosed tag",
    'an <a href="x',
    "a <p> that stays open",
    "</b> alone, and <br>",
    "<!-- never closed",
    "/* never closed",
    "the boys' ‘books",
    "] ) } » › ” ’ 」 > */ -->",
)


def marked(concept, text):
    return "".join("^" if holds else " " for holds in concept(text)).rstrip()


@pytest.mark.parametrize("odd", ODD)
def test_what_stands_after_an_odd_mark_is_as_it_is_without_it(odd):
    alone = CLEAN * 3
    for concept in PAIRED:
        found = concept(f"{odd}\n\n{alone}")
        np.testing.assert_array_equal(found[len(odd) + 2 :], concept(alone), concept.name)
        between = concept(f"{CLEAN}{odd}\n\n{CLEAN}")
        np.testing.assert_array_equal(between[-len(CLEAN) :], concept(CLEAN), concept.name)
        np.testing.assert_array_equal(between[: len(CLEAN)], concept(CLEAN), concept.name)


@pytest.mark.parametrize("odd", ODD)
def test_an_odd_mark_marks_nothing_itself(odd):
    for concept in PAIRED:
        found = np.asarray(concept(odd), float)
        # A whole tag is one, also where its element stays open.
        tags = sum(len(tag) - 1 for tag in ("<p>", "</b>", "<br>") if tag in odd)
        assert found.sum() == (tags if concept is c.inside_tag else 0), (concept.name, odd)


@pytest.mark.parametrize(
    ("concept", "text", "line"),
    [
        (c.inside_brackets, "(a [b) c] (d)", "^^^^^     ^^"),
        (c.inside_brackets, "sad :( (so it was)", "       ^^^^^^^^^^"),
        (c.inside_brackets, "（全角）【括弧】", "^^^ ^^^"),
        (c.inside_brackets, "f(x:(a))", " ^^^^^^"),
        (c.inside_double_quotes, '"One. "two" three', "      ^^^^"),
        (c.inside_double_quotes, 'he said "no "ever" so"', "        ^^^^^^^^^^^^^"),
        (c.inside_double_quotes, "« oui » et «non»", "^^^^^^     ^^^^"),
        (c.inside_double_quotes, "»so« und »so«", "^^^      ^^^"),
        (c.inside_double_quotes, "»så» och »så»", "^^^      ^^^"),
        (c.inside_double_quotes, "彼は「『春』を」と", "  ^^^^^"),
        (c.inside_double_quotes, '他说"你好"。他', "  ^^^"),
        (c.inside_double_quotes, "他说“你好”。他", "  ^^^"),
        (c.inside_double_quotes, "”Hej”, sa", "^^^^"),
        # An abbreviation of Hebrew, in which the mark is part of the word.
        (c.inside_double_quotes, 'צה"ל "כן" לא', "     ^^^"),
        # What another kind would close stays open, and so is none.
        (c.inside_double_quotes, '“no" and “yes”', "         ^^^^"),
        (c.inside_single_quotes, "‹oui› ›so‹ ‚so‘", "^^^^  ^^^  ^^^"),
        (c.inside_single_quotes, "‘ja und ‘so’ da", "^^^^^^^^^^^"),
        (c.inside_tag, "<a title='x < y > z'/> 1", "^^^^^^^^^^^^^^^^^^^^^"),
        (c.inside_tag, "<b then. She (slowly), c> <i>", "                          ^^"),
        (c.inside_tag, "<input disabled a=b c = 'd'> e", "^^^^^^^^^^^^^^^^^^^^^^^^^^^"),
        (c.inside_tag, "<!-- <b> --> <i>", "             ^^"),
        (c.inside_tag, "<![CDATA[ <b> ]]><i>", "                 ^^"),
        (
            c.inside_tag,
            '<?xml version="1"?><!DOCTYPE a [<!ENTITY b "c">]>x',
            "^" * 18 + " " + "^" * 29,
        ),
        (c.inside_comment, "a /* b\n\nc */ d", "  ^^^^^^^^"),
    ],
)
def test_pairs(concept, text, line):
    assert marked(concept, text) == line


def test_only_elements_that_end_have_depth():
    text = "<ul><li>a<li>b<br></ul><p>c"
    depth = c.tag_depth(text)
    assert depth.max() == 1
    assert depth[: len("<ul")].sum() == 0
    assert (depth[len("<ul") : text.index("</ul>") + 4] == 1).all()
    assert depth[text.index("</ul>") + 4 :].sum() == 0
    assert c.tag_depth("<x.y:z-w>a</x.y:z-w>").max() == 1


def test_where_partners_are_looked_for_can_be_told():
    program = "{\n\nx (\n) }"
    assert not c.inside_brackets(program)[:4].any()
    whole = c.bracket_depth.within("document")
    assert whole(program).tolist() == [1, 1, 1, 1, 1, 2, 2, 1, 1, 0]
    assert whole.name == "bracket_depth.within('document')"
    assert marked(c.inside_brackets.within("line"), "(a\n) (b)") == "     ^^"
    assert marked(c.inside_tag.within("line"), "<a\nb> <c>") == "      ^^"
    assert marked(c.inside_tag, "<a\nb> <c>") == "^^^^  ^^"
    assert (~c.inside_brackets.within("line") & c.digit).name.startswith("~inside_brackets.within")
    with pytest.raises(TypeError, match="pairs of marks"):
        c.digit.within("line")
    with pytest.raises(ValueError, match="'line', 'paragraph' or 'document', got 'text'"):
        c.inside_tag.within("text")


@pytest.mark.parametrize("break_", ["\n\n", "\r\n\r\n", "\n \t\n", "\r\r", "\u2029"])
def test_paragraphs_end_at_empty_lines_of_any_kind(break_):
    assert not c.inside_brackets(f"(a{break_}b)").any()
    assert c.inside_brackets("(a\r\nb)").sum() == 5


MARKS = st.text("ab'’‘\"“”„‚«»‹›「」([{)]}<>/=-!*: \n.5", max_size=40)


@given(MARKS, MARKS)
def test_paragraphs_know_nothing_of_each_other(one, other):
    for concept in (c.inside_double_quotes, c.inside_single_quotes, c.bracket_depth):
        both = concept(f"{one}\n\n{other}")
        np.testing.assert_array_equal(both[: len(one)], concept(f"{one}\n\n")[: len(one)])
        alone = concept(f"a\n\n{other}")[3:]
        np.testing.assert_array_equal(both[len(one) + 2 :], alone)


@given(MARKS)
def test_nothing_is_open_at_the_end(text):
    for concept in PAIRED:
        within = concept.within("document")
        if concept is c.inside_comment and ("//" in text or "#" in text):
            continue
        assert not within(text)[-1:].any()
