"""The reviews: always the same, with the label and the words that matter as another reader finds them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lstm_widgets.datasets import reviews

seeds = st.integers(0, 2**32)

BLAME, PRAISE = map(set, reviews.PRAISE_AND_BLAME)
STRENGTH = {"very": 2, "really": 2, "truly": 2, "slightly": 0.5, "somewhat": 0.5, "mildly": 0.5}
NEGATIONS = {"not", "never", "hardly"}
PLOT = {"war", "wedding", "murder", "friendship", "thief"} | {
    "ghost",
    "detective",
    "party",
    "robbery",
}
# Words that say nothing, wherever they are put.
IDLE = ("the", "was", "it", "we", "film", "acting", "director", "monday")


def verdict(words):
    """What a review says, read from left to right, word by word: 0, 1, or None if it says nothing."""
    total = 0.0
    for k, word in enumerate(words):
        if word == "but":
            total = 0.0  # what was said before it doesn't count
        if word == "although":
            break
        following = words[k + 1] if k + 1 < len(words) else ""
        if word not in BLAME | PRAISE or following in PLOT or "about" in words[max(k - 2, 0) : k]:
            continue
        value = (1.0 if word in PRAISE else -1.0) * STRENGTH.get(
            "".join(words[max(k - 1, 0) : k]), 1
        )
        total += -value if NEGATIONS & set(words[max(k - 3, 0) : k]) else value
    return None if total == 0 else int(total > 0)


def kin(word):
    """Words of the same kind."""
    for kind in (BLAME | PRAISE, set(STRENGTH), PLOT):
        if word in kind:
            return sorted(kind)
    return []


@given(seeds)
@settings(max_examples=40)
def test_label_and_words_that_matter_are_those_that_changing_each_word_finds(seed):
    for review in reviews.generate(8, seed=seed):
        words = list(review.words)
        assert verdict(words) == review.label
        assert review.form in reviews.FORMS
        assert len(review.matters) == len(words)
        for k, matters in enumerate(review.matters):
            changed = [
                words[:k] + words[k + 1 :],
                *([*words[:k], w, *words[k + 1 :]] for w in IDLE),
            ]
            if matters:
                # Without it the review says something else, or nothing.
                assert all(verdict(one) != review.label for one in changed), (words, k)
            else:
                changed += [[*words[:k], w, *words[k + 1 :]] for w in kin(words[k])]
                assert all(verdict(one) == review.label for one in changed), (words, k)


def test_the_other_reader_by_hand():
    for text, expected in {
        "the film was good": 1,
        "the film was not very good": 0,
        "it was never a dull film": 1,
        "it is about a good war": None,
        "the film was very good but the cast was weak": 0,
        "the film was good although the cast was very weak": 1,
        "the film was good and the cast was slightly weak": 1,
        "the film was good and the cast was weak": None,
        "": None,
    }.items():
        assert verdict(text.split()) == expected, text


@given(seeds, st.integers(0, 30))
@settings(max_examples=25)
def test_reviews_follow_from_the_seed_and_have_known_words_only(seed, count):
    written = reviews.generate(count, seed=seed)
    assert len(written) == count
    assert written == reviews.generate(count, seed=seed)
    assert reviews.generate(count + 5, seed=seed)[:count] == written
    for review in written:
        assert set(review.words) <= set(reviews.WORDS[1:])


def test_no_word_alone_tells_the_label():
    written = reviews.generate(4000, seed=3)
    labels = np.array([review.label for review in written])
    assert abs(labels.mean() - 0.5) < 0.03
    for form in reviews.FORMS:
        assert sum(review.form == form for review in written) > 600
    # Every word is used, and none is a giveaway.
    for word in reviews.WORDS[1:]:
        having = np.array([word in review.words for review in written])
        assert having.any()
        assert having.sum() < 30 or 0.25 < labels[having].mean() < 0.75, word
    # Nor do praise and blame that are counted.
    counted = [
        sum((word in PRAISE) - (word in BLAME) for word in review.words) for review in written
    ]
    right = np.mean(np.sign(counted) == 2 * labels - 1)
    assert 0.2 < right < 0.6


def test_arrays():
    written = reviews.generate(20, seed=5)
    arrays = reviews.arrays(written)
    width = max(len(review.words) for review in written)
    assert arrays.ids.shape == arrays.matters.shape == (20, width)
    assert (arrays.ids.dtype, arrays.labels.dtype) == (np.int32, np.int32)
    for k, review in enumerate(written):
        count = len(review.words)
        assert [reviews.WORDS[i] for i in arrays.ids[k]] == arrays.tokens[k]
        assert tuple(arrays.tokens[k][:count]) == review.words
        assert tuple(arrays.matters[k, :count]) == review.matters
        assert not arrays.ids[k, count:].any()
        assert not arrays.matters[k, count:].any()
        assert arrays.labels[k] == review.label
    wide = reviews.arrays(written, 40)
    np.testing.assert_array_equal(wide.ids[:, :width], arrays.ids)
    assert wide.ids.shape == (20, 40)
    assert reviews.arrays([]).ids.shape == (0, 0)


def test_words_are_each_there_once_and_padding_is_none():
    assert reviews.WORDS[0] == ""
    assert len(set(reviews.WORDS)) == len(reviews.WORDS)
    assert not BLAME & PRAISE


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="count: expected at least 0, got -1"):
        reviews.generate(-1, seed=0)
    written = reviews.generate(3, seed=0)
    with pytest.raises(
        ValueError, match=r"width: expected at least \d+, the longest review, got 5"
    ):
        reviews.arrays(written, 5)
    strange = reviews.Review(("a", "superb", "film"), 1, (False, True, False), "plain")
    with pytest.raises(ValueError, match="reviews: expected only words of WORDS, got 'superb'"):
        reviews.arrays([strange])


def test_a_small_network_learns_the_plain_ones_and_training_follows_from_the_seed():
    plain = [review for review in reviews.generate(400, seed=1) if review.form == "plain"]
    arrays = reviews.arrays(plain)
    options = {"epochs": 20, "batch_size": 40, "learning_rate": 0.02, "seed": 2}
    models = [reviews.build_model(embedding=8, cells=8, dropout=0.1, seed=2) for _ in range(2)]
    losses = [reviews.train(model, arrays.ids, arrays.labels, **options) for model in models]
    assert losses[0] == losses[1]
    assert losses[0][-1] < 0.1
    for one, other in zip(models[0].get_weights(), models[1].get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert [layer.name for layer in models[0].layers] == ["words", "lstm", "dropout", "labels"]
    assert models[0].output_shape == (None, 2)
