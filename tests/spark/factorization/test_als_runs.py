"""Nothing but the table and the seed decides what the sweeps find; and how they end."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np
import pytest

from pmi_spark.errors import RunError
from pmi_spark.factorization import als
from pmi_spark.factorization.als import WORKER_BYTES, SweepSettings, initial_factors, sweep
from pmi_spark.factorization.canonical import canonical_form
from pmi_spark.factorization.state import State

DIMENSIONS = 5


def vectors(state: State) -> np.ndarray:
    return canonical_form(state.left, state.right).vectors(0.5)


def assert_same_vectors(found: State, expected: State) -> None:
    np.testing.assert_allclose(found.left @ found.right.T, expected.left @ expected.right.T, atol=1e-4)
    np.testing.assert_allclose(vectors(found), vectors(expected), atol=1e-4)
    for one, other in zip(found.reports, expected.reports, strict=True):
        assert one[:2] == other[:2]
        assert one.loss == pytest.approx(other.loss, rel=1e-5, nan_ok=True)


@pytest.fixture
def expected(swept: Callable, scattered: Callable) -> State:
    return swept(scattered(), DIMENSIONS)


class TestWhatDecides:
    def test_the_same_seed_gives_the_same_factors_to_the_last_bit(
        self, swept: Callable, scattered: Callable, expected: State
    ) -> None:
        again, other = (swept(scattered(), DIMENSIONS, seed=seed) for seed in (1, 2))
        assert again.left.tobytes() == expected.left.tobytes()
        assert again.right.tobytes() == expected.right.tobytes()
        assert not np.allclose(vectors(other), vectors(expected), atol=1e-3)

    @pytest.mark.parametrize(("size", "blocks", "files"), [(37, 1, 1), (37, 7, 3), (9, 11, 2)])
    def test_not_the_number_of_blocks_or_files(
        self, swept: Callable, scattered: Callable, size: int, blocks: int, files: int
    ) -> None:
        pairs = scattered(size, 0.6)
        assert_same_vectors(swept(pairs, DIMENSIONS, blocks=blocks, files=files), swept(pairs, DIMENSIONS))

    @pytest.mark.parametrize("solver", ["cg", "cholesky"])
    # Slices of one word; and, after a block's own 8,000 bytes or so, slices of some.
    @pytest.mark.parametrize("worker_bytes", [1, WORKER_BYTES + 8300])
    def test_not_what_a_worker_may_hold(
        self, swept: Callable, scattered: Callable, solver: str, worker_bytes: int
    ) -> None:
        small, large = (swept(scattered(), DIMENSIONS, solver=solver, worker_bytes=b) for b in (worker_bytes, 1 << 30))
        assert_same_vectors(small, large)

    def test_not_how_many_blocks_the_driver_takes_at_once(
        self, swept: Callable, scattered: Callable, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        whole = swept(scattered(), DIMENSIONS, blocks=7)
        # A side takes 740 bytes: waves of three blocks, three and one.
        monkeypatch.setattr(als, "WAVE_BYTES", 300)
        waves = swept(scattered(), DIMENSIONS, blocks=7)
        assert waves.left.tobytes() == whole.left.tobytes()
        assert waves.right.tobytes() == whole.right.tobytes()

    def test_not_whether_a_run_was_cut_short_and_went_on(
        self, swept: Callable, scattered: Callable, expected: State
    ) -> None:
        for after in ({"warm_sweeps": 1, "sweeps": 0}, {"warm_sweeps": 1, "sweeps": 1}):
            state = copy.deepcopy(swept(scattered(), DIMENSIONS, **after))
            done = len(state.reports)
            resumed = swept(scattered(), DIMENSIONS, state=state)
            assert len(resumed.reports) == len(expected.reports) > done
            assert_same_vectors(resumed, expected)


class TestHowTheyEnd:
    def test_a_sweep_that_lowers_the_loss_by_too_little_is_the_last(self, swept: Callable, scattered: Callable) -> None:
        everything = [report.loss for report in swept(scattered(), DIMENSIONS, sweeps=6).reports[1:]]
        assert len(everything) == 6
        falls = [(before - after) / before for before, after in pairwise(everything)]
        limit = (falls[1] + falls[2]) / 2
        assert falls[0] > limit > falls[2]
        early = [report.loss for report in swept(scattered(), DIMENSIONS, sweeps=6, stop_below=limit).reports[1:]]
        assert early == everything[:4]

    @pytest.mark.parametrize("sweeps", [{"warm_sweeps": 1}, {"warm_sweeps": 0}, {"solver": "cholesky"}])
    def test_a_pmi_that_is_not_a_number_ends_the_run_and_its_word_is_named(
        self, swept: Callable, scattered: Callable, sweeps: dict
    ) -> None:
        pairs = scattered()
        values = pairs.values.copy()
        values[50] = np.nan
        culprits = f"(w{pairs.rows[50]}|w{pairs.columns[50]})"
        words = [f"w{number}" for number in range(pairs.size)]
        with pytest.raises(RunError, match=f"the factor of the word {culprits} is not a number; .*pmi table"):
            swept(pairs._replace(values=values), DIMENSIONS, words=words, **sweeps)

    def test_a_loss_that_grows_ends_the_run(
        self, swept: Callable, scattered: Callable, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        told = iter([1000.0, 900.0, 950.0])
        monkeypatch.setattr(als, "total_loss", lambda *_: next(told))
        words = [f"w{number}" for number in range(37)]
        message = r"the loss grew from 900 to 950 in weighted sweep 3, the longest factor is that of the word w\d+; "
        with pytest.raises(RunError, match=message):
            swept(scattered(), DIMENSIONS, sweeps=5, words=words)

    def test_without_a_limit_all_sweeps_are_done(
        self, swept: Callable, scattered: Callable, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        told = iter([1000.0, 900.0, 900.001, 900.0])
        monkeypatch.setattr(als, "total_loss", lambda *_: next(told))
        assert len(swept(scattered(), DIMENSIONS, sweeps=4, stop_below=0.0).reports) == 5

    def test_a_table_that_is_fitted_whole_is_no_divergence(self, swept: Callable, scattered: Callable) -> None:
        nothing = als.LossSettings(0.0, 0.0, 0.0)
        state = swept(scattered(30, 0.15), 10, nothing, warm_sweeps=0, sweeps=8, solver="cholesky")
        assert len(state.reports) == 8

    def test_sweeps_that_were_done_are_done_when_they_go_on(self, swept: Callable, scattered: Callable) -> None:
        state = swept(scattered(), DIMENSIONS, sweeps=6, stop_below=0.5)
        done = len(state.reports)
        assert done < 7
        assert len(swept(scattered(), DIMENSIONS, sweeps=6, stop_below=0.5, state=state).reports) == done


def test_the_state_after_each_sweep_is_there_to_be_saved(build: Callable, scattered: Callable) -> None:
    pairs = scattered()
    right = initial_factors(pairs.size, DIMENSIONS, 1)
    settings = SweepSettings(1, 0, 2, "cg", 3, 0.0, 1 << 30)
    loss = als.LossSettings(0.1, 0.0, 0.1)
    seen: Iterator[State] = sweep(build(pairs), State(np.zeros_like(right), right), loss, settings)
    reports = [(len(state.reports), state.reports[-1].phase, state.left.tobytes()) for state in seen]
    assert [report[:2] for report in reports] == [(1, "warm"), (2, "weighted"), (3, "weighted")]
    assert len({report[2] for report in reports}) == 3
