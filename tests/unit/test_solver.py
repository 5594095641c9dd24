"""The row solves against dense float64 algebra on a small symmetric table."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pytest

from pmi_spark.factorization.row_blocks import RowBlock, build_row_block
from pmi_spark.factorization.solver import (
    LossSettings,
    Solved,
    describe_side,
    solve_row_plain,
    solve_warm,
    solve_weighted,
    total_loss,
)

WORDS, DIMENSIONS, BLOCKS = 30, 5, 3
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
        rows, columns = rows[own], columns[own]
        cells = values[rows, columns], weights[rows, columns]
        blocks.append(build_row_block(block, BLOCKS, WORDS, rows, columns, *cells))
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


def half_sweep(problem: Problem, loss: LossSettings, steps: int) -> tuple[np.ndarray, float]:
    """(left factors solved against ``problem.right``, their fitted loss)."""
    other = describe_side(problem.right)
    solved = [
        solve_weighted(block, other, problem.left[block.block :: BLOCKS], loss, steps) for block in problem.blocks
    ]
    return gather(solved), sum(part.fitted_loss for part in solved)


@pytest.fixture(params=[1, 2, 3])
def problem(request: pytest.FixtureRequest) -> Problem:
    return make_problem(request.param)


@pytest.mark.parametrize("loss", LOSSES)
def test_many_steps_reach_the_plain_solution_of_every_row(problem, loss):
    factors, _ = half_sweep(problem, loss, steps=50)
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
    other = describe_side(problem.right)
    factors = gather([solve_warm(block, other, loss) for block in problem.blocks])
    np.testing.assert_allclose(factors, expected, rtol=1e-3, atol=1e-4)


def test_a_warm_solve_stands_a_side_of_too_low_rank():
    problem = make_problem(4)
    flat = problem._replace(right=np.repeat(problem.right[:, :1], DIMENSIONS, axis=1))
    other = describe_side(flat.right)
    for block in flat.blocks:
        assert np.isfinite(solve_warm(block, other, LossSettings(0.1, 0.0, 0.0)).factors).all()


@pytest.mark.parametrize("loss", LOSSES)
def test_total_loss_equals_the_dense_double_loop(problem, loss):
    left, fitted = half_sweep(problem, loss, steps=3)
    found = total_loss(fitted, describe_side(left), describe_side(problem.right), loss)
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


@pytest.mark.parametrize("rows", [1, 7, (1 << 16) - 1, (1 << 16) + 5])
def test_describe_side_sums_over_every_word(rows):
    factors = np.random.default_rng(rows).normal(0.1, 1, (rows, 3)).astype(np.float32)
    side = describe_side(factors)
    exact = factors.astype(np.float64)
    np.testing.assert_allclose(side.gramian, exact.T @ exact, rtol=1e-4, atol=1e-3 * rows**0.5)
    np.testing.assert_allclose(side.factor_sum, exact.sum(axis=0), rtol=1e-4, atol=1e-3)
    assert (side.gramian.dtype, side.factor_sum.dtype) == (np.float32, np.float32)
    assert side.factors is factors


def test_a_row_without_curvature_keeps_its_last_value():
    nothing = LossSettings(background=0.0, target=0.0, regularization=0.0)
    block = build_row_block(0, 1, 1, *(np.array(x) for x in ([0], [0], [1.0], [1e-30])))
    other = describe_side(np.full((1, 2), 1e-20, dtype=np.float32))
    start = np.ones((1, 2), dtype=np.float32)
    np.testing.assert_array_equal(solve_weighted(block, other, start, nothing, 3).factors, start)


def test_a_warm_solve_against_nothing_is_nothing():
    nothing = LossSettings(background=0.0, target=0.0, regularization=0.0)
    block = build_row_block(0, 1, 1, *(np.array(x) for x in ([0], [0], [1.0], [1.0])))
    other = describe_side(np.zeros((1, 2), dtype=np.float32))
    np.testing.assert_array_equal(solve_warm(block, other, nothing).factors, np.zeros((1, 2)))
