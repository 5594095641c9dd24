"""The PMI table in row blocks, both triangles present, ready to be solved. Pure numpy and scipy.

Row i belongs to block i mod B, so every block holds its share of frequent words. A block is CSR: 12 bytes a cell.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import sparse

Ids = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]
Longs = npt.NDArray[np.int64]
Doubles = npt.NDArray[np.float64]


class Cells(NamedTuple):
    """Cells of the table in any order: word ids of row and column, PMI less the shift (nats), weight w."""

    rows: Ids
    columns: Ids
    values: Floats
    weights: Floats

    def take(self, places: npt.NDArray[np.generic]) -> Cells:
        """The cells at some places, or where a mask holds."""
        return Cells(*(column[places] for column in self))


@dataclass(frozen=True)
class RowBlock:
    """Rows ``block, block + blocks, ...`` of the symmetric table, as CSR, columns sorted within a row.

    ``starts`` (rows + 1), ``columns`` (word ids), ``values`` (PMI less the shift, nats), ``weights`` (w, above 0).
    """

    block: int
    blocks: int
    starts: Longs
    columns: Ids
    values: Floats
    weights: Floats

    @property
    def row_count(self) -> int:
        return len(self.starts) - 1

    @property
    def row_of_cell(self) -> Ids:
        """The place in this block of each cell's row."""
        return np.repeat(np.arange(self.row_count, dtype=np.int32), np.diff(self.starts))

    def word_id(self, row: int) -> int:
        """The word that a row of this block belongs to."""
        return self.block + row * self.blocks

    def of_head(self, words: int) -> RowBlock:
        """The cells whose row and column are both among the first ``words`` word ids."""
        rows = rows_in_block(words, self.block, self.blocks)
        last = self.starts[rows]
        kept = self.columns[:last] < words
        passed = np.concatenate(([0], np.cumsum(kept, dtype=np.int64)))
        return RowBlock(
            self.block,
            self.blocks,
            passed[self.starts[: rows + 1]],
            self.columns[:last][kept],
            self.values[:last][kept],
            self.weights[:last][kept],
        )

    def of_rows(self, rows: npt.NDArray[np.int64]) -> RowBlock:
        """The cells of some rows alone, numbered anew; for kernels that care for no word ids of rows."""
        lengths = np.diff(self.starts)[rows]
        starts = np.concatenate(([0], np.cumsum(lengths)))
        places = np.repeat(self.starts[rows] - starts[:-1], lengths) + np.arange(starts[-1])
        return RowBlock(
            self.block, self.blocks, starts, self.columns[places], self.values[places], self.weights[places]
        )


def word_slices(count: int, size: int = 1 << 14) -> Iterator[slice]:
    """The rows 0..count - 1, ``size`` at a time, for work on a large matrix that should need little room of its own.

    >>> list(word_slices(5, 3))
    [slice(0, 3, None), slice(3, 5, None)]
    """
    return (slice(first, min(first + size, count)) for first in range(0, count, size))


def rows_in_block(word_count: int, block: int, blocks: int) -> int:
    """How many of the ids 0..word_count - 1 belong to a block.

    >>> [rows_in_block(5, block, 2) for block in (0, 1)]
    [3, 2]
    """
    return len(range(block, word_count, blocks))


def build_row_block(block: int, blocks: int, word_count: int, cells: Cells) -> RowBlock:
    """Cells in any order -> a RowBlock. Sorted by (row, column), so that sums, and the vectors, know of no order.

    Two counting sorts, by column and then by row, 25 ns a cell.

    >>> cells = Cells(np.array([3, 1]), np.array([0, 2]), np.array([.5, .25]), np.ones(2))
    >>> build_row_block(1, 2, 4, cells).starts
    array([0, 1, 2])
    """
    rows = rows_in_block(word_count, block, blocks)
    places = np.arange(len(cells.rows), dtype=np.int32)
    table = sparse.coo_array((places, (cells.rows // blocks, cells.columns)), shape=(rows, word_count))
    # No cell comes twice; scipy would sort each column to find out.
    table.has_canonical_format = True
    table = table.tocsc().tocsr()
    return RowBlock(
        block=block,
        blocks=blocks,
        starts=table.indptr.astype(np.int64),
        columns=table.indices.astype(np.int32),
        values=cells.values[table.data].astype(np.float32),
        weights=cells.weights[table.data].astype(np.float32),
    )


def cell_weights(pair_counts: Doubles, count_ceiling: float, weight_exponent: float, truncate: bool) -> Floats:
    """w = min(1, (n / x_max)^exponent), GloVe's weighting (Pennington et al. 2014); uncapped if not truncated.

    >>> cell_weights(np.array([1.0, 16.0, 64.0]), 16.0, 0.5, truncate=True)
    array([0.25, 1.  , 1.  ], dtype=float32)
    """
    weights = (pair_counts / count_ceiling).astype(np.float32) ** np.float32(weight_exponent)
    return np.minimum(weights, np.float32(1)) if truncate else weights


def held_out(rows: Ids, columns: Ids, share: float) -> npt.NDArray[np.bool_]:
    """Which cells are kept from the fit to judge it: a share of all pairs, by a hash of the two word ids.

    The same on both sides of the diagonal and in any partitioning. The hash is splitmix64's finisher (Steele, Lea,
    Flood 2014).

    >>> int(held_out(np.zeros(10000, np.int32), np.arange(10000, dtype=np.int32), 0.01).sum())
    98
    """
    low, high = np.minimum(rows, columns).astype(np.uint64), np.maximum(rows, columns).astype(np.uint64)
    mixed = (low << np.uint64(32) | high) + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    return np.asarray((mixed >> np.uint64(11)).astype(np.float64) * 2.0**-53 < share)


def draw_pairs(masses: Doubles, count: int, seed: int) -> Longs:
    """Pairs of different words (2 x k ids, the lower first), each word drawn by its mass; of ``count`` draws.

    >>> draw_pairs(np.array([1.0, 0.0, 1.0]), 8, seed=1)[:, 0]
    array([0, 2])
    """
    bounds = np.cumsum(masses)
    chances = np.random.Generator(np.random.PCG64(seed)).random((2, count))
    sides = np.searchsorted(bounds, chances * bounds[-1], side="right")
    pairs = np.stack([np.minimum(*sides), np.maximum(*sides)])
    return np.asarray(pairs[:, pairs[0] < pairs[1]])
