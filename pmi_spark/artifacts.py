"""Artifacts: one Parquet table a stage and the manifest that vouches for it.

``OUTPUT/<name>/part-*.parquet`` holds the rows, ``OUTPUT/<name>/_manifest.json`` names the files. The manifest is
written last and readers open nothing it does not name, so a stage that died leaves nothing that anyone reads, and
the previous artifact stays whole until its successor is complete.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pmi_spark.errors import InputError, RunError

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.types import StructType

    from pmi_spark.storage import Storage

MANIFEST_NAME = "_manifest.json"
STAGES = ("tokens", "vocabulary", "pairs", "pmi", "vectors")


@dataclass(frozen=True)
class PartFile:
    """One Parquet file of an artifact."""

    name: str
    size_bytes: int
    row_count: int


@dataclass(frozen=True)
class Manifest:
    """What an artifact is made of and where it came from."""

    artifact: str
    fingerprint: str
    row_count: int
    files: tuple[PartFile, ...]
    configuration: dict[str, Any]
    upstream: dict[str, Any]
    facts: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    written_at: str = ""

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self), indent=1, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str, where: str) -> Manifest:
        """Raises RunError when the text is not a manifest of this version."""
        try:
            values = json.loads(text)
            values["files"] = tuple(PartFile(**entry) for entry in values["files"])
            return cls(**values)
        except (ValueError, TypeError, KeyError) as error:
            raise RunError(
                f"{where} is not a manifest: {error}", cure="delete its folder and run the stage again"
            ) from error


def fingerprint(*parts: Any) -> str:
    """SHA-256 (first 16 hex digits) of the parts' canonical JSON: equal inputs and settings, equal fingerprint.

    >>> fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1})
    True
    """
    text = json.dumps(parts, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()[:16]


class Artifacts:
    """The artifacts of one output directory."""

    def __init__(self, spark: SparkSession, storage: Storage, output: str) -> None:
        self._spark = spark
        self._storage = storage
        self.output = output.rstrip("/") or "/"

    def folder(self, name: str) -> str:
        return f"{self.output}/{name}"

    def refuse_foreign(self) -> None:
        """InputError when the output directory, or a stage's folder in it, holds what no stage wrote."""
        cure = "give --output a new or empty directory, or one that an earlier run made"
        for entry in self._storage.children(self.output):
            if entry.is_hidden:
                continue
            if not (entry.is_directory and entry.name in STAGES):
                raise InputError(f"{self.output} holds something else: {entry.name}", cure)
            for inside in self._storage.children(entry.path):
                if not (inside.is_hidden or inside.name.startswith("part-")):
                    raise InputError(f"{self.output}/{entry.name} holds something else: {inside.name}", cure)

    def manifest(self, name: str) -> Manifest | None:
        """The manifest of an artifact, or None when there is no complete one."""
        path = f"{self.folder(name)}/{MANIFEST_NAME}"
        if not self._storage.exists(path):
            return None
        return Manifest.from_json(self._storage.read_text(path), where=path)

    def has_whole(self, name: str, fingerprint: str) -> bool:
        """Is there an artifact of this fingerprint, with every file its manifest names, at its size?"""
        found = self.manifest(name)
        if found is None or found.fingerprint != fingerprint:
            return False
        sizes = {entry.name: entry.size_bytes for entry in self._storage.children(self.folder(name))}
        return all(sizes.get(part.name) == part.size_bytes for part in found.files)

    def require(self, name: str) -> Manifest:
        """The manifest of an artifact that a later stage needs; InputError says which stage makes it."""
        found = self.manifest(name)
        if found is None:
            raise InputError(
                f"no {name} in {self.output}", cure=f"run `pmi-spark {name}` first, or `pmi-spark run` for all stages"
            )
        return found

    def read(self, name: str, schema: StructType) -> DataFrame:
        """The artifact's rows: the files its manifest names, the columns of ``schema``."""
        manifest = self.require(name)
        paths = [f"{self.folder(name)}/{part.name}" for part in manifest.files]
        return self._spark.read.parquet(*paths).select(*schema.fieldNames())

    def write_files(self, name: str, frame: DataFrame, schema: StructType) -> tuple[PartFile, ...]:
        """Run the frame and write its rows beside what is there; nobody reads them before :meth:`commit`.

        Raises RunError when the frame's columns are not the schema's (further columns may follow).
        """
        _check_columns(name, frame, schema)
        folder = self.folder(name)
        self._storage.delete(f"{folder}/_temporary")
        before = {entry.name for entry in self._storage.children(folder)}
        frame.write.mode("append").parquet(folder)
        sizes = {
            entry.name: entry.size_bytes
            for entry in self._storage.children(folder)
            if entry.name.startswith("part-") and entry.name not in before
        }
        rows = self._count_rows([f"{folder}/{file_name}" for file_name in sizes])
        return tuple(PartFile(file_name, size, rows.get(file_name, 0)) for file_name, size in sorted(sizes.items()))

    def _count_rows(self, paths: list[str]) -> dict[str, int]:
        if not paths:
            return {}
        counts = self._spark.read.parquet(*paths).groupBy("_metadata.file_name").count()
        return {row["file_name"]: row["count"] for row in counts.collect()}

    def commit(self, manifest: Manifest) -> None:
        """Publish an artifact: write its manifest, then remove the files it does not name."""
        folder = self.folder(manifest.artifact)
        self._storage.write_text(f"{folder}/{MANIFEST_NAME}", manifest.to_json())
        named = {part.name for part in manifest.files}
        for entry in self._storage.children(folder):
            if entry.name == "_SUCCESS" or (entry.name.startswith("part-") and entry.name not in named):
                self._storage.delete(entry.path)


def _check_columns(name: str, frame: DataFrame, schema: StructType) -> None:
    have = [(entry.name, entry.dataType.simpleString()) for entry in frame.schema][: len(schema)]
    want = [(entry.name, entry.dataType.simpleString()) for entry in schema]
    if have != want:
        raise RunError(f"{name} would have columns {have}, not {want}", cure="this is a defect: please report it")
