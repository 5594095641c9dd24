"""One writer an output directory."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from pmi_spark.errors import TryAgainError
from pmi_spark.output_lock import LOCK_NAME, Holder, OutputLock
from pmi_spark.storage import Storage


@pytest.fixture
def lock(spark: SparkSession, tmp_path: Path) -> OutputLock:
    return OutputLock(Storage(spark), f"{tmp_path}/out")


@pytest.fixture
def second(spark: SparkSession, tmp_path: Path) -> OutputLock:
    return OutputLock(Storage(spark), f"{tmp_path}/out")


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir() if not entry.name.endswith(".crc"))


def test_the_second_run_is_told_who_holds_it_since_when(lock, second, tmp_path) -> None:
    with lock.held():
        holder = Holder.from_json((tmp_path / "out" / LOCK_NAME).read_text())
        with pytest.raises(TryAgainError) as refused, second.held():
            pass
        assert f"process {holder.process} on {holder.host}, since {holder.since}" in str(refused.value)
        assert refused.value.exit_status == 75
        lock.check()
    assert not (tmp_path / "out").exists()
    with second.held():
        second.check()


def test_a_dead_holders_lock_is_taken(lock, tmp_path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    dead = dataclasses.replace(Holder.of_this_process(), process=ended.pid)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / LOCK_NAME).write_text(dead.to_json())
    (tmp_path / "out" / f"{LOCK_NAME}.left").write_text("by a run that was killed while it took the lock")
    with lock.held():
        lock.check()
        assert names(tmp_path / "out") == [LOCK_NAME]


def test_what_no_run_wrote_holds_nothing(lock, tmp_path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / LOCK_NAME).write_text("{")
    with lock.held():
        lock.check()


def test_of_many_runs_that_see_a_dead_one_one_goes_on(spark, tmp_path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    (tmp_path / "out").mkdir()
    dead = dataclasses.replace(Holder.of_this_process(), machine="another", beat=0.0)
    (tmp_path / "out" / LOCK_NAME).write_text(dead.to_json())
    locks = [OutputLock(Storage(spark), f"{tmp_path}/out") for _ in range(8)]

    def take(lock: OutputLock) -> bool:
        try:
            lock._take()
        except TryAgainError:
            return False
        return True

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(take, locks)) == 1
    assert names(tmp_path / "out") == [LOCK_NAME]


def test_a_run_whose_lock_was_taken_publishes_nothing(run_stages, two_topics, tmp_path, monkeypatch) -> None:
    text = tmp_path / "text.txt"
    text.write_text("\n".join(two_topics), encoding="utf-8")
    real = OutputLock.check

    def taken(self: OutputLock) -> None:
        other = json.loads((tmp_path / "out" / LOCK_NAME).read_text()) | {"token": "another"}
        (tmp_path / "out" / LOCK_NAME).write_text(json.dumps(other))
        (tmp_path / "out" / f".{LOCK_NAME}.crc").unlink(missing_ok=True)
        real(self)

    monkeypatch.setattr(OutputLock, "check", taken)
    with pytest.raises(TryAgainError, match="another run took"):
        run_stages(tmp_path / "out", [text])
    assert not (tmp_path / "out/tokens/_manifest.json").exists()
    assert (tmp_path / "out" / LOCK_NAME).exists()
