"""Text added under labels and taken out again: the counts are those of a run from scratch, to the last unit."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from pmi_spark.artifacts import CORE_STAGES, MANIFEST_NAME, Manifest
from pmi_spark.errors import ConfigurationError, InputError
from pmi_spark.increments import Change
from pmi_spark.stages import StageRuns
from pmi_spark.vectors.store import load_vectors, read_artifact

# Words are dropped, subsampled and turned into neighbours: every way in which a new word changes old counts.
SETTINGS = [
    "vocabulary.minimum_count=4",
    "pairs.subsample=0.02",
    "pairs.window=3",
    "vectors.dimensions=4",
    "vectors.held_out=0",
]
COUNTED = ("tokens", "vocabulary", "pairs")
DAYS = ("monday", "tuesday", "wednesday")


def write_days(folder: Path) -> dict[str, Path]:
    """Three days of text over words of a Zipf law, each day with words of its own that other days seldom have."""
    generator = random.Random(3)
    common = [f"word{rank}" for rank in range(60)]
    weights = [1 / (rank + 1) for rank in range(60)]
    days = {}
    for number, day in enumerate(DAYS):
        (folder / day).mkdir(parents=True)
        own = [f"{name}{place}" for place in range(12) for name in (DAYS[number], DAYS[(number + 1) % 3])]
        for shard in range(2):
            lines = []
            for _ in range(60):
                words = generator.choices(common, weights, k=12)
                words[generator.randrange(12)] = generator.choice(own)
                lines.append(" ".join(words))
            (folder / day / f"{shard}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
        days[day] = folder / day
    return days


def table(output: Path, name: str, side: bool = False) -> pa.Table:
    found = read_artifact(str(output), name, side=side)[0]
    keys = [column for column in ("word_id", "context_id", "word") if column in found.schema.names]
    columns = found.sort_by([(key, "ascending") for key in keys]).to_pydict()
    # Whether Spark says of a column that it may be null is not what is compared.
    return pa.table(columns)


def manifest(output: Path, stage: str) -> Manifest:
    path = output / stage / MANIFEST_NAME
    return Manifest.from_json(path.read_text(encoding="utf-8"), str(path))


def assert_same_counts(output: Path, scratch: Path) -> None:
    for name, side in (("vocabulary", False), ("vocabulary", True), ("pairs", False), ("pairs", True)):
        assert table(output, name, side).equals(table(scratch, name, side)), (name, side)


def labels(output: Path) -> list[str]:
    return [entry["label"] for entry in manifest(output, "tokens").facts["increments"]]


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return write_days(tmp_path_factory.mktemp("days"))


@pytest.fixture(scope="module")
def from_scratch(run_stages: Callable, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """A run over whole days with the vocabulary of another run."""

    def run(given: Path, inputs: list[Path]) -> Path:
        output = tmp_path_factory.mktemp("scratch") / "out"
        run_stages(output, inputs, COUNTED, [*SETTINGS, f"vocabulary.given={given}"])
        return output

    return run


@pytest.fixture(scope="module")
def appended(run_stages: Callable, days: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Monday, all stages; then tuesday and wednesday added, a run each."""
    output = tmp_path_factory.mktemp("appended") / "out"
    run_stages(output, [days["monday"]], CORE_STAGES, SETTINGS, change=Change("monday"))
    shutil.copytree(output, output.parent / "monday")
    for day in ("tuesday", "wednesday"):
        told = run_stages(output, [days[day]], CORE_STAGES, SETTINGS, change=Change(day))
        assert told.stages("finished") == list(CORE_STAGES)
        shutil.copytree(output, output.parent / day)
    return output


def test_counts_are_those_of_a_run_from_scratch_with_that_vocabulary(
    appended: Path, days: dict[str, Path], from_scratch: Callable[..., Path]
) -> None:
    assert labels(appended) == list(DAYS)
    assert_same_counts(appended, from_scratch(appended, list(days.values())))


def test_the_vocabulary_is_that_of_all_the_text_and_old_ids_stay(
    appended: Path, days: dict[str, Path], run_stages: Callable, tmp_path: Path
) -> None:
    run_stages(tmp_path / "out", list(days.values()), ("tokens", "vocabulary"), SETTINGS)
    whole, grown = table(tmp_path / "out", "vocabulary"), table(appended, "vocabulary")
    columns = ["word", "word_count", "document_count"]
    counts = [found.select(columns).sort_by("word") for found in (whole, grown)]
    assert counts[0].equals(counts[1])
    for day, later in (("monday", "tuesday"), ("tuesday", "wednesday")):
        before, after = (table(appended.parent / name, "vocabulary")["word"].to_pylist() for name in (day, later))
        assert len(before) < len(after)
        assert after[: len(before)] == before


