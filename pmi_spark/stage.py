"""What every stage gives, and whom it tells."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

from pmi_spark.artifacts import Manifest, PartFile


class Reporter(Protocol):
    """Who is told how the run goes."""

    def started(self, stage: str) -> None: ...
    def note(self, stage: str, text: str) -> None: ...
    def finished(self, stage: str, manifest: Manifest) -> None: ...
    def skipped(self, stage: str, manifest: Manifest) -> None: ...


class Built(NamedTuple):
    """What a stage wrote, not yet published: its files, and what its manifest should say besides.

    ``scratch`` are folders of the artifact that are of no use once it is published.
    """

    files: tuple[PartFile, ...]
    facts: dict[str, Any]
    side_files: tuple[PartFile, ...] = ()
    scratch: tuple[str, ...] = ()
