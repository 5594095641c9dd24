from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2_contingency

from pmi_spark.association.measures import log_likelihood, log_probabilities, npmi, pmi

COUNTS = st.lists(st.integers(0, 10**9), min_size=1, max_size=12).filter(any).map(np.array)
POSITIVE = st.integers(1, 10**6)
SMOOTHING = st.floats(0.05, 1.0)


@st.composite
def symmetric_tables(draw) -> np.ndarray:
    """Counts of ordered pairs: symmetric, no pair of a word with itself, every word in some pair."""
    size = draw(st.integers(3, 6))
    table = np.zeros((size, size))
    for row in range(size):
        for column in range(row):
            least = 1 if column == 0 else 0
            table[row, column] = table[column, row] = draw(st.integers(least, 1000))
    return table


def pmi_of(table: np.ndarray, smoothing: float = 1.0) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """(PMI of the cells that are not 0, their rows, their columns, total)."""
    rows, columns = np.nonzero(table)
    logs, total = log_probabilities(table.sum(axis=1), smoothing), float(table.sum())
    return pmi(table[rows, columns], total, logs[rows], logs[columns]), rows, columns, total


@given(st.lists(POSITIVE, min_size=2, max_size=6), st.lists(POSITIVE, min_size=2, max_size=6))
def test_independent_counts_have_a_pmi_of_0(row_shares, column_shares):
    table = np.outer(row_shares, column_shares).astype(np.float64)
    log_rows = np.log(table.sum(axis=1) / table.sum())
    log_columns = np.log(table.sum(axis=0) / table.sum())
    values = pmi(table, float(table.sum()), log_rows[:, None], log_columns[None, :])
    np.testing.assert_allclose(values, 0, atol=1e-9)


@given(symmetric_tables())
def test_pmi_is_the_log_of_the_relatedness(table):
    values, rows, columns, total = pmi_of(table)
    shares = table.sum(axis=1) / total
    np.testing.assert_allclose(np.exp(values), table[rows, columns] / total / (shares[rows] * shares[columns]))


@given(symmetric_tables(), SMOOTHING)
def test_pmi_is_symmetric_whatever_the_smoothing(table, smoothing):
    values, rows, columns, _ = pmi_of(table, smoothing)
    dense = np.zeros_like(table)
    dense[rows, columns] = values
    np.testing.assert_allclose(dense, dense.T, rtol=0, atol=1e-12)


@given(COUNTS)
def test_smoothing_of_1_is_the_plain_log_probability(counts):
    with np.errstate(divide="ignore"):
        expected = np.log(counts / counts.sum())
    np.testing.assert_allclose(log_probabilities(counts, 1.0), expected, rtol=1e-12, atol=1e-12)


@given(COUNTS)
def test_unsmoothed_probabilities_sum_to_1(counts):
    assert np.exp(log_probabilities(counts, 1.0)).sum() == pytest.approx(1)


@given(COUNTS, SMOOTHING)
def test_smoothing_is_the_mean_of_both_orders(counts, smoothing):
    """log p = (log P + log P_s) / 2, so 2 log p - log P is the log of a distribution that sums to 1."""
    plain, mean = log_probabilities(counts, 1.0), log_probabilities(counts, smoothing)
    met = counts > 0
    assert np.exp(2 * mean[met] - plain[met]).sum() == pytest.approx(1)
    assert np.isneginf(mean[~met]).all()


@given(st.lists(st.integers(1, 10**6), min_size=2, max_size=8, unique=True), st.floats(0.05, 0.95))
def test_smoothing_raises_the_rarest_word_and_lowers_the_most_frequent(counts, smoothing):
    array = np.array(counts)
    change = log_probabilities(array, smoothing) - log_probabilities(array, 1.0)
    assert change[array.argmin()] > 0 > change[array.argmax()]


@given(symmetric_tables())
def test_npmi_lies_between_minus_1_and_1(table):
    values, rows, columns, total = pmi_of(table)
    scaled = npmi(values, table[rows, columns], total)
    assert (np.abs(scaled) <= 1 + 1e-12).all()
    assert (np.sign(scaled) == np.sign(values)).all()


@given(POSITIVE, POSITIVE)
def test_npmi_is_1_for_words_that_meet_only_each_other(count, rest):
    total = float(2 * count + 2 * rest)
    logs = np.log([count / total])
    counts = np.array([float(count)])
    np.testing.assert_allclose(npmi(pmi(counts, total, logs, logs), counts, total), 1)


@st.composite
def contingency_tables(draw) -> np.ndarray:
    cells = draw(st.lists(st.integers(0, 10**5), min_size=4, max_size=4))
    table = np.array(cells, dtype=np.float64).reshape(2, 2)
    return table + (0 if table.sum(axis=0).all() and table.sum(axis=1).all() else 1)


def log_likelihood_of(table: np.ndarray) -> float:
    n_word, n_context = table[0].sum(), table[:, 0].sum()
    return float(log_likelihood(table[:1, 0], float(table.sum()), np.array([n_word]), np.array([n_context]))[0])


@given(contingency_tables())
def test_log_likelihood_equals_scipys_g_statistic(table):
    expected = chi2_contingency(table, lambda_="log-likelihood", correction=False).statistic
    # The four terms are of the size of the total and cancel to a statistic that may be near 0.
    assert log_likelihood_of(table) == pytest.approx(expected, rel=1e-9, abs=1e-11 * table.sum())


@given(contingency_tables())
def test_log_likelihood_is_never_negative(table):
    assert log_likelihood_of(table) >= -1e-11 * table.sum()


@given(st.integers(1, 300), st.integers(1, 300), st.integers(1, 300), st.integers(1, 300))
def test_log_likelihood_is_0_at_independence(row, other_row, column, other_column):
    table = np.outer([row, other_row], [column, other_column]).astype(np.float64)
    assert log_likelihood_of(table) == pytest.approx(0, abs=1e-11 * table.sum())


def test_log_likelihood_takes_empty_cells():
    # 2 * (3 log 2 + 3 log 2): each word meets one partner alone.
    assert log_likelihood_of(np.array([[3.0, 0.0], [0.0, 3.0]])) == pytest.approx(12 * np.log(2))
