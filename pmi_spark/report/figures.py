"""What the charts show, as numbers: pure functions of counts, PMI and vectors. No Spark, no files."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Longs = npt.NDArray[np.int64]
Doubles = npt.NDArray[np.float64]

RANKS_PER_DECADE = 16
# PMI is counted in fine bins while it streams by, and shown in wider ones; what lies outside falls into the end bins.
FINE_NATS = 0.05
PMI_RANGE_NATS = 30.0
DISPLAY_WIDTHS_NATS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.0)
MOST_BINS = 72
# Of 10,000 words ten may lie outside the chart of lengths: one odd vector must not flatten the others.
OUTSIDE_SHARE = 0.0005


def spread_ranks(size: int, per_decade: int = RANKS_PER_DECADE) -> Longs:
    """Ranks 1 to ``size``, equally far apart on a logarithmic axis, the first ones and the last always among them.

    >>> spread_ranks(1000, per_decade=2).tolist()
    [1, 3, 10, 32, 100, 316, 1000]
    """
    if size < 1:
        return np.empty(0, np.int64)
    points = max(2, round(np.log10(size) * per_decade) + 1)
    return np.unique(np.rint(np.logspace(0, np.log10(size), points)).astype(np.int64))


class RankCurve(NamedTuple):
    """A value at some ranks; rank 1 is the most frequent word."""

    ranks: Longs
    values: Doubles


def rank_frequency(word_counts: Longs) -> RankCurve:
    """Occurrences by rank, at ranks spread over the logarithmic axis. Sorts: 0.1 s a million words.

    >>> rank_frequency(np.array([3, 9, 1])).values.tolist()
    [9.0, 3.0, 1.0]
    """
    falling = np.sort(word_counts)[::-1]
    ranks = spread_ranks(len(falling))
    return RankCurve(ranks, falling[ranks - 1].astype(np.float64))


def coverage(word_counts: Longs, all_words: int) -> RankCurve:
    """The share of the ``all_words`` occurrences that the k most frequent words have, for k = the ranks.

    >>> coverage(np.array([1, 6, 2]), 10).values.tolist()
    [0.6, 0.8, 0.9]
    """
    reached = np.cumsum(np.sort(word_counts)[::-1])
    ranks = spread_ranks(len(reached))
    return RankCurve(ranks, reached[ranks - 1] / max(all_words, 1))


def words_for_share(word_counts: Longs, all_words: int, share: float) -> int | None:
    """How many of the most frequent words have that share of all occurrences; None when all of them have less.

    >>> words_for_share(np.array([1, 6, 2]), 10, 0.7), words_for_share(np.array([1, 6, 2]), 10, 0.95)
    (2, None)
    """
    reached = np.cumsum(np.sort(word_counts)[::-1])
    place = int(np.searchsorted(reached, share * all_words))
    return place + 1 if place < len(reached) else None


class Bins(NamedTuple):
    """Equally wide bins (nats): the edges, one more than there are bins, and the share of the whole in each."""

    edges: Doubles
    pairs: Doubles
    occurrences: Doubles


class PmiHistogram:
    """The distribution of PMI over pairs, and over their (weighted) occurrences: 20 kB, however many pairs go in.

    >>> histogram = PmiHistogram()
    >>> histogram.add(np.array([-1.0, 1.0, 3.0]), np.array([1.0, 1.0, 2.0]))
    >>> histogram.pair_count, histogram.mean(by_occurrences=True), histogram.positive_share(by_occurrences=True)
    (3, 1.5, 0.75)
    """

    def __init__(self) -> None:
        self._size = round(2 * PMI_RANGE_NATS / FINE_NATS)
        self._counts = np.zeros((2, self._size))
        self._totals = np.zeros(2)
        self._sums = np.zeros(2)
        self._positive = np.zeros(2)

    @property
    def pair_count(self) -> int:
        return int(self._totals[0])

    def add(self, pmi: Doubles, pair_counts: Doubles) -> None:
        """Count pairs: PMI in nats, and how often each met. 20 ns a pair."""
        places = np.floor((pmi + PMI_RANGE_NATS) / FINE_NATS).astype(np.int64).clip(0, self._size - 1)
        for row, weights in enumerate((np.ones(len(pmi)), pair_counts)):
            self._counts[row] += np.bincount(places, weights, self._size)
            self._totals[row] += weights.sum()
            self._sums[row] += weights @ pmi
            self._positive[row] += weights[pmi > 0].sum()

    def mean(self, by_occurrences: bool) -> float:
        """In nats, exact."""
        return float(self._sums[int(by_occurrences)] / self._totals[int(by_occurrences)])

    def median(self, by_occurrences: bool) -> float:
        """In nats, to half a fine bin."""
        own = self._counts[int(by_occurrences)]
        place = int(np.searchsorted(np.cumsum(own), own.sum() / 2))
        return (place + 0.5) * FINE_NATS - PMI_RANGE_NATS

    def positive_share(self, by_occurrences: bool) -> float:
        """The share with PMI > 0."""
        return float(self._positive[int(by_occurrences)] / self._totals[int(by_occurrences)])

    def bins(self) -> Bins:
        """What there is, in bins as narrow as MOST_BINS allow. Their edges are whole multiples of the width."""
        used = np.flatnonzero(self._counts[0])
        low, high = used[0] * FINE_NATS - PMI_RANGE_NATS, (used[-1] + 1) * FINE_NATS - PMI_RANGE_NATS
        width = next((w for w in DISPLAY_WIDTHS_NATS if (high - low) / w <= MOST_BINS - 2), DISPLAY_WIDTHS_NATS[-1])
        fine_of = round(width / FINE_NATS)
        # PMI_RANGE_NATS is a multiple of every width, so fine bins fall into wide ones whole.
        wide = self._counts.reshape(2, -1, fine_of).sum(axis=2)
        first, last = used[0] // fine_of, used[-1] // fine_of
        edges = np.arange(first, last + 2) * width - PMI_RANGE_NATS
        shares = wide[:, first : last + 1] / self._totals[:, None]
        return Bins(np.round(edges, 6), shares[0], shares[1])


class Density(NamedTuple):
    """Words counted over a grid: ``counts`` (columns x rows), the grid's edges, each column's median (NaN: empty)."""

    x_edges: Doubles
    y_edges: Doubles
    counts: Longs
    medians: Doubles
    outside: int


def density(x: Doubles, y: Doubles, columns: int = 40, rows: int = 30) -> Density:
    """Points over a grid that holds all of them but the few whose y is far from the others'; ``outside`` counts those.

    >>> density(np.array([0.0, 1.0, 1.0]), np.array([0.0, 2.0, 4.0]), columns=2, rows=2).medians.tolist()
    [0.0, 3.0]
    """
    low, high = np.quantile(y, [OUTSIDE_SHARE, 1 - OUTSIDE_SHARE], method="nearest")
    if low == high:
        high = low + 1.0
    left, right = float(x.min()), float(x.max())
    if left == right:
        right = left + 1.0
    inside = (y >= low) & (y <= high)
    counts, x_edges, y_edges = np.histogram2d(x[inside], y[inside], (columns, rows), ((left, right), (low, high)))
    column = np.clip(((x - left) / (right - left) * columns).astype(np.int64), 0, columns - 1)
    medians = np.full(columns, np.nan)
    for place in np.unique(column):
        medians[place] = np.median(y[column == place])
    return Density(x_edges, y_edges, counts.astype(np.int64), medians, int(len(y) - inside.sum()))


class LengthLine(NamedTuple):
    """|v|^2 over words: Spearman's rho with -log p, and the line |v|^2 = intercept + slope (-log p)."""

    spearman: float
    slope: float
    intercept: float


class Sweep(NamedTuple):
    """One sweep as the manifest tells it; None where there was nothing to measure."""

    name: str
    loss: float | None
    held_out_error: float | None
    seconds: float


def sweep_rows(facts: dict[str, Any]) -> list[Sweep]:
    """The sweeps in their order; a sum of squares is not told for warm ones, which minimize another loss.

    >>> sweep_rows({"sweeps": [{"phase": "warm", "sweep": 1, "loss": None, "held_out_error": None, "seconds": 2.0}]})
    [Sweep(name='warm 1', loss=None, held_out_error=None, seconds=2.0)]
    """
    return [
        Sweep(f"{entry['phase']} {entry['sweep']}", entry["loss"], entry["held_out_error"], entry["seconds"])
        for entry in facts.get("sweeps", [])
    ]
