"""One pass over the cells of a row block, against the other side's rows as they lie in memory or in a file.

Two shapes of the same work. :func:`gather_rows` copies what one row needs side by side, so that several products run
from cache. :func:`pass_over_cells` goes through the other side a slice of words at a time and holds no more of it.
Pure numpy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from pmi_spark.factorization.row_blocks import Floats, Longs, RowBlock

# Rows first..last - 1 of the other side: a view, or a mapping that is given back when the array goes.
OtherRows = Callable[[int, int], Floats]
# A buffer for the gathered rows: 20 MB at 300 dimensions. All but the most frequent words have fewer cells.
BUFFER_CELLS = 1 << 14


def gather_rows(block: RowBlock, other: Floats, longest: int = BUFFER_CELLS) -> Iterator[tuple[int, int, int, Floats]]:
    """(row, first cell, last cell + 1, the rows of ``other`` that its cells stand for); rows over ``longest`` left out.

    4 d bytes a cell are read from wherever they lie and written to one buffer, which the next row overwrites.
    """
    lengths = np.diff(block.starts)
    room = int(lengths[lengths <= longest].max(initial=0))
    buffer = np.empty((room, other.shape[1]), dtype=np.float32)
    starts = block.starts.tolist()
    for row in range(block.row_count):
        first, last = starts[row], starts[row + 1]
        if last - first > longest:
            continue
        gathered = buffer[: last - first]
        # clip: the ids are known to be in range, and only then does numpy write to ``out`` directly.
        np.take(other, block.columns[first:last], axis=0, out=gathered, mode="clip")
        yield row, first, last, gathered


def pass_over_cells(
    block: RowBlock,
    other: OtherRows,
    word_count: int,
    slice_words: int,
    directions: Floats,
    less: Floats | None = None,
    back_weights: Floats | None = None,
) -> tuple[Floats, Floats]:
    """q_ij = y_j.p_i - less_ij for every cell, and g_i = sum_j b_ij q_ij y_j for every row.

    ``directions`` holds the p_i (rows x d), ``back_weights`` the b_ij; without these g is 0 and costs nothing. The
    other side is visited ``slice_words`` of its words at a time, so one pass gathers each cell's row once.

    >>> block = RowBlock(0, 1, np.array([0, 2]), np.array([0, 2]), np.zeros(2), np.ones(2))
    >>> y = np.array([[1.0], [5.0], [2.0]], dtype=np.float32)
    >>> three = np.full((1, 1), 3, np.float32)
    >>> q, g = pass_over_cells(block, lambda first, last: y[first:last], 3, 2, three, back_weights=np.ones(2))
    >>> q.tolist(), g.tolist()
    ([3.0, 6.0], [[15.0]])
    """
    products = np.zeros(len(block.columns), dtype=np.float32)
    sums = np.zeros_like(directions)
    for row, cells, gathered in _visits(block, other, word_count, slice_words):
        found = gathered @ directions[row]
        if less is not None:
            found -= less[cells]
        products[cells] = found
        if back_weights is not None:
            sums[row] += (back_weights[cells] * found) @ gathered
    return products, sums


def sum_over_cells(
    block: RowBlock, other: OtherRows, word_count: int, slice_words: int, dimensions: int, coefficients: Floats
) -> Floats:
    """sum_j c_ij y_j for every row (rows x d), the other side visited as :func:`pass_over_cells` does.

    >>> block = RowBlock(0, 1, np.array([0, 2]), np.array([0, 2]), np.zeros(2), np.ones(2))
    >>> y = np.array([[1.0], [5.0], [2.0]], dtype=np.float32)
    >>> sum_over_cells(block, lambda first, last: y[first:last], 3, 2, 1, np.float32([10, 1])).tolist()
    [[12.0]]
    """
    sums = np.zeros((block.row_count, dimensions), dtype=np.float32)
    for row, cells, gathered in _visits(block, other, word_count, slice_words):
        sums[row] += coefficients[cells] @ gathered
    return sums


def _visits(
    block: RowBlock, other: OtherRows, word_count: int, slice_words: int
) -> Iterator[tuple[int, slice, Floats]]:
    """(row, some of its cells, the other side's rows that they stand for), slice of words by slice of words.

    The rows are gathered into one buffer of ``BUFFER_CELLS``, which the next visit overwrites.
    """
    bounds = np.arange(0, word_count + slice_words, slice_words)
    cuts = _cuts(block, bounds)
    for number, start in enumerate(bounds[:-1].tolist()):
        rows = np.flatnonzero(cuts[:, number] < cuts[:, number + 1]).tolist()
        if not rows:
            continue
        part = other(start, min(start + slice_words, word_count))
        buffer = np.empty((min(BUFFER_CELLS, len(block.columns)), part.shape[1]), dtype=np.float32)
        for row in rows:
            for first in range(cuts[row, number], cuts[row, number + 1], BUFFER_CELLS):
                cells = slice(first, min(first + BUFFER_CELLS, cuts[row, number + 1]))
                gathered = buffer[: cells.stop - first]
                np.take(part, block.columns[cells] - start, axis=0, out=gathered, mode="clip")
                yield row, cells, gathered
        # A mapped slice is given back before the next one is opened.
        del part


def _cuts(block: RowBlock, bounds: Longs) -> Longs:
    """Where each row's cells (sorted by column) cross each bound: rows x bounds."""
    starts = block.starts.tolist()
    cuts = np.empty((block.row_count, len(bounds)), dtype=np.int64)
    for row in range(block.row_count):
        cuts[row] = starts[row] + np.searchsorted(block.columns[starts[row] : starts[row + 1]], bounds)
    return cuts