def test_only_new_text_is_cut_and_counted(appended: Path) -> None:
    before, after = (manifest(appended.parent / day, "tokens") for day in ("monday", "wednesday"))
    assert set(before.files) < set(after.files)
    assert after.facts["documents"] == 3 * before.facts["documents"] == 360
    assert after.facts["words"] == sum(entry["facts"]["words"] for entry in after.facts["increments"])


def test_a_label_taken_out_leaves_the_counts_of_the_others(
    appended: Path, days: dict[str, Path], run_stages: Callable, from_scratch: Callable[..., Path], tmp_path: Path
) -> None:
    output = shutil.copytree(appended, tmp_path / "out")
    told = run_stages(output, (), CORE_STAGES, SETTINGS, change=Change("tuesday", retires=True))
    assert told.stages("finished") == ["vocabulary", "pairs", "tokens", "pmi", "vectors"]
    assert labels(output) == ["monday", "wednesday"]
    assert manifest(output, "tokens").facts["retired"] == ["tuesday"]
    assert_same_counts(output, from_scratch(output, [days["monday"], days["wednesday"]]))
    again = run_stages(output, (), CORE_STAGES, SETTINGS, change=Change("tuesday", retires=True))
    assert again.stages("finished") == []
    run_stages(output, [days["tuesday"]], CORE_STAGES, SETTINGS, change=Change("tuesday"))
    assert labels(output) == ["monday", "wednesday", "tuesday"]
    for name in ("word_count", "document_count"):
        assert table(output, "vocabulary")[name].equals(table(appended, "vocabulary")[name])
    assert table(output, "pairs").equals(table(appended, "pairs"))


def test_vectors_are_refitted_in_the_space_of_the_old_ones(appended: Path) -> None:
    before, after = (load_vectors(str(appended.parent / day)) for day in ("tuesday", "wednesday"))
    assert (
        manifest(appended, "vectors").upstream["refits"] == manifest(appended.parent / "tuesday", "vectors").fingerprint
    )
    size = len(before.words)
    assert after.words[:size] == before.words
    old, new = before.unit_matrix, after.unit_matrix[:size]
    assert float(np.median(np.sum(old * new, axis=1))) > 0.8


@pytest.mark.parametrize("stage", ["tokens", "vocabulary", "pairs", "pmi"])
def test_an_append_that_died_goes_on_where_it_was(
    appended: Path, days: dict[str, Path], run_stages: Callable, tmp_path: Path, stage: str
) -> None:
    output = shutil.copytree(appended.parent / "monday", tmp_path / "out")
    done = CORE_STAGES[: CORE_STAGES.index(stage) + 1]
    run_stages(output, [days["tuesday"]], done, SETTINGS, change=Change("tuesday"))
    told = run_stages(output, [days["tuesday"]], CORE_STAGES, SETTINGS, change=Change("tuesday"))
    assert told.stages("skipped") == list(done)
    assert_same_counts(output, appended.parent / "tuesday")


