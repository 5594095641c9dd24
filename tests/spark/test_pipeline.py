"""Text to vectors, end to end: what is found, what is written down, what is run again, what a crash leaves."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pytest

from pmi_spark import __version__
from pmi_spark.artifacts import CORE_STAGES as STAGES
from pmi_spark.artifacts import DRAFT, MANIFEST_NAME, Artifacts, Manifest
from pmi_spark.errors import ConfigurationError, InputError, RunError
from pmi_spark.schemas import PAIRS, PMI, VOCABULARY
from pmi_spark.vectors.query import related_words, similar_words
from pmi_spark.vectors.store import load_vectors, read_artifact

OVERRIDES = ["vectors.dimensions=6", "vectors.held_out=0", "pairs.subsample=0", "pairs.files=4"]
TOPICS = ("sea", "law")


class Trained(NamedTuple):
    """A finished run: where it was written, what from, and what the run and the one after it told."""

    output: Path
    corpus: Path
    first: object
    second: object


@pytest.fixture(scope="module")
def trained(run_stages: Callable, two_topics: list[str], tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = tmp_path_factory.mktemp("two-topics")
    corpus, output = folder / "corpus", folder / "out"
    corpus.mkdir()
    for place in range(2):
        (corpus / f"{place}.txt").write_text("\n".join(two_topics[place::2]), encoding="utf-8")
    first, second = (run_stages(output, [corpus], overrides=OVERRIDES) for _ in range(2))
    return Trained(output, corpus, first, second)


@pytest.fixture
def copied(trained: Trained, tmp_path: Path) -> Path:
    """The finished run's output, to be harmed."""
    return Path(shutil.copytree(trained.output, tmp_path / "out"))


def manifest_of(output: Path, stage: str) -> Manifest:
    path = output / stage / MANIFEST_NAME
    return Manifest.from_json(path.read_text(encoding="utf-8"), str(path))


def table_of(output: Path, stage: str) -> pa.Table:
    """What a reader sees of an artifact."""
    return read_artifact(str(output), stage)[0]


def parts_on_disk(output: Path, stage: str) -> set[str]:
    folder = output / stage
    return {path.relative_to(folder).as_posix() for path in folder.rglob("part-*")}


def parts_in_manifest(output: Path, stage: str) -> set[str]:
    manifest = manifest_of(output, stage)
    return {part.name for part in manifest.files + manifest.side_files}


def assert_tidy(output: Path) -> None:
    for stage in STAGES:
        assert parts_on_disk(output, stage) == parts_in_manifest(output, stage)
    assert not [*output.rglob("_temporary"), *output.rglob(f"{DRAFT}*")]


class TestNeighbours:
    @pytest.mark.parametrize("ask", [similar_words, related_words])
    @pytest.mark.parametrize("topic", TOPICS)
    def test_a_words_neighbours_lie_in_its_topic(self, trained: Trained, ask: Callable, topic: str) -> None:
        vectors = load_vectors(str(trained.output))
        for number in range(0, 30, 3):
            found = [neighbour.word for neighbour in ask(vectors, f"{topic}{number}", top=15)]
            assert len(found) == 15
            assert all(word.startswith(topic) for word in found)

    def test_words_of_two_topics_that_never_met_are_estimated_below_chance(self, trained: Trained) -> None:
        vectors = load_vectors(str(trained.output))
        scores = {neighbour.word: neighbour.score for neighbour in related_words(vectors, "sea0", top=100)}
        assert max(scores[f"law{number}"] for number in range(30)) < 0
        assert min(scores[f"sea{number}"] for number in range(1, 30)) > 0


