"""The vectors stage: PMI -> factors, by sweeps of weighted alternating least squares over row blocks."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from pyspark import RDD, StorageLevel
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import BinaryType, IntegerType, StructField, StructType

from pmi_spark.factorization.canonical import Canonical
from pmi_spark.factorization.row_blocks import (
    Floats,
    RowBlock,
    build_row_block,
    cell_weights,
)
from pmi_spark.factorization.solver import (
    LossSettings,
    Solved,
    describe_side,
    solve_warm,
    solve_weighted,
    total_loss,
)
from pmi_spark.schemas import VECTORS

Batches = Iterator[pa.RecordBatch]
# List offsets are 32-bit: 2^16 rows leave room for 32,767 dimensions.
ROWS_PER_SLICE = 1 << 16
SweepReport = Callable[[str, int, float], None]

_CELLS = StructType([StructField("block", IntegerType()), StructField("cells", BinaryType())])


@dataclass(frozen=True)
class CellSettings:
    """Which pairs are fitted and how much each weighs: see the configuration's keys of the same names."""

    positive_only: bool
    shift: float
    count_ceiling: float
    weight_exponent: float
    truncate_weights: bool


def build_row_blocks(pmi: DataFrame, word_count: int, blocks: int, settings: CellSettings) -> RDD[RowBlock]:
    """``pmi`` -> the table in row blocks, persisted: both triangles, 24 bytes a pair in memory or on disk.

    This shuffles each pair once to either row's block.
    """
    pieces = pmi.select("word_id", "context_id", "pair_count", "pmi").mapInArrow(_cell_mapper(blocks, settings), _CELLS)

    def assemble(item: tuple[int, Iterable[bytes]]) -> RowBlock:
        block, packed = item
        columns = zip(*(pickle.loads(piece) for piece in packed), strict=True)
        rows, contexts, values, weights = (np.concatenate(column) for column in columns)
        return build_row_block(block, blocks, word_count, rows, contexts, values, weights)

    empty = pickle.dumps(tuple(np.empty(0, dtype=kind) for kind in (np.int32, np.int32, np.float32, np.float32)))
    every_block = pmi.sparkSession.sparkContext.parallelize([(block, empty) for block in range(blocks)], 1)
    return (
        pieces.rdd.map(lambda row: (row[0], bytes(row[1])))
        .union(every_block)
        .groupByKey(blocks, lambda block: block)
        .map(assemble)
        .persist(StorageLevel.MEMORY_AND_DISK)
    )


def _cell_mapper(blocks: int, settings: CellSettings) -> Callable[[Batches], Batches]:
    def run(batches: Batches) -> Batches:
        for batch in batches:
            low, high = np.asarray(batch.column(0)), np.asarray(batch.column(1))
            values = np.asarray(batch.column(3)) - np.float32(settings.shift)
            weights = cell_weights(
                np.asarray(batch.column(2)), settings.count_ceiling, settings.weight_exponent, settings.truncate_weights
            )
            if settings.positive_only:
                positive = values > 0
                low, high, values, weights = low[positive], high[positive], values[positive], weights[positive]
            rows, columns = np.concatenate([low, high]), np.concatenate([high, low])
            both_values, both_weights = np.tile(values, 2), np.tile(weights, 2)
            block_of_row = rows % blocks
            order = np.argsort(block_of_row, kind="stable")
            bounds = np.searchsorted(block_of_row[order], np.arange(blocks + 1))
            numbers, packed = [], []
            for block in np.flatnonzero(np.diff(bounds)).tolist():
                part = order[bounds[block] : bounds[block + 1]]
                numbers.append(block)
                packed.append(
                    pickle.dumps((rows[part], columns[part], both_values[part], both_weights[part]), protocol=5)
                )
            yield pa.RecordBatch.from_arrays(
                [pa.array(numbers, type=pa.int32()), pa.array(packed, type=pa.binary())], names=_CELLS.fieldNames()
            )

    return run


def initial_factors(word_count: int, dimensions: int, seed: int) -> Floats:
    """Normal random factors of expected length 1, from the seed alone (PCG64)."""
    generator = np.random.Generator(np.random.PCG64(seed))
    return generator.standard_normal((word_count, dimensions), dtype=np.float32) / np.float32(np.sqrt(dimensions))


