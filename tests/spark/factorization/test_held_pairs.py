"""The sample of pairs kept from the fit, against a count over all pairs of a small vocabulary."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from pmi_spark.factorization import held_pairs
from pmi_spark.factorization.held_pairs import Independence, sample_held_pairs
from pmi_spark.factorization.row_blocks import held_out
from pmi_spark.factorization.table import CellSettings

SHARE, SHIFT = 0.2, -1.5


def _held(cells: CellSettings) -> CellSettings:
    return dataclasses.replace(cells, shift=SHIFT, held_out=SHARE)


@pytest.fixture
def independence() -> Independence:
    chances = 1 / np.arange(2, 39.0)
    return Independence(np.log(chances / chances.sum()), 5000.0)


def test_those_that_met_are_those_that_the_hash_kept_with_their_counts(build, scattered, every_cell, independence):
    pairs = scattered()
    table = build(pairs, _held(every_cell), blocks=3)
    sample = sample_held_pairs(table, independence, SHARE, SHIFT)
    kept = held_out(pairs.rows.astype(np.int32), pairs.columns.astype(np.int32), SHARE)
    met = sample.counts > 0
    assert list(zip(sample.rows[met], sample.columns[met], strict=True)) == list(
        zip(pairs.rows[kept], pairs.columns[kept], strict=True)
    )
    expected = 5000.0 * np.exp(independence.log_p[pairs.rows[kept]] + independence.log_p[pairs.columns[kept]])
    np.testing.assert_allclose(sample.expected[met], expected)
    np.testing.assert_allclose(sample.counts[met], expected * np.exp(pairs.values[kept]), rtol=1e-5)
    np.testing.assert_array_equal(sample.weights[met], 1)


def test_those_that_never_met_stand_for_a_share_of_all_such(build, scattered, every_cell, independence):
    """Summed with their weights, E over the sample is E over all pairs that never met, times the share."""
    pairs = scattered()
    sample = sample_held_pairs(build(pairs, _held(every_cell), blocks=2), independence, SHARE, SHIFT)
    seen = set(zip(pairs.rows.tolist(), pairs.columns.tolist(), strict=True))
    rows, columns = np.triu_indices(pairs.size, k=1)
    never = np.array([pair not in seen for pair in zip(rows.tolist(), columns.tolist(), strict=True)])
    zero = sample.counts == 0
    assert not seen & set(zip(sample.rows[zero].tolist(), sample.columns[zero].tolist(), strict=True))
    for power in (1.0, 0.5):
        everything = (independence.expected(rows[never], columns[never]) ** power).sum()
        assert sample.weights[zero] @ sample.expected[zero] ** power == pytest.approx(SHARE * everything, rel=0.02)


def test_blocks_and_files_change_nothing(build, scattered, every_cell, independence):
    pairs = scattered()
    first = sample_held_pairs(build(pairs, _held(every_cell), 1, 1), independence, SHARE, SHIFT)
    other = sample_held_pairs(build(pairs, _held(every_cell), 5, 3), independence, SHARE, SHIFT)
    for one, two in zip(first, other, strict=True):
        np.testing.assert_array_equal(one, two)


def test_a_stricter_hash_keeps_the_sample_small(build, scattered, every_cell, independence, monkeypatch):
    pairs = scattered()
    whole = sample_held_pairs(build(pairs, _held(every_cell)), independence, SHARE, SHIFT)
    monkeypatch.setattr(held_pairs, "MOST_PAIRS", 20)
    small = sample_held_pairs(build(pairs, _held(every_cell)), independence, SHARE, SHIFT)
    assert 0 < np.count_nonzero(small.counts) < np.count_nonzero(whole.counts)
    # Both stand for the same pairs, a smaller share of them.
    share = small.weights[small.counts == 0].sum() / whole.weights[whole.counts == 0].sum()
    assert share == pytest.approx(20 * 2 / build(pairs, _held(every_cell)).cell_count / SHARE)
