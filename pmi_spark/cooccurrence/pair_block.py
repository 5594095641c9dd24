"""Sorted runs of pair counts and their merge: what the shuffle carries. Pure numpy.

The pair matrix is cut into blocks by rows: row i (the smaller id, so the more frequent word) belongs to block
i mod B, which gives every block its share of frequent words. A cell is one int64 key,

    key = (i // B) * 2^31 + j     inside its block (ids below 2^31: 62 bits),

and while a task counts, rows of one block stand together: row (i mod B) * ceil(V / B) + i // B of the whole matrix.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy import sparse

from pmi_spark.errors import ConfigurationError

Ids = npt.NDArray[np.int32]
Longs = npt.NDArray[np.int64]

COLUMN_BITS = 31
COLUMN_MASK = (1 << COLUMN_BITS) - 1
LARGEST_VOCABULARY = 1 << COLUMN_BITS
# Up to here the counting sorts' pointers, 12 bytes a word, take less than a worker's spare room.
RADIX_VOCABULARY = 1 << 24


@dataclass(frozen=True, eq=False)
class PairBlock:
    """Cells of one block: keys sorted without repeats, int64 counts beside them. 16 bytes a cell."""

    keys: Longs
    counts: Longs

    def __post_init__(self) -> None:
        object.__setattr__(self, "keys", np.asarray(self.keys, dtype=np.int64))
        object.__setattr__(self, "counts", np.asarray(self.counts, dtype=np.int64))

    def __len__(self) -> int:
        return len(self.keys)

    def __repr__(self) -> str:
        return f"PairBlock(keys={self.keys.tolist()}, counts={self.counts.tolist()})"

    def __reduce__(self) -> tuple[object, ...]:
        # Counts are mostly 1 to 5: the shuffle carries them in the narrowest integers that hold the largest.
        return _unpack, (self.keys, self.counts.astype(np.min_scalar_type(self.counts.max(initial=0))))


def _unpack(keys: Longs, counts: npt.NDArray[np.unsignedinteger]) -> PairBlock:
    return PairBlock(keys, counts.astype(np.int64))


def sum_by_key(keys: Longs, counts: Longs) -> PairBlock:
    """Cells sorted by key, repeats allowed -> a PairBlock: run-length sums, one pass.

    >>> sum_by_key(np.array([3, 3, 9]), np.array([1, 2, 4]))
    PairBlock(keys=[3, 9], counts=[3, 4])
    """
    if len(keys) == 0:
        return PairBlock(keys, counts)
    first = np.concatenate(([True], keys[1:] != keys[:-1]))
    starts = np.flatnonzero(first)
    return PairBlock(keys[starts], np.add.reduceat(counts, starts))


def merge_blocks(blocks: Sequence[PairBlock]) -> PairBlock:
    """Sum any number of blocks: 30 ns a cell by counting sorts, 45 by a stable sort of the runs where those don't pay.

    int64 addition is exact and commutative, so any merge order gives the same bytes.

    >>> merge_blocks([PairBlock([3, 9], [2, 1]), PairBlock([9], [4])])
    PairBlock(keys=[3, 9], counts=[2, 5])
    """
    if len(blocks) == 1:
        return blocks[0]
    keys = np.concatenate([block.keys for block in blocks])
    counts = np.concatenate([block.counts for block in blocks])
    rows, columns = keys >> COLUMN_BITS, keys & COLUMN_MASK
    shape = (int(rows.max(initial=0)) + 1, int(columns.max(initial=0)) + 1)
    if sum(shape) <= min(len(keys), RADIX_VOCABULARY):
        return _sum_cells(rows.astype(np.int32), columns.astype(np.int32), counts, shape)
    order = np.argsort(keys, kind="stable")
    return sum_by_key(keys[order], counts[order])


def _sum_cells(rows: Ids, columns: Ids, counts: npt.NDArray[np.signedinteger], shape: tuple[int, int]) -> PairBlock:
    """Cells in any order, repeats allowed -> a PairBlock, without a comparison.

    Two stable counting sorts, by column and then by row, put them in order; scipy's format conversions are those
    sorts, in C++. They keep a pointer a row and a column, so they pay where there are more cells than those.
    """
    table = sparse.coo_array((counts, (rows, columns)), shape=shape)
    # Without this scipy would sum repeats before each conversion; they are summed once, at the end.
    table.has_canonical_format = True
    table = table.tocsc().tocsr()
    table.has_sorted_indices = True
    table.has_canonical_format = False
    table.sum_duplicates()
    keys = np.repeat(np.arange(shape[0], dtype=np.int64) << COLUMN_BITS, np.diff(table.indptr))
    keys |= table.indices
    return PairBlock(keys, table.data)


Runs = tuple[PairBlock, ...]

# Runs of like size (within a factor of TIER) are merged when there are this many of them.
TIER = 8


def stack_runs(left: Runs, right: Runs) -> Runs:
    """reduceByKey's combiner: gather runs, merging TIER of similar size at once.

    As in a log-structured merge tree (O'Neil et al. 1996), with tiers: a cell is copied log_8 n times, where merging
    every new run into one long one would copy it n times. At most TIER - 1 runs of each tier remain.

    >>> one = PairBlock([1], [1])
    >>> stack_runs((one,) * 7, (one,))
    (PairBlock(keys=[1], counts=[8]),)
    """
    tiers: dict[int, list[PairBlock]] = {}
    for run in left + right:
        tiers.setdefault(_tier(run), []).append(run)
    for tier in range(max(tiers, default=0) + 1):
        if len(tiers.get(tier, ())) >= TIER:
            merged = merge_blocks(tiers.pop(tier))
            # Where all cells met again the merged run stays in its tier, but alone there.
            tiers.setdefault(_tier(merged), []).append(merged)
    return tuple(run for tier in sorted(tiers) for run in tiers[tier])


def _tier(run: PairBlock) -> int:
    return (len(run).bit_length() - 1) // (TIER.bit_length() - 1) if len(run) else 0


@dataclass(frozen=True)
class BlockLayout:
    """How the pair matrix of a vocabulary is cut into row blocks.

    >>> layout = BlockLayout(vocabulary_size=5, blocks=2)
    >>> layout.rows_per_block
    3
    """

    vocabulary_size: int
    blocks: int

    def __post_init__(self) -> None:
        if self.vocabulary_size > LARGEST_VOCABULARY:
            raise ConfigurationError(
                f"the vocabulary has {self.vocabulary_size} words, beyond 2^31", cure="raise vocabulary.minimum_count"
            )

    @property
    def rows_per_block(self) -> int:
        return -(-self.vocabulary_size // self.blocks)

    def matrix_rows(self, ids: Ids) -> Longs:
        """Rows of the whole matrix for word ids: those of one block stand together.

        >>> BlockLayout(5, 2).matrix_rows(np.arange(5)).tolist()
        [0, 3, 1, 4, 2]
        """
        block_numbers, rows = ids % self.blocks, ids // self.blocks
        return block_numbers.astype(np.int64) * self.rows_per_block + rows

    def split(self, run: PairBlock) -> Iterator[tuple[int, PairBlock]]:
        """A run over the whole matrix -> (block number, its cells with the block's own keys), empty blocks left out."""
        bases = np.arange(self.blocks + 1) * (self.rows_per_block << COLUMN_BITS)
        bounds = np.searchsorted(run.keys, bases)
        for block, (start, stop) in enumerate(pairwise(bounds.tolist())):
            if stop > start:
                yield block, PairBlock(run.keys[start:stop] - bases[block], run.counts[start:stop])

    def decode(self, block: int, keys: Longs) -> tuple[Ids, Ids]:
        """Keys of one block -> (word ids, context ids).

        >>> BlockLayout(100, 4).decode(2, np.array([(1 << 31) + 9]))
        (array([6], dtype=int32), array([9], dtype=int32))
        """
        rows = (keys >> COLUMN_BITS) * self.blocks + block
        return rows.astype(np.int32), (keys & COLUMN_MASK).astype(np.int32)


def count_meetings(meetings: Iterable[tuple[int, Ids, Ids]], units: Sequence[int], layout: BlockLayout) -> PairBlock:
    """(distance, low ids, high ids) of a piece of text -> one run over the whole matrix.

    By counting sorts 20 ns a meeting, where sorting packed 64-bit keys takes 90 (8 M meetings). For vocabularies beyond
    RADIX_VOCABULARY each distance is sorted by itself instead. Memory: about 32 bytes a meeting.
    """
    if layout.vocabulary_size > RADIX_VOCABULARY:
        return merge_blocks([_count_distance(low, high, units[d - 1], layout) for d, low, high in meetings] or [_EMPTY])
    shape = (layout.rows_per_block * layout.blocks, layout.vocabulary_size)
    return _sum_cells(*_gather(list(meetings), units, layout), shape)


def _gather(
    meetings: list[tuple[int, Ids, Ids]], units: Sequence[int], layout: BlockLayout
) -> tuple[Ids, Ids, npt.NDArray[np.signedinteger]]:
    """Matrix rows, columns and weights of all meetings, in the narrowest integers their sums are sure to fit."""
    sizes = [len(low) for _, low, _ in meetings]
    row_of_word = layout.matrix_rows(np.arange(layout.vocabulary_size, dtype=np.int32)).astype(np.int32)
    rows = np.concatenate([_NO_IDS, *(row_of_word[low] for _, low, _ in meetings)])
    columns = np.concatenate([_NO_IDS, *(high for _, _, high in meetings)])
    narrow = sum(sizes) * max(units) < 2**31
    unit_of_meeting = np.array([units[d - 1] for d, _, _ in meetings], dtype=np.int32 if narrow else np.int64)
    return rows, columns, np.repeat(unit_of_meeting, sizes)


def _count_distance(low: Ids, high: Ids, unit: int, layout: BlockLayout) -> PairBlock:
    keys = np.sort((layout.matrix_rows(low) << COLUMN_BITS) | high)
    return sum_by_key(keys, np.full(len(keys), unit, dtype=np.int64))


_NO_IDS = np.empty(0, dtype=np.int32)
_EMPTY = PairBlock(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64))
