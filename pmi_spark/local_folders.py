"""Folders for passing files on this machine, which are removed at the latest by the next run that needs one."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows, where what killed runs leave is not found again
    fcntl = None  # type: ignore[assignment]

PREFIX = "pmi_spark-"


@contextmanager
def passing_folder() -> Iterator[Path]:
    """A new folder in the system's own for temporary files, gone when the block ends.

    A run that is killed leaves its folder, and in it up to a side of the factors. Each owner holds a lock on its
    folder, which ends with the process: the next one knows those that have no owner any more, and removes them.
    """
    _remove_abandoned()
    while True:
        folder = tempfile.mkdtemp(prefix=PREFIX)
        lock = os.open(folder, os.O_RDONLY)
        _lock(lock, wait=True)
        # Before the lock was there, another run may have taken the folder for an abandoned one.
        if Path(folder).exists():
            break
        os.close(lock)
    try:
        yield Path(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def _remove_abandoned() -> None:
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        try:
            lock = os.open(folder, os.O_RDONLY | os.O_NOFOLLOW)
        except OSError:
            # Another user's, or gone.
            continue
        try:
            if _lock(lock, wait=False):
                shutil.rmtree(folder, ignore_errors=True)
        finally:
            os.close(lock)


def _lock(folder: int, wait: bool) -> bool:
    """Lock an open folder; False when another process has, and without ``wait``, or when no one can say."""
    if fcntl is None:  # pragma: no cover
        return False
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        return False
    return True
