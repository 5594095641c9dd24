"""One row block solved for its factors, the other side held fixed. Pure numpy.

Everything here is in the coordinates of :class:`Whitening`: y_j for the other side, z_i for the rows sought, and
u_i = L^-T z_i at the end. :mod:`pmi_spark.factorization.loss` has the algebra.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pmi_spark.factorization.cell_passes import BUFFER_CELLS, OtherRows, gather_rows, pass_over_cells, sum_over_cells
from pmi_spark.factorization.loss import LossSettings, Whitening, shrunken_cells
from pmi_spark.factorization.row_blocks import Doubles, Floats, Ids, RowBlock


class OtherSide(NamedTuple):
    """The fixed side, whitened: ``rows`` gives y_first .. y_last-1, of which a worker holds ``slice_words`` at most."""

    rows: OtherRows
    word_count: int
    slice_words: int

    @property
    def is_whole(self) -> bool:
        return self.slice_words >= self.word_count


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
    """Unweighted least squares on the shrunken table: z_i = sum_j s_ij y_j, one product a row.

    Gathered rows and a dense product take 135 ns a cell at d = 300, scipy's sparse-dense product 175.
    """
    rows = _unweighted(block, other, whitening, shrunken_cells(block.values, block.weights, loss))
    return _finish(block, rows, whitening, np.zeros(block.row_count))


def solve_weighted(
    block: RowBlock, other: OtherSide, whitening: Whitening, previous: Floats, loss: LossSettings, steps: int
) -> Solved:
    """Every row of the block by ``steps`` conjugate-gradient steps from its previous value (rows x d, not changed).

    A row that was 0, as words are that the warm start left out, starts from the unweighted solution instead:
    P^-1 S V, with P = alpha V'V for the small lambda that it is, hence z_i = alpha sum_j s_ij y_j.

    A row's y_j are gathered once (4 d bytes a cell) and used from cache: 1 + 2 steps products, Y z and Y'(w Y z) in
    turn (Takacs, Pilaszy, Tikk 2011), the last step needing no way back. Rows too long for the buffer, and all rows
    where the other side does not fit the worker, are solved in 1 + steps passes over slices of it.
    """
    state = previous @ whitening.lower
    cold = np.asarray(~np.any(previous, axis=1))
    lengths = np.diff(block.starts)
    apart = np.flatnonzero(lengths > (BUFFER_CELLS if other.is_whole else -1))
    losses = np.zeros(block.row_count)
    if other.is_whole:
        everything = other.rows(0, other.word_count)
        for row, first, last, gathered in gather_rows(block, everything):
            values, weights = block.values[first:last], block.weights[first:last]
            if cold[row]:
                state[row] = whitening.constant
                state[row] += np.float32(loss.background) * shrunken_cells(values, weights, loss) @ gathered
            losses[row] = _descend(state[row], gathered, values, weights, whitening, steps)
    if len(apart):
        part = block.of_rows(apart)
        if cold[apart].any():
            cells = np.float32(loss.background) * shrunken_cells(part.values, part.weights, loss)
            start = _unweighted(part, other, whitening, cells)
            state[apart] = np.where(cold[apart, None], start, state[apart])
        state[apart], losses[apart] = _descend_in_slices(part, other, whitening, state[apart], steps)
    return _finish(block, state, whitening, losses)


def _unweighted(block: RowBlock, other: OtherSide, whitening: Whitening, cells: Floats) -> Floats:
    """c + sum_j s_ij y_j for every row, with the shrunken table's ``cells`` s in the scale of the coordinates."""
    return whitening.constant + sum_over_cells(block, *other, len(whitening.constant), cells)


