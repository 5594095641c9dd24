"""The pmi stage: pair counts and marginals -> PMI of every pair that met."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyspark import Broadcast
from pyspark.sql import DataFrame, SparkSession

from pmi_spark.association import measures
from pmi_spark.errors import ConfigurationError
from pmi_spark.parquet_files import (
    ENCODED_FILES,
    NO_ROW_COUNTS,
    ParquetEncoder,
    arrow_schema,
    binary_value,
    decode_row_groups,
    file_contents,
)
from pmi_spark.schemas import PAIRS, PMI

Batches = Iterator[pa.RecordBatch]
Doubles = npt.NDArray[np.float64]


def parse_measures(text: str, marginals: str = "window") -> tuple[str, ...]:
    """``pmi.measures`` -> names in the artifact's order; ConfigurationError names the known ones.

    >>> parse_measures("log_likelihood, npmi")
    ('npmi', 'log_likelihood')
    """
    names = {name.strip() for name in text.split(",") if name.strip()}
    for name in sorted(names):
        if name not in measures.FURTHER_MEASURES:
            raise ConfigurationError(
                f"pmi.measures names {name}", cure=f"known measures: {', '.join(measures.FURTHER_MEASURES)}"
            )
    if "log_likelihood" in names and marginals != "window":
        raise ConfigurationError(
            "pmi.measures names log_likelihood and pmi.marginals is unigram",
            cure="a pair's 2x2 table needs window marginals: set pmi.marginals to window",
        )
    return tuple(name for name in measures.FURTHER_MEASURES if name in names)


class PmiTerms(NamedTuple):
    """What a pair's PMI and its kin take besides its own count.

    ``log_p`` and ``expected`` have one number a word id: log probability, and occurrences in the window's units;
    ``total`` is N, the sum over ordered pairs in weighted occurrences, ``denominator`` the unit of the counts.
    """

    log_p: Doubles
    expected: Doubles
    total: float
    denominator: int


def compute_pmi(
    spark: SparkSession,
    pair_files: DataFrame,
    marginals: Doubles,
    denominator: int,
    context_smoothing: float,
    further: Sequence[str] = (),
    window_total: float | None = None,
    row_counts: Mapping[str, int] = NO_ROW_COUNTS,
) -> DataFrame:
    """Files of ``pairs`` -> files of ``pmi``, one for one: weighted counts, PMI in nats, further measures as doubles.

    ``marginals`` has one number a word id. ``window_total`` is N, the sum over ordered pairs in weighted occurrences;
    given apart when the marginals are word counts, else their sum. Nothing is shuffled: the marginals are broadcast,
    8 bytes a word, and each row group is computed in numpy. ``row_counts`` says how many rows a path must have.
    """
    total = float(marginals.sum()) if window_total is None else window_total
    log_p = measures.log_probabilities(marginals, context_smoothing)
    terms = PmiTerms(log_p, marginals * (total / marginals.sum()), total, denominator)
    broadcast = spark.sparkContext.broadcast(terms)
    return pair_files.mapInArrow(_file_mapper(broadcast, tuple(further), row_counts), ENCODED_FILES)


def pmi_schema(further: Sequence[str]) -> pa.Schema:
    """The columns of ``pmi`` with the measures asked for.

    >>> pmi_schema(["npmi"]).names
    ['word_id', 'context_id', 'pair_count', 'pmi', 'npmi']
    """
    schema = arrow_schema(PMI)
    for name in further:
        schema = schema.append(pa.field(name, pa.float64(), nullable=False))
    return schema


def _file_mapper(
    broadcast: Broadcast[PmiTerms], further: tuple[str, ...], row_counts: Mapping[str, int]
) -> Callable[[Batches], Batches]:
    def run(batches: Batches) -> Batches:
        terms = broadcast.value
        for path, content in file_contents(batches):
            # Weighted counts repeat, and their dictionary takes 1 byte a pair; PMI repeats too little.
            encoder = ParquetEncoder(pmi_schema(further), ["pair_count"], deltas=["word_id", "context_id"])
            for pairs in decode_row_groups(path, content, arrow_schema(PAIRS), row_count=row_counts.get(path, -1)):
                encoder.add(_measure(pairs.combine_chunks(), terms, further))
            yield pa.RecordBatch.from_arrays([binary_value(encoder.finish())], names=["file"])

    return run


def _measure(pairs: pa.Table, terms: PmiTerms, further: tuple[str, ...]) -> pa.Table:
    word_ids, context_ids = np.asarray(pairs["word_id"]), np.asarray(pairs["context_id"])
    counts = np.asarray(pairs["pair_count"]) / terms.denominator
    values = measures.pmi(counts, terms.total, terms.log_p[word_ids], terms.log_p[context_ids])
    columns = [pairs["word_id"], pairs["context_id"], pa.array(counts), pa.array(values.astype(np.float32))]
    if "npmi" in further:
        columns.append(pa.array(measures.npmi(values, counts, terms.total)))
    if "log_likelihood" in further:
        n_word, n_context = terms.expected[word_ids], terms.expected[context_ids]
        columns.append(pa.array(measures.log_likelihood(counts, terms.total, n_word, n_context)))
    return pa.table(columns, schema=pmi_schema(further))
