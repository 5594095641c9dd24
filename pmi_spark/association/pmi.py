"""The pmi stage: pair counts and marginals -> PMI of every pair that met."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyspark import Broadcast
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import DoubleType, StructField, StructType

from pmi_spark.association import measures
from pmi_spark.errors import ConfigurationError
from pmi_spark.schemas import PMI

Batches = Iterator[pa.RecordBatch]


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


def compute_pmi(
    spark: SparkSession,
    pairs: DataFrame,
    marginals: npt.NDArray[np.float64],
    denominator: int,
    context_smoothing: float,
    further: Sequence[str] = (),
    window_total: float | None = None,
) -> DataFrame:
    """``pairs`` -> ``pmi`` (weighted counts, PMI in nats, and the measures asked for as double columns).

    ``marginals`` has one number a word id. ``window_total`` is N, the sum over ordered pairs in weighted occurrences;
    given apart when the marginals are word counts, else their sum. Nothing is shuffled: the marginals are broadcast,
    8 bytes a word, and each Arrow batch is computed in numpy.
    """
    total = float(marginals.sum()) if window_total is None else window_total
    log_p = measures.log_probabilities(marginals, context_smoothing)
    broadcast = spark.sparkContext.broadcast((log_p, marginals * (total / marginals.sum())))
    schema = StructType([*PMI.fields, *(StructField(name, DoubleType()) for name in further)])
    return pairs.select("word_id", "context_id", "pair_count").mapInArrow(
        _batch_mapper(broadcast, total, denominator, tuple(further)), schema
    )


def _batch_mapper(
    broadcast: Broadcast[tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]],
    total: float,
    denominator: int,
    further: tuple[str, ...],
) -> Callable[[Batches], Batches]:
    def run(batches: Batches) -> Batches:
        log_p, expected = broadcast.value
        for batch in batches:
            word_ids, context_ids = np.asarray(batch.column(0)), np.asarray(batch.column(1))
            counts = np.asarray(batch.column(2)) / denominator
            values = measures.pmi(counts, total, log_p[word_ids], log_p[context_ids])
            columns = [batch.column(0), batch.column(1), pa.array(counts), pa.array(values.astype(np.float32))]
            if "npmi" in further:
                columns.append(pa.array(measures.npmi(values, counts, total)))
            if "log_likelihood" in further:
                n_word, n_context = expected[word_ids], expected[context_ids]
                columns.append(pa.array(measures.log_likelihood(counts, total, n_word, n_context)))
            yield pa.RecordBatch.from_arrays(columns, names=[*PMI.fieldNames(), *further])

    return run
