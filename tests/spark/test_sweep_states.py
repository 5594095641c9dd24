"""A state of the sweeps saved and found again, and a run that goes on from it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pyspark.sql import SparkSession

from pmi_spark.artifacts import STAGES
from pmi_spark.factorization.state import State, SweepReport
from pmi_spark.storage import Storage
from pmi_spark.sweep_states import FOLDER, SweepStates
from pmi_spark.vectors.store import load_vectors, read_artifact

SWEEPS = ["vectors.dimensions=5", "vectors.warm_sweeps=2", "vectors.sweeps=2", "vectors.warm_words=40"]
OVERRIDES = ["vectors.held_out=0", "pairs.subsample=0", "pairs.files=2", "vocabulary.minimum_count=1", *SWEEPS]


def make_state(sweeps: int) -> State:
    left, right = np.random.default_rng(sweeps).standard_normal((2, 9, 4), dtype=np.float32)
    reports = [SweepReport("warm", 1, float("nan"), float("nan"), 0.1)]
    reports += [SweepReport("weighted", k, 100 / k, 1 / (3 * k), 0.7 * k) for k in range(1, sweeps)]
    return State(left, right, reports)


def assert_same(found: State | None, state: State) -> None:
    assert found is not None
    assert found.left.tobytes() == state.left.tobytes()
    assert found.right.tobytes() == state.right.tobytes()
    assert (found.left.shape, found.left.dtype) == (state.left.shape, state.left.dtype)
    assert all(isinstance(report, SweepReport) for report in found.reports)
    np.testing.assert_equal(found.reports, state.reports)


@pytest.fixture
def states(spark: SparkSession, tmp_path: Path) -> SweepStates:
    return SweepStates(Storage(spark), str(tmp_path / "vectors" / FOLDER), "print")


class TestSaving:
    def test_what_is_loaded_is_what_was_saved_last(self, states: SweepStates) -> None:
        for sweeps in (1, 2, 3):
            states.save(make_state(sweeps))
            assert_same(states.load(), make_state(sweeps))

    def test_where_nothing_was_saved_nothing_is_loaded(self, states: SweepStates) -> None:
        assert states.load() is None

    def test_older_files_are_removed(self, states: SweepStates) -> None:
        for sweeps in (1, 2, 3):
            states.save(make_state(sweeps))
        kept = {path.name for path in Path(states.folder).iterdir() if not path.name.startswith(".")}
        assert kept == {"state.json", "left-0003.npy", "right-0003.npy"}

    def test_the_state_of_other_settings_is_none_of_ours(self, spark: SparkSession, states: SweepStates) -> None:
        states.save(make_state(2))
        other = SweepStates(states.storage, states.folder, "another print")
        assert other.load() is None
        other.save(make_state(3))
        assert states.load() is None
        assert_same(other.load(), make_state(3))

    def test_what_is_discarded_is_ones_own(self, states: SweepStates) -> None:
        states.save(make_state(2))
        SweepStates(states.storage, states.folder, "another print").discard()
        assert_same(states.load(), make_state(2))
        states.discard()
        assert not Path(states.folder).exists()

    @pytest.mark.parametrize(
        "text",
        ["", "{", "[]", "{}", '{"identity": "print"}', '{"identity": "print", "files": {"left": "left-0002.npy"}}'],
    )
    def test_a_damaged_note_is_no_state(self, states: SweepStates, text: str) -> None:
        states.save(make_state(2))
        states.storage.write_text(f"{states.folder}/state.json", text)
        assert states.load() is None

    def test_reports_of_another_version_are_no_state(self, states: SweepStates) -> None:
        states.save(make_state(2))
        path = f"{states.folder}/state.json"
        note = json.loads(states.storage.read_text(path))
        note["reports"] = [report[:3] for report in note["reports"]]
        states.storage.write_text(path, json.dumps(note))
        assert states.load() is None

    @pytest.mark.parametrize(
        "length",
        [0, 5, 130, -9],
    )
    def test_a_side_that_was_cut_short_is_no_state(self, states: SweepStates, length: int) -> None:
        states.save(make_state(2))
        path = Path(states.folder, "left-0002.npy")
        states.storage.write_bytes(str(path), path.read_bytes()[:length])
        assert states.load() is None

    def test_a_side_that_is_lost_is_no_state(self, states: SweepStates) -> None:
        states.save(make_state(2))
        states.storage.delete(f"{states.folder}/right-0002.npy")
        assert states.load() is None

    @pytest.mark.parametrize("died_at", ["left", "right", "note"])
    def test_a_save_that_was_cut_short_leaves_the_state_before(
        self, states: SweepStates, monkeypatch: pytest.MonkeyPatch, died_at: str
    ) -> None:
        states.save(make_state(1))
        upload = Storage.upload

        def die(*_: object) -> None:
            raise KeyboardInterrupt

        def die_at_a_side(self: Storage, local: Path, path: str) -> None:
            if died_at in path:
                raise KeyboardInterrupt
            upload(self, local, path)

        monkeypatch.setattr(Storage, "upload", die_at_a_side)
        if died_at == "note":
            monkeypatch.setattr(Storage, "write_text", die)
        with pytest.raises(KeyboardInterrupt):
            states.save(make_state(2))
        monkeypatch.undo()
        assert_same(states.load(), make_state(1))
        states.save(make_state(3))
        assert len(list(Path(states.folder).glob("*.npy"))) == 2

    def test_a_save_of_other_settings_that_was_cut_short_leaves_no_mixture(
        self, states: SweepStates, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        states.save(make_state(2))
        other = SweepStates(states.storage, states.folder, "another print")
        upload = Storage.upload

        def die_at_the_second_side(self: Storage, local: Path, path: str) -> None:
            if "right" in path:
                raise KeyboardInterrupt
            upload(self, local, path)

        monkeypatch.setattr(Storage, "upload", die_at_the_second_side)
        state = make_state(2)
        with pytest.raises(KeyboardInterrupt):
            other.save(State(-state.left, -state.right, state.reports))
        monkeypatch.undo()
        assert states.load() is None


class KilledError(Exception):
    """What ends a run between two sweeps."""


@pytest.fixture(scope="module")
def until_pmi(run_stages: Callable, two_topics: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run's output before its vectors."""
    folder = tmp_path_factory.mktemp("until-pmi")
    (folder / "text.txt").write_text("\n".join(two_topics[:400]), encoding="utf-8")
    run_stages(folder / "out", [folder / "text.txt"], STAGES[:-1], OVERRIDES)
    return folder / "out"


