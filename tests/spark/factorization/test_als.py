"""PMI -> factors: what the sweeps find, against the same algebra written out densely."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest

from pmi_spark.factorization.als import SweepSettings, fold_in, initial_factors
from pmi_spark.factorization.canonical import canonical_form
from pmi_spark.factorization.loss import LossSettings
from pmi_spark.factorization.row_blocks import held_out
from pmi_spark.factorization.solver import solve_row_plain
from pmi_spark.factorization.table import CellSettings

DRAWN = LossSettings(background=0.2, target=-0.5, regularization=0.3)
EXACT = SweepSettings(
    warm_sweeps=0, warm_words=0, sweeps=1, solver="cholesky", solver_steps=1, stop_below=0.0, worker_bytes=1 << 30
)


def solve_side(values: np.ndarray, weights: np.ndarray, other: np.ndarray, loss: LossSettings) -> np.ndarray:
    """Every row of one side, exactly, in float64."""
    rows = []
    for value, weight in zip(values, weights, strict=True):
        seen = np.flatnonzero(weight)
        rows.append(solve_row_plain(other, seen, value[seen], weight[seen], loss))
    return np.array(rows)


def estimates(state: object) -> np.ndarray:
    return state.left.astype(float) @ state.right.T


def test_a_planted_table_of_low_rank_is_found(swept: Callable, make_pairs: Callable) -> None:
    eigenvalues, size = np.array([60.0, -40.0, 25.0]), 60
    basis, _ = np.linalg.qr(np.random.default_rng(6).standard_normal((size, 3)))
    planted = (basis * eigenvalues) @ basis.T
    rows, columns = np.triu_indices(size, k=1)
    pairs = make_pairs(size, rows, columns, np.full(len(rows), 1e3), planted[rows, columns].astype(np.float32))
    faint = LossSettings(background=1e-5, target=0.0, regularization=1e-4)
    state = swept(pairs, 3, faint, warm_sweeps=2, sweeps=12, solver_steps=8)
    canonical = canonical_form(state.left, state.right)
    estimated = (canonical.basis * canonical.eigenvalues) @ canonical.basis.T
    np.testing.assert_allclose(canonical.eigenvalues, eigenvalues, rtol=0.01)
    np.testing.assert_allclose(estimated, planted, atol=0.02 * np.abs(planted).max())


@pytest.mark.parametrize(("solver", "steps"), [("cholesky", 1), ("cg", 60)])
def test_the_rows_solved_last_satisfy_their_normal_equations(
    swept: Callable, scattered: Callable, solver: str, steps: int
) -> None:
    pairs = scattered()
    state = swept(pairs, 6, DRAWN, sweeps=1, solver=solver, solver_steps=steps)
    expected = solve_side(*pairs.dense(), state.left.astype(float), DRAWN)
    np.testing.assert_allclose(state.right, expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("loss", "changes", "share"),
    [
        (LossSettings(0.1, 0.0, 0.1), {}, 0.6),
        (LossSettings(0.5, -1.0, 0.3), {"shift": -1.0, "weight_exponent": 0.0}, 0.6),
        (LossSettings(2.0, 0.7, 0.0), {"positive_only": True, "shift": 0.3}, 0.6),
        (LossSettings(0.0, 0.0, 0.2), {"truncate_weights": False}, 0.6),
        (LossSettings(0.0, 0.0, 0.0), {"count_ceiling": 100.0}, 1.0),
    ],
    ids=["weighted", "shifted and drawn", "positive", "no background", "nothing but the cells"],
)
def test_sweeps_are_those_of_dense_alternating_least_squares(
    swept: Callable, scattered: Callable, every_cell: CellSettings, loss: LossSettings, changes: dict, share: float
) -> None:
    pairs, cells = scattered(size=13, share=share), dataclasses.replace(every_cell, **changes)
    if not (loss.background or loss.regularization):
        # The last word met nobody, and nothing else would say where its factor lies.
        pairs = pairs._replace(size=12)
    state = swept(pairs, 3, loss, cells, warm_sweeps=0, sweeps=4, solver="cholesky")
    values, weights = pairs.dense(cells)
    right = initial_factors(pairs.size, 3, 1).astype(float)
    for _ in range(4):
        left = solve_side(values, weights, right, loss)
        right = solve_side(values.T, weights.T, left, loss)
    np.testing.assert_allclose(estimates(state), left @ right.T, atol=1e-3)
    assert np.abs(left @ right.T).max() > 0.5


@pytest.mark.parametrize(
    ("loss", "changes"),
    [
        (LossSettings(0.1, 0.0, 0.1), {}),
        (DRAWN, {"shift": -1.0}),
        (DRAWN, {"positive_only": True, "truncate_weights": False}),
        (LossSettings(0.0, 0.0, 0.5), {}),
    ],
    ids=["background", "target", "positive", "no background"],
)
def test_every_weighted_sweep_lowers_the_loss_it_reports(
    swept: Callable,
    scattered: Callable,
    every_cell: CellSettings,
    loss_by_hand: Callable,
    loss: LossSettings,
    changes: dict,
) -> None:
    pairs, cells = scattered(), dataclasses.replace(every_cell, **changes)
    state = swept(pairs, 5, loss, cells, sweeps=3, solver_steps=10)
    told = [(report.phase, report.sweep) for report in state.reports]
    assert told == [("warm", 1), ("weighted", 1), ("weighted", 2), ("weighted", 3)]
    losses = [report.loss for report in state.reports]
    assert np.isnan(losses[0])
    assert all(after < before for before, after in pairwise(losses[1:]))
    assert losses[-1] == pytest.approx(loss_by_hand(pairs, state.left, state.right, loss, cells), rel=1e-4)
    assert all(report.seconds > 0 for report in state.reports)


def test_the_held_out_error_is_the_root_mean_square_over_cells_kept_from_the_fit(
    swept: Callable, scattered: Callable, every_cell: CellSettings, loss_by_hand: Callable
) -> None:
    pairs, cells = scattered(), dataclasses.replace(every_cell, held_out=0.25, shift=-1.0)
    state = swept(pairs, 4, cells=cells, blocks=3)
    kept = held_out(pairs.rows.astype(np.int32), pairs.columns.astype(np.int32), 0.25)
    held, fitted = (pairs._replace(**_columns(pairs, mask)) for mask in (kept, ~kept))
    values, weights = held.dense(cells)
    errors = (estimates(state) - values)[weights > 0]
    assert state.reports[-1].held_out_error == pytest.approx(np.sqrt(np.mean(errors**2)), rel=1e-4)
    loss = LossSettings(0.1, 0.0, 0.1)
    by_hand = loss_by_hand(fitted, state.left, state.right, loss, cells)
    assert state.reports[-1].loss == pytest.approx(by_hand, rel=1e-4)


def _columns(pairs: object, mask: np.ndarray) -> dict[str, np.ndarray]:
    return {name: getattr(pairs, name)[mask] for name in ("rows", "columns", "counts", "values")}


def test_where_nothing_is_held_out_no_error_is_told(swept: Callable, scattered: Callable) -> None:
    assert all(np.isnan(report.held_out_error) for report in swept(scattered(), 3).reports)


class TestWarmWords:
    def test_words_beyond_them_are_left_alone_by_the_warm_sweeps(self, swept: Callable, scattered: Callable) -> None:
        pairs = scattered()
        state = swept(pairs, 4, sweeps=0, warm_sweeps=2, warm_words=15, blocks=3)
        assert np.all(state.left[:15].any(axis=1))
        assert not state.left[15:].any()
        np.testing.assert_array_equal(state.right[15:], initial_factors(pairs.size, 4, 1)[15:])

    def test_they_are_swept_as_if_they_were_all_there_is(
        self, swept: Callable, scattered: Callable, make_pairs: Callable
    ) -> None:
        pairs = scattered()
        among = pairs.columns < 15
        head = make_pairs(15, **_columns(pairs, among))
        whole, alone = (swept(table, 4, sweeps=0, warm_sweeps=2, warm_words=15) for table in (pairs, head))
        np.testing.assert_allclose(estimates(whole)[:15, :15], estimates(alone), atol=1e-4)

    def test_the_weighted_sweeps_reach_every_word(
        self, swept: Callable, scattered: Callable, loss_by_hand: Callable
    ) -> None:
        pairs, loss = scattered(), LossSettings(0.1, 0.0, 0.1)
        state = swept(pairs, 4, loss, warm_words=15, sweeps=8, solver_steps=4)
        met = np.isin(np.arange(pairs.size), np.concatenate([pairs.rows, pairs.columns]))
        assert np.all(np.linalg.norm(state.left[met], axis=1) > 0.1)
        assert np.all(np.linalg.norm(state.right[met], axis=1) > 0.1)
        everywhere = swept(pairs, 4, loss, warm_words=0, sweeps=8, solver_steps=4)
        losses = [loss_by_hand(pairs, found.left, found.right, loss) for found in (state, everywhere)]
        assert losses[0] == pytest.approx(losses[1], rel=0.1)


class TestFoldIn:
    NEW = np.array([4, 9, 30], dtype=np.int32)

    @pytest.mark.parametrize("loss", [LossSettings(0.1, 0.0, 0.1), LossSettings(0.0, 0.0, 0.3)])
    def test_rows_of_the_table_are_solved_exactly_and_the_others_are_0(
        self, build: Callable, scattered: Callable, every_cell: CellSettings, loss: LossSettings
    ) -> None:
        pairs, cells = scattered(), dataclasses.replace(every_cell, only_rows=self.NEW)
        right = initial_factors(pairs.size, 4, seed=3)
        right[self.NEW] = 0
        before = right.copy()
        left = fold_in(build(pairs, cells, blocks=3), right, loss, dataclasses.replace(EXACT, solver="cg"))
        expected = np.zeros_like(left)
        expected[self.NEW] = solve_side(*pairs.dense(), right.astype(float), loss)[self.NEW]
        np.testing.assert_allclose(left, expected, rtol=1e-3, atol=1e-4)
        np.testing.assert_array_equal(right, before)
        assert np.all(left[self.NEW].any(axis=1))