def factorize(
    spark: SparkSession,
    blocks: RDD[RowBlock],
    start: Floats,
    loss: LossSettings,
    warm_sweeps: int,
    sweeps: int,
    solver_steps: int,
    report: SweepReport = lambda phase, sweep, value: None,
) -> tuple[Floats, Floats]:
    """Both sides' factors (words x d) after the warm and the weighted sweeps.

    A half-sweep broadcasts one side (4 n d bytes to every worker) and collects the other: nothing is shuffled. The
    table is symmetric, so one set of row blocks serves both sides. ``report(phase, sweep, loss)`` is called after each
    sweep; the loss of a warm sweep is NaN, for it minimizes another one. Limit: n d floats, a few times over, fit the
    driver and each worker (1.2 GB a copy at 10^6 words and 300 dimensions).
    """
    left = right = start
    for sweep in range(1, warm_sweeps + 1):
        left, _ = _half_sweep(spark, blocks, right, None, loss, solver_steps)
        right, _ = _half_sweep(spark, blocks, left, None, loss, solver_steps)
        report("warm", sweep, float("nan"))
    for sweep in range(1, sweeps + 1):
        left, _ = _half_sweep(spark, blocks, right, left, loss, solver_steps)
        right, fitted = _half_sweep(spark, blocks, left, right, loss, solver_steps)
        report("weighted", sweep, total_loss(fitted, describe_side(left), describe_side(right), loss))
    return left, right


def _half_sweep(
    spark: SparkSession,
    blocks: RDD[RowBlock],
    fixed: Floats,
    previous: Floats | None,
    loss: LossSettings,
    steps: int,
) -> tuple[Floats, float]:
    """One side solved against the other; ``previous`` None means the warm start's unweighted problem."""
    broadcast = spark.sparkContext.broadcast((describe_side(fixed), previous))

    def solve(block: RowBlock) -> Solved:
        other, before = broadcast.value
        if before is None:
            return solve_warm(block, other, loss)
        return solve_weighted(block, other, before[block.block :: block.blocks], loss, steps)

    result = np.empty_like(fixed)
    fitted_loss = []
    block_count = blocks.getNumPartitions()
    for solved in blocks.map(solve).collect():
        result[solved.block :: block_count] = solved.factors
        fitted_loss.append((solved.block, solved.fitted_loss))
    broadcast.destroy()
    return result, sum(value for _, value in sorted(fitted_loss))


def vectors_frame(
    spark: SparkSession, canonical: Canonical, exponent: float, shift: float, words: pa.Array, word_counts: pa.Array
) -> DataFrame:
    """The ``vectors`` rows; signs, eigenvalues, exponent and shift go into the vector column's metadata.

    At exponent 0.5, PMI_hat(i, j) = shift + sum_k sign_k v_ik v_jk. With the eigenvalues a reader can form E |L|^q for
    any other q. The shift is kept apart because a constant is the table's largest component by far (eigenvalue -72,600
    against 5,600 for the next, 20 M pairs) and tells no words apart: left inside, MEN-3000 falls from .70 to .61.
    """
    vectors = canonical.vectors(exponent)
    slices = [slice(start, start + ROWS_PER_SLICE) for start in range(0, len(vectors), ROWS_PER_SLICE)]
    table = pa.concat_tables(
        pa.table(
            {
                "word_id": pa.array(np.arange(len(vectors), dtype=np.int32)[part]),
                "word": words[part],
                "word_count": word_counts[part],
                "vector": _list_array(vectors[part]),
            }
        )
        for part in slices
    )
    metadata = {
        "signs": np.sign(canonical.eigenvalues).astype(int).tolist(),
        "eigenvalues": canonical.eigenvalues.tolist(),
        "exponent": exponent,
        "shift": shift,
    }
    frame = spark.createDataFrame(table)
    return frame.select(*VECTORS.fieldNames()[:-1], F.col("vector").alias("vector", metadata=metadata))


def _list_array(rows: Floats) -> pa.ListArray:
    offsets = np.arange(len(rows) + 1, dtype=np.int32) * np.int32(rows.shape[1])
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(rows.ravel()))