@pytest.fixture(scope="module")
def whole(run_stages: Callable, until_pmi: Path) -> Path:
    """The output of a run that nothing stopped."""
    output = Path(shutil.copytree(until_pmi, until_pmi.parent / "whole"))
    run_stages(output, stages=["vectors"], overrides=OVERRIDES)
    return output


def kill_at(text: str) -> Callable[[str], None]:
    def die(note: str) -> None:
        if note.startswith(text):
            raise KilledError

    return die


class TestGoingOn:
    @pytest.mark.parametrize(
        ("killed_at", "done"), [("warm sweep 1", 1), ("weighted sweep 1", 3), ("weighted sweep 2", 4)]
    )
    def test_a_killed_run_goes_on_after_its_last_sweep_to_the_same_vectors(
        self, run_stages: Callable, until_pmi: Path, whole: Path, tmp_path: Path, killed_at: str, done: int
    ) -> None:
        killed = Path(shutil.copytree(until_pmi, tmp_path / "killed"))
        with pytest.raises(KilledError):
            run_stages(killed, stages=["vectors"], overrides=OVERRIDES, on_note=kill_at(killed_at))
        assert (killed / "vectors" / FOLDER / "state.json").exists()
        assert not (killed / "vectors" / "_manifest.json").exists()

        told = run_stages(killed, stages=["vectors"], overrides=OVERRIDES)
        going_on, *sweeps = told.notes
        assert f"going on after {done} sweeps" in going_on
        assert len(sweeps) == 4 - done
        found, expected = (load_vectors(str(output)) for output in (killed, whole))
        np.testing.assert_allclose(found.matrix, expected.matrix, atol=1e-6)
        facts = [read_artifact(str(output), "vectors")[1].facts["sweeps"] for output in (killed, whole)]
        for sweep, same in zip(*facts, strict=True):
            assert (sweep["phase"], sweep["sweep"]) == (same["phase"], same["sweep"])
            assert sweep["loss"] == (same["loss"] and pytest.approx(same["loss"], rel=1e-6))
        assert not (killed / "vectors" / FOLDER).exists()
        assert not (whole / "vectors" / FOLDER).exists()

    def test_under_other_settings_the_sweeps_start_from_the_beginning(
        self, run_stages: Callable, until_pmi: Path, tmp_path: Path
    ) -> None:
        killed = Path(shutil.copytree(until_pmi, tmp_path / "killed"))
        with pytest.raises(KilledError):
            run_stages(killed, stages=["vectors"], overrides=OVERRIDES, on_note=kill_at("warm sweep 2"))
        told = run_stages(killed, stages=["vectors"], overrides=[*OVERRIDES, "vectors.seed=2"])
        assert len(told.notes) == 4
        assert not any("going on" in note for note in told.notes)
        assert not (killed / "vectors" / FOLDER).exists()
