"""The pairs stage: tokens and vocabulary -> exact pair counts, by reduceByKey over blocks of the pair matrix."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pyspark import RDD, Broadcast
from pyspark.sql import DataFrame, SparkSession

from pmi_spark.cooccurrence.counting import CountingPlan, PairAccumulator, Words, encode_documents, one_row
from pmi_spark.cooccurrence.pair_block import PairBlock, Runs, merge_blocks, stack_runs
from pmi_spark.corpus.token_files import decode_tokens
from pmi_spark.errors import RunError
from pmi_spark.parquet_files import ENCODED_FILES, ParquetEncoder, UnreadableFileError, arrow_schema
from pmi_spark.schemas import PAIRS

Longs = npt.NDArray[np.int64]

ROWS_PER_ROW_GROUP = 1 << 20

SCHEMA = arrow_schema(PAIRS)


@dataclass(frozen=True)
class PairCounts:
    """What the stage gives: files of ``pairs``, each word's marginal (index: word id), both in the weighting's units.

    ``skipped`` are the shards left out because they could not be read.
    """

    pairs: DataFrame
    marginals: Longs
    skipped: tuple[str, ...]


def count_pairs(
    spark: SparkSession,
    token_files: RDD[tuple[str, bytes]],
    shards: Mapping[str, int],
    words: Words,
    plan: CountingPlan,
    minimum_units: int,
    skip_bad_shards: bool = False,
) -> PairCounts:
    """Files of ``tokens`` -> files of ``pairs``, and the marginals.

    A file of pairs holds the words i with i mod files = f, block by block: a word's pairs stand together, sorted.

    This shuffles: each task sends its partial blocks, at most 5 bytes a distinct pair of the task; reduceByKey merges
    them. The blocks are dealt to their partitions first, as they are counted, so that reduceByKey finds them in place
    and no map-side combiner gathers a task's whole output: ``plan.memory_bytes`` is what a task holds. The marginals
    ride along in partitions of their own, so reading them runs the counting and those partitions alone, and writing
    the pairs then finds the shuffle done. Pairs under ``minimum_units`` are left out of the table but not of the
    marginals. The result is the same bytes for any partitioning, order or retry.

    ``shards`` are the paths that ``token_files`` should hold with their numbers of documents; each is accounted for.
    Raises RunError when one cannot be read or was not, unless ``skip_bad_shards``.
    """
    known = {path: (number, documents) for number, (path, documents) in enumerate(shards.items())}
    counted = token_files.mapPartitions(_counter(spark.sparkContext.broadcast((words, known)), plan, skip_bad_shards))
    found = merge_counts(spark, counted, list(shards), plan, minimum_units)
    if found.skipped and not skip_bad_shards:
        raise RunError(f"{found.skipped[0]} was not read", cure="run the tokens stage again")
    return found


def merge_counts(
    spark: SparkSession, counted: RDD[tuple[int, Runs]], sources: Sequence[str], plan: CountingPlan, minimum_units: int
) -> PairCounts:
    """Blocks as tasks count them -> files of ``pairs``, and the sums of the marginals' blocks.

    ``sources`` are what was to be read, each of which a task marks by its number, in the block ``plan.shard_block``;
    those without a mark are ``skipped``. With ``minimum_units`` of 0 every count is known to be positive.
    """
    partition = plan.partition_of_block
    merged = counted.partitionBy(plan.partitions, partition).reduceByKey(stack_runs, plan.partitions, partition)
    marginals, read = _collect_marginals(spark, merged, plan, len(sources))
    skipped = tuple(path for path, times in zip(sources, read.tolist(), strict=True) if times == 0)
    pairs = spark.createDataFrame(merged.mapPartitions(_finisher(plan, minimum_units)), ENCODED_FILES)
    return PairCounts(pairs, marginals, skipped)


def mark_read(number: int, plan: CountingPlan) -> tuple[int, Runs]:
    """What a task says of a source that it read whole."""
    return plan.shard_block, (one_row(np.array([number]), np.ones(1, np.int64)),)


def _counter(
    broadcast: Broadcast[tuple[Words, dict[str, tuple[int, int]]]], plan: CountingPlan, skip_bad_shards: bool
) -> Callable[[Iterable[tuple[str, bytes]]], Iterable[tuple[int, Runs]]]:
    def run(files: Iterable[tuple[str, bytes]]) -> Iterator[tuple[int, Runs]]:
        words, shards = broadcast.value
        accumulator = PairAccumulator(plan)
        for path, content in files:
            if path not in shards:
                continue
            number, row_count = shards[path]
            try:
                groups = decode_tokens(path, content, row_count)
            except UnreadableFileError:
                if skip_bad_shards:
                    continue
                raise
            # The file and its words go before the counting begins: ids are a tenth of them.
            del content
            streams = [encode_documents(groups.pop(0), words, plan.unknown_leaves_gap) for _ in range(len(groups))]
            pa.default_memory_pool().release_unused()
            for ids, lengths in streams:
                for block, cells in accumulator.add(ids, lengths):
                    yield block, (cells,)
            yield mark_read(number, plan)
        for block, cells in accumulator.finish():
            yield block, (cells,)

    return run


def _collect_marginals(
    spark: SparkSession, merged: RDD[tuple[int, Runs]], plan: CountingPlan, shards: int
) -> tuple[Longs, Longs]:
    """Run the counting and the partitions after the pairs': each word's marginal, and how often each shard was read.

    V x 8 bytes come to the driver.
    """
    first, layout = plan.layout.blocks, plan.marginal_layout
    marginals = np.zeros(layout.vocabulary_size, dtype=np.int64)
    read = np.zeros(shards, dtype=np.int64)
    partitions = list(range(plan.files, plan.partitions))
    for block, runs in spark.sparkContext.runJob(merged, lambda rows: list(rows), partitions):
        cells = merge_blocks(runs)
        if block == plan.shard_block:
            read[cells.columns] = cells.counts
        else:
            marginals[cells.columns.astype(np.int64) * layout.blocks + (block - first)] = cells.counts
    return marginals, read


def _finisher(plan: CountingPlan, minimum_units: int) -> Callable[[Iterable[tuple[int, Runs]]], Iterable[tuple[bytes]]]:
    def run(rows: Iterable[tuple[int, Runs]]) -> Iterator[tuple[bytes]]:
        blocks = sorted((block, runs) for block, runs in rows if block < plan.layout.blocks)
        if blocks:
            encoder = ParquetEncoder(SCHEMA, deltas=SCHEMA.names)
            for group in _row_groups(blocks, plan, minimum_units):
                encoder.add(group)
            yield (encoder.finish().to_pybytes(),)

    return run


def _row_groups(blocks: list[tuple[int, Runs]], plan: CountingPlan, minimum_units: int) -> Iterator[pa.Table]:
    """Merged blocks as rows of ``pairs``, as many together as fill a row group."""
    waiting: list[pa.RecordBatch] = []
    for block, runs in blocks:
        rows = rows_of_block(block, merge_blocks(runs), plan, minimum_units)
        waiting.append(rows)
        if sum(map(len, waiting)) >= ROWS_PER_ROW_GROUP:
            yield pa.Table.from_batches(waiting)
            waiting = []
    if waiting:
        yield pa.Table.from_batches(waiting)


def rows_of_block(block: int, cells: PairBlock, plan: CountingPlan, minimum_units: int) -> pa.RecordBatch:
    """Rows of ``pairs`` with at least ``minimum_units``; 0 takes all. RunError where a count is below 0."""
    word_ids, context_ids = plan.layout.decode(block, cells)
    columns = [pa.array(word_ids), pa.array(context_ids), pa.array(cells.counts.astype(np.int64))]
    rows = pa.RecordBatch.from_arrays(columns, schema=SCHEMA)
    if minimum_units == 0:
        return rows
    if cells.counts.min(initial=0) < 0:
        raise RunError(
            "the pairs there hold less than was to be taken out of them", cure="delete the pairs folder and run again"
        )
    return rows.filter(pc.greater_equal(rows.column("pair_count"), minimum_units))
