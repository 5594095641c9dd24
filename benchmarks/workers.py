"""What the Python workers below this process hold in memory, and how long each Spark task took."""

from __future__ import annotations

import os
import statistics
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

SAMPLE_SECONDS = 0.02


class WorkerMemory:
    """Peak resident memory of the largest of this process's Python workers (MB), sampled from /proc."""

    def __init__(self) -> None:
        self.peak_mb = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> WorkerMemory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(SAMPLE_SECONDS):
            for process in descendants(os.getpid()):
                self.peak_mb = max(self.peak_mb, resident_mb(process))


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


def resident_mb(process: int) -> float:
    """Resident memory of a Python worker; 0 for any other process, and for one that has just ended."""
    try:
        if "pyspark.daemon" not in Path(f"/proc/{process}/cmdline").read_text():
            return 0.0
        pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


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
