from __future__ import annotations

import numpy as np
import pytest

from pmi_spark.factorization import als
from pmi_spark.factorization.als import WORKER_BYTES, SweepSettings, initial_factors
from pmi_spark.factorization.loss import LossSettings, sum_factors, whiten, whiten_warm, whitened_rows
from pmi_spark.factorization.row_blocks import Cells, build_row_block
from pmi_spark.factorization.solver import Solved
from pmi_spark.factorization.table import TableBlock


def test_initial_factors_depend_on_the_seed_alone():
    first = initial_factors(50, 8, seed=1)
    assert first.tobytes() == initial_factors(50, 8, seed=1).tobytes()
    assert not np.array_equal(first, initial_factors(50, 8, seed=2))
    assert first.dtype == np.float32


def test_initial_factors_have_an_expected_length_of_1():
    squares = (initial_factors(4000, 32, seed=3).astype(np.float64) ** 2).sum(axis=1)
    # The mean of 4000 squared lengths of variance 2 / 32.
    assert abs(squares.mean() - 1) < 5 * (2 / 32 / 4000) ** 0.5


def test_the_first_words_alone_start_from_numbers():
    head = initial_factors(50, 8, seed=1, head=20)
    np.testing.assert_array_equal(head[:20], initial_factors(20, 8, seed=1))
    assert head.shape == (50, 8)
    assert not head[20:].any()
    np.testing.assert_array_equal(initial_factors(50, 8, seed=1, head=60), initial_factors(50, 8, seed=1))


class HeldMatrix:
    """What a SharedMatrix is to a task, and how many of its rows were out at a time."""

    def __init__(self, rows: np.ndarray) -> None:
        self.rows, self.shape, self.asked = rows, rows.shape, [0]

    def slice(self, first: int, last: int) -> np.ndarray:
        self.asked.append(last - first)
        return self.rows[first:last]


WORDS, DIMENSIONS, BLOCKS = 40, 4, 3


def run_task(room: int, solver: str = "cg", warm: bool = False, steps: int = 2) -> tuple[HeldMatrix, Solved]:
    """Block 1 of a full table, solved by a worker that has ``room`` bytes for the other side."""
    generator = np.random.default_rng(5)
    rows, columns = (side.ravel().astype(np.int32) for side in np.mgrid[1:WORDS:BLOCKS, 0:WORDS])
    values = generator.normal(size=len(rows)).astype(np.float32)
    fitted = build_row_block(1, BLOCKS, WORDS, Cells(rows, columns, values, np.ones(len(rows), np.float32)))
    nothing = build_row_block(1, BLOCKS, WORDS, Cells(*(column[:0] for column in (rows, columns, values, values))))
    right, left = generator.normal(size=(2, WORDS, DIMENSIONS)).astype(np.float32)
    loss = LossSettings(0.1, 0.0, 0.1)
    whitening = (whiten_warm if warm else whiten)(sum_factors(right), loss)
    whitened_rows(right, whitening, out=right)
    # Twice 12 bytes a cell and eight matrices of the block's rows are the block's own.
    own = 24 * len(rows) + 32 * fitted.row_count * DIMENSIONS
    settings = SweepSettings(0, 0, 1, solver, steps, 0.0, WORKER_BYTES + own + room)
    dealt = HeldMatrix(np.concatenate([left[block::BLOCKS] for block in range(BLOCKS)]))
    fixed = HeldMatrix(right)
    solved, _, _ = als._BlockTask(fixed, None if warm else dealt, whitening, loss, settings)(
        TableBlock(fitted, nothing)
    )
    # Its own rows of the side sought, and no others.
    assert dealt.asked == ([0] if warm else [0, fitted.row_count])
    return fixed, solved


@pytest.mark.parametrize("warm", [False, True])
@pytest.mark.parametrize(("room", "slice_words"), [(-(10**6), 1), (0, 1), (4 * DIMENSIONS * 7, 7), (10**6, WORDS)])
def test_a_worker_holds_no_more_of_the_other_side_than_it_may(room, slice_words, warm):
    fixed, solved = run_task(room, warm=warm)
    assert max(fixed.asked) == slice_words
    np.testing.assert_allclose(solved.factors, run_task(10**9, warm=warm)[1].factors, rtol=1e-3, atol=1e-4)


def test_cholesky_is_where_conjugate_gradients_end():
    exact = run_task(10**6, "cholesky")[1].factors
    few, many = (run_task(10**6, steps=steps)[1].factors for steps in (1, 50))
    np.testing.assert_allclose(many, exact, rtol=1e-3, atol=1e-4)
    assert not np.allclose(few, exact, rtol=1e-3, atol=1e-4)