class TestManifests:
    def test_they_say_what_was_made_from_what_and_with_what(self, trained: Trained) -> None:
        for stage in STAGES:
            manifest = manifest_of(trained.output, stage)
            assert manifest.artifact == stage
            assert manifest.configuration["vectors"]["dimensions"] == 6
            assert set(manifest.configuration) >= set(STAGES)
            assert {"pmi_spark", "python", "numpy", "scipy", "pyarrow", "pyspark"} <= set(manifest.versions)
            assert manifest.versions["pmi_spark"] == __version__
            assert manifest.seconds > 0
            assert manifest.written_at.startswith("20")
            assert len(manifest.fingerprint) == 16

    def test_they_count_rows_and_bytes_of_every_file(self, trained: Trained) -> None:
        for stage in STAGES:
            manifest = manifest_of(trained.output, stage)
            rows = len(table_of(trained.output, stage))
            assert manifest.row_count == sum(part.row_count for part in manifest.files) == rows > 0
            for part in manifest.files:
                assert (trained.output / stage / part.name).stat().st_size == part.size_bytes

    def test_facts_agree_with_the_text(self, trained: Trained) -> None:
        tokens = manifest_of(trained.output, "tokens").facts
        assert (tokens["documents_read"], tokens["documents"], tokens["words"]) == (1600, 1600, 19200)
        vocabulary = manifest_of(trained.output, "vocabulary").facts
        assert (vocabulary["kept_words"], vocabulary["all_words"], vocabulary["coverage"]) == (19200, 19200, 1.0)
        vectors = manifest_of(trained.output, "vectors").facts
        assert vectors["cells"] == 2 * manifest_of(trained.output, "pmi").row_count
        settings = manifest_of(trained.output, "vectors").configuration["vectors"]
        phases = ["warm"] * settings["warm_sweeps"] + ["weighted"] * settings["sweeps"]
        assert [sweep["phase"] for sweep in vectors["sweeps"]] == phases
        assert [sweep["loss"] is None for sweep in vectors["sweeps"]] == [phase == "warm" for phase in phases]
        assert all(sweep["held_out_error"] is None for sweep in vectors["sweeps"])

    def test_upstream_is_the_input_then_the_fingerprints_of_what_was_read(self, trained: Trained) -> None:
        files = manifest_of(trained.output, "tokens").upstream["files"]
        assert [Path(path).name for path, _, _ in files] == ["0.txt", "1.txt"]
        assert [size for _, size, _ in files] == [path.stat().st_size for path in sorted(trained.corpus.iterdir())]
        upstream = {stage: manifest_of(trained.output, stage).upstream for stage in STAGES[1:]}
        prints = {stage: manifest_of(trained.output, stage).fingerprint for stage in STAGES}
        assert {stage: set(found) for stage, found in upstream.items()} == {
            "vocabulary": {"tokens"},
            "pairs": {"tokens", "vocabulary"},
            "pmi": {"vocabulary", "pairs"},
            "vectors": {"vocabulary", "pairs", "pmi"},
        }
        assert all(prints[name] == value for found in upstream.values() for name, value in found.items())

    def test_they_stand_in_readable_json_and_nothing_is_left_over(self, trained: Trained) -> None:
        text = (trained.output / "tokens" / MANIFEST_NAME).read_text(encoding="utf-8")
        assert json.loads(text)["artifact"] == "tokens"
        assert_tidy(trained.output)


class TestWhatIsRunAgain:
    def test_the_first_run_runs_and_the_second_skips_every_stage_and_says_so(self, trained: Trained) -> None:
        assert trained.first.stages("finished") == list(STAGES)
        assert trained.second.events == [("skipped", stage) for stage in STAGES]

    def test_a_setting_of_the_vectors_runs_the_vectors_alone(
        self, trained: Trained, copied: Path, run_stages: Callable
    ) -> None:
        told = run_stages(copied, [trained.corpus], overrides=[*OVERRIDES, "vectors.dimensions=4"])
        assert told.stages("skipped") == ["tokens", "vocabulary", "pairs", "pmi"]
        assert told.stages("finished") == ["vectors"]
        assert load_vectors(str(copied)).matrix.shape[1] == 4
        assert_tidy(copied)

    def test_a_setting_that_changes_no_byte_runs_nothing(
        self, trained: Trained, copied: Path, run_stages: Callable
    ) -> None:
        overrides = [*OVERRIDES, "pairs.memory=16", "vectors.blocks=3"]
        assert run_stages(copied, [trained.corpus], overrides=overrides).stages("skipped") == list(STAGES)

    def test_a_changed_input_file_runs_everything(self, trained: Trained, copied: Path, run_stages: Callable) -> None:
        changed = trained.corpus / "1.txt"
        before, times = changed.read_bytes(), changed.stat()
        try:
            changed.write_bytes(before + b"\nsea0 law0 sea0 law0 sea0\n")
            told = run_stages(copied, [trained.corpus], overrides=OVERRIDES)
        finally:
            changed.write_bytes(before)
            os.utime(changed, ns=(times.st_atime_ns, times.st_mtime_ns))
        assert told.stages("finished") == list(STAGES)
        assert manifest_of(copied, "tokens").facts["documents_read"] == 1601
        assert_tidy(copied)

    def test_a_file_rewritten_at_the_same_size_runs_the_tokens(
        self, run_stages: Callable, artifacts: Callable, tmp_path: Path
    ) -> None:
        text = tmp_path / "a.txt"
        for step, word in enumerate(("first", "other")):
            text.write_text(f"{word} word", encoding="utf-8")
            os.utime(text, (1e9 + step, 1e9 + step))
            assert run_stages(tmp_path / "out", [text], ["tokens"]).stages("finished") == ["tokens"]


