"""Answers written by Spark: a folder of Parquet anywhere, with a manifest like an artifact's, named by the user."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from pmi_spark import __version__
from pmi_spark.artifacts import Artifacts, Manifest
from pmi_spark.errors import InputError
from pmi_spark.output_lock import OutputLock
from pmi_spark.storage import Storage, escape_glob


class AnswerFolder:
    """One folder that a question's answer is written to: its manifest comes last and names its files.

    Raises InputError when the folder holds what no question wrote.
    """

    def __init__(self, spark: SparkSession, to: str) -> None:
        storage = Storage(spark)
        parent, _, self._name = storage.resolve(to).rstrip("/").rpartition("/")
        if not self._name:
            raise InputError(f"--to {to} names no folder", cure="name one")
        self._artifacts = Artifacts(spark, storage, parent)
        self._folder = self._artifacts.folder(self._name)
        if self.manifest() is None and any(not entry.is_hidden for entry in storage.children(self._folder)):
            raise InputError(f"{to} holds something else", cure="give --to a new or empty folder")
        if storage.exists(self._folder) and not storage.is_directory(self._folder):
            raise InputError(f"{to} is a file", cure="give --to a new or empty folder")

    def manifest(self) -> Manifest | None:
        """What an earlier answer says of itself."""
        return self._artifacts.manifest(self._name)

    def holds(self, fingerprint: str) -> bool:
        """Is this answer there already, whole?"""
        return self._artifacts.has_whole(self._name, fingerprint)

    def paths(self) -> list[str]:
        """The files of the answer there is."""
        return [escape_glob(path) for path in self._artifacts.paths(self._name)]

    @contextmanager
    def held(self) -> Iterator[None]:
        """Nobody else writes to it meanwhile; TryAgainError where someone does."""
        with OutputLock(self._artifacts.storage, self._folder).held():
            yield

    def write(
        self,
        rows: DataFrame,
        fingerprint: str,
        configuration: dict[str, Any],
        upstream: dict[str, Any],
        facts: dict[str, Any],
    ) -> Manifest:
        """Run the frame, write its rows, publish them and remove what was there before."""
        start = time.monotonic()
        files = self._artifacts.write_files(self._name, rows, rows.schema)
        manifest = Manifest(
            artifact=self._name,
            fingerprint=fingerprint,
            row_count=sum(part.row_count for part in files),
            files=files,
            configuration=configuration,
            upstream=upstream,
            facts=facts,
            versions={"pmi_spark": __version__},
            seconds=round(time.monotonic() - start, 3),
            written_at=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        self._artifacts.commit(manifest)
        return manifest
