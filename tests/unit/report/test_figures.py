"""What the charts show, against plain computations."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pmi_spark.report.figures import (
    PMI_RANGE_NATS,
    PmiHistogram,
    coverage,
    density,
    rank_frequency,
    spread_ranks,
    words_for_share,
)

counts_lists = st.lists(st.integers(1, 10_000), min_size=1, max_size=300)


@given(st.integers(1, 3_000_000))
def test_ranks_rise_from_the_first_to_the_last(size):
    ranks = spread_ranks(size)
    assert ranks[0] == 1
    assert ranks[-1] == size
    assert np.all(np.diff(ranks) > 0)
    assert len(ranks) < 120


@given(counts_lists)
def test_the_count_at_a_rank_is_that_of_so_many_words(counts):
    curve = rank_frequency(np.array(counts))
    falling = sorted(counts, reverse=True)
    assert curve.values.tolist() == [falling[rank - 1] for rank in curve.ranks.tolist()]


@given(counts_lists, st.integers(0, 1000))
def test_coverage_is_a_share_of_all_words(counts, dropped):
    all_words = sum(counts) + dropped
    curve = coverage(np.array(counts), all_words)
    falling = sorted(counts, reverse=True)
    expected = [sum(falling[:rank]) / all_words for rank in curve.ranks.tolist()]
    np.testing.assert_allclose(curve.values, expected)


@given(counts_lists, st.floats(0.01, 1.0))
def test_so_many_words_have_the_share_and_one_less_has_not(counts, share):
    falling = sorted(counts, reverse=True)
    needed = words_for_share(np.array(counts), sum(counts), share)
    assert needed is not None
    assert sum(falling[:needed]) >= share * sum(counts)
    assert sum(falling[: needed - 1]) < share * sum(counts)


@pytest.fixture(scope="module")
def pairs() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(1)
    return random.normal(1.5, 2.5, 20_000), random.integers(1, 50, 20_000).astype(np.float64)


def filled(pmi: np.ndarray, counts: np.ndarray, parts: int) -> PmiHistogram:
    histogram = PmiHistogram()
    for some, often in zip(np.array_split(pmi, parts), np.array_split(counts, parts), strict=True):
        histogram.add(some, often)
    return histogram


@pytest.mark.parametrize("parts", [1, 7])
def test_the_histogram_of_batches_is_that_of_all_pairs(pairs, parts):
    pmi, counts = pairs
    bins = filled(pmi, counts, parts).bins()
    width = bins.edges[1] - bins.edges[0]
    # Edges are closed on the left, like floor; numpy closes the last one on both sides.
    assert pmi.min() >= bins.edges[0]
    assert pmi.max() < bins.edges[-1]
    np.testing.assert_allclose(np.diff(bins.edges), width)
    np.testing.assert_allclose(bins.pairs, np.histogram(pmi, bins.edges)[0] / len(pmi), atol=2e-4)
    np.testing.assert_allclose(
        bins.occurrences, np.histogram(pmi, bins.edges, weights=counts)[0] / counts.sum(), atol=2e-4
    )
    assert bins.pairs.sum() == pytest.approx(1)
    assert bins.occurrences.sum() == pytest.approx(1)


def test_what_is_said_of_the_histogram(pairs):
    pmi, counts = pairs
    histogram = filled(pmi, counts, 3)
    assert histogram.pair_count == len(pmi)
    assert histogram.mean(by_occurrences=False) == pytest.approx(pmi.mean())
    assert histogram.mean(by_occurrences=True) == pytest.approx(np.average(pmi, weights=counts))
    assert histogram.median(by_occurrences=False) == pytest.approx(np.median(pmi), abs=0.05)
    assert histogram.median(by_occurrences=True) == pytest.approx(
        np.median(np.repeat(pmi, counts.astype(int))), abs=0.05
    )
    assert histogram.positive_share(by_occurrences=False) == pytest.approx((pmi > 0).mean())
    assert histogram.positive_share(by_occurrences=True) == pytest.approx(counts[pmi > 0].sum() / counts.sum())


def test_what_lies_outside_the_histogram_falls_into_its_ends():
    histogram = filled(np.array([-1e9, 1e9, 0.0]), np.ones(3), 1)
    bins = histogram.bins()
    assert bins.edges[0] == -PMI_RANGE_NATS
    assert bins.edges[-1] == PMI_RANGE_NATS
    assert bins.pairs[[0, -1]].tolist() == [pytest.approx(1 / 3)] * 2


def test_the_grid_counts_every_word_inside_and_tells_those_outside():
    random = np.random.default_rng(2)
    x, y = random.uniform(3, 14, 10_000), random.normal(10, 2, 10_000)
    y[17] = 1e6
    grid = density(x, y, columns=10, rows=8)
    assert grid.outside > 0
    assert grid.counts.sum() == len(x) - grid.outside
    assert grid.y_edges[-1] < 1e6
    for column in range(10):
        own = (x >= grid.x_edges[column]) & (x < grid.x_edges[column + 1])
        assert grid.medians[column] == pytest.approx(np.median(y[own]), rel=1e-3)


@pytest.mark.parametrize(("x", "y"), [([2.0], [3.0]), ([2.0, 2.0], [3.0, 3.0])])
def test_a_grid_of_words_all_alike(x, y):
    grid = density(np.array(x), np.array(y))
    assert grid.counts.sum() == len(x)
    assert grid.outside == 0
