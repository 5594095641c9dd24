"""One row block solved for its factors, the other side held fixed. Pure numpy.

Everything here is in the coordinates of :class:`Whitening`: y_j for the other side, z_i for the rows sought, and
u_i = L^-T z_i at the end. :mod:`pmi_spark.factorization.loss` has the algebra.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from pmi_spark.factorization.cell_passes import (
    BUFFER_CELLS,
    OtherSide,
    PassedRows,
    RowCells,
    gather_rows,
    visit_cells,
)
from pmi_spark.factorization.dense_head import split_head, undivided
from pmi_spark.factorization.loss import LossSettings, Whitening, shrunken_cells
from pmi_spark.factorization.row_blocks import Doubles, Floats, Ids, Longs, RowBlock

# Rows solved exactly at a time: 23 MB of float64 matrices at 300 dimensions.
EXACT_ROWS = 32


class Solved(NamedTuple):
    """A block's new factors (rows x d), sum_j w_ij (u_i.v_j - x_ij)^2 over its cells, and its suspect.

    ``suspect`` is a word id and the length of its factor: of the first row whose factor or loss is not a number (then
    the length is not one either), else of the longest.
    """

    block: int
    factors: Floats
    fitted_loss: float
    suspect: tuple[int, float]


def solve_warm(block: RowBlock, other: OtherSide, whitening: Whitening, loss: LossSettings) -> Solved:
    """Unweighted least squares on the shrunken table: z_i = sum_j s_ij y_j, one product a row."""
    cells = PassedRows(split_head(block, other.slice_words), other)
    state = whitening.constant + cells.sums(shrunken_cells(block.values, block.weights, loss))
    return _finish(block, state, whitening, np.zeros(block.row_count))


def solve_weighted(
    block: RowBlock, other: OtherSide, whitening: Whitening, previous: Floats, loss: LossSettings, steps: int
) -> Solved:
    """Every row of the block by ``steps`` conjugate-gradient steps from its previous value (rows x d, not changed).

    A row that was 0, as words are that the warm start left out, starts from the unweighted solution instead:
    P^-1 S V, with P = alpha V'V for the small lambda that it is, hence z_i = alpha sum_j s_ij y_j.

    A row's y_j are gathered once (4 d bytes a cell) and used from cache: 1 + 2 steps products, Y z and Y'(w Y z) in
    turn (Takacs, Pilaszy, Tikk 2011), the last step needing no way back. Rows too long for the buffer, and all rows
    where the other side does not fit the worker, are solved side by side in 1 + steps passes over it.
    """
    state = previous @ whitening.lower
    cold = np.asarray(~np.any(previous, axis=1))
    # A row without cells is solved by this already.
    state[cold | ((np.diff(block.starts) == 0) & (whitening.shared > 0))] = whitening.constant
    losses = np.zeros(block.row_count)
    for rows, cells in _row_groups(block, other):
        own, starts = state[rows], cold[rows]
        if starts.any():
            drawn = cells.sums(np.float32(loss.background) * shrunken_cells(cells.values, cells.weights, loss))
            own[starts] += drawn[starts]
        state[rows], losses[rows] = _descend(cells, own, whitening, steps)
    return _finish(block, state, whitening, losses)


def _row_groups(block: RowBlock, other: OtherSide) -> Iterator[tuple[Longs, RowCells]]:
    """All rows that have cells, in groups: those that fit the buffer gathered, the others in passes."""
    lengths = np.diff(block.starts)
    passed = np.flatnonzero(lengths > (BUFFER_CELLS if other.is_whole else 0))
    if other.is_whole:
        yield from ((cells.rows, cells) for cells in gather_rows(block, other))
    if len(passed):
        yield passed, PassedRows(split_head(block.of_rows(passed), other.slice_words), other)


def _descend(cells: RowCells, state: Floats, whitening: Whitening, steps: int) -> tuple[Floats, Doubles]:
    """Each row after ``steps`` of CG on (I + Y' diag(w) Y) z = Y'(w x) + c (Hestenes, Stiefel 1952); its fitted loss.

    The errors e = Y z - x are carried along, so the loss costs one more dot product and the residual of the start is
    c - z - Y'(w e).
    """
    shared = np.float32(whitening.shared)
    errors, drawn = cells.both_ways(state, less=cells.values)
    residual = shared * (whitening.constant - state) - drawn
    direction = residual
    squared = _row_products(residual, residual)
    for step in range(steps):
        last = step + 1 == steps
        if last:
            seen = cells.products(direction)
        else:
            seen, drawn = cells.both_ways(direction)
        curvature = whitening.shared * _row_products(direction, direction)
        curvature += cells.row_totals(cells.weights * seen * seen)
        # A row at its minimum, or without any curvature left in float32, stays where it is.
        moves = (squared > 0) & (curvature > 0)
        rate = np.where(moves, squared / np.where(moves, curvature, 1), 0).astype(np.float32)
        state = state + rate[:, None] * direction
        errors += cells.spread(rate) * seen
        if not last:
            residual = residual - rate[:, None] * (shared * direction + drawn)
            before, squared = squared, _row_products(residual, residual)
            ratio = np.where(moves, squared / np.where(moves, before, 1), 0).astype(np.float32)
            direction = residual + ratio[:, None] * direction
    return state, cells.row_totals(cells.weights * errors * errors)


def _row_products(left: Floats, right: Floats) -> Doubles:
    return np.asarray(np.einsum("ij,ij->i", left, right), dtype=np.float64)


def solve_exact(block: RowBlock, other: OtherSide, whitening: Whitening, previous: Floats) -> Solved:
    """Every row by its normal equations, factorized: n_i d^2 + d^3 / 3 flops, six times CG's time.

    A row whose equations are singular (no background, no regularization, fewer partners than dimensions) gets the
    solution of least length, by 1e-6 of the mean diagonal; a row without cells and without P keeps its last value.
    Holds the d x d matrices of ``EXACT_ROWS`` rows at a time.
    """
    state = previous @ whitening.lower
    losses = np.zeros(block.row_count)
    identity = np.eye(state.shape[1])
    for first in range(0, block.row_count, EXACT_ROWS):
        rows = np.arange(first, min(first + EXACT_ROWS, block.row_count))
        part = undivided(block.of_rows(rows))
        matrices = np.tile(whitening.shared * identity, (len(rows), 1, 1))
        for row, cells, gathered in visit_cells(part, other):
            matrices[row] += gathered.T @ (part.block.weights[cells, None] * gathered)
        if whitening.shared == 0:
            diagonals = np.trace(matrices, axis1=1, axis2=2) / len(identity)
            matrices += 1e-6 * diagonals[:, None, None] * identity
        passed = PassedRows(part, other)
        right = passed.sums(part.block.weights * part.block.values) + whitening.shared * whitening.constant
        solvable = ~(matrices[:, 0, 0] <= 0)
        state[rows[solvable]] = np.linalg.solve(matrices[solvable], right[solvable, :, None])[:, :, 0]
        errors = passed.products(state[rows]) - part.block.values
        losses[rows] = passed.row_totals(part.block.weights * errors * errors)
    return _finish(block, state, whitening, losses)


def _finish(block: RowBlock, state: Floats, whitening: Whitening, losses: Doubles) -> Solved:
    """u_i = L^-T z_i, and the word to blame should the run come to grief."""
    factors = np.ascontiguousarray(state @ whitening.inverse)
    # A row whose loss is not a number has not moved, so its length alone would not tell.
    lengths = np.sqrt(_row_products(factors, factors)) + 0 * losses
    suspect = int(np.argmax(np.where(np.isfinite(lengths), lengths, np.inf))) if len(lengths) else 0
    length = float(lengths[suspect]) if len(lengths) else 0.0
    return Solved(block.block, factors, float(losses.sum()), (block.word_id(suspect), length))


def cell_errors(held: RowBlock, other: OtherSide, whitening: Whitening, factors: Floats) -> tuple[float, int]:
    """Sum of (u_i.v_j - x_ij)^2 over cells kept from the fit, and how many they are."""
    if not len(held.columns):
        return 0.0, 0
    errors = PassedRows(undivided(held), other).products(factors @ whitening.lower) - held.values
    return float(errors @ errors), len(errors)


def solve_row_plain(other: Doubles, columns: Ids, values: Doubles, weights: Doubles, loss: LossSettings) -> Doubles:
    """The plain twin: one row's normal equations written down and solved, O(n d^2 + d^3).

    >>> one = solve_row_plain(np.array([[1.0]]), np.array([0]), np.array([2.0]), np.array([1.0]), LossSettings(0, 0, 1))
    >>> one.round(6)
    array([1.])
    """
    seen = other[columns]
    matrix = loss.background * other.T @ other + loss.regularization * np.eye(other.shape[1])
    matrix += seen.T @ (weights[:, None] * seen)
    right = seen.T @ (weights * values) + loss.background * loss.target * other.sum(axis=0)
    return np.asarray(np.linalg.solve(matrix, right))