@pytest.mark.parametrize("stage", ["vocabulary", "pairs"])
def test_a_retirement_that_died_goes_on_where_it_was(
    appended: Path, run_stages: Callable, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, stage: str
) -> None:
    output = shutil.copytree(appended.parent / "tuesday", tmp_path / "out")
    build = StageRuns.build

    def dies(self: StageRuns, name: str, *rest: object) -> object:
        if name == ("pairs" if stage == "vocabulary" else "tokens"):
            raise KeyboardInterrupt
        return build(self, name, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(StageRuns, "build", dies)
        with pytest.raises(KeyboardInterrupt):
            run_stages(output, (), CORE_STAGES, SETTINGS, change=Change("tuesday", retires=True))
    assert labels(output) == ["monday", "tuesday"]
    told = run_stages(output, (), CORE_STAGES, SETTINGS, change=Change("tuesday", retires=True))
    assert stage in told.stages("skipped")
    assert labels(output) == ["monday"]
    assert (
        table(output, "vocabulary")["word_count"].to_pylist()[:5]
        == (table(appended.parent / "monday", "vocabulary")["word_count"].to_pylist()[:5])
    )


def test_stages_that_missed_two_days_take_in_both(
    appended: Path, days: dict[str, Path], run_stages: Callable, from_scratch: Callable[..., Path], tmp_path: Path
) -> None:
    output = shutil.copytree(appended.parent / "monday", tmp_path / "out")
    for day in ("tuesday", "wednesday"):
        run_stages(output, [days[day]], ("tokens",), SETTINGS, change=Change(day))
    told = run_stages(output, (), ("vocabulary", "pairs"), SETTINGS)
    assert any("240 documents added, 120 documents kept" in note for note in told.notes)
    assert_same_counts(output, from_scratch(output, list(days.values())))


def test_a_table_that_left_pairs_out_is_counted_anew(
    days: dict[str, Path], run_stages: Callable, from_scratch: Callable[..., Path], tmp_path: Path
) -> None:
    settings = [*SETTINGS, "pairs.minimum_count=2"]
    run_stages(tmp_path / "out", [days["monday"]], COUNTED, settings)
    told = run_stages(tmp_path / "out", [days["tuesday"]], COUNTED, settings, change=Change("tuesday"))
    assert any("counted anew from all text" in note for note in told.notes)
    full = from_scratch(tmp_path / "out", [days["monday"], days["tuesday"]])
    assert table(tmp_path / "out", "pairs", side=True).equals(table(full, "pairs", side=True))
    kept = table(full, "pairs").filter(pa.compute.greater_equal(table(full, "pairs")["pair_count"], 6))
    assert table(tmp_path / "out", "pairs").equals(kept)


def test_a_pairs_table_is_laid_out_in_other_files_without_counting_again(
    appended: Path, run_stages: Callable, tmp_path: Path
) -> None:
    output = shutil.copytree(appended.parent / "monday", tmp_path / "out")
    told = run_stages(output, (), ("pairs",), [*SETTINGS, "pairs.files=3"])
    assert told.stages("finished") == ["pairs"]
    assert told.notes == []
    assert len(manifest(output, "pairs").files) == 3
    assert_same_counts(output, appended.parent / "monday")


def test_text_whose_tokens_are_lost_is_cut_again_before_a_label_is_taken_out(
    appended: Path, days: dict[str, Path], run_stages: Callable, from_scratch: Callable[..., Path], tmp_path: Path
) -> None:
    output = shutil.copytree(appended.parent / "tuesday", tmp_path / "out")
    (output / "tokens" / manifest(output, "tokens").files[0].name).unlink()
    with pytest.raises(InputError, match="tokens lost files of the label monday, so counts cannot be adjusted"):
        run_stages(output, (), CORE_STAGES, SETTINGS, change=Change("tuesday", retires=True))
    run_stages(output, [days["monday"]], COUNTED, SETTINGS, change=Change("monday"))
    run_stages(output, (), COUNTED, SETTINGS, change=Change("tuesday", retires=True))
    assert_same_counts(output, from_scratch(output, [days["monday"]]))


class TestRefusals:
    def test_a_shard_that_was_added_before(self, appended: Path, days: dict[str, Path], run_stages: Callable) -> None:
        with pytest.raises(InputError, match=r"0\.txt was added before, under the label monday"):
            run_stages(appended, [days["monday"]], CORE_STAGES, SETTINGS, change=Change("thursday"))

    def test_a_label_that_is_taken(self, appended: Path, days: dict[str, Path], run_stages: Callable) -> None:
        with pytest.raises(InputError, match="the label monday is there already, for 2 other files"):
            run_stages(appended, [days["tuesday"]], CORE_STAGES, SETTINGS, change=Change("monday"))

    def test_a_label_that_is_not_there(self, appended: Path, run_stages: Callable) -> None:
        with pytest.raises(InputError, match="there is no label friday; the last ones there are monday, tuesday, wed"):
            run_stages(appended, (), CORE_STAGES, SETTINGS, change=Change("friday", retires=True))

    def test_a_run_that_would_throw_labels_out(
        self, appended: Path, days: dict[str, Path], run_stages: Callable
    ) -> None:
        with pytest.raises(InputError, match="holds 3 labels, monday, tuesday, wednesday the last"):
            run_stages(appended, [days["monday"]], CORE_STAGES, SETTINGS)

    def test_other_settings_for_the_new_text(self, appended: Path, days: dict[str, Path], run_stages: Callable) -> None:
        with pytest.raises(ConfigurationError, match=r"was cut with other \[tokens\] or \[input\] settings"):
            run_stages(
                appended, [days["monday"]], CORE_STAGES, [*SETTINGS, "tokens.lower=false"], change=Change("thursday")
            )

    def test_phrases(self, appended: Path, days: dict[str, Path], run_stages: Callable) -> None:
        with pytest.raises(ConfigurationError, match="phrases are found in all text at once"):
            run_stages(appended, [days["monday"]], CORE_STAGES, [*SETTINGS, "phrases.passes=1"], change=Change("x"))


def test_a_dry_run_tells_what_an_append_would_do(
    appended: Path, days: dict[str, Path], plan_stages: Callable, tmp_path: Path
) -> None:
    output = appended.parent / "monday"
    plans = plan_stages(output, [days["tuesday"]], SETTINGS, Change("tuesday"))
    assert plans[0] == ("tokens", "input files: 2 new")
    assert plans[1] == ("vocabulary", "what it is made from is changed")
    assert all(reason == "" for _, reason in plan_stages(output, [days["monday"]], SETTINGS, Change("monday")))
