"""Where frequent words meet frequent words the table is nearly full, and dense products beat gathering.

A gathered cell costs 70 to 180 ns, and 30 more for each product with it (300 dimensions, one core of an AMD EPYC); a
place in a dense product of 64 rows costs 10, and 10 more where it holds a cell. Pure numpy.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pmi_spark.factorization.row_blocks import Floats, Ids, Longs, RowBlock

# Fewer rows make a slower product: 10 ns a place with 64, 14 with 32, 20 with 16.
PART_ROWS = 64
# The columns are looked at so many at a time.
STEP_COLUMNS = 256
# From this share of cells on a dense product is quicker than gathering: 20 ns a place, both ways, against 200 a cell.
DENSE_SHARE = 0.1
# A part's products are held at once, 4 bytes a place.
PART_PLACES = 1 << 20


class DensePart(NamedTuple):
    """Some rows of a block by the columns 0..width - 1. ``cells`` are the block's cells there, ``places`` where:
    row * width + column, rows counted from the part's first.
    """

    rows: slice
    width: int
    cells: Ids
    places: Ids

    def products(self, directions: Floats, columns: Floats) -> Floats:
        """y_j.p_i for the part's cells; ``columns`` holds the y_j of the first ``width`` words."""
        return np.asarray((directions[self.rows] @ columns.T).ravel()[self.places])

    def sums(self, coefficients: Floats, columns: Floats) -> Floats:
        """sum_j c_ij y_j for the part's rows, ``coefficients`` one for each of its cells."""
        spread = np.zeros((self.rows.stop - self.rows.start, self.width), dtype=np.float32)
        spread.ravel()[self.places] = coefficients
        return spread @ columns


class Split(NamedTuple):
    """A row block, its dense parts, and each row's first cell that lies in none of them."""

    block: RowBlock
    parts: list[DensePart]
    rest: Longs

    @property
    def width(self) -> int:
        """How many columns the widest part has."""
        return max((part.width for part in self.parts), default=0)


def undivided(block: RowBlock) -> Split:
    """A block without dense parts."""
    return Split(block, [], block.starts[:-1])


def split_head(block: RowBlock, most_columns: int = PART_PLACES) -> Split:
    """The dense parts of a block: of every 64 rows, the leading columns of which each 256 are full by a tenth or more.

    Looks at the rows in order and ends where there is none; rows stand by frequency, so no later one has any. No part
    is wider than ``most_columns``.

    >>> full = RowBlock(0, 1, np.array([0, 2, 2]), np.array([0, 1], np.int32), np.ones(2), np.ones(2))
    >>> split_head(full).parts[0].width, split_head(full).rest
    (2, array([2, 2]))
    """
    parts, rest = [], block.starts[:-1].copy()
    for first in range(0, block.row_count, PART_ROWS):
        rows = slice(first, min(first + PART_ROWS, block.row_count))
        part = _dense_part(block, rows, most_columns)
        if part is None:
            break
        parts.append(part)
        rest[rows] += np.bincount(part.places // part.width, minlength=rows.stop - rows.start)
    return Split(block, parts, rest)


def _dense_part(block: RowBlock, rows: slice, most_columns: int) -> DensePart | None:
    bounds = block.starts[rows.start : rows.stop + 1]
    columns = block.columns[bounds[0] : bounds[-1]]
    if not len(columns):
        return None
    row_count = rows.stop - rows.start
    # The last step may stand over the edge; it has as many columns as there are words to its left.
    filled = np.bincount(columns // STEP_COLUMNS)
    wide = np.minimum(STEP_COLUMNS, int(columns.max()) + 1 - STEP_COLUMNS * np.arange(len(filled)))
    sparse = np.flatnonzero(filled < DENSE_SHARE * row_count * wide)
    steps = int(sparse[0]) if len(sparse) else len(filled)
    width = min(STEP_COLUMNS * steps, int(columns.max()) + 1, PART_PLACES // row_count, most_columns)
    if width == 0:
        return None
    inside = np.flatnonzero(columns < width)
    row_of_cell = np.repeat(np.arange(row_count), np.diff(bounds))[inside]
    places = row_of_cell * width + columns[inside]
    return DensePart(rows, width, (bounds[0] + inside).astype(np.int32), places.astype(np.int32))
