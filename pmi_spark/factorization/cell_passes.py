"""What a row's solution takes from its cells: y_j.p_i for each of them, and sums of c_ij y_j over them.

Two shapes of the same work, with the same methods. :class:`GatheredRows` has copied what a few rows need side by side,
so that several products run from cache. :class:`PassedRows` goes through the other side anew for every product, a slice
of its words at a time, and holds no more of it. Pure numpy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from pmi_spark.factorization.dense_head import DensePart, Split
from pmi_spark.factorization.row_blocks import Doubles, Floats, Longs, RowBlock

# A buffer for the gathered rows: 2.5 MB at 300 dimensions. Products with rows that do not stay in cache take three
# times as long: 30 ns a cell for 500 to 4,000 rows, 85 for 16,000 (one core of an AMD EPYC, 32 MB of shared cache).
BUFFER_CELLS = 1 << 11


class OtherSide(NamedTuple):
    """The fixed side, whitened: ``rows`` gives y_first .. y_last-1, a view or a mapping given back when it goes.

    A worker holds ``slice_words`` of them at most.
    """

    rows: Callable[[int, int], Floats]
    word_count: int
    dimensions: int
    slice_words: int

    @property
    def is_whole(self) -> bool:
        return self.slice_words >= self.word_count


class RowCells(Protocol):
    """Some rows' cells: values x_ij and weights w_ij in any one shape, and the products a solver asks for."""

    @property
    def values(self) -> Floats: ...
    @property
    def weights(self) -> Floats: ...

    def products(self, directions: Floats) -> Floats:
        """y_j.p_i for every cell, the p_i in ``directions`` (rows x d)."""

    def both_ways(self, directions: Floats, less: Floats | None = None) -> tuple[Floats, Floats]:
        """q_ij = y_j.p_i - less_ij for every cell, and sum_j w_ij q_ij y_j for every row (rows x d)."""

    def sums(self, coefficients: Floats) -> Floats:
        """sum_j c_ij y_j for every row (rows x d)."""

    def row_totals(self, cells: Floats) -> Doubles:
        """Each row's sum of one number a cell."""

    def spread(self, rows: Floats) -> Floats:
        """One number a row, where its cells are."""


class GatheredRows(NamedTuple):
    """Rows of about the same length, filled up to the longest with cells of weight 0.

    ``rows`` says which of the block's (r), ``values`` and ``weights`` are r x m, ``gathered`` is r x m x d.
    """

    rows: Longs
    values: Floats
    weights: Floats
    gathered: Floats

    def products(self, directions: Floats) -> Floats:
        return np.asarray(np.matmul(self.gathered, directions[:, :, None])[:, :, 0])

    def both_ways(self, directions: Floats, less: Floats | None = None) -> tuple[Floats, Floats]:
        found = self.products(directions)
        if less is not None:
            found -= less
        return found, self.sums(self.weights * found)

    def sums(self, coefficients: Floats) -> Floats:
        return np.asarray(np.matmul(coefficients[:, None, :], self.gathered)[:, 0])

    def row_totals(self, cells: Floats) -> Doubles:
        return np.asarray(cells.sum(axis=1, dtype=np.float64))

    def spread(self, rows: Floats) -> Floats:
        return rows[:, None]


