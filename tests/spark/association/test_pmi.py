"""Pairs -> PMI: the formula written out, on Spark."""

from __future__ import annotations

from collections.abc import Callable
from math import log

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from chispa import assert_approx_df_equality
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession

from pmi_spark.association.pmi import compute_pmi, parse_measures
from pmi_spark.config import PairsConfig
from pmi_spark.cooccurrence.counting import Words, make_plan
from pmi_spark.cooccurrence.pairs import count_pairs
from pmi_spark.errors import ConfigurationError
from pmi_spark.parquet_files import MAGIC
from pmi_spark.schemas import PAIRS, PMI

Cells = dict[tuple[int, int], int]
CELLS: Cells = {(0, 1): 12, (0, 2): 6, (1, 2): 1, (1, 3): 9}
DENOMINATOR = 3


def pairs_frame(spark: SparkSession, cells: Cells) -> DataFrame:
    return spark.createDataFrame([(*pair, units) for pair, units in cells.items()], PAIRS)


def marginals_of(cells: Cells, size: int) -> list[float]:
    return [sum(units for pair, units in cells.items() if word in pair) / DENOMINATOR for word in range(size)]


def plain_pmi(cells: Cells, marginals: list[float], total: float, smoothing: float = 1.0) -> dict:
    """PMI(i, j) = log P(i,j) - log P(i) - log P(j), a pair at a time; smoothed, the mean of both orders."""
    smoothed_total = sum(count**smoothing for count in marginals if count)

    def log_p(word: int) -> float:
        plain, smoothed = marginals[word] / sum(marginals), marginals[word] ** smoothing / smoothed_total
        return (log(plain) + log(smoothed)) / 2

    return {(i, j): log(units / DENOMINATOR / total) - log_p(i) - log_p(j) for (i, j), units in cells.items()}


def expected_frame(spark: SparkSession, cells: Cells, values: dict) -> DataFrame:
    return spark.createDataFrame([(*pair, cells[pair] / DENOMINATOR, value) for pair, value in values.items()], PMI)


def assert_close(found: DataFrame, expected: DataFrame) -> None:
    assert_approx_df_equality(found, expected, 1e-5, ignore_nullable=True, ignore_row_order=True)


@settings(max_examples=10, deadline=None, derandomize=True)
@given(
    units=st.lists(st.integers(1, 10**6), min_size=len(CELLS), max_size=len(CELLS)),
    smoothing=st.sampled_from([1.0, 0.75, 0.0]),
)
def test_it_equals_the_formula(spark: SparkSession, units: list[int], smoothing: float) -> None:
    cells = dict(zip(CELLS, units, strict=True))
    marginals = marginals_of(cells, 4)
    found = compute_pmi(spark, pairs_frame(spark, cells), np.array(marginals), DENOMINATOR, smoothing)
    values = {(row["word_id"], row["context_id"]): row["pmi"] for row in found.collect()}
    assert values == pytest.approx(plain_pmi(cells, marginals, sum(marginals), smoothing), abs=1e-5)


def test_words_that_met_nobody_change_nothing(spark: SparkSession) -> None:
    pairs, marginals = pairs_frame(spark, CELLS), marginals_of(CELLS, 4)
    alone = compute_pmi(spark, pairs, np.array([*marginals, 0.0, 0.0]), DENOMINATOR, 0.75)
    assert_close(alone, compute_pmi(spark, pairs, np.array(marginals), DENOMINATOR, 0.75))


def test_unigram_marginals_take_word_counts_for_probabilities(spark: SparkSession) -> None:
    word_counts, window_total = [50.0, 30.0, 15.0, 5.0], sum(marginals_of(CELLS, 4))
    found = compute_pmi(
        spark, pairs_frame(spark, CELLS), np.array(word_counts), DENOMINATOR, 1.0, window_total=window_total
    )
    assert_close(found, expected_frame(spark, CELLS, plain_pmi(CELLS, word_counts, window_total)))


@pytest.fixture(scope="module")
def measured(spark: SparkSession) -> dict:
    """CELLS with every measure: (word_id, context_id) -> row."""
    marginals = np.array(marginals_of(CELLS, 4))
    further = parse_measures("log_likelihood,npmi")
    found = compute_pmi(spark, pairs_frame(spark, CELLS), marginals, DENOMINATOR, 1.0, further=further)
    assert found.columns == [*PMI.fieldNames(), "npmi", "log_likelihood"]
    assert [kind for _, kind in found.dtypes[-2:]] == ["double", "double"]
    return {(row["word_id"], row["context_id"]): row for row in found.collect()}


class TestFurtherMeasures:
    def test_npmi_is_pmi_over_the_pairs_own_information(self, measured: dict) -> None:
        total = sum(marginals_of(CELLS, 4))
        for pair, row in measured.items():
            assert row["npmi"] == pytest.approx(row["pmi"] / -log(CELLS[pair] / DENOMINATOR / total), abs=1e-6)
            assert -1 <= row["npmi"] <= 1

    def test_log_likelihood_sums_over_the_four_cells(self, measured: dict) -> None:
        marginals = marginals_of(CELLS, 4)
        total = sum(marginals)
        for (i, j), row in measured.items():
            both = CELLS[i, j] / DENOMINATOR
            observed = np.array([[both, marginals[i] - both], [marginals[j] - both, 0]])
            observed[1, 1] = total - observed.sum()
            expected = observed.sum(axis=1, keepdims=True) * observed.sum(axis=0) / total
            there = observed > 1e-12
            by_hand = 2 * np.sum(observed[there] * np.log(observed[there] / expected[there]))
            assert row["log_likelihood"] == pytest.approx(by_hand, abs=1e-9)

    def test_an_unknown_measure_is_refused_with_the_known_ones(self) -> None:
        with pytest.raises(ConfigurationError, match="npmi, log_likelihood"):
            parse_measures("npmi,lift")


def test_independent_words_have_pmi_near_zero(spark: SparkSession, token_files_rdd: Callable) -> None:
    generator = np.random.default_rng(8)
    words = [f"w{number:02d}" for number in range(25)]
    chances = np.linspace(3, 1, len(words))
    texts = generator.choice(words, (500, 60), p=chances / chances.sum())
    word_counts = np.array([np.sum(texts == word) for word in words])
    plan = make_plan(word_counts, PairsConfig(window=5, weighting="flat", files=4))
    token_files, paths = token_files_rdd(texts.tolist())
    counts = count_pairs(spark, token_files, paths, Words(pa.array(words), None), plan, 0)
    files = [pa.BufferReader(row["file"] + MAGIC.encode()) for row in counts.pairs.collect()]
    pairs = spark.createDataFrame(pa.concat_tables(map(pq.read_table, files)))
    rows = compute_pmi(spark, pairs, counts.marginals.astype(float), 1, 1.0).collect()
    values = np.array([row["pmi"] for row in rows])
    assert len(values) == 25 * 24 / 2
    # Words do not pair with themselves, which lifts the others by about the chance of a repeat, 1 / 25.
    assert abs(values.mean()) < 0.06
    assert np.abs(values).max() < 0.3
