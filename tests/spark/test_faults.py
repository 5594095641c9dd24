"""What befalls a run from outside: files that change while they are read, a full disk, a directory made read-only."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from pmi_spark.artifacts import CORE_STAGES, Artifacts, Manifest
from pmi_spark.cli import main
from pmi_spark.errors import PmiSparkError
from pmi_spark.output_lock import LOCK_NAME, Holder
from pmi_spark.tokens_stage import TokensStage

SETTINGS = ["vectors.dimensions=4", "vectors.warm_sweeps=1", "vectors.sweeps=1", "pairs.files=2"]
SETTINGS += ["vocabulary.minimum_count=1", "pairs.subsample=0"]


def change(path: Path) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write("\none more line\n")


def touch(path: Path) -> None:
    os.utime(path, (1e9, 1e9))


@pytest.fixture
def corpus(tmp_path: Path, two_topics: list[str]) -> Path:
    """Three shards."""
    folder = tmp_path / "corpus"
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}.txt").write_text("\n".join(two_topics[number::3]), encoding="utf-8")
    return folder


class TestShards:
    """A shard changes or vanishes after the run has listed it."""

    @pytest.fixture(params=["before it is read", "after it was read"])
    def harmed(self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Callable:
        """``harmed(path, harm)``: do it in the next run."""
        build = TokensStage.build

        def arrange(path: Path, harm: Callable[[Path], None]) -> None:
            def build_and_harm(self: TokensStage, paths: list[str]) -> object:
                if "before" in request.param:
                    harm(path)
                    return build(self, paths)
                built = build(self, paths)
                harm(path)
                return built

            monkeypatch.setattr(TokensStage, "build", build_and_harm)

        return arrange

    @pytest.mark.parametrize("harm", [change, touch, Path.unlink])
    def test_tokens_of_a_mixture_are_not_published(
        self, run_stages: Callable, corpus: Path, tmp_path: Path, harmed: Callable, harm: Callable
    ) -> None:
        harmed(corpus / "1.txt", harm)
        with pytest.raises(PmiSparkError, match=r"corpus/1\.txt"):
            run_stages(tmp_path / "out", [corpus], ["tokens"])
        assert not (tmp_path / "out" / "tokens" / "_manifest.json").exists()

    def test_the_same_command_reads_what_is_there_then(
        self, run_stages: Callable, corpus: Path, tmp_path: Path, harmed: Callable, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        harmed(corpus / "1.txt", change)
        with pytest.raises(PmiSparkError, match=r"1\.txt changed while it was read; run the same command again"):
            run_stages(tmp_path / "out", [corpus], ["tokens"])
        monkeypatch.undo()
        run_stages(tmp_path / "out", [corpus], ["tokens"])
        manifest = json.loads((tmp_path / "out" / "tokens" / "_manifest.json").read_text())
        assert manifest["row_count"] == 1601
        assert len(list((tmp_path / "out" / "tokens").glob("part-*"))) == len(manifest["files"])

    def test_files_that_come_meanwhile_are_the_next_runs(
        self, run_stages: Callable, corpus: Path, tmp_path: Path, harmed: Callable
    ) -> None:
        harmed(corpus / "3.txt", lambda path: path.write_text("new words"))
        told = run_stages(tmp_path / "out", [corpus], ["tokens"])
        assert told.stages("finished") == ["tokens"]


def test_a_shard_that_vanishes_is_left_out_on_demand_and_said_so(
    run_stages: Callable, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    documents = TokensStage._documents

    def lose(self: TokensStage, layouts: dict) -> object:
        (corpus / "1.txt").unlink(missing_ok=True)
        return documents(self, layouts)

    monkeypatch.setattr(TokensStage, "_documents", lose)
    told = run_stages(tmp_path / "out", [corpus], ["tokens"], ["tokens.on_bad_shard=skip"])
    assert any("left out file:" in note and "1.txt" in note for note in told.notes)
    facts = json.loads((tmp_path / "out" / "tokens" / "_manifest.json").read_text())["facts"]
    assert facts["skipped_shards"] == [f"file:{corpus}/1.txt"]


def mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True, capture_output=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MB in memory, which takes a superuser to make."""
    folder = tmp_path / "disk"
    folder.mkdir()
    try:
        mount("-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder))
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no right to mount a file system")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def at_commit(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Callable[[], None]], None]:
    """``at_commit(stage, act)``: act as soon as the stage is published."""
    commit = Artifacts.commit

    def arrange(stage: str, act: Callable[[], None]) -> None:
        def commit_and_act(self: Artifacts, manifest: Manifest, scratch: Sequence[str]) -> None:
            commit(self, manifest, scratch)
            if manifest.artifact == stage:
                act()

        monkeypatch.setattr(Artifacts, "commit", commit_and_act)

    return arrange


def run(corpus: Path, output: Path) -> int:
    overrides = [part for setting in SETTINGS for part in ("--set", setting)]
    return main(["run", "--input", str(corpus), "--output", str(output), *overrides])


def end_holder(lock: Path) -> None:
    """What was run in this process has ended, as a command has, and could not remove its lock."""
    holder = Holder.from_json(lock.read_text())
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    lock.write_text(dataclasses.replace(holder, process=ended.pid).to_json())


def assert_goes_on(corpus: Path, output: Path, done: tuple[str, ...], run_stages: Callable, digests: Callable) -> None:
    """The same command finishes, does nothing again, and gives what an undisturbed run gives."""
    before = {stage: (output / stage / "_manifest.json").read_text() for stage in done}
    assert run(corpus, output) == 0
    assert {stage: (output / stage / "_manifest.json").read_text() for stage in done} == before
    elsewhere = output.parent.parent / "elsewhere"
    run_stages(elsewhere, [corpus], overrides=SETTINGS)
    for stage in CORE_STAGES:
        assert digests(output / stage) == digests(elsewhere / stage)
    assert {path.name for path in output.iterdir()} == {path.name for path in elsewhere.iterdir()}


def failure(capsys: pytest.CaptureFixture[str], corpus: Path, output: Path) -> str:
    """The line in which a run says that it failed."""
    assert run(corpus, output) == 1
    *_, line = capsys.readouterr().err.splitlines()
    assert line.startswith("pmi-spark: the run failed: ")
    return line


@pytest.mark.parametrize("stage", ["tokens", "vectors"])
def test_a_disk_that_fills_up_is_one_line_and_the_run_goes_on_when_there_is_room(
    spark: SparkSession,
    run_stages: Callable,
    digests: Callable,
    corpus: Path,
    disk: Path,
    at_commit: Callable,
    capsys: pytest.CaptureFixture[str],
    stage: str,
) -> None:
    ballast = disk / "ballast"

    def fill() -> None:
        free = os.statvfs(disk)
        ballast.write_bytes(bytes((free.f_bavail - 1) * free.f_bsize))

    if stage == "tokens":
        fill()
    else:
        at_commit("pmi", fill)
    line = failure(capsys, corpus, disk / "out")
    assert "No space left on device" in line
    assert line.endswith("run the same command again, finished stages are kept")
    ballast.unlink()
    done = CORE_STAGES[: CORE_STAGES.index(stage)]
    assert_goes_on(corpus, disk / "out", done, run_stages, digests)


def test_a_directory_made_read_only_is_one_line_and_the_run_goes_on_when_it_may_write_again(
    spark: SparkSession,
    run_stages: Callable,
    digests: Callable,
    corpus: Path,
    disk: Path,
    at_commit: Callable,
    capsys: pytest.CaptureFixture[str],
) -> None:
    at_commit("vocabulary", lambda: mount("-o", "remount,ro", str(disk)))
    line = failure(capsys, corpus, disk / "out")
    assert "Read-only file system" in line
    mount("-o", "remount,rw", str(disk))
    end_holder(disk / "out" / LOCK_NAME)
    assert_goes_on(corpus, disk / "out", ("tokens", "vocabulary"), run_stages, digests)


def test_metrics_that_a_killed_run_had_not_written_are_written_when_its_stage_is_skipped(
    run_stages: Callable, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(self: Artifacts, manifest: Manifest) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Artifacts, "tidy", die)
    with pytest.raises(KeyboardInterrupt):
        run_stages(tmp_path / "out", [corpus], ["tokens"])
    monkeypatch.undo()
    assert not (tmp_path / "out" / "_metrics.json").exists()
    assert run_stages(tmp_path / "out", [corpus], ["tokens"]).stages("skipped") == ["tokens"]
    assert list(json.loads((tmp_path / "out" / "_metrics.json").read_text())) == ["tokens"]