def gather_rows(block: RowBlock, other: OtherSide) -> Iterator[GatheredRows]:
    """All rows that have cells, but not more than ``BUFFER_CELLS``; the longest first, as many as fit the buffer.

    4 d bytes a cell are read from wherever they lie and written to one buffer, which the next rows overwrite. Rows of
    one length share their numpy calls: of 40 M cells of 74,500 words, 46 % lie in rows that fit, of 260 cells each.

    >>> block = RowBlock(0, 1, np.array([0, 2, 3]), np.int32([0, 2, 1]), np.float32([4, 5, 6]), np.ones(3, np.float32))
    >>> y = np.array([[1.0], [5.0], [2.0]], dtype=np.float32)
    >>> [rows] = gather_rows(block, OtherSide(lambda first, last: y[first:last], 3, 1, 3))
    >>> rows.values.tolist(), rows.gathered[:, :, 0].tolist()
    ([[4.0, 5.0], [6.0, 0.0]], [[1.0, 2.0], [5.0, 1.0]])
    """
    lengths = np.diff(block.starts)
    chosen = np.flatnonzero((lengths > 0) & (lengths <= BUFFER_CELLS))
    if not len(chosen):
        return
    chosen = chosen[np.argsort(-lengths[chosen], kind="stable")]
    everything = other.rows(0, other.word_count)
    buffer = np.empty((BUFFER_CELLS, other.dimensions), dtype=np.float32)
    first = 0
    while first < len(chosen):
        longest = int(lengths[chosen[first]])
        rows = chosen[first : first + BUFFER_CELLS // longest]
        first += len(rows)
        inside = np.arange(longest) < lengths[rows, None]
        cells = np.where(inside, block.starts[rows, None] + np.arange(longest), 0)
        gathered = buffer[: cells.size]
        # clip: the ids are known to be in range, and only then does numpy write to ``out`` directly.
        columns = np.where(inside, block.columns[cells], 0)
        np.take(everything, columns.ravel(), axis=0, out=gathered, mode="clip")
        yield GatheredRows(
            rows,
            np.where(inside, block.values[cells], np.float32(0)),
            np.where(inside, block.weights[cells], np.float32(0)),
            gathered.reshape(*cells.shape, -1),
        )


@dataclass(frozen=True)
class PassedRows:
    """All rows of a block, against the other side as it lies in memory or in a file.

    Dense parts are multiplied whole. For all else the other side is visited ``slice_words`` of its words at a time; a
    cell's row is gathered once for each product, and used both ways while it is in cache.
    """

    split: Split
    other: OtherSide

    @property
    def values(self) -> Floats:
        return self.split.block.values

    @property
    def weights(self) -> Floats:
        return self.split.block.weights

    def products(self, directions: Floats) -> Floats:
        found = np.zeros(len(self.values), dtype=np.float32)
        for part, columns in self._dense_visits():
            found[part.cells] = part.products(directions, columns)
        for row, cells, gathered in visit_cells(self.split, self.other):
            found[cells] = gathered @ directions[row]
        return found

    def both_ways(self, directions: Floats, less: Floats | None = None) -> tuple[Floats, Floats]:
        found, sums = np.zeros(len(self.values), dtype=np.float32), np.zeros_like(directions)
        for part, columns in self._dense_visits():
            seen = part.products(directions, columns)
            if less is not None:
                seen -= less[part.cells]
            found[part.cells] = seen
            sums[part.rows] += part.sums(self.weights[part.cells] * seen, columns)
        for row, cells, gathered in visit_cells(self.split, self.other):
            seen = gathered @ directions[row]
            if less is not None:
                seen -= less[cells]
            found[cells] = seen
            sums[row] += (self.weights[cells] * seen) @ gathered
        return found, sums

    def sums(self, coefficients: Floats) -> Floats:
        sums = np.zeros((self.split.block.row_count, self.other.dimensions), dtype=np.float32)
        for part, columns in self._dense_visits():
            sums[part.rows] += part.sums(coefficients[part.cells], columns)
        for row, cells, gathered in visit_cells(self.split, self.other):
            sums[row] += coefficients[cells] @ gathered
        return sums

    def row_totals(self, cells: Floats) -> Doubles:
        block = self.split.block
        return np.bincount(block.row_of_cell, cells, minlength=block.row_count).astype(np.float64)

    def spread(self, rows: Floats) -> Floats:
        return rows[self.split.block.row_of_cell]

    def _dense_visits(self) -> Iterator[tuple[DensePart, Floats]]:
        """Each dense part with the other side's rows for its columns."""
        if self.split.parts:
            head = self.other.rows(0, self.split.width)
            yield from ((part, head[: part.width]) for part in self.split.parts)


def visit_cells(split: Split, other: OtherSide) -> Iterator[tuple[int, slice, Floats]]:
    """(row, some of its cells, the other side's rows that they stand for), slice of words by slice of words.

    Cells of dense parts are left out. The rows are gathered into one buffer of ``BUFFER_CELLS``, which the next visit
    overwrites.
    """
    bounds = np.arange(0, other.word_count + other.slice_words, other.slice_words)
    cuts = _cuts(split, bounds)
    for number, start in enumerate(bounds[:-1].tolist()):
        rows = np.flatnonzero(cuts[:, number] < cuts[:, number + 1]).tolist()
        if not rows:
            continue
        part = other.rows(start, min(start + other.slice_words, other.word_count))
        buffer = np.empty((BUFFER_CELLS, other.dimensions), dtype=np.float32)
        for row in rows:
            for first in range(cuts[row, number], cuts[row, number + 1], BUFFER_CELLS):
                cells = slice(first, min(first + BUFFER_CELLS, cuts[row, number + 1]))
                gathered = buffer[: cells.stop - first]
                np.take(part, split.block.columns[cells] - start, axis=0, out=gathered, mode="clip")
                yield row, cells, gathered
        # A mapped slice is given back before the next one is opened.
        del part


def _cuts(split: Split, bounds: Longs) -> Longs:
    """Where each row's cells in no dense part (sorted by column) cross each bound: rows x bounds."""
    columns, firsts, lasts = split.block.columns, split.rest, split.block.starts[1:]
    if len(bounds) == 2:
        return np.column_stack((firsts, lasts))
    cuts = np.empty((len(firsts), len(bounds)), dtype=np.int64)
    for row, (first, last) in enumerate(zip(firsts.tolist(), lasts.tolist(), strict=True)):
        cuts[row] = first + np.searchsorted(columns[first:last], bounds)
    return cuts
