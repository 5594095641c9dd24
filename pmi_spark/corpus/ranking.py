"""Rows -> their ranks in a total order, by as many tasks as there are millions of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from pyspark import StorageLevel
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

# A task sorts so many: at 100 bytes a word 100 MB, a tenth of what Spark gives a task of a 4 GB executor.
ROWS_PER_TASK = 1 << 20
# monotonically_increasing_id: the partition's number above, the row's place in it in the lower 33 bits.
_PLACE_BITS = 33


@contextmanager
def ranked(frame: DataFrame, row_count: int, *order: Column) -> Iterator[DataFrame]:
    """``frame`` with a column ``rank`` (long, 0 the first), sorted; ``order`` must be total, or ranks of ties are free.

    Up to ROWS_PER_TASK rows are sorted by one task, where a row's rank is its place. More are dealt out by ranges of
    the order, a task each; a rank is then the rows before its range and the place in it. This shuffles every row once,
    after a look at a sample of them, and counts the ranges in a job of its own: the sorted rows are persisted, in
    memory or on disk, while the context is open, so that both see the same ranges (a lost partition is made again with
    the same bounds). The driver holds a number a range.

    ``row_count`` chooses the tasks; ranks do not depend on it.
    """
    tasks = max(1, -(-row_count // ROWS_PER_TASK))
    dealt = frame.repartitionByRange(tasks, *order) if tasks > 1 else frame.repartition(1)
    placed = dealt.sortWithinPartitions(*order).withColumn("rank", F.monotonically_increasing_id())
    if tasks == 1:
        yield placed
        return
    placed = placed.persist(StorageLevel.MEMORY_AND_DISK)
    try:
        yield placed.withColumn("rank", _rank(_range_starts(placed, tasks)))
    finally:
        placed.unpersist()


def _range() -> Column:
    return F.shiftright("rank", _PLACE_BITS).cast("int")


def _range_starts(placed: DataFrame, tasks: int) -> list[int]:
    """The rows before each range."""
    sizes = np.zeros(tasks, dtype=np.int64)
    for row in placed.groupBy(_range().alias("range")).agg(F.count(F.lit(1)).alias("rows")).collect():
        sizes[row["range"]] = row["rows"]
    starts: list[int] = (np.cumsum(sizes) - sizes).tolist()
    return starts


def _rank(starts: list[int]) -> Column:
    place = F.col("rank").bitwiseAND(F.lit((1 << _PLACE_BITS) - 1))
    return F.get(F.array(*(F.lit(start).cast("long") for start in starts)), _range()) + place
