"""What the Python workers below this process hold in memory, and how long each Spark task took."""

from __future__ import annotations

import os
import statistics
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

SAMPLE_SECONDS = 0.02
# Adding up a process's pages takes the kernel 10 ms a GB.
TREE_SAMPLE_SECONDS = 0.5


class PeakMemory:
    """The greatest of a figure (MB) that is read again and again while the block runs."""

    def __init__(self, read_mb: Callable[[], float], every_seconds: float) -> None:
        self.peak_mb = 0.0
        self._read_mb = read_mb
        self._every_seconds = every_seconds
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> PeakMemory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(self._every_seconds):
            self.peak_mb = max(self.peak_mb, self._read_mb())


def worker_memory() -> PeakMemory:
    """Resident memory of the largest of this process's Python workers."""
    root = os.getpid()
    return PeakMemory(
        lambda: max((resident_mb(process) for process in descendants(root) if is_worker(process)), default=0.0),
        SAMPLE_SECONDS,
    )


def process_memory(process: int) -> PeakMemory:
    """Resident memory of one process."""
    return PeakMemory(lambda: resident_mb(process), SAMPLE_SECONDS)


def tree_memory(root: int) -> PeakMemory:
    """Proportional set sizes summed over a process and all below it: a page that k share is counted once."""
    return PeakMemory(lambda: sum(map(proportional_mb, [root, *descendants(root)])), TREE_SAMPLE_SECONDS)


def descendants(root: int) -> Iterator[int]:
    """Process ids below a process."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        children.setdefault(parent, []).append(int(folder.name))
    waiting = [root]
    while waiting:
        found = children.get(waiting.pop(), [])
        waiting += found
        yield from found


def is_worker(process: int) -> bool:
    """Is it one of Spark's Python workers?"""
    try:
        return "pyspark.daemon" in Path(f"/proc/{process}/cmdline").read_text()
    except OSError:
        return False


def resident_mb(process: int) -> float:
    """Resident memory of a process, what it maps included; 0 when it has just ended."""
    try:
        pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def proportional_mb(process: int) -> float:
    """A process's resident memory, a page that k processes share counted as 1 / k; 0 when it has just ended."""
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("Pss:")), 0.0)


class SparkStages:
    """Spark's own record of the stages that ran since this was made."""

    def __init__(self, spark: SparkSession) -> None:
        self._context: Any = spark.sparkContext
        self._store = self._context._jsc.sc().statusStore()
        self._before = {stage.stageId() for stage in self._stages()}

    def _stages(self) -> list[Any]:
        none = self._context._gateway.new_array(self._context._jvm.double, 0)
        found = self._store.stageList(None, False, False, none, None)
        return [found.apply(index) for index in range(found.size())]

    def summary(self) -> dict[str, Any]:
        """Bytes shuffled, and of each stage that took a second or more: its tasks, the median and longest of them."""
        ran = [stage for stage in self._stages() if stage.stageId() not in self._before]
        return {
            "shuffle_bytes": sum(stage.shuffleWriteBytes() for stage in ran),
            "stages": [self._tasks(stage) for stage in ran if stage.executorRunTime() >= 1000],
        }

    def _tasks(self, stage: Any) -> dict[str, Any]:
        tasks = self._store.taskList(stage.stageId(), stage.attemptId(), 100_000)
        seconds = sorted(tasks.apply(index).duration().get() / 1000 for index in range(tasks.size()))
        return {
            "name": stage.name().partition(" ")[0],
            "tasks": len(seconds),
            "task_seconds": round(sum(seconds), 1),
            "median_task_seconds": round(statistics.median(seconds), 2),
            "longest_task_seconds": round(seconds[-1], 2),
        }
