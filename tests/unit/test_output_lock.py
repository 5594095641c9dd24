"""Who holds an output directory, told from the lock's text alone."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pmi_spark.output_lock import DEAD_SECONDS, Holder, OutputLock, process_start
from pmi_spark.publication import link_new


@pytest.fixture
def own() -> Holder:
    return Holder.of_this_process()


def test_this_process_lives(own: Holder) -> None:
    assert not own.is_dead(own.beat)


def test_a_process_that_ended_is_dead_at_once(own: Holder) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    # Before anyone asks for its status it still has its number.
    time.sleep(0.5)
    holder = dataclasses.replace(own, process=ended.pid)
    assert holder.is_dead(own.beat)
    ended.wait()
    assert holder.is_dead(own.beat)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="the system does not say when a process began")
def test_another_process_of_the_same_number_is_not_taken_for_it(own: Holder) -> None:
    assert dataclasses.replace(own, process_start=f"{int(own.process_start) - 1}").is_dead(own.beat)


def test_a_process_of_another_machine_is_dead_when_it_is_silent(own: Holder) -> None:
    elsewhere = dataclasses.replace(own, machine="another", process=2**22 + 1)
    assert not elsewhere.is_dead(own.beat + DEAD_SECONDS)
    assert elsewhere.is_dead(own.beat + DEAD_SECONDS + 1)


def test_it_is_read_as_it_was_written(own: Holder) -> None:
    assert Holder.from_json(own.to_json()) == own


@pytest.mark.parametrize("text", ["", "{", "[1]", "null", '{"token": "t"}', '{"token": 1, "other": 2}'])
def test_what_no_run_wrote_names_no_holder(text: str) -> None:
    assert Holder.from_json(text) is None


def test_the_start_of_a_process_is_its_own() -> None:
    assert process_start(os.getpid()) == process_start(os.getpid())
    assert process_start(2**22 + 1) is None


class Renewed:
    """A storage whose lock is empty for a moment, as ABFS has it."""

    def __init__(self, *contents: bytes | None) -> None:
        self._contents = list(contents)

    def read_if_there(self, path: str) -> bytes | None:
        return self._contents.pop(0)


def test_a_lock_that_is_being_renewed_is_not_taken_for_none(own: Holder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    lock = OutputLock(Renewed(b"", b"", own.to_json().encode()), "out")  # type: ignore[arg-type]
    assert lock._holder() == own


def test_a_lock_that_stays_empty_names_no_holder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    assert OutputLock(Renewed(*[b""] * 9), "out")._holder() is None  # type: ignore[arg-type]
    assert OutputLock(Renewed(b"", None), "out")._holder() is None  # type: ignore[arg-type]


def test_a_file_is_linked_whole_and_once(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert link_new(path, b"first")
    assert not link_new(path, b"second")
    assert path.read_bytes() == b"first"
    assert [entry.name for entry in tmp_path.iterdir()] == ["lock"]
