"""The row solves against dense float64 algebra on a small symmetric table."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pytest

from pmi_spark.factorization import cell_passes
from pmi_spark.factorization import solver as solver_module
from pmi_spark.factorization.cell_passes import OtherSide
from pmi_spark.factorization.loss import (
    LossSettings,
    Whitening,
    sum_factors,
    total_loss,
    whiten,
    whiten_warm,
    whitened_rows,
)
from pmi_spark.factorization.row_blocks import Cells, RowBlock, build_row_block
from pmi_spark.factorization.solver import (
    Solved,
    cell_errors,
    solve_exact,
    solve_row_plain,
    solve_warm,
    solve_weighted,
)

WORDS, DIMENSIONS, BLOCKS = 30, 5, 3
NOTHING = LossSettings(background=0.0, target=0.0, regularization=0.0)
LOSSES = [LossSettings(0.1, 0.0, 0.1), LossSettings(0.1, -1.0, 0.5), LossSettings(2.0, 0.7, 0.0)]


class Problem(NamedTuple):
    """A symmetric table with its weights (0 where a pair was not seen), its row blocks and two sides' factors."""

    values: np.ndarray
    weights: np.ndarray
    blocks: list[RowBlock]
    left: np.ndarray
    right: np.ndarray


def make_problem(seed: int, seen: float = 0.4) -> Problem:
    generator = np.random.default_rng(seed)
    mask = np.triu(generator.random((WORDS, WORDS)) < seen, 1)
    mask[0, 1:], mask[2] = True, False
    mask[:2, 2] = False  # word 2 met nobody
    values = np.where(mask, generator.normal(1.0, 1.5, mask.shape), 0).astype(np.float32)
    weights = np.where(mask, generator.uniform(0.05, 1.0, mask.shape), 0).astype(np.float32)
    values, weights = values + values.T, weights + weights.T
    blocks = []
    for block in range(BLOCKS):
        rows, columns = np.nonzero(weights)
        own = rows % BLOCKS == block
        rows, columns = rows[own].astype(np.int32), columns[own].astype(np.int32)
        cells = Cells(rows, columns, values[rows, columns], weights[rows, columns])
        blocks.append(build_row_block(block, BLOCKS, WORDS, cells))
    left, right = generator.normal(0, 0.5, (2, WORDS, DIMENSIONS)).astype(np.float32)
    return Problem(values, weights, blocks, left, right)


def dense_loss(problem: Problem, left: np.ndarray, right: np.ndarray, loss: LossSettings) -> float:
    """The loss as the module's docstring writes it, a pair at a time."""
    total = loss.regularization * float((left.astype(np.float64) ** 2).sum() + (right.astype(np.float64) ** 2).sum())
    for i in range(WORDS):
        for j in range(WORDS):
            product = float(left[i].astype(np.float64) @ right[j])
            total += float(problem.weights[i, j]) * (product - float(problem.values[i, j])) ** 2
            total += loss.background * (product - loss.target) ** 2
    return total


def gather(solved: list[Solved]) -> np.ndarray:
    factors = np.empty((WORDS, DIMENSIONS), dtype=np.float32)
    for part in solved:
        factors[part.block :: BLOCKS] = part.factors
    return factors


def other_side(factors: np.ndarray, whitening: Whitening, slice_words: int = WORDS) -> OtherSide:
    white = np.empty_like(factors)
    whitened_rows(factors, whitening, out=white)
    return OtherSide(lambda first, last: white[first:last], *factors.shape, slice_words)


def half_sweep(
    problem: Problem, loss: LossSettings, steps: int | None, slice_words: int = WORDS
) -> tuple[np.ndarray, float]:
    """(left factors solved against ``problem.right``, their fitted loss); ``steps`` None solves exactly."""
    whitening = whiten(sum_factors(problem.right), loss)
    other = other_side(problem.right, whitening, slice_words)
    solved = []
    for block in problem.blocks:
        previous = problem.left[block.block :: BLOCKS]
        if steps is None:
            solved.append(solve_exact(block, other, whitening, previous))
        else:
            solved.append(solve_weighted(block, other, whitening, previous, loss, steps))
    return gather(solved), sum(part.fitted_loss for part in solved)


def warm_sweep(problem: Problem, loss: LossSettings, slice_words: int = WORDS) -> np.ndarray:
    whitening = whiten_warm(sum_factors(problem.right), loss)
    other = other_side(problem.right, whitening, slice_words)
    return gather([solve_warm(block, other, whitening, loss) for block in problem.blocks])


