"""Short film reviews of which is known which words decide them.

Each review holds one verdict, and around it sentences that are beside the point. A word of praise or
blame counts where it is said of the film. It does not where it belongs to the plot (*about a terrible
war*). It counts the other way round behind a negation (*not a very good film*). Where praise and
blame meet, *but* leaves what comes after it, *although* what comes before it, and *and* leaves the
stronger one: *slightly dull* < *dull* < *very dull*. All of it is written by a small grammar, the
same for the same seed.

The grammar knows which words matter: those without which the review would no longer say the same.
Take one of them away, or put a word like *the* in its place, and the review turns round or says
nothing; do this to any other word, and its verdict stays.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lstm_widgets.datasets._writer import Writer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import keras
    import numpy.typing as npt

__all__ = [
    "FORMS",
    "LABELS",
    "PRAISE_AND_BLAME",
    "WORDS",
    "Arrays",
    "Review",
    "arrays",
    "build_model",
    "generate",
    "train",
]

#: What the labels 0 and 1 mean.
LABELS = ("negative", "positive")
#: The words of blame (0) and of praise (1).
PRAISE_AND_BLAME = (
    ("bad", "terrible", "boring", "dull", "clumsy", "silly", "dreadful", "weak"),
    ("good", "wonderful", "brilliant", "charming", "funny", "moving", "clever", "delightful"),
)
_STRONG, _WEAK = ("very", "really", "truly"), ("slightly", "somewhat", "mildly")
_NEGATIONS = ("not", "never", "hardly")
_ASPECTS = ("acting", "story", "ending", "music", "dialogue", "pacing", "cast", "script")
_FILMS = ("film", "movie", "picture")
_VERBS = ("was", "seemed", "felt")
_PLOT = (
    "war",
    "wedding",
    "murder",
    "friendship",
    "thief",
    "ghost",
    "detective",
    "party",
    "robbery",
)
_PLACES = ("town", "village", "castle", "hotel")
# They say nothing of the film, though some have a negation or a word that makes others stronger.
_ASIDES = (
    "we saw it on a rainy monday",
    "we saw it with the whole family",
    "i had not read the book",
    "i had never heard of the director",
    "i hardly knew the director",
    "the cinema was very full",
    "the seats were really new",
    "my sister had bought the tickets",
    "it runs for ninety minutes",
    "it was made in the seventies",
    "the tickets were somewhat expensive",
)


@dataclass(frozen=True)
class Review:
    """A review, and what the grammar knows of it.

    Attributes
    ----------
    words : tuple of str
        Its words, all of :data:`WORDS`.
    label : int
        What it says of the film: 0 or 1, for :data:`LABELS`.
    matters : tuple of bool
        For each word, whether the verdict hangs on it.
    form : str
        How the verdict is put: one of :data:`FORMS`.
    """

    words: tuple[str, ...]
    label: int
    matters: tuple[bool, ...]
    form: str


class Arrays(NamedTuple):
    """Reviews as a network reads them, filled up with padding at the end.

    Attributes
    ----------
    ids : int32 array (review, width)
        int32 ``(review, width)``: the places of the words in :data:`WORDS`, 0 for padding.
    tokens : list of list of str
        For each review its words, and ``""`` for padding.
    labels : int32 array (review,)
        int32 ``(review,)``.
    matters : bool array (review, width)
        bool ``(review, width)``, False at padding.
    """

    ids: npt.NDArray[np.int32]
    tokens: list[list[str]]
    labels: npt.NDArray[np.int32]
    matters: npt.NDArray[np.bool_]


class _Writer(Writer):
    """Draws words and writes reviews; words that matter bear a ``*`` until the end."""

    def review(self) -> Review:
        label = self.number(0, 1)
        form = self.one(FORMS)
        sentences = [self.plot() if self.number(0, 1) else self.one(_ASIDES)]
        if self.number(0, 1):
            sentences.append(self.one(_ASIDES))
        sentences.insert(self.number(0, len(sentences)), _WAYS[form](self, label))
        words = " ".join(sentences).split()
        return Review(
            tuple(word.removesuffix("*") for word in words),
            label,
            tuple(word.endswith("*") for word in words),
            form,
        )

    def plot(self) -> str:
        quality = self.one(PRAISE_AND_BLAME[self.number(0, 1)])
        first, second = self.two(_PLOT)
        end = f"and a {second}" if self.number(0, 1) else f"in a small {self.one(_PLACES)}"
        return f"it is {self.one(('', 'not '))}about a {quality} {first} {end}"

    def two(self, choices: Sequence[str]) -> tuple[str, str]:
        """Draw two different ones."""
        first, second = self._random.choice(len(choices), 2, replace=False)
        return choices[first], choices[second]

    # The verdict. A quality here is everything that makes up the judgement, such as "not* very good*".

    def said(self, quality: str) -> str:
        if self.number(0, 1):
            return self.said_of(self.one(_ASPECTS), quality)
        # The article goes behind a negation: "not a good film".
        *before, last = quality.split()
        before.insert(bool(before) and before[0].removesuffix("*") in _NEGATIONS, "a")
        return f"it was {' '.join(before)} {last} {self.one(_FILMS)}"

    def said_of(self, aspect: str, quality: str) -> str:
        return f"the {aspect} {self.one(_VERBS)} {quality}"

    def quality(self, label: int) -> str:
        return self.one(PRAISE_AND_BLAME[label])

    def plain(self, label: int) -> str:
        return self.said(self.quality(label) + "*")

    def modified(self, label: int) -> str:
        return self.said(f"{self.one(_STRONG + _WEAK)} {self.quality(label)}*")

    def denied(self, label: int, modifier: str = "") -> str:
        return f"{self.one(_NEGATIONS)}* {modifier} {self.quality(1 - label)}*"

    def negated(self, label: int) -> str:
        return self.said(self.denied(label, self.one(("", "", *_STRONG))))

    def contrast(self, label: int) -> str:
        """Two opposite judgements, of which one is set aside; it may well be the stronger one."""
        kept = self.quality(label) + "*" if self.number(0, 2) else self.denied(label)
        dropped = f"{self.one(('', *_STRONG))} {self.quality(1 - label)}"
        first, second = self.two(_ASPECTS)
        if self.number(0, 1):
            return f"{self.said_of(first, dropped)} but* {self.said_of(second, kept)}"
        return f"{self.said_of(first, kept)} although* {self.said_of(second, dropped)}"

    def balance(self, label: int) -> str:
        """Two opposite judgements, of which one is stronger: by one word alone."""
        if self.number(0, 1):
            stronger = f"{self.one(_STRONG)}* {self.quality(label)}*"
            weaker = self.quality(1 - label)
        else:
            stronger = self.quality(label) + "*"
            weaker = f"{self.one(_WEAK)}* {self.quality(1 - label)}"
        both = [stronger, weaker]
        if self.number(0, 1):
            both.reverse()
        first, second = self.two(_ASPECTS)
        return f"{self.said_of(first, both[0])} and {self.said_of(second, both[1])}"


_WAYS: dict[str, Callable[[_Writer, int], str]] = {
    "plain": _Writer.plain,
    "modified": _Writer.modified,
    "negated": _Writer.negated,
    "contrast": _Writer.contrast,
    "balance": _Writer.balance,
}
#: How a verdict is put: as it is, with a word like *very*, negated, with *but* or *although*, or as
#: two judgements of which the stronger one decides.
FORMS = tuple(_WAYS)


def _vocabulary() -> tuple[str, ...]:
    lists = (
        *PRAISE_AND_BLAME,
        _STRONG,
        _WEAK,
        _NEGATIONS,
        _ASPECTS,
        _FILMS,
        _VERBS,
        _PLOT,
        _PLACES,
    )
    others = (
        "it",
        "is",
        "was",
        "a",
        "the",
        "not",
        "about",
        "in",
        "small",
        "and",
        "but",
        "although",
    )
    words = {word for one in (*lists, others, *map(str.split, _ASIDES)) for word in one}
    return ("", *sorted(words))


#: Every word that :func:`generate` writes, by its id; 0 is padding.
WORDS = _vocabulary()


def generate(count: int, *, seed: int) -> list[Review]:
    """Write some reviews, about as many of each label and of each form.

    Parameters
    ----------
    count : int
        How many.
    seed : int
        What all choices follow from. The same seed writes the same reviews, and more of them begin
        like fewer.

    Raises
    ------
    ValueError
        If ``count`` is negative.
    """
    if count < 0:
        raise ValueError(f"count: expected at least 0, got {count}")
    writer = _Writer(seed)
    return [writer.review() for _ in range(count)]


def arrays(reviews: Sequence[Review], width: int | None = None) -> Arrays:
    """Write reviews as a network reads them: words as ids, filled up with padding at the end.

    Parameters
    ----------
    reviews : sequence of Review
        The reviews.
    width : int, optional
        How many timesteps; None: as many as the longest review has words.

    Raises
    ------
    ValueError
        If a review is longer than ``width``, or has a word that isn't one of :data:`WORDS`.
    """
    longest = max((len(review.words) for review in reviews), default=0)
    width = longest if width is None else width
    if longest > width:
        raise ValueError(f"width: expected at least {longest}, the longest review, got {width}")
    index = {word: number for number, word in enumerate(WORDS)}
    ids = np.zeros((len(reviews), width), np.int32)
    matters = np.zeros(ids.shape, np.bool_)
    tokens = []
    for k, review in enumerate(reviews):
        if strange := set(review.words) - set(WORDS[1:]):
            raise ValueError(f"reviews: expected only words of WORDS, got {min(strange)!r}")
        count = len(review.words)
        ids[k, :count] = [index[word] for word in review.words]
        matters[k, :count] = review.matters
        tokens.append([*review.words, *[""] * (width - count)])
    return Arrays(ids, tokens, np.array([r.label for r in reviews], np.int32), matters)


def build_model(
    words: int = len(WORDS),
    *,
    embedding: int = 128,
    cells: int = 64,
    dropout: float = 0.5,
    seed: int = 0,
) -> keras.Model:
    """Build a network that reads a review and gives the probabilities of the two labels.

    ``Embedding`` → ``LSTM`` → ``Dropout`` → ``Dense(2, softmax)``, with the layers named ``words``,
    ``lstm``, ``dropout`` and ``labels``. Takes ids ``(batch, timesteps)`` of any length, in which 0
    is padding that the LSTM passes over; gives ``(batch, 2)``.

    Parameters
    ----------
    words : int, default len(WORDS)
        How many different ids there are.
    embedding : int, default 128
        How many numbers stand for a word.
    cells : int, default 64
        How many cells the LSTM has.
    dropout : float, default 0.5
        The share of the LSTM's cells that ``Dense`` doesn't see at a step of training.
    seed : int, default 0
        What the first weights follow from. It is set for Keras, TensorFlow, NumPy and Python.
    """
    import keras  # noqa: PLC0415

    keras.utils.set_random_seed(seed)
    layers = keras.layers
    return keras.Sequential(
        [
            layers.Input((None,), dtype="int32"),
            layers.Embedding(words, embedding, mask_zero=True, name="words"),
            layers.LSTM(cells, name="lstm"),
            layers.Dropout(dropout, name="dropout"),
            layers.Dense(2, activation="softmax", name="labels"),
        ],
        name="sentiment",
    )


def train(
    model: keras.Model,
    ids: npt.ArrayLike,
    labels: npt.ArrayLike,
    *,
    epochs: int,
    batch_size: int = 64,
    learning_rate: float = 0.005,
    seed: int = 0,
) -> list[float]:
    """Train on reviews, by Adam with a learning rate that falls to 0 on a cosine.

    Parameters
    ----------
    model : keras.Model
        What :func:`build_model` gave. It is changed.
    ids : array-like
        Words and padding, shape (reviews, timesteps).
    labels : array-like
        0 or 1, shape (reviews,).
    epochs : int
        How often each review is read.
    batch_size : int, default 64
        Reviews a step.
    learning_rate : float, default 0.005
        The learning rate at the first step.
    seed : int, default 0
        What dropout and the order of the reviews follow from. It is set for Keras, TensorFlow, NumPy
        and Python.

    Returns
    -------
    list of float
        The mean loss (cross-entropy, in nats a review) of each epoch.
    """
    import keras  # noqa: PLC0415

    keras.utils.set_random_seed(seed)
    read, said = np.asarray(ids, np.int32), np.asarray(labels, np.int32)
    steps = epochs * -(-len(read) // batch_size)
    rate = keras.optimizers.schedules.CosineDecay(learning_rate, steps)
    optimizer = keras.optimizers.Adam(rate, clipnorm=1.0)
    model.compile(optimizer=optimizer, loss="sparse_categorical_crossentropy")
    history = model.fit(read, said, batch_size=batch_size, epochs=epochs, verbose=0)
    losses: list[float] = history.history["loss"]
    return losses
