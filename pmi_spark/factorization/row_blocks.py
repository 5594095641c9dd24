"""The PMI table in row blocks, both triangles present, ready to be solved. Pure numpy and scipy.

Row i belongs to block i mod B, so every block holds its share of frequent words. A block is CSR: 12 bytes a cell.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

Ids = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]
Longs = npt.NDArray[np.int64]


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

    def matrix(self, cells: Floats, column_count: int) -> sparse.csr_array:
        """``cells`` in this block's places, rows x column_count."""
        return sparse.csr_array((cells, self.columns, self.starts), shape=(self.row_count, column_count))


def rows_in_block(word_count: int, block: int, blocks: int) -> int:
    """How many of the ids 0..word_count - 1 belong to a block.

    >>> [rows_in_block(5, block, 2) for block in (0, 1)]
    [3, 2]
    """
    return len(range(block, word_count, blocks))


def build_row_block(
    block: int, blocks: int, word_count: int, rows: Ids, columns: Ids, values: Floats, weights: Floats
) -> RowBlock:
    """Cells in any order -> a RowBlock. Sorting by (row, column) makes sums, and so the vectors, independent of order.

    >>> build_row_block(1, 2, 4, np.array([3, 1]), np.array([0, 2]), np.array([.5, .25]), np.ones(2)).starts
    array([0, 1, 2])
    """
    local = rows.astype(np.int64) // blocks
    order = np.argsort((local << 31) | columns)
    counts = np.bincount(local, minlength=rows_in_block(word_count, block, blocks))
    return RowBlock(
        block=block,
        blocks=blocks,
        starts=np.concatenate(([0], np.cumsum(counts))).astype(np.int64),
        columns=columns[order].astype(np.int32),
        values=values[order].astype(np.float32),
        weights=weights[order].astype(np.float32),
    )


def cell_weights(
    pair_counts: npt.NDArray[np.float64], count_ceiling: float, weight_exponent: float, truncate: bool
) -> Floats:
    """w = min(1, (n / x_max)^exponent), GloVe's weighting (Pennington et al. 2014); uncapped if not truncated.

    >>> cell_weights(np.array([1.0, 16.0, 64.0]), 16.0, 0.5, truncate=True)
    array([0.25, 1.  , 1.  ], dtype=float32)
    """
    weights = (pair_counts / count_ceiling) ** weight_exponent
    return (np.minimum(weights, 1.0) if truncate else weights).astype(np.float32)
