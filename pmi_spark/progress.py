"""What a person sees while a run works: one line a stage, on standard error."""

from __future__ import annotations

from rich.console import Console
from rich.status import Status

from pmi_spark.artifacts import Manifest

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


class ConsoleReporter:
    """Prints each stage's outcome; on a terminal a spinner shows what is under way, elsewhere plain lines alone."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._status: Status | None = None

    def started(self, stage: str) -> None:
        if self._console.is_terminal:
            self._status = self._console.status(f"{stage} ...")
            self._status.start()
        else:
            self._print(f"{stage:<11} started")

    def note(self, stage: str, text: str) -> None:
        if self._status is not None:
            self._status.update(f"{stage}: {text}")
        if self._status is None or "sweep" not in text:
            self._print(f"{stage:<11} {text}")

    def finished(self, stage: str, manifest: Manifest) -> None:
        self.stop()
        facts = [f"{manifest.facts[key]:,} {name}" for key, name in _SHOWN_FACTS if key in manifest.facts]
        rows = f"{manifest.row_count:,} {_ROW_NAMES[stage]}"
        self._print(f"{stage:<11} {manifest.seconds:7.1f} s  {', '.join([rows, *facts])}")

    def skipped(self, stage: str, manifest: Manifest) -> None:
        self._print(f"{stage:<11} skipped: already made from this input and configuration at {manifest.written_at}")

    def stop(self) -> None:
        """Take the spinner off the screen; also when a stage was cut short."""
        if self._status is not None:
            self._status.stop()
            self._status = None

    def _print(self, line: str) -> None:
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)
