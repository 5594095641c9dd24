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

from pmi_spark.errors import ConfigurationError

Ids = npt.NDArray[np.int32]
Longs = npt.NDArray[np.int64]

COLUMN_BITS = 31
COLUMN_MASK = (1 << COLUMN_BITS) - 1
LARGEST_VOCABULARY = 1 << COLUMN_BITS


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
    """Sum any number of blocks: one stable sort, which for sorted runs is a merge (timsort: 7 ns a cell for two).

    int64 addition is exact and commutative, so any merge order gives the same bytes.

    >>> merge_blocks([PairBlock([3, 9], [2, 1]), PairBlock([9], [4])])
    PairBlock(keys=[3, 9], counts=[2, 5])
    """
    if len(blocks) == 1:
        return blocks[0]
    keys = np.concatenate([block.keys for block in blocks])
    counts = np.concatenate([block.counts for block in blocks])
    order = np.argsort(keys, kind="stable")
    return sum_by_key(keys[order], counts[order])


Runs = tuple[PairBlock, ...]


def stack_runs(left: Runs, right: Runs) -> Runs:
    """ReduceByKey's combiner: gather runs, merging only those of similar size.

    As in a log-structured merge tree (O'Neil et al. 1996) each run is at least twice as long as the next, so a cell is
    copied O(log n) times, where merging every new run into one long one would copy it O(n) times.

    >>> one, two = PairBlock([1], [1]), PairBlock([2], [1])
    >>> stack_runs((one,), (two,))
    (PairBlock(keys=[1, 2], counts=[1, 1]),)
    """
    stack: list[PairBlock] = []
    for run in sorted(left + right, key=len, reverse=True):
        while stack and len(stack[-1]) < 2 * len(run):
            run = merge_blocks([stack.pop(), run])
        stack.append(run)
    return tuple(stack)


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

    Row, column and distance are packed into one int64 and sorted together, which is one plain sort of 8 bytes a
    meeting (60 ns each at 8 M) instead of an argsort and a gather of weights. Where the three need more than 63 bits
    (vocabularies beyond 2^28), each distance is sorted by itself and the runs are merged.
    """
    column_bits = max(1, (layout.vocabulary_size - 1).bit_length())
    distance_bits = (len(units) - 1).bit_length()
    row_bits = (layout.rows_per_block * layout.blocks).bit_length()
    weights = np.asarray(units, dtype=np.int64)
    if row_bits + column_bits + distance_bits > 63:
        return merge_blocks([_count_distance(low, high, units[d - 1], layout) for d, low, high in meetings] or [_EMPTY])
    packed = [
        (((layout.matrix_rows(low) << column_bits) | high) << distance_bits) | (distance - 1)
        for distance, low, high in meetings
    ]
    keys = np.concatenate(packed) if packed else np.empty(0, dtype=np.int64)
    keys.sort()
    distances = keys & ((1 << distance_bits) - 1)
    keys >>= distance_bits
    summed = sum_by_key(keys, weights[distances])
    rows, columns = summed.keys >> column_bits, summed.keys & ((1 << column_bits) - 1)
    return PairBlock((rows << COLUMN_BITS) | columns, summed.counts)


def _count_distance(low: Ids, high: Ids, unit: int, layout: BlockLayout) -> PairBlock:
    keys = np.sort((layout.matrix_rows(low) << COLUMN_BITS) | high)
    return sum_by_key(keys, np.full(len(keys), unit, dtype=np.int64))


_EMPTY = PairBlock(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64))