def _descend(
    state: Floats, gathered: Floats, values: Floats, weights: Floats, whitening: Whitening, steps: int
) -> float:
    """``steps`` of CG on (I + Y' diag(w) Y) z = Y'(w x) + c, in place (Hestenes, Stiefel 1952); the row's fitted loss.

    The errors e = Y z - x are carried along, so the loss costs one more dot product and the residual of the start is
    c - z - Y'(w e).
    """
    errors = gathered @ state
    errors -= values
    residual = whitening.shared * (whitening.constant - state) - (weights * errors) @ gathered
    direction = residual
    squared = float(residual @ residual)
    for step in range(steps):
        seen = gathered @ direction
        weighted = weights * seen
        curvature = whitening.shared * float(direction @ direction) + float(weighted @ seen)
        # A row at its minimum, or without any curvature left in float32, stays where it is.
        if not (squared > 0 and curvature > 0):
            break
        rate = np.float32(squared / curvature)
        state += rate * direction
        errors += rate * seen
        if step + 1 < steps:
            residual = residual - rate * (np.float32(whitening.shared) * direction + weighted @ gathered)
            before, squared = squared, float(residual @ residual)
            direction = residual + np.float32(squared / before) * direction
    return float(weights @ (errors * errors))


def _descend_in_slices(
    block: RowBlock, other: OtherSide, whitening: Whitening, state: Floats, steps: int
) -> tuple[Floats, Doubles]:
    """:func:`_descend` for all rows of a block side by side, the other side's words visited slice by slice."""
    rows = block.row_of_cell
    shared = np.float32(whitening.shared)
    errors, drawn = pass_over_cells(block, *other, state, less=block.values, back_weights=block.weights)
    residual = shared * (whitening.constant - state) - drawn
    direction = residual
    squared = _row_products(residual, residual)
    for step in range(steps):
        last = step + 1 == steps
        seen, drawn = pass_over_cells(block, *other, direction, back_weights=None if last else block.weights)
        curvature = whitening.shared * _row_products(direction, direction)
        curvature += np.bincount(rows, block.weights * seen * seen, minlength=block.row_count)
        moves = (squared > 0) & (curvature > 0)
        rate = np.where(moves, squared / np.where(moves, curvature, 1), 0).astype(np.float32)
        state = state + rate[:, None] * direction
        errors += rate[rows] * seen
        if not last:
            residual = residual - rate[:, None] * (shared * direction + drawn)
            before, squared = squared, _row_products(residual, residual)
            ratio = np.where(moves, squared / np.where(moves, before, 1), 0).astype(np.float32)
            direction = residual + ratio[:, None] * direction
    losses = np.bincount(rows, block.weights * errors * errors, minlength=block.row_count)
    return state, losses.astype(np.float64)


def _row_products(left: Floats, right: Floats) -> Doubles:
    return np.asarray(np.einsum("ij,ij->i", left, right), dtype=np.float64)


def solve_exact(block: RowBlock, other: OtherSide, whitening: Whitening, previous: Floats) -> Solved:
    """Every row by Cholesky decomposition of its normal equations: n_i d^2 + d^3 / 3 flops, six times CG's time.

    A row whose equations are singular (no background, no regularization, fewer partners than dimensions) gets the
    solution of least length, by 1e-6 of the mean diagonal; a row without cells and without P keeps its last value.
    """
    state = previous @ whitening.lower
    identity = np.eye(state.shape[1])
    everything = other.rows(0, other.word_count)
    losses = np.zeros(block.row_count)
    for row, first, last, gathered in gather_rows(block, everything, longest=len(block.columns)):
        values, weights = block.values[first:last], block.weights[first:last]
        matrix = whitening.shared * identity + gathered.T @ (weights[:, None] * gathered)
        if whitening.shared == 0:
            matrix += 1e-6 * np.trace(matrix) / len(matrix) * identity
        if matrix[0, 0] > 0:
            right = (weights * values) @ gathered + whitening.shared * whitening.constant
            state[row] = np.linalg.solve(matrix, right)
        errors = gathered @ state[row] - values
        losses[row] = weights @ (errors * errors)
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
    errors, _ = pass_over_cells(held, *other, factors @ whitening.lower, less=held.values)
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
