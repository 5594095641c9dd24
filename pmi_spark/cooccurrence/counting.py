"""What one task does with its text: documents to ids, ids to runs of pair counts, by a memory budget. No Spark."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pmi_spark.config import PairsConfig
from pmi_spark.cooccurrence import windows
from pmi_spark.cooccurrence.pair_block import BlockLayout, PairBlock, count_meetings

Longs = npt.NDArray[np.int64]
Blocks = Iterator[tuple[int, PairBlock]]

# A file's reducer holds at most this many meetings' cells: 2^24 * 8 bytes = 128 MB if no two meet twice.
MEETINGS_PER_FILE = 1 << 24
SMALLEST_FILE_COUNT = 8
# Records of the shuffle are a block's share of a piece: at 256 blocks about 100 KB, so that pyspark's writer, which
# looks at its memory every thousandth record, holds 100 MB, and a block's merge stays in cache.
SMALLEST_BLOCK_COUNT = 256
# Marginals travel in blocks of their own; one for this many files keeps their reducers of like size.
FILES_PER_MARGINAL_BLOCK = 32


@dataclass(frozen=True)
class Words:
    """The vocabulary as the workers need it: words by id, and the hash thresholds of subsampling (None keeps all)."""

    words: pa.Array
    thresholds: npt.NDArray[np.uint64] | None


@dataclass(frozen=True)
class CountingPlan:
    """Everything a counting task has to know besides its text; a value, so that it travels in the closure.

    ``files`` divides ``layout.blocks``: file f holds the blocks b with b mod files = f, hence the words i with
    i mod files = f.
    """

    layout: BlockLayout
    files: int
    window: int
    weights: windows.Weighting
    unknown_leaves_gap: bool
    memory_bytes: int

    @property
    def marginal_layout(self) -> BlockLayout:
        count = max(1, self.files // FILES_PER_MARGINAL_BLOCK)
        return BlockLayout(self.layout.vocabulary_size, count)

    @property
    def partitions(self) -> int:
        """Of the shuffle: one a file, one a block of marginals."""
        return self.files + self.marginal_layout.blocks

    @property
    def shard_block(self) -> int:
        """The number of the block that counts the shards read."""
        return self.layout.blocks + self.marginal_layout.blocks

    def partition_of_block(self, block: int) -> int:
        """Where a block is merged: pairs by file, marginals after them, the shards read with the first of those."""
        if block < self.layout.blocks:
            return block % self.files
        return self.files + (block - self.layout.blocks) % self.marginal_layout.blocks

    @property
    def words_per_piece(self) -> int:
        """Words counted at once: a piece's meetings, 36 bytes each at the peak, take a quarter of the budget.

        The rest is for a file's words while they are decoded, and for the cells of the last pieces: pyspark hands
        blocks on to the shuffle by the thousand, at 256 blocks four pieces' worth.
        """
        return max(1 << 12, self.memory_bytes // (4 * 36 * self.window))


def make_plan(word_counts: Longs, settings: PairsConfig) -> CountingPlan:
    """The plan for a vocabulary with these counts; ConfigurationError when sums could pass 2^63."""
    weights = windows.distance_weights(settings.weighting, settings.window)
    word_total = int(word_counts.sum())
    windows.check_sums_fit(word_total, weights)
    files = settings.files or choose_file_count(word_total, settings.window)
    return CountingPlan(
        layout=BlockLayout(len(word_counts), choose_block_count(files)),
        files=files,
        window=settings.window,
        weights=weights,
        unknown_leaves_gap=settings.unknown == "gap",
        memory_bytes=settings.memory << 20,
    )


def choose_file_count(word_total: int, window: int) -> int:
    """A power of two that keeps every file within MEETINGS_PER_FILE; from the vocabulary alone, so any run agrees.

    >>> choose_file_count(15_900_000, 5), choose_file_count(10**11, 5)
    (8, 32768)
    """
    wanted = max(SMALLEST_FILE_COUNT, -(-word_total * window // MEETINGS_PER_FILE))
    return 1 << (wanted - 1).bit_length()


def choose_block_count(files: int) -> int:
    """The blocks of that many files: as many for each as makes at least SMALLEST_BLOCK_COUNT.

    >>> choose_block_count(8), choose_block_count(5), choose_block_count(32768)
    (256, 260, 32768)
    """
    return files * -(-SMALLEST_BLOCK_COUNT // files)


def encode_documents(documents: pa.Table, words: Words, unknown_leaves_gap: bool) -> tuple[windows.Ids, Longs]:
    """Rows (document_id, words) -> (ids end to end, length of each document).

    Words outside the vocabulary and subsampled ones are dropped, or become gaps. Where the words are dictionary-encoded
    the dictionary alone is looked up: 2 ns a word in place of 20.

    >>> documents = pa.table({"document_id": pa.array([1]), "words": pa.array([["a", "x", "b"]])})
    >>> encode_documents(documents, Words(pa.array(["a", "b"]), None), unknown_leaves_gap=False)
    (array([0, 1], dtype=int32), array([2]))
    >>> encode_documents(documents, Words(pa.array(["a", "b"]), None), unknown_leaves_gap=True)
    (array([ 0, -1,  1], dtype=int32), array([3]))
    """
    lists = documents.column("words").combine_chunks()
    lengths = np.diff(np.asarray(lists.offsets)).astype(np.int64)
    found = lists.flatten()
    if not pa.types.is_dictionary(found.type):
        found = found.dictionary_encode()
    id_of_code = np.asarray(pc.index_in(found.dictionary, words.words).fill_null(windows.GAP))
    ids = id_of_code[np.asarray(found.indices)]
    del lists, found
    if words.thresholds is not None:
        keep = windows.subsample_stream(ids, np.asarray(documents.column("document_id")), lengths, words.thresholds)
        ids[~keep] = windows.GAP
    if not unknown_leaves_gap:
        known = ids != windows.GAP
        lengths = windows.drop_positions(known, lengths)
        ids = ids[known]
    return ids, lengths


def documents_with(documents: pa.Table, words: pa.Array) -> pa.Table:
    """The rows (document_id, words) that hold one of some words; the dictionary alone is looked up: 12 ns a word.

    >>> documents = pa.table({"document_id": pa.array([1, 2]), "words": pa.array([["a", "x"], ["b"]])})
    >>> documents_with(documents, pa.array(["x", "y"]))["document_id"].to_pylist()
    [1]
    """
    lists = documents.column("words").combine_chunks()
    found = lists.flatten()
    if not pa.types.is_dictionary(found.type):
        found = found.dictionary_encode()
    is_one = np.asarray(pc.is_in(found.dictionary, words))[np.asarray(found.indices)]
    offsets = np.asarray(lists.offsets)
    before = np.concatenate(([0], np.cumsum(is_one)))[offsets - offsets[0]]
    return documents.filter(pa.array(before[1:] > before[:-1]))


class PairAccumulator:
    """A task's text so far, counted a piece at a time: as many words as the memory budget has room for."""

    def __init__(self, plan: CountingPlan) -> None:
        self._plan = plan
        self._waiting: list[tuple[windows.Ids, Longs]] = []
        self._marginals = np.zeros(plan.layout.vocabulary_size, dtype=np.int64)

    def add(self, ids: windows.Ids, lengths: Longs) -> Blocks:
        """Take a stream of whole documents; yields the blocks of each piece that is full."""
        self._waiting.append((ids, lengths))
        if sum(len(ids) for ids, _ in self._waiting) >= self._plan.words_per_piece:
            yield from self._count_waiting()

    def finish(self) -> Blocks:
        """The blocks of what is left, then the marginals of everything added."""
        yield from self._count_waiting()
        yield from _marginal_blocks(self._marginals, self._plan)

    def _count_waiting(self) -> Blocks:
        """Count the waiting stream in pieces that overlap by the window: no document is too long."""
        plan = self._plan
        ids = np.concatenate([ids for ids, _ in self._waiting] or [_NO_IDS])
        ends = windows.document_ends(np.concatenate([lengths for _, lengths in self._waiting] or [_NO_LONGS]))
        self._waiting = []
        pieces = -(-len(ids) // plan.words_per_piece)
        step = -(-len(ids) // max(1, pieces))
        for start in range(0, len(ids), max(1, step)):
            piece = slice(start, start + step + plan.window)
            meetings = windows.window_pairs(ids[piece], ends[piece] - start, plan.window, step)
            run = count_meetings(meetings, plan.weights.units, plan.layout)
            self._add_to_marginals(run)
            yield from plan.layout.split(run)

    def _add_to_marginals(self, run: PairBlock) -> None:
        if len(run):
            starts = np.cumsum(run.sizes, dtype=np.int64) - run.sizes
            row_sums = np.add.reduceat(run.counts, starts, dtype=np.int64)
            self._marginals[self._plan.layout.word_ids(run.rows)] += row_sums
            np.add.at(self._marginals, run.columns, run.counts.astype(np.int64))


def _marginal_blocks(marginals: Longs, plan: CountingPlan) -> Blocks:
    """Marginals as blocks numbered after the pairs' own: column id // M in block id mod M, only words that met any."""
    count = plan.marginal_layout.blocks
    for block in range(count):
        share = marginals[block::count]
        met = np.flatnonzero(share)
        if len(met):
            yield plan.layout.blocks + block, one_row(met, share[met])


def one_row(columns: npt.NDArray[np.integer], counts: Longs) -> PairBlock:
    """Cells of row 0; ``columns`` ascend."""
    return PairBlock(np.zeros(1, np.int64), np.array([len(columns)]), columns.astype(np.int32), counts)


_NO_IDS = np.empty(0, dtype=np.int32)
_NO_LONGS = np.empty(0, dtype=np.int64)
