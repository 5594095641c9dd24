"""Candidate texts ordered by their PMI with a query, on Spark: for more than one machine's memory or patience."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from pmi_spark.answer_folders import AnswerFolder
from pmi_spark.artifacts import fingerprint
from pmi_spark.errors import InputError
from pmi_spark.parquet_files import MAGIC
from pmi_spark.session import start_session
from pmi_spark.storage import Storage, escape_glob
from pmi_spark.vectors.candidates import TextScorer, check_columns

Batches = Iterator[pa.RecordBatch]
_SCORES = "sum_pmi double, mean_pmi double, known_words int, unknown_words int"


def rank_on_spark(
    scorer: TextScorer, path: str, column: str, by: str, top: int, to: str | None
) -> tuple[int, pa.Table]:
    """How many candidates there are and the ``top`` best; with ``to`` all of them are written there, best first.

    ``path`` is on any file system that Spark reaches. Raises InputError when there is nothing, no such column, or the
    folder ``to`` holds something else.
    """
    spark = start_session()
    folder = None if to is None else AnswerFolder(spark, to)
    spark.sparkContext.setJobGroup("rank", "pmi_spark rank", interruptOnCancel=True)
    scored = score_texts(spark, scorer, read_candidates(spark, path, column), column)
    if folder is None:
        scored = scored.cache()
        best, count = in_order(scored, column, by).limit(top).toArrow(), scored.count()
        scored.unpersist()
    else:
        with folder.held():
            configuration = {"rank": {"candidates": path, "column": column, "by": by}}
            rows = in_order(scored, column, by)
            manifest = folder.write(rows, fingerprint(configuration), configuration, {}, {})
        count = manifest.row_count
        best = in_order(spark.read.parquet(*folder.paths()), column, by).limit(top).toArrow()
    if not count:
        raise InputError(f"no candidates in {path}", cure="write one a line")
    return count, best


def read_candidates(spark: SparkSession, path: str, column: str) -> DataFrame:
    """Candidates from files of lines, as the column ``text``, or from Parquet. InputError without such a column."""
    storage = Storage(spark)
    files = [entry.path for entry in storage.find_files(storage.resolve(path))]
    if not files:
        raise InputError(f"no files in {path}", cure="give a file of lines, or Parquet")
    paths = [escape_glob(name) for name in files]
    if storage.read_head(files[0], len(MAGIC)) != MAGIC.encode():
        return spark.read.text(paths).withColumnRenamed("value", "text")
    frame = spark.read.parquet(*paths)
    check_columns(path, column, dict(frame.dtypes))
    return frame


def score_texts(spark: SparkSession, scorer: TextScorer, candidates: DataFrame, column: str) -> DataFrame:
    """The candidates with SCORE_COLUMNS behind. A narrow map; the scorer is broadcast, about 30 bytes a known word."""
    sent = spark.sparkContext.broadcast(scorer)

    def run(batches: Batches) -> Batches:
        for batch in batches:
            scores = sent.value.score(batch.column(column).cast(pa.string()))
            yield pa.RecordBatch.from_arrays(
                [*batch.columns, *scores.columns], names=[*batch.schema.names, *scores.schema.names]
            )

    columns = ", ".join(f"`{name}` {kind}" for name, kind in candidates.dtypes)
    return candidates.mapInArrow(run, f"{columns}, {_SCORES}")


def in_order(scored: DataFrame, column: str, by: str) -> DataFrame:
    """Best first; those without a known word last. Of equal ones the order is that of the texts' code points."""
    return scored.orderBy(F.col(by).desc_nulls_last(), F.col(f"`{column}`"))
