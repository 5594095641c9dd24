"""Pairs -> PMI: the formula written out, on Spark."""

from __future__ import annotations

from collections.abc import Callable
from math import log

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.errors import PythonException
from pyspark.sql import DataFrame, SparkSession

from pmi_spark.association.pmi import compute_pmi, parse_measures
from pmi_spark.config import PairsConfig
from pmi_spark.cooccurrence.counting import Words, make_plan
from pmi_spark.cooccurrence.pairs import count_pairs
from pmi_spark.errors import ConfigurationError
from pmi_spark.parquet_files import MAGIC, ParquetEncoder, arrow_schema
from pmi_spark.schemas import PAIRS, PMI

Cells = dict[tuple[int, int], int]
CELLS: Cells = {(0, 1): 12, (0, 2): 6, (1, 2): 1, (1, 3): 9}
DENOMINATOR = 3


def pairs_frame(spark: SparkSession, cells: Cells, files: int = 2) -> DataFrame:
    """Cells -> files of ``pairs`` (path, content), each with two row groups."""
    rows = [(*pair, units) for pair, units in cells.items()]
    schema = arrow_schema(PAIRS)
    shards = []
    for number in range(files):
        encoder = ParquetEncoder(schema)
        for part in (rows[number::files][::2], rows[number::files][1::2]):
            encoder.add(pa.Table.from_pylist([dict(zip(schema.names, row, strict=True)) for row in part], schema))
        shards.append((f"pairs-{number}", encoder.finish().to_pybytes() + MAGIC.encode()))
    return spark.createDataFrame(spark.sparkContext.parallelize(shards, files), "path string, content binary")


def pmi_table(files: DataFrame) -> pa.Table:
    return pa.concat_tables(pq.read_table(pa.BufferReader(row["file"] + MAGIC.encode())) for row in files.collect())


def pmi_rows(files: DataFrame) -> dict[tuple[int, int], dict]:
    return {(row["word_id"], row["context_id"]): row for row in pmi_table(files).to_pylist()}


def marginals_of(cells: Cells, size: int) -> list[float]:
    return [sum(units for pair, units in cells.items() if word in pair) / DENOMINATOR for word in range(size)]


def plain_pmi(cells: Cells, marginals: list[float], total: float, smoothing: float = 1.0) -> dict:
    """PMI(i, j) = log P(i,j) - log P(i) - log P(j), a pair at a time; smoothed, the mean of both orders."""
    smoothed_total = sum(count**smoothing for count in marginals if count)

    def log_p(word: int) -> float:
        plain, smoothed = marginals[word] / sum(marginals), marginals[word] ** smoothing / smoothed_total
        return (log(plain) + log(smoothed)) / 2

    return {(i, j): log(units / DENOMINATOR / total) - log_p(i) - log_p(j) for (i, j), units in cells.items()}


@settings(max_examples=10, deadline=None, derandomize=True)
@given(
    units=st.lists(st.integers(1, 10**6), min_size=len(CELLS), max_size=len(CELLS)),
    smoothing=st.sampled_from([1.0, 0.75, 0.0]),
)
def test_it_equals_the_formula(spark: SparkSession, units: list[int], smoothing: float) -> None:
    cells = dict(zip(CELLS, units, strict=True))
    marginals = marginals_of(cells, 4)
    found = compute_pmi(spark, pairs_frame(spark, cells), np.array(marginals), DENOMINATOR, smoothing)
    rows = pmi_rows(found)
    assert {pair: row["pair_count"] for pair, row in rows.items()} == pytest.approx(
        {pair: count / DENOMINATOR for pair, count in cells.items()}
    )
    values = {pair: row["pmi"] for pair, row in rows.items()}
    assert values == pytest.approx(plain_pmi(cells, marginals, sum(marginals), smoothing), abs=1e-5)


def test_words_that_met_nobody_change_nothing(spark: SparkSession) -> None:
    pairs, marginals = pairs_frame(spark, CELLS), marginals_of(CELLS, 4)
    alone = compute_pmi(spark, pairs, np.array([*marginals, 0.0, 0.0]), DENOMINATOR, 0.75)
    assert pmi_rows(alone) == pmi_rows(compute_pmi(spark, pairs, np.array(marginals), DENOMINATOR, 0.75))


def test_a_file_of_pairs_becomes_a_file_of_pmi(spark: SparkSession) -> None:
    marginals = np.array(marginals_of(CELLS, 4))
    files = compute_pmi(spark, pairs_frame(spark, CELLS, files=3), marginals, DENOMINATOR, 1.0).collect()
    assert len(files) == 3
    assert [pq.read_metadata(pa.BufferReader(row["file"] + MAGIC.encode())).num_rows for row in files] == [2, 1, 1]


def test_a_file_of_fewer_rows_than_the_manifest_says_is_named(spark: SparkSession) -> None:
    marginals = np.array(marginals_of(CELLS, 4))
    files = compute_pmi(
        spark, pairs_frame(spark, CELLS), marginals, DENOMINATOR, 1.0, row_counts={"pairs-0": 2, "pairs-1": 3}
    )
    with pytest.raises(PythonException, match="cannot read pairs-1: it has 2 rows, not 3"):
        files.collect()


def test_unigram_marginals_take_word_counts_for_probabilities(spark: SparkSession) -> None:
    word_counts, window_total = [50.0, 30.0, 15.0, 5.0], sum(marginals_of(CELLS, 4))
    found = compute_pmi(
        spark, pairs_frame(spark, CELLS), np.array(word_counts), DENOMINATOR, 1.0, window_total=window_total
    )
    values = {pair: row["pmi"] for pair, row in pmi_rows(found).items()}
    assert values == pytest.approx(plain_pmi(CELLS, word_counts, window_total), abs=1e-5)


@pytest.fixture(scope="module")
def measured(spark: SparkSession) -> dict:
    """CELLS with every measure: (word_id, context_id) -> row."""
    marginals = np.array(marginals_of(CELLS, 4))
    further = parse_measures("log_likelihood,npmi")
    found = compute_pmi(spark, pairs_frame(spark, CELLS), marginals, DENOMINATOR, 1.0, further=further)
    schema = pmi_table(found).schema
    assert schema.names == [*PMI.fieldNames(), "npmi", "log_likelihood"]
    assert schema.types == [pa.int32(), pa.int32(), pa.float64(), pa.float32(), pa.float64(), pa.float64()]
    return pmi_rows(found)


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
    shards = [(str(number), row["file"] + MAGIC.encode()) for number, row in enumerate(counts.pairs.collect())]
    pairs = spark.createDataFrame(shards, "path string, content binary")
    values = np.asarray(pmi_table(compute_pmi(spark, pairs, counts.marginals.astype(float), 1, 1.0))["pmi"])
    assert len(values) == 25 * 24 / 2
    # Words do not pair with themselves, which lifts the others by about the chance of a repeat, 1 / 25.
    assert abs(values.mean()) < 0.06
    assert np.abs(values).max() < 0.3
