# What a model returns is of many types: Any.
# ruff: noqa: ANN401
"""The methods of relevance, on one batch of examples."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_widgets.analysis.scores import confidence, predicted, standard_at, standard_target
from lstm_widgets.rnn.cells import plain_array

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy.typing as npt

    from lstm_widgets.analysis.occlusion import OfSeries, Replacement
    from lstm_widgets.models.explaining import Batch, Explained, Pass
    from lstm_widgets.rnn.relevance_rules import Rule

__all__ = ["GAPS", "METHODS", "UNSIGNED", "BatchRelevance"]

METHODS = ("lrp", "sensitivity", "gradient_x_input", "integrated_gradients", "occlusion")
"""The methods of :func:`lstm_widgets.relevance`."""

UNSIGNED = frozenset({"sensitivity"})
"""Those that say how much, but not in which direction: never negative."""

GAPS = {"lrp": 0.5, "integrated_gradients": 0.1}
"""From which gap on relevance is doubtful: as a part of what was to be shared out, or of all relevance
without its signs, whichever is larger. LRP leaves out the shares of biases on purpose, so that a gap
says something only if it is most of that; integrated gradients promise none."""


class BatchRelevance:
    """One batch: the scores of its examples, and the methods.

    With ``of_series``, what the model reads is a series, and relevance is that of its channels.
    """

    def __init__(
        self,
        explained: Explained,
        batch: Batch,
        rule: Rule,
        target: npt.NDArray[np.intp] | None,
        at: npt.NDArray[np.intp] | None,
        *,
        relevance: bool,
        of_series: OfSeries | None,
    ) -> None:
        self._explained = explained
        self._of_series = of_series
        self._batch = batch
        self._rule = rule
        # The timestep of a cell is the run's business, that of an output the score's.
        self._at = at
        self._first = explained.run(batch, at=at, relevance=relevance)
        self.mask = self._first.mask
        if self.mask is not None and self.mask.shape != self._first.source.shape[:2]:
            self.mask = None  # that of another axis of time
        if explained.cell is None:
            self._at = standard_at(self._first, at)
            self.logits = np.asarray(explained.logits_at(self._first, self._at))
            self.predicted = predicted(self.logits)
            self.target = standard_target(target, self.logits)
        else:
            self.target = np.full(len(batch.rows), explained.cell.cell)
        self._score = self._scored(self._first, 1)
        self.score = plain_array(self._score)
        self.x = plain_array(self._first.source)

    def _scored(self, done: Pass, copies: int) -> Any:
        at = None if self._at is None else np.tile(self._at, copies)
        return self._explained.score(done, np.tile(self.target, copies), at)

    def results(
        self, methods: Sequence[str], steps: int, replacement: Replacement, per_dimension: bool
    ) -> dict[str, npt.NDArray[Any]]:
        """Run the methods; everything has the examples along its second axis, or its first."""
        count, (rows, timesteps, dimensions) = len(methods), self.x.shape
        over_channels = self._of_series is not None
        whole, summed = (count, rows, timesteps, dimensions), (count, rows, timesteps)
        each = np.full(whole, np.nan, self.x.dtype) if per_dimension else None
        relevance = np.empty(whole if over_channels else summed, self.x.dtype)
        elsewhere = np.full((count, rows), np.nan, self.score.dtype)
        gap = elsewhere.copy()
        doubtful = np.zeros((count, rows), np.bool_)
        for k, method in enumerate(methods):
            if method == "occlusion":
                relevance[k] = self._occlusion(replacement)
                continue
            promised = None  # what the sum of the relevance should be
            if method == "lrp":
                arrived, elsewhere[k] = self._first.back(
                    self._score, self._rule, summed=not (per_dimension or over_channels)
                )
                factors = [plain_array(arrived)]
                promised = self.score - elsewhere[k]
            elif method == "integrated_gradients":
                mean, baseline = self._integrated(steps)
                factors = [mean, self.x]
                promised = self.score - baseline
            else:
                factors = [self._gradient, self._gradient if method == "sensitivity" else self.x]
            if over_channels:
                relevance[k] = functools.reduce(np.multiply, factors)
            else:
                relevance[k] = _summed(factors)
            if promised is not None:
                found = relevance[k].reshape(rows, -1)
                gap[k] = promised - found.sum(axis=1)
                most = np.maximum(np.abs(promised), np.abs(found).sum(axis=1))
                # NaN is no gap: the score is none.
                doubtful[k] = np.abs(gap[k]) > GAPS[method] * most
            if each is not None:
                each[k] = functools.reduce(np.multiply, factors)
        results = {"relevance": relevance, "elsewhere": elsewhere, "gap": gap, "score": self.score}
        results["doubtful"] = doubtful
        if each is not None:
            results["relevance_per_dimension"] = each
        if self.mask is not None:
            results["mask"] = self.mask
        if self._explained.cell is None:
            results |= {"target": self.target, "predicted": self.predicted}
            results |= confidence(self.logits, self._explained.activation)
        return results

    @functools.cached_property
    def _gradient(self) -> npt.NDArray[Any]:
        return plain_array(self._first.back(self._score)[0])

    def _variants(
        self, count: int, vary: Callable[[int], tuple[Batch, npt.NDArray[Any] | None]]
    ) -> Iterator[tuple[range, Pass, Any]]:
        """Run variants of the batch, as many at a time as fit: variant, pass and scores."""
        at_once = 1 if self._explained.fixed else self._explained.batch_size // len(self.score)
        for start in range(0, count, max(1, at_once)):
            these = range(start, min(start + max(1, at_once), count))
            batches, values = zip(*map(vary, these), strict=True)
            copies = len(these)
            given = values[0] is not None
            at = None
            if self._explained.cell is not None and self._at is not None:
                at = np.tile(self._at, copies)
            kept = {name: np.concatenate([m] * copies) for name, m in self._first.kept.items()}
            done = self._explained.run(
                self._explained.joined(batches),
                values=np.concatenate(values) if given else None,
                kept=kept if given else None,
                at=at,
            )
            yield these, done, self._scored(done, copies)

    def _integrated(self, steps: int) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        """Return the mean gradient ``(example, timestep, dimension)``, and the baseline's score."""
        nodes, weights = np.polynomial.legendre.leggauss(steps)
        # The baseline is one node more, without weight.
        alphas = np.append((nodes + 1) / 2, 0.0).astype(self.x.dtype)
        weights = np.append(weights / 2, 0.0).astype(self.x.dtype)
        mean = np.zeros_like(self.x)
        baseline = self.score
        for these, done, score in self._variants(
            len(alphas), lambda k: (self._batch, alphas[k] * self.x)
        ):
            gradients = plain_array(done.back(score)[0]).reshape(len(these), *self.x.shape)
            mean += np.tensordot(weights[these.start : these.stop], gradients, 1)
            baseline = plain_array(score)[-len(self.score) :]
        return mean, baseline

    def _occlusion(self, replacement: Replacement) -> npt.NDArray[Any]:
        """How much the score falls without each token ``(example, timestep)``, or each channel, too."""
        _, timesteps, dimensions = self.x.shape
        of_series = self._of_series
        channels = [None] if of_series is None else list(range(dimensions))
        result = np.zeros(self.x.shape[:2] if of_series is None else self.x.shape, self.x.dtype)
        variants = [
            (start, stop, channel, draw)
            for channel in channels
            for start, stop in replacement.stretches(timesteps)
            for draw in range(replacement.times)
        ]

        def vary(k: int) -> tuple[Batch, npt.NDArray[Any] | None]:
            start, stop, channel, draw = variants[k]
            if replacement.needs_ids:
                ids = self._explained.tokens_of(self._batch)
                ids[:, start:stop] = replacement.what
                return self._explained.with_tokens(self._batch, ids), None
            values = self.x.copy()
            if of_series is None or channel is None:
                values[:, start:stop] = 0
            else:
                rows = self._batch.rows
                values[:, start:stop, channel] = of_series.values(rows, start, stop, channel, draw)
            return self._batch, values

        for these, _, score in self._variants(len(variants), vary):
            fallen = self.score - plain_array(score).reshape(len(these), -1)
            for k, fall in zip(these, fallen, strict=True):
                start, stop, channel, _ = variants[k]
                share = fall / (replacement.times * (stop - start))
                where = (slice(None), slice(start, stop), *(() if channel is None else (channel,)))
                result[where] += share[:, None]
        return result


def _summed(factors: Sequence[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    """Sum one array, or the product of two, over its last axis, without making the product."""
    if len(factors) == 1:
        return np.asarray(factors[0].sum(axis=-1))
    return np.asarray(np.einsum("etd,etd->et", *factors))
