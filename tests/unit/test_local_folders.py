"""Passing folders, those of dead processes among them."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from pmi_spark.local_folders import PREFIX, passing_folder

HOLD = """
import sys, time
from pmi_spark.local_folders import passing_folder
with passing_folder() as folder:
    (folder / "side.npy").write_bytes(b"x")
    print(folder, flush=True)
    time.sleep(60)
"""


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


def test_a_folder_is_gone_with_its_block(temporary: Path) -> None:
    with passing_folder() as folder:
        assert folder.parent == temporary
        (folder / "file").write_text("x")
    assert list(temporary.iterdir()) == []


def test_those_of_killed_processes_are_removed_and_those_of_living_ones_are_not(temporary: Path) -> None:
    holders = [subprocess.Popen([sys.executable, "-c", HOLD], stdout=subprocess.PIPE, text=True) for _ in range(2)]
    folders = [Path(holder.stdout.readline().strip()) for holder in holders]  # type: ignore[union-attr]
    try:
        holders[0].send_signal(signal.SIGKILL)
        holders[0].wait()
        assert (folders[0] / "side.npy").exists()
        with passing_folder() as own:
            assert set(temporary.iterdir()) == {own, folders[1]}
            with passing_folder() as second:
                assert set(temporary.iterdir()) == {own, folders[1], second}
    finally:
        holders[1].kill()
        holders[1].wait()
    with passing_folder() as own:
        assert set(temporary.iterdir()) == {own}


def test_what_is_no_folder_of_ours_stays(temporary: Path) -> None:
    (temporary / "other").mkdir()
    (temporary / f"{PREFIX}link").symlink_to(temporary / "other")
    with passing_folder():
        pass
    assert sorted(path.name for path in temporary.iterdir()) == ["other", f"{PREFIX}link"]
