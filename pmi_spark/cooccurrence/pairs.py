"""The pairs stage: tokens and vocabulary -> exact pair counts, by reduceByKey over blocks of the pair matrix."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pyspark import RDD, Broadcast
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import BinaryType, IntegerType, StructField, StructType

from pmi_spark.cooccurrence import windows
from pmi_spark.cooccurrence.pair_block import BlockLayout, PairBlock, Runs, count_meetings, merge_blocks, stack_runs
from pmi_spark.schemas import PAIRS

Longs = npt.NDArray[np.int64]
Batches = Iterator[pa.RecordBatch]

# A block's reducer holds at most this many meetings' cells: 2^24 * 16 bytes = 256 MB if no two meet twice.
MEETINGS_PER_BLOCK = 1 << 24
SMALLEST_BLOCK_COUNT = 8
# Marginals travel in blocks of their own; one for this many pair blocks keeps their reducers of like size.
PAIR_BLOCKS_PER_MARGINAL_BLOCK = 32
ROWS_PER_BATCH = 1 << 18
WORDS_PER_SLICE = 1 << 16

_NO_IDS = np.empty(0, dtype=np.int32)

_BLOCKS = StructType([StructField("block", IntegerType()), StructField("cells", BinaryType())])


@dataclass(frozen=True)
class Words:
    """The vocabulary as the workers need it: words by id, and the hash thresholds of subsampling (None keeps all)."""

    words: pa.Array
    thresholds: npt.NDArray[np.uint64] | None


@dataclass(frozen=True)
class CountingPlan:
    """Everything a counting task has to know besides its text; a value, so that it travels in the closure."""

    layout: BlockLayout
    window: int
    weights: windows.Weighting
    unknown_leaves_gap: bool
    memory_bytes: int

    @property
    def marginal_layout(self) -> BlockLayout:
        count = max(1, self.layout.blocks // PAIR_BLOCKS_PER_MARGINAL_BLOCK)
        return BlockLayout(self.layout.vocabulary_size, count)

    @property
    def words_per_piece(self) -> int:
        """Words counted at once: a piece's meetings, 36 bytes each at the peak, and its cells fit the budget."""
        return max(1 << 12, self.memory_bytes // (2 * 36 * self.window))


@dataclass(frozen=True)
class PairCounts:
    """What the stage gives: the pairs, and each word's marginal (index: word id), both in the weighting's units."""

    pairs: DataFrame
    marginals: Longs


def choose_block_count(word_total: int, window: int) -> int:
    """A power of two that keeps every block within MEETINGS_PER_BLOCK; from the vocabulary alone, so any run agrees.

    >>> choose_block_count(15_900_000, 5), choose_block_count(10**11, 5)
    (8, 32768)
    """
    wanted = max(SMALLEST_BLOCK_COUNT, -(-word_total * window // MEETINGS_PER_BLOCK))
    return 1 << (wanted - 1).bit_length()


def count_pairs(
    spark: SparkSession,
    tokens: DataFrame,
    words: pa.Array,
    word_counts: Longs,
    plan: CountingPlan,
    subsample: float,
    minimum_units: int,
) -> PairCounts:
    """``tokens`` -> ``pairs``, one file a block, sorted by (word_id, context_id), and the marginals.

    This shuffles: each task sends its partial blocks, at most 9 to 16 bytes a distinct pair of the task; reduceByKey
    merges them. The marginals ride along in partitions of their own, so reading them runs the counting and those
    partitions alone, and writing the pairs then finds the shuffle done. Pairs under ``minimum_units`` are left out
    of the table but not of the marginals. The result is the same bytes for any partitioning, order or retry.
    Raises ConfigurationError when sums could pass 2^63.

    But: ``memory_bytes`` bounds the counting; reduceByKey's own map-side combiner is pyspark's, which gathers a task's
    blocks and looks at ``spark.python.worker.memory`` only every thousandth of them before it spills. 10 M words on one
    line stay near 0.9 GB at window 5 and reach 3.5 GB at window 50 (1.1 M distinct words).
    """
    windows.check_sums_fit(int(word_counts.sum()), plan.weights)
    thresholds = windows.keep_thresholds(word_counts, subsample) if subsample > 0 else None
    broadcast = spark.sparkContext.broadcast(Words(words, thresholds))
    partial_blocks = tokens.select("document_id", "words").mapInArrow(_counter(broadcast, plan), _BLOCKS)
    partitions = plan.layout.blocks + plan.marginal_layout.blocks
    merged = partial_blocks.rdd.map(_unpack_row).reduceByKey(stack_runs, partitions, _partition_of_block)
    marginals = _collect_marginals(spark, merged, plan)
    finished = merged.mapPartitions(partial(_finish_blocks, plan.layout.blocks, minimum_units))
    pairs = spark.createDataFrame(finished, _BLOCKS).mapInArrow(_decoder(plan.layout), PAIRS)
    return PairCounts(pairs, marginals)


def _partition_of_block(block: int) -> int:
    return block


def _unpack_row(row: tuple[int, bytes]) -> tuple[int, Runs]:
    return row[0], (pickle.loads(row[1]),)


def _collect_marginals(spark: SparkSession, merged: RDD[tuple[int, Runs]], plan: CountingPlan) -> Longs:
    """Run the counting and the marginals' own partitions; V x 8 bytes come to the driver."""
    first, layout = plan.layout.blocks, plan.marginal_layout
    marginals = np.zeros(layout.vocabulary_size, dtype=np.int64)
    partitions = list(range(first, first + layout.blocks))
    for block, runs in spark.sparkContext.runJob(merged, lambda rows: list(rows), partitions):
        cells = merge_blocks(runs)
        marginals[cells.keys * layout.blocks + (block - first)] = cells.counts
    return marginals


def _finish_blocks(
    pair_blocks: int, minimum_units: int, rows: Iterator[tuple[int, Runs]]
) -> Iterator[tuple[int, bytes]]:
    for block, runs in rows:
        if block < pair_blocks:
            cells = merge_blocks(runs)
            enough = cells.counts >= minimum_units
            yield block, pickle.dumps(PairBlock(cells.keys[enough], cells.counts[enough]))


def _decoder(layout: BlockLayout) -> Callable[[Batches], Batches]:
    def run(batches: Batches) -> Batches:
        for batch in batches:
            for block, packed in zip(batch.column(0).to_pylist(), batch.column(1), strict=True):
                cells = pickle.loads(packed.as_buffer())
                for start in range(0, len(cells), ROWS_PER_BATCH):
                    part = slice(start, start + ROWS_PER_BATCH)
                    word_ids, context_ids = layout.decode(block, cells.keys[part])
                    columns = [pa.array(word_ids), pa.array(context_ids), pa.array(cells.counts[part])]
                    yield pa.RecordBatch.from_arrays(columns, names=PAIRS.fieldNames())

    return run


def _counter(broadcast: Broadcast[Words], plan: CountingPlan) -> Callable[[Batches], Batches]:
    def run(batches: Batches) -> Batches:
        words = broadcast.value
        accumulator = PairAccumulator(plan)
        for batch in batches:
            yield from map(_blocks_batch, accumulator.add(*encode_documents(batch, words, plan.unknown_leaves_gap)))
        yield from map(_blocks_batch, accumulator.finish())

    return run


def _blocks_batch(blocks: list[tuple[int, PairBlock]]) -> pa.RecordBatch:
    numbers = pa.array([block for block, _ in blocks], type=pa.int32())
    cells = pa.array([pickle.dumps(cells, protocol=5) for _, cells in blocks], type=pa.binary())
    return pa.RecordBatch.from_arrays([numbers, cells], names=_BLOCKS.fieldNames())


def encode_documents(batch: pa.RecordBatch, words: Words, unknown_leaves_gap: bool) -> tuple[windows.Ids, Longs]:
    """Rows (document_id, words) -> (ids end to end, for each position its document's end).

    Words outside the vocabulary and subsampled ones are dropped, or become gaps.

    >>> batch = pa.record_batch({"document_id": pa.array([1]), "words": pa.array([["a", "x", "b"]])})
    >>> encode_documents(batch, Words(pa.array(["a", "b"]), None), unknown_leaves_gap=False)
    (array([0, 1], dtype=int32), array([2, 2]))
    >>> encode_documents(batch, Words(pa.array(["a", "b"]), None), unknown_leaves_gap=True)
    (array([ 0, -1,  1], dtype=int32), array([3, 3, 3]))
    """
    lists = batch.column(1)
    lengths = np.diff(np.asarray(lists.offsets)).astype(np.int64)
    ids = np.asarray(pc.index_in(lists.flatten(), words.words).fill_null(windows.GAP))
    if words.thresholds is not None:
        keep = _kept_by_subsampling(ids, np.asarray(batch.column(0)), lengths, words.thresholds)
        ids = np.where(keep, ids, np.int32(windows.GAP))
    if not unknown_leaves_gap:
        known = ids != windows.GAP
        lengths = windows.drop_positions(known, lengths)
        ids = ids[known]
    return ids, windows.document_ends(lengths)


def _kept_by_subsampling(
    ids: windows.Ids, document_ids: Longs, lengths: Longs, thresholds: npt.NDArray[np.uint64]
) -> npt.NDArray[np.bool_]:
    """:func:`windows.subsample` in slices, whose 64-bit temporaries stay in cache and small for a giant document."""
    starts = np.cumsum(lengths) - lengths
    row_of_word = np.repeat(np.arange(len(lengths), dtype=np.int32), lengths)
    keep = np.empty(len(ids), dtype=np.bool_)
    for start in range(0, len(ids), WORDS_PER_SLICE):
        part = slice(start, start + WORDS_PER_SLICE)
        rows = row_of_word[part]
        positions = np.arange(start, start + len(rows)) - starts[rows]
        keep[part] = windows.subsample(ids[part], document_ids[rows], positions, thresholds)
    return keep


class PairAccumulator:
    """A task's text so far, counted a piece at a time: as many words as the memory budget has room for."""

    def __init__(self, plan: CountingPlan) -> None:
        self._plan = plan
        self._waiting: list[tuple[windows.Ids, Longs]] = []
        self._marginals = np.zeros(plan.layout.vocabulary_size, dtype=np.int64)

    def add(self, ids: windows.Ids, ends: Longs) -> Iterator[list[tuple[int, PairBlock]]]:
        """Take a stream of whole documents; yields the blocks of each piece that is full."""
        self._waiting.append((ids, ends))
        if sum(len(ids) for ids, _ in self._waiting) >= self._plan.words_per_piece:
            yield from self._count_waiting()

    def finish(self) -> Iterator[list[tuple[int, PairBlock]]]:
        """The blocks of what is left, then the marginals of everything added."""
        yield from self._count_waiting()
        shares = _marginal_blocks(self._marginals, self._plan)
        if shares:
            yield shares

    def _count_waiting(self) -> Iterator[list[tuple[int, PairBlock]]]:
        """Count the waiting stream in pieces that overlap by the window: no document is too long."""
        plan = self._plan
        starts = np.cumsum([0, *(len(ids) for ids, _ in self._waiting)])
        ids = np.concatenate([ids for ids, _ in self._waiting] or [_NO_IDS])
        ends = np.concatenate(
            [ends + start for (_, ends), start in zip(self._waiting, starts, strict=False)] or [_NO_IDS]
        )
        self._waiting = []
        pieces = -(-len(ids) // plan.words_per_piece)
        step = -(-len(ids) // max(1, pieces))
        for start in range(0, len(ids), max(1, step)):
            piece = slice(start, start + step + plan.window)
            meetings = windows.window_pairs(ids[piece], ends[piece] - start, plan.window, step)
            blocks = list(plan.layout.split(count_meetings(meetings, plan.weights.units, plan.layout)))
            for block, cells in blocks:
                word_ids, context_ids = plan.layout.decode(block, cells.keys)
                np.add.at(self._marginals, word_ids, cells.counts)
                np.add.at(self._marginals, context_ids, cells.counts)
            if blocks:
                yield blocks


def _marginal_blocks(marginals: Longs, plan: CountingPlan) -> list[tuple[int, PairBlock]]:
    """Marginals as blocks numbered after the pairs' own: key id // M in block id mod M, only words that met any."""
    count = plan.marginal_layout.blocks
    shares = ((block, marginals[block::count]) for block in range(count))
    return [
        (plan.layout.blocks + block, PairBlock(np.flatnonzero(share), share[share > 0]))
        for block, share in shares
        if share.any()
    ]