@pytest.fixture(params=[1, 2, 3])
def problem(request: pytest.FixtureRequest) -> Problem:
    return make_problem(request.param)


@pytest.mark.parametrize("steps", [50, None], ids=["cg", "cholesky"])
@pytest.mark.parametrize("loss", LOSSES)
def test_every_row_reaches_the_plain_solution(problem, loss, steps):
    factors, _ = half_sweep(problem, loss, steps)
    for row in range(WORDS):
        columns = np.flatnonzero(problem.weights[row])
        expected = solve_row_plain(
            problem.right.astype(np.float64),
            columns,
            problem.values[row, columns].astype(np.float64),
            problem.weights[row, columns].astype(np.float64),
            loss,
        )
        np.testing.assert_allclose(factors[row], expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("loss", LOSSES)
def test_the_solution_is_where_the_losss_gradient_is_0(problem, loss):
    factors, _ = half_sweep(problem, loss, steps=50)
    left, right = factors.astype(np.float64), problem.right.astype(np.float64)
    product = left @ right.T
    fitted = (problem.weights * (product - problem.values)) @ right
    background = loss.background * (product - loss.target) @ right
    gradient = fitted + background + loss.regularization * left
    size = np.abs(problem.weights * problem.values) @ np.abs(right) + 1
    assert (np.abs(gradient) < 1e-4 * size).all()


@pytest.mark.parametrize("loss", LOSSES)
def test_the_plain_twin_solves_the_normal_equations(problem, loss):
    right = problem.right.astype(np.float64)
    columns = np.flatnonzero(problem.weights[0])
    values, weights = (array[0, columns].astype(np.float64) for array in (problem.values, problem.weights))
    solution = solve_row_plain(right, columns, values, weights, loss)
    gradient = loss.regularization * solution + loss.background * (right @ solution - loss.target) @ right
    for column, value, weight in zip(columns, values, weights, strict=True):
        gradient = gradient + weight * (right[column] @ solution - value) * right[column]
    np.testing.assert_allclose(gradient, 0, atol=1e-9)


@pytest.mark.parametrize("loss", LOSSES)
def test_each_further_step_lowers_the_loss(problem, loss):
    by_steps = [dense_loss(problem, problem.left, problem.right, loss)]
    by_steps += [dense_loss(problem, half_sweep(problem, loss, steps)[0], problem.right, loss) for steps in (1, 2, 3)]
    assert all(later < earlier for earlier, later in pairwise(by_steps))


def test_a_solution_stays_where_it_is(problem):
    solved, _ = half_sweep(problem, LOSSES[0], steps=50)
    again, _ = half_sweep(problem._replace(left=solved), LOSSES[0], steps=3)
    np.testing.assert_allclose(again, solved, atol=1e-4)


def test_the_previous_factors_are_left_as_they_were(problem):
    before, right = problem.left.copy(), problem.right.copy()
    half_sweep(problem, LOSSES[0], steps=3)
    np.testing.assert_array_equal(problem.left, before)
    np.testing.assert_array_equal(problem.right, right)


def test_a_word_that_met_nobody_gets_what_the_background_says(problem):
    """Without cells a row solves (alpha V'V + lambda I) u = alpha t sum v; with t = 0 it is 0."""
    assert not problem.weights[2].any()
    zero, _ = half_sweep(problem, LossSettings(0.1, 0.0, 0.1), steps=50)
    np.testing.assert_allclose(zero[2], 0, atol=1e-5)
    drawn, _ = half_sweep(problem, LossSettings(0.1, 2.0, 0.1), steps=50)
    right = problem.right.astype(np.float64)
    expected = np.linalg.solve(0.1 * right.T @ right + 0.1 * np.eye(DIMENSIONS), 0.2 * right.sum(axis=0))
    np.testing.assert_allclose(drawn[2], expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("loss", LOSSES)
def test_a_warm_solve_is_ridge_regression_on_the_dense_shrunken_table(problem, loss):
    weights, values = problem.weights.astype(np.float64), problem.values.astype(np.float64)
    shrunken = (weights * values + loss.background * loss.target) / (weights + loss.background)
    right = problem.right.astype(np.float64)
    # Least squares with sqrt(lambda) I appended; lambda has a floor of 1e-6 of the Gramian's mean diagonal.
    ridge = max(loss.regularization, 1e-6 * (right**2).sum() / DIMENSIONS)
    system = np.vstack([right, np.sqrt(ridge) * np.eye(DIMENSIONS)])
    wanted = np.vstack([shrunken.T, np.zeros((DIMENSIONS, WORDS))])
    expected = np.linalg.lstsq(system, wanted)[0].T
    np.testing.assert_allclose(warm_sweep(problem, loss), expected, rtol=1e-3, atol=1e-4)


def test_a_warm_solve_stands_a_side_of_too_low_rank():
    problem = make_problem(4)
    flat = problem._replace(right=np.repeat(problem.right[:, :1], DIMENSIONS, axis=1))
    assert np.isfinite(warm_sweep(flat, LossSettings(0.1, 0.0, 0.0))).all()
    assert np.isfinite(half_sweep(flat, LossSettings(0.1, 0.0, 0.0), steps=3)[0]).all()


@pytest.mark.parametrize("loss", LOSSES)
def test_total_loss_equals_the_dense_double_loop(problem, loss):
    left, fitted = half_sweep(problem, loss, steps=3)
    found = total_loss(fitted, sum_factors(left), sum_factors(problem.right), loss)
    assert found == pytest.approx(dense_loss(problem, left, problem.right, loss), rel=1e-4)


@pytest.mark.parametrize("loss", LOSSES)
def test_sweeps_to_and_fro_lower_the_loss_every_time(problem, loss):
    """The table is symmetric, so the same blocks serve both sides."""
    left, right = problem.left, problem.right
    losses = [dense_loss(problem, left, right, loss)]
    for _ in range(3):
        left, _ = half_sweep(problem._replace(left=left, right=right), loss, steps=3)
        losses.append(dense_loss(problem, left, right, loss))
        right, _ = half_sweep(problem._replace(left=right, right=left), loss, steps=3)
        losses.append(dense_loss(problem, left, right, loss))
    assert all(later < earlier for earlier, later in pairwise(losses))


@pytest.mark.parametrize("rows", [1, 7, (1 << 14) - 1, (1 << 14) + 5])
def test_sums_are_over_every_word(rows):
    factors = np.random.default_rng(rows).normal(0.1, 1, (rows, 3)).astype(np.float32)
    sums = sum_factors(factors)
    exact = factors.astype(np.float64)
    np.testing.assert_allclose(sums.gramian, exact.T @ exact, rtol=1e-4, atol=1e-3 * rows**0.5)
    np.testing.assert_allclose(sums.factor_sum, exact.sum(axis=0), rtol=1e-4, atol=1e-3)
    assert sums.word_count == rows


@pytest.mark.parametrize("loss", LOSSES)
def test_in_white_coordinates_what_rows_share_is_the_identity(problem, loss):
    """L L' = alpha V'V + lambda I, and the whitened rows are V L^-T."""
    right = problem.right.astype(np.float64)
    whitening = whiten(sum_factors(problem.right), loss)
    shared = loss.background * right.T @ right + loss.regularization * np.eye(DIMENSIONS)
    lower = whitening.lower.astype(np.float64)
    np.testing.assert_allclose(lower @ lower.T, shared, rtol=1e-4, atol=1e-5)
    rows = other_side(problem.right, whitening).rows(0, WORDS)
    np.testing.assert_allclose(rows @ lower.T, right, rtol=1e-3, atol=1e-4)


class TestSlices:
    """The other side visited a few words at a time must give what it gives at once."""

    @pytest.mark.parametrize("slice_words", [1, 7, WORDS - 1])
    @pytest.mark.parametrize("loss", LOSSES)
    @pytest.mark.parametrize("steps", [1, 2, 4])
    def test_weighted(self, problem, loss, steps, slice_words):
        whole, whole_loss = half_sweep(problem, loss, steps)
        sliced, sliced_loss = half_sweep(problem, loss, steps, slice_words)
        np.testing.assert_allclose(sliced, whole, rtol=1e-3, atol=1e-4)
        assert sliced_loss == pytest.approx(whole_loss, rel=1e-4)

    @pytest.mark.parametrize("slice_words", [1, 7, WORDS - 1])
    @pytest.mark.parametrize("loss", LOSSES)
    def test_warm(self, problem, loss, slice_words):
        np.testing.assert_allclose(warm_sweep(problem, loss, slice_words), warm_sweep(problem, loss), atol=1e-4)

    def test_no_more_than_a_slice_is_asked_for_at_a_time(self, problem):
        whitening = whiten(sum_factors(problem.right), LOSSES[0])
        inner, asked = other_side(problem.right, whitening), []

        def rows(first: int, last: int) -> np.ndarray:
            asked.append((first, last))
            return inner.rows(first, last)

        other = OtherSide(rows, WORDS, DIMENSIONS, 8)
        solve_weighted(problem.blocks[0], other, whitening, problem.left[::BLOCKS], LOSSES[0], 2)
        assert set(asked) == {(0, 8), (8, 16), (16, 24), (24, 30)}

    @pytest.mark.parametrize("buffer_cells", [1, 3, 10])
    def test_rows_longer_than_the_buffer(self, problem, buffer_cells, monkeypatch):
        whole, whole_loss = half_sweep(problem, LOSSES[0], 2)
        for module in (cell_passes, solver_module):
            monkeypatch.setattr(module, "BUFFER_CELLS", buffer_cells)
        parts, parts_loss = half_sweep(problem, LOSSES[0], 2)
        np.testing.assert_allclose(parts, whole, rtol=1e-3, atol=1e-4)
        assert parts_loss == pytest.approx(whole_loss, rel=1e-4)


def test_errors_of_cells_kept_from_the_fit(problem):
    whitening = whiten(sum_factors(problem.right), LOSSES[0])
    other = other_side(problem.right, whitening, 7)
    for block in problem.blocks:
        own = problem.left[block.block :: BLOCKS]
        squares, count = cell_errors(block, other, whitening, own)
        rows = np.arange(block.block, WORDS, BLOCKS)
        seen = problem.weights[rows] > 0
        by_hand = ((own @ problem.right.T - problem.values[rows])[seen] ** 2).sum()
        assert count == seen.sum()
        assert squares == pytest.approx(by_hand, rel=1e-4)


class TestSuspects:
    """Which word a block names should its factors come to grief."""

    def solved(self, problem: Problem, value: float) -> list[Solved]:
        whitening = whiten(sum_factors(problem.right), LOSSES[0])
        other = other_side(problem.right, whitening)
        blocks = problem.blocks
        blocks[1].values[blocks[1].starts[3]] = value
        return [
            solve_weighted(block, other, whitening, problem.left[block.block :: BLOCKS], LOSSES[0], 3)
            for block in blocks
        ]

    def test_a_row_that_is_not_a_number(self):
        found = self.solved(make_problem(9), np.nan)
        assert found[1].suspect[0] == 1 + 3 * BLOCKS
        assert [np.isfinite(part.suspect[1]) for part in found] == [True, False, True]

    def test_else_the_longest_row(self):
        found = self.solved(make_problem(9), 1e6)
        assert found[1].suspect[0] == 1 + 3 * BLOCKS
        assert found[1].suspect[1] == pytest.approx(np.linalg.norm(found[1].factors[3]), rel=1e-5)


@pytest.mark.parametrize("steps", [3, None], ids=["cg", "cholesky"])
def test_a_row_without_curvature_keeps_its_last_value(steps):
    cells = Cells(*(np.array(x, kind) for x, kind in (([0], "i4"), ([0], "i4"), ([1.0], "f4"), ([1e-30], "f4"))))
    block = build_row_block(0, 1, 1, cells)
    start = np.ones((1, 2), dtype=np.float32)
    right = np.full((1, 2), 1e-20, dtype=np.float32)
    whitening = whiten(sum_factors(right), NOTHING)
    other = other_side(right, whitening, 1)
    if steps is None:
        solved = solve_exact(block, other, whitening, start)
    else:
        solved = solve_weighted(block, other, whitening, start, NOTHING, steps)
    np.testing.assert_array_equal(solved.factors, start)


def test_without_background_or_regularization_a_row_is_plain_weighted_least_squares():
    """Rows with more partners than dimensions have one solution; the others the shortest of many."""
    problem = make_problem(11, seen=0.9)
    factors, _ = half_sweep(problem, NOTHING, steps=None)
    for row in (0, 5):
        columns = np.flatnonzero(problem.weights[row])
        root = np.sqrt(problem.weights[row, columns].astype(np.float64))
        system = root[:, None] * problem.right[columns]
        expected = np.linalg.lstsq(system, root * problem.values[row, columns])[0]
        np.testing.assert_allclose(factors[row], expected, rtol=1e-3, atol=1e-3)


def test_a_warm_solve_against_nothing_is_nothing():
    cells = Cells(*(np.array(x, kind) for x, kind in (([0], "i4"), ([0], "i4"), ([1.0], "f4"), ([1.0], "f4"))))
    block = build_row_block(0, 1, 1, cells)
    right = np.zeros((1, 2), dtype=np.float32)
    whitening = whiten_warm(sum_factors(right), NOTHING)
    solved = solve_warm(block, other_side(right, whitening, 1), whitening, NOTHING)
    np.testing.assert_array_equal(solved.factors, np.zeros((1, 2)))
