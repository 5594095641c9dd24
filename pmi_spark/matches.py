"""Every word's best mutual partner: the matchmaker's job, on Spark.

Each word's ``depth`` best partners by estimated PMI come from products of blocks of V D with V; two words are a pair
when each is among the other's, and a word's match is its pair of largest PMI. A product of n^2 cells is 2 n^2 d flops:
for a million words of 300 dimensions 6e14, which at 30 GFlop/s a core is 5.6 hours of one core and, before what Spark
takes, 13 s of 1,600; for the 100,000 most frequent it is a hundredth of that.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from pmi_spark.answer_folders import AnswerFolder
from pmi_spark.artifacts import Manifest, fingerprint
from pmi_spark.errors import InputError
from pmi_spark.factorization.shared_matrix import MatrixBuffer, SharedMatrix
from pmi_spark.session import start_session
from pmi_spark.vectors.partners import top_partners
from pmi_spark.vectors.store import WordVectors, load_vectors

Batches = Iterator[pa.RecordBatch]
Longs = npt.NDArray[np.int64]

# A task's rows share one pass over V: fewer tasks read it less often, more keep all cores busy to the end.
ROWS_PER_TASK = 4096
PARTNERS = "word bigint, partner bigint, pmi float, rank int"
# One row is a word that has a mutual partner. PMI in nats; ranks from 1, of the partner for the word and back.
MATCH_COLUMNS = ("word_id", "word", "partner_id", "partner", "pmi", "rank", "rank_back")
_MATCHES = "word_id int, word string, partner_id int, partner string, pmi float, rank int, rank_back int"


@dataclass(frozen=True)
class MatchLimits:
    """Who is matched: the ``words`` most frequent (0: all) of at least ``minimum_count``, to ``depth`` partners."""

    words: int
    minimum_count: int
    depth: int


def match_words(output: str, to: str, limits: MatchLimits, tell: Callable[[str], None]) -> Manifest:
    """Match the words of a run and write them to the folder ``to``: MATCH_COLUMNS, by word_id.

    A folder that holds this answer already is left as it is. Raises InputError when there are no vectors, fewer than
    two words to match, or the folder holds something else.
    """
    vectors = load_vectors(output, tell)
    ids = chosen_words(vectors, limits)
    spark = start_session()
    folder = AnswerFolder(spark, to)
    identity = fingerprint("matches", vectors.fingerprint, dataclasses.asdict(limits))
    with folder.held():
        found = folder.manifest()
        if found is not None and folder.holds(identity):
            tell("already there, from the same vectors and limits")
            return found
        tell(f"matching {len(ids):,} words: {2 * len(ids) ** 2 * vectors.matrix.shape[1]:.1e} flops")
        spark.sparkContext.setJobGroup("matches", "pmi_spark matches", interruptOnCancel=True)
        rows = matched(spark, vectors, ids, limits.depth)
        configuration = {"matches": dataclasses.asdict(limits)}
        return folder.write(rows, identity, configuration, {"vectors": vectors.fingerprint}, {"words": len(ids)})


def chosen_words(vectors: WordVectors, limits: MatchLimits) -> Longs:
    """The ids to match, ascending."""
    counts = np.asarray(vectors.word_counts)
    ids = np.argsort(-counts, kind="stable")
    ids = np.sort(ids[counts[ids] >= limits.minimum_count][: limits.words or None])
    if len(ids) < 2:
        raise InputError(f"{len(ids)} words to match", cure="lower --minimum-count or raise --words")
    return ids


def matched(spark: SparkSession, vectors: WordVectors, ids: Longs, depth: int) -> DataFrame:
    """MATCH_COLUMNS of the words ``ids``.

    V goes to each machine once, by broadcast, and its workers map one copy: 4 n d bytes, twice on the driver while it
    is made. This shuffles depth * n rows of 20 bytes, brought together by pair. A task holds a tile and the partners of
    its rows.
    """
    context = spark.sparkContext
    buffer = MatrixBuffer(len(ids), vectors.matrix.shape[1])
    for start in range(0, len(ids), 1 << 16):
        buffer.rows[start : start + (1 << 16)] = vectors.matrix[ids[start : start + (1 << 16)]]
    run = _partner_lister(buffer.share(context), vectors.pmi_metric, vectors.shift, depth)
    tasks = max(-(-len(ids) // ROWS_PER_TASK), min(len(ids), 4 * context.defaultParallelism))
    bounds = np.linspace(0, len(ids), tasks + 1).astype(np.int64).tolist()
    ranges = context.parallelize(list(pairwise(bounds)), tasks)
    partners = spark.createDataFrame(ranges, "first bigint, last bigint").mapInArrow(run, PARTNERS)
    names = context.broadcast((vectors.word_array.array.take(pa.array(ids)), ids.astype(np.int32)))
    best = best_of_pairs(partners)

    def with_words(batches: Batches) -> Batches:
        words, word_ids = names.value
        for batch in batches:
            columns = []
            for name in ("word", "partner"):
                places = np.asarray(batch.column(name))
                columns += [pa.array(word_ids[places]), words.take(pa.array(places))]
            columns += [batch.column(name) for name in ("pmi", "rank", "rank_back")]
            yield pa.RecordBatch.from_arrays(columns, names=list(MATCH_COLUMNS))

    return best.mapInArrow(with_words, _MATCHES).sort("word_id")


def _partner_lister(
    matrix: SharedMatrix, metric: npt.NDArray[np.float64], shift: float, depth: int
) -> Callable[[Batches], Batches]:
    """Ranges of rows -> their best partners: rows of PARTNERS."""

    def run(batches: Batches) -> Batches:
        whole = matrix.slice(0, matrix.shape[0])
        for batch in batches:
            for first, last in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                own = np.arange(first, last)
                found = top_partners(whole[first:last] @ metric.astype(np.float32), own, whole, depth)
                rows, ranks = np.nonzero(found.ids >= 0)
                columns = [own[rows], found.ids[rows, ranks], np.float32(shift) + found.products[rows, ranks]]
                arrays = [*(pa.array(column) for column in columns), pa.array(ranks.astype(np.int32) + 1)]
                yield pa.RecordBatch.from_arrays(arrays, names=["word", "partner", "pmi", "rank"])

    return run


def best_of_pairs(partners: DataFrame) -> DataFrame:
    """Rows of PARTNERS -> word, partner, pmi, rank, rank_back: for each word the best of those that list it too.

    A pair of words that both list the other stands there twice, which one shuffle by pair tells. Of equal PMI the lower
    rank wins, so the result does not depend on the order of rows. The two computed PMIs of a pair may differ in the
    last digit; the greater stands for both.
    """
    lower = F.col("word") < F.col("partner")
    pairs = (
        partners.groupBy(F.least("word", "partner").alias("low"), F.greatest("word", "partner").alias("high"))
        .agg(
            F.max("pmi").alias("pmi"),
            F.max(F.when(lower, F.col("rank"))).alias("rank_of_high"),
            F.max(F.when(~lower, F.col("rank"))).alias("rank_of_low"),
        )
        .where("rank_of_high is not null and rank_of_low is not null")
    )
    sides = pairs.selectExpr(
        "inline(array("
        "named_struct('word', low, 'partner', high, 'pmi', pmi, 'rank', rank_of_high, 'rank_back', rank_of_low), "
        "named_struct('word', high, 'partner', low, 'pmi', pmi, 'rank', rank_of_low, 'rank_back', rank_of_high)))"
    )
    best = sides.groupBy("word").agg(F.min_by(F.struct("partner", "pmi", "rank", "rank_back"), "rank").alias("best"))
    return best.select("word", "best.*")