class DiedError(Exception):
    """What a killed stage raises."""


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-9])


@pytest.fixture
def dying(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """``dying(stage)``: that stage dies after its files and before its manifest."""
    commit = Artifacts.commit

    def die_at(stage: str) -> None:
        def die(self: Artifacts, manifest: Manifest, scratch: Sequence[str]) -> None:
            if manifest.artifact == stage:
                raise DiedError(stage)
            commit(self, manifest, scratch)

        monkeypatch.setattr(Artifacts, "commit", die)

    yield die_at
    monkeypatch.undo()


class TestCrashes:
    @pytest.mark.parametrize("stage", ["pmi", "vectors"])
    def test_a_stage_that_died_leaves_the_former_artifact_and_the_next_run_repairs(
        self,
        trained: Trained,
        copied: Path,
        run_stages: Callable,
        dying: Callable,
        monkeypatch: pytest.MonkeyPatch,
        stage: str,
    ) -> None:
        before = table_of(copied, stage).sort_by("word_id")
        overrides = [*OVERRIDES, "pmi.context_smoothing=0.5"]
        dying(stage)
        with pytest.raises(DiedError):
            run_stages(copied, [trained.corpus], overrides=overrides)
        assert parts_on_disk(copied, stage) > parts_in_manifest(copied, stage)
        assert table_of(copied, stage).sort_by("word_id").equals(before)

        monkeypatch.undo()
        told = run_stages(copied, [trained.corpus], overrides=overrides)
        assert told.stages("finished") == list(STAGES[STAGES.index(stage) :])
        assert not table_of(copied, stage).sort_by("word_id").equals(before)
        assert_tidy(copied)

    @pytest.mark.parametrize("stage", ["tokens", "pairs"])
    def test_a_first_run_that_died_leaves_nothing_to_read_and_the_next_goes_on_from_there(
        self,
        trained: Trained,
        tmp_path: Path,
        run_stages: Callable,
        artifacts: Callable,
        dying: Callable,
        monkeypatch: pytest.MonkeyPatch,
        stage: str,
    ) -> None:
        output, stages = tmp_path / "out", STAGES[:3]
        dying(stage)
        with pytest.raises(DiedError):
            run_stages(output, [trained.corpus], stages, OVERRIDES)
        assert parts_on_disk(output, stage)
        with pytest.raises(InputError, match=f"no {stage} in"):
            artifacts(output).read(stage, VOCABULARY)
        with pytest.raises(InputError, match=f"no {stage} in"):
            table_of(output, stage)

        monkeypatch.undo()
        told = run_stages(output, [trained.corpus], stages, OVERRIDES)
        assert told.stages("skipped") == list(stages[: stages.index(stage)])
        assert told.stages("finished") == list(stages[stages.index(stage) :])
        for name in stages:
            assert parts_on_disk(output, name) == parts_in_manifest(output, name)

    @pytest.mark.parametrize("stage", ["vocabulary", "pmi"])
    def test_a_lost_manifest_is_missed_by_the_next_stage_and_made_again(
        self, trained: Trained, copied: Path, run_stages: Callable, stage: str
    ) -> None:
        (copied / stage / MANIFEST_NAME).unlink()
        with pytest.raises(InputError, match=f"no {stage} in .*`pmi-spark {stage}`"):
            run_stages(copied, stages=[STAGES[STAGES.index(stage) + 1]], overrides=OVERRIDES)
        told = run_stages(copied, [trained.corpus], overrides=OVERRIDES)
        assert told.stages("finished") == [stage]
        assert_tidy(copied)

    def test_a_manifest_that_is_none_is_refused(self, trained: Trained, copied: Path, run_stages: Callable) -> None:
        (copied / "pmi" / MANIFEST_NAME).write_text('{"artifact": "pmi"}', encoding="utf-8")
        with pytest.raises(RunError, match="is not a manifest"):
            run_stages(copied, [trained.corpus], overrides=OVERRIDES)

    @pytest.mark.parametrize(("stage", "harm"), [("tokens", cut_short), ("pairs", Path.unlink), ("vectors", cut_short)])
    def test_a_lost_or_cut_part_file_is_noticed_and_its_stage_made_again(
        self, trained: Trained, copied: Path, run_stages: Callable, stage: str, harm: Callable[[Path], object]
    ) -> None:
        before = table_of(trained.output, stage)
        name = min(parts_in_manifest(copied, stage))
        harm(copied / stage / name)
        told = run_stages(copied, [trained.corpus], overrides=OVERRIDES)
        assert told.stages("finished") == [stage]
        assert name not in parts_on_disk(copied, stage)
        assert table_of(copied, stage).equals(before)
        assert_tidy(copied)

    def test_files_a_dead_writer_left_are_swept_away(
        self, trained: Trained, copied: Path, run_stages: Callable
    ) -> None:
        draft = copied / "pmi" / f"{DRAFT}dead"
        (draft / "_temporary" / "0").mkdir(parents=True)
        (draft / "_temporary" / "0" / "part-00000").write_bytes(b"half")
        for stage in ("pmi", "vectors"):
            (copied / stage / "part-00000-stray.parquet").write_bytes(b"half")
        told = run_stages(copied, [trained.corpus], overrides=[*OVERRIDES, "pmi.context_smoothing=0.5"])
        assert told.stages("finished") == ["pmi", "vectors"]
        assert_tidy(copied)


class TestStagesAlone:
    @pytest.mark.parametrize(
        ("stage", "missing"),
        [("vocabulary", "tokens"), ("pairs", "tokens"), ("pmi", "vocabulary"), ("vectors", "vocabulary")],
    )
    def test_they_name_the_stage_they_wait_for(
        self, run_stages: Callable, tmp_path: Path, stage: str, missing: str
    ) -> None:
        with pytest.raises(InputError, match=f"no {missing} in .*run `pmi-spark {missing}` first"):
            run_stages(tmp_path / "out", stages=[stage])

    def test_one_by_one_they_make_what_a_whole_run_makes(
        self, trained: Trained, run_stages: Callable, tmp_path: Path
    ) -> None:
        output = tmp_path / "out"
        for stage in STAGES:
            run_stages(output, [trained.corpus] if stage == "tokens" else [], [stage], OVERRIDES)
        for stage in STAGES:
            assert manifest_of(output, stage).fingerprint == manifest_of(trained.output, stage).fingerprint
        alone, whole = load_vectors(str(output)), load_vectors(str(trained.output))
        assert alone.words == whole.words
        assert alone.matrix.tobytes() == whole.matrix.tobytes()

    def test_artifacts_that_do_not_belong_together_are_refused(self, copied: Path, run_stages: Callable) -> None:
        run_stages(copied, stages=["vocabulary"], overrides=[*OVERRIDES, "vocabulary.maximum_size=20"])
        for stage in ("pmi", "vectors"):
            with pytest.raises(InputError, match=r"pairs was made from other vocabulary .*`pmi-spark pairs` again"):
                run_stages(copied, stages=[stage], overrides=OVERRIDES)

    def test_a_later_stage_made_from_other_pairs_is_refused(self, copied: Path, run_stages: Callable) -> None:
        run_stages(copied, stages=["pairs"], overrides=[*OVERRIDES, "pairs.window=2"])
        with pytest.raises(InputError, match="pmi was made from other pairs"):
            run_stages(copied, stages=["vectors"], overrides=OVERRIDES)


class TestSettingsReachTheArtifacts:
    def test_least_pairs_unigram_marginals_and_measures(
        self, copied: Path, run_stages: Callable, artifacts: Callable
    ) -> None:
        before = table_of(copied, "pmi")
        least = float(np.median(before["pair_count"])) + 0.1
        asked = [f"pairs.minimum_count={least}", "pmi.marginals=unigram", "pmi.measures=npmi"]
        run_stages(copied, stages=["pairs", "pmi"], overrides=[*OVERRIDES, *asked])
        denominator = manifest_of(copied, "pairs").facts["denominator"]
        assert artifacts(copied).read("pairs", PAIRS).agg({"pair_count": "min"}).first()[0] >= least * denominator
        after = table_of(copied, "pmi")
        assert after.column_names == [*PMI.fieldNames(), "npmi"]
        assert 0 < len(after) < len(before)

    def test_an_unknown_measure_is_refused_before_any_work(self, run_stages: Callable, tmp_path: Path) -> None:
        with pytest.raises(ConfigurationError, match=r"pmi\.measures names lift"):
            run_stages(tmp_path / "out", [tmp_path], overrides=["pmi.measures=lift"])
