"""What is seen while a run works, on standard error: a line a stage and a moving bar for people, JSON for machines."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from pmi_spark.artifacts import Manifest

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# Facts worth a place on a stage's line, with their words.
_SHOWN_FACTS = (
    ("words", "words"),
    ("phrases", "phrases"),
    ("kept_words", "occurrences kept"),
    ("blocks", "blocks"),
    ("dimensions", "dimensions"),
)
_ROW_NAMES = {
    "tokens": "documents",
    "phrases": "documents",
    "vocabulary": "words",
    "pairs": "pairs",
    "pmi": "pairs",
    "vectors": "vectors",
}


# A stage's tasks that Spark knows of so far: those done, and all.
CountTasks = Callable[[str], tuple[int, int]]
POLL_SECONDS = 0.5


def spark_tasks(spark: SparkSession) -> CountTasks:
    """Asks Spark's status tracker for the jobs of a stage's group; stages that Spark passed over are not counted."""
    tracker = spark.sparkContext.statusTracker()

    def count(stage: str) -> tuple[int, int]:
        jobs = [tracker.getJobInfo(job) for job in tracker.getJobIdsForGroup(stage)]
        stages = [tracker.getStageInfo(number) for job in jobs if job is not None for number in job.stageIds]
        begun = [found for found in stages if found is not None and found.numActiveTasks + found.numCompletedTasks]
        return sum(found.numCompletedTasks for found in begun), sum(found.numTasks for found in begun)

    return count


class _Rate(ProgressColumn):
    """Tasks a second."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:.1f} tasks/s" if task.speed else "")


class StageBar:
    """One stage's bar on a terminal: tasks done of those known so far, their rate, the time left for them."""

    def __init__(self, console: Console, stage: str, count_tasks: CountTasks) -> None:
        columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), _Rate(), TimeRemainingColumn()
        self._progress = Progress(*columns, console=console, transient=True)
        self._bar = self._progress.add_task(stage, total=None)
        self._stage = stage
        self._count_tasks = count_tasks
        self._ended = threading.Event()
        self._poll = threading.Thread(target=self._follow, name="pmi_spark progress", daemon=True)
        self._progress.start()
        self._poll.start()

    def describe(self, text: str) -> None:
        """Show a text beside the stage's name."""
        self._progress.update(self._bar, description=f"{self._stage}: {text}")

    def stop(self) -> None:
        """Take it off the screen."""
        self._ended.set()
        self._poll.join()
        self._progress.stop()

    def _follow(self) -> None:
        while not self._ended.wait(POLL_SECONDS):
            try:
                done, known = self._count_tasks(self._stage)
            except Exception:
                # Spark is on its way out; whoever waits for its result will say so.
                return
            self._progress.update(self._bar, completed=done, total=known or None)


class ConsoleReporter:
    """Prints each stage's outcome; on a terminal a bar shows what is under way, elsewhere plain lines alone."""

    def __init__(self, console: Console, count_tasks: CountTasks = lambda stage: (0, 0)) -> None:
        self._console = console
        self._count_tasks = count_tasks
        self._bar: StageBar | None = None

    def started(self, stage: str) -> None:
        if self._console.is_terminal:
            self._bar = StageBar(self._console, stage, self._count_tasks)
        else:
            self._print(f"{stage:<11} started")

    def note(self, stage: str, text: str) -> None:
        if self._bar is not None:
            self._bar.describe(text)
        if self._bar is None or "sweep" not in text:
            self._print(f"{stage:<11} {text}")

    def finished(self, stage: str, manifest: Manifest) -> None:
        self.stop()
        facts = [f"{manifest.facts[key]:,} {name}" for key, name in _SHOWN_FACTS if key in manifest.facts]
        rows = f"{manifest.row_count:,} {_ROW_NAMES[stage]}"
        self._print(f"{stage:<11} {manifest.seconds:7.1f} s  {', '.join([rows, *facts])}")

    def skipped(self, stage: str, manifest: Manifest) -> None:
        self._print(f"{stage:<11} skipped: already made from this input and configuration at {manifest.written_at}")

    def stop(self) -> None:
        """Take the bar off the screen; also when a stage was cut short."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _print(self, line: str) -> None:
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)


class JsonReporter:
    """One JSON object a line, for machines: ``time`` (UTC), ``event``, ``stage``, and what the event tells."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def started(self, stage: str) -> None:
        self._print("started", stage)

    def note(self, stage: str, text: str) -> None:
        self._print("note", stage, text=" ".join(text.split()))

    def finished(self, stage: str, manifest: Manifest) -> None:
        self._print("finished", stage, seconds=manifest.seconds, rows=manifest.row_count, facts=manifest.facts)

    def skipped(self, stage: str, manifest: Manifest) -> None:
        self._print("skipped", stage, rows=manifest.row_count, written_at=manifest.written_at)

    def stop(self) -> None:
        """Nothing is left open."""

    def _print(self, event: str, stage: str, **details: Any) -> None:
        self._console.print(log_line(event, stage=stage, **details), markup=False, highlight=False, soft_wrap=True)


def log_line(event: str, **details: Any) -> str:
    """An event as a JSON object on one line."""
    time = datetime.now(UTC).isoformat(timespec="milliseconds")
    return json.dumps({"time": time, "event": event, **details}, ensure_ascii=False)
