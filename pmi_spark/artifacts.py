"""Artifacts: one Parquet table a stage and the manifest that vouches for it.

``OUTPUT/<name>/part-*.parquet`` holds the rows, ``OUTPUT/<name>/_manifest.json`` names the files. The manifest is
written last and readers open nothing it does not name, so a stage that died leaves nothing that anyone reads, and
the previous artifact stays whole until its successor is complete.

Spark's workers write to a draft, a hidden folder of that one write, and its files are then moved one by one. A task
that was given up, or belongs to a run that was killed, may commit minutes later, under some committers into the folder
that it was given: that is its own draft, from which nothing is taken any more. No step relies on a folder's rename, nor
on what a committer promises: files and rows must be as many as Spark's tasks wrote.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from pmi_spark.errors import InputError, RunError
from pmi_spark.local_folders import passing_folder
from pmi_spark.parquet_files import FILES_READ, MAGIC, ParquetEncoder, arrow_schema, decode_row_groups
from pmi_spark.storage import escape_glob, list_glob

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from pyspark import RDD
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.types import StructType

    from pmi_spark.storage import FileStatus, Storage

MANIFEST_NAME = "_manifest.json"
TASK_BYTES = 128 << 20
# spark.files.openCostInBytes, at its default.
OPEN_COST_BYTES = 4 << 20
DRAFT = "_draft-"
STAGES = ("tokens", "phrases", "vocabulary", "pairs", "pmi", "vectors")
# Those of every run; phrases is left out unless its configuration asks for it.
CORE_STAGES = tuple(stage for stage in STAGES if stage != "phrases")


@dataclass(frozen=True)
class PartFile:
    """One Parquet file of an artifact."""

    name: str
    size_bytes: int
    row_count: int


@dataclass(frozen=True)
class Manifest:
    """What an artifact is made of and where it came from.

    ``side_files`` are a second, smaller table of the stage, in a folder whose name starts with an underscore.
    """

    artifact: str
    fingerprint: str
    row_count: int
    files: tuple[PartFile, ...]
    configuration: dict[str, Any]
    upstream: dict[str, Any]
    side_files: tuple[PartFile, ...] = ()
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
            for group in ("files", "side_files"):
                values[group] = tuple(PartFile(**entry) for entry in values[group])
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

    @property
    def storage(self) -> Storage:
        """Where they lie, for scratch files beside them."""
        return self._storage

    def beside(self, output: str) -> Artifacts:
        """Those of another output directory."""
        return Artifacts(self._spark, self._storage, self._storage.resolve(output))

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
        text = self._storage.read_if_there(path)
        # An empty one was about to be written, on a store that shows a file before it is whole.
        return Manifest.from_json(text.decode("utf-8"), where=path) if text else None

    def has_whole(self, name: str, fingerprint: str) -> bool:
        """Is there an artifact of this fingerprint, with every file its manifest names, at its size?"""
        found = self.manifest(name)
        return found is not None and found.fingerprint == fingerprint and not self.missing_parts(found)

    def missing_parts(self, manifest: Manifest) -> set[str]:
        """The files that a manifest names and that are not there, or of another size."""
        sizes = {
            name_in_folder: entry.size_bytes
            for place in _places(manifest)
            for name_in_folder, entry in self._parts(manifest.artifact, place).items()
        }
        parts = manifest.files + manifest.side_files
        return {part.name for part in parts if sizes.get(part.name) != part.size_bytes}

    def manifests(self) -> list[Manifest]:
        """Those of all complete artifacts, in the order of the stages; ones that cannot be read are passed over."""
        found = []
        for name in STAGES:
            with suppress(RunError):
                found.append(self.manifest(name))
        return [manifest for manifest in found if manifest is not None]

    def _parts(self, name: str, place: str) -> dict[str, FileStatus]:
        """The Parquet files in an artifact's folder, or in a side folder of it, by their name from the artifact's."""
        children = self._storage.children(f"{self.folder(name)}/{place}" if place else self.folder(name))
        prefix = f"{place}/" if place else ""
        return {f"{prefix}{entry.name}": entry for entry in children if _is_part(entry)}

    def require(self, name: str) -> Manifest:
        """The manifest of an artifact that a later stage needs; InputError says which stage makes it."""
        found = self.manifest(name)
        if found is None:
            raise InputError(
                f"no {name} in {self.output}", cure=f"run `pmi-spark {name}` first, or `pmi-spark run` for all stages"
            )
        return found

    def read(self, name: str, schema: StructType, side: bool = False) -> DataFrame:
        """The artifact's rows, or its side table's: the files its manifest names, the columns of ``schema``."""
        manifest = self.require(name)
        parts = manifest.side_files if side else manifest.files
        paths = [escape_glob(f"{self.folder(name)}/{part.name}") for part in parts]
        if not paths:
            return self._spark.createDataFrame([], schema)
        return self._spark.read.parquet(*paths).select(*schema.fieldNames())

    def read_table(self, name: str, schema: StructType, side: bool = False) -> pa.Table:
        """The artifact's rows, or its side table's, on the driver and without a Spark job: for what fits it anyway."""
        manifest = self.require(name)
        tables: list[pa.Table] = []
        for part in manifest.side_files if side else manifest.files:
            path = f"{self.folder(name)}/{part.name}"
            content = self._storage.read_bytes(path)
            tables += decode_row_groups(path, content, arrow_schema(schema), row_count=part.row_count)
        return pa.concat_tables(tables)

    def write_tables(self, name: str, tables: Iterable[pa.Table], side: str = "") -> tuple[PartFile, ...]:
        """Write tables that the driver holds, a file each, as :meth:`write_files` does from the workers.

        With ``side`` they are the side table's. Each is encoded to a local file first and handed over whole.
        """
        parts = []
        for number, table in enumerate(tables):
            encoder = ParquetEncoder(table.schema)
            encoder.add(table)
            file_name = f"part-{number:05d}-{uuid.uuid4()}.parquet"
            file_name = f"{side}/{file_name}" if side else file_name
            with passing_folder() as folder:
                local = folder / "table.parquet"
                with local.open("wb") as file:
                    file.write(encoder.finish())
                    file.write(MAGIC.encode())
                self._storage.upload(local, f"{self.folder(name)}/{file_name}")
                parts.append(PartFile(file_name, local.stat().st_size, len(table)))
        return tuple(parts)

    def read_files(self, name: str, only: Collection[str] | None = None) -> DataFrame:
        """The artifact's files as they are, one a row (``path string, content binary``), for workers to decode.

        With ``only`` those of these paths, of which there is at least one.
        """
        paths = [escape_glob(path) for path in (self.paths(name) if only is None else only)]
        return self._spark.read.format("binaryFile").load(paths).select(*FILES_READ)

    def stream_files(self, name: str, only: Collection[str] | None = None) -> RDD[tuple[str, bytes]]:
        """As :meth:`read_files` for the RDD API, (path, content) a file: not pickled, which costs 20 ns a byte.

        ``only`` may name none. Files that the manifest does not name may come too; the caller knows :meth:`paths`. A
        task gets files of 128 MB, or a quarter of a core's share where that is less.
        """
        context = self._spark.sparkContext
        sizes = dict(zip(self.paths(name), (part.size_bytes for part in self.require(name).files), strict=True))
        chosen = sizes.keys() if only is None else sizes.keys() & set(only)
        if not chosen:
            return context.parallelize([], 1)
        # One listing of the folder; naming every file would be a call to the file system each.
        everything = len(chosen) == len(sizes)
        patterns = [list_glob(self.folder(name)) + "/part-*"] if everything else [list_glob(path) for path in chosen]
        total = sum(sizes[path] for path in chosen)
        share = min(TASK_BYTES, total // (4 * context.defaultParallelism) + 1)
        # Spark adds the cost of opening each file before it divides by the partitions asked for, but fills them by
        # their bytes alone: a hundred small files would all go to one task.
        return context.binaryFiles(",".join(patterns), -(-(total + OPEN_COST_BYTES * len(chosen)) // share))

    def paths(self, name: str) -> dict[str, int]:
        """The artifact's files, as the file system spells them, and how many rows each has."""
        folder = self._storage.qualify(self.folder(name))
        return {f"{folder}/{part.name}": part.row_count for part in self.require(name).files}

    def write_files(self, name: str, frame: DataFrame, schema: StructType, side: str = "") -> tuple[PartFile, ...]:
        """Run the frame and write its rows beside what is there; nobody reads them before :meth:`commit`.

        With ``side``, a folder's name, they are the side table's. Raises RunError when the frame's columns are not the
        schema's (further columns may follow).
        """
        _check_columns(name, frame, schema)
        return self._write(name, frame, lambda rows, draft: rows.write.parquet(draft), sum, side)

    def write_encoded(self, name: str, files: DataFrame) -> tuple[PartFile, ...]:
        """As :meth:`write_files`, of Parquet files that the workers encoded: a frame of ``file binary``.

        Each goes as it is through Spark's text sink, which ends it with the magic number.
        """
        lines = files.selectExpr("cast(file AS string)")
        as_they_are: dict[str, str | int] = {"lineSep": MAGIC, "maxRecordsPerFile": 1, "compression": "none"}
        return self._write(name, lines, lambda rows, draft: rows.write.options(**as_they_are).text(draft), len)

    def _write(
        self,
        name: str,
        frame: DataFrame,
        write: Callable[[DataFrame, str], None],
        count: Callable[[Sequence[int]], int],
        side: str = "",
    ) -> tuple[PartFile, ...]:
        """Write a frame to a draft and move its files into the artifact's folder; 10 ms a file on a local disk.

        On an object store a move is a copy within the store, as many bytes as the artifact has, several files at a
        time. ``count`` makes of the files' row counts what the frame's rows must be. Raises RunError when they are not,
        or when a file has another size after its move.
        """
        from pyspark.sql import Observation
        from pyspark.sql import functions as F

        self._sweep_drafts(name)
        folder, place, written = self.folder(name), f"{side}/" if side else "", Observation()
        draft = f"{folder}/{DRAFT}{uuid.uuid4().hex}"
        write(frame.observe(written, F.count(F.lit(1)).alias("rows")), draft)
        # Spark's text sink writes an empty file where the first partition has no rows.
        drafted = [entry for entry in self._storage.children(draft) if _is_part(entry) and entry.size_bytes]
        sizes = {f"{place}{_parquet_name(entry.name)}": entry.size_bytes for entry in drafted}
        self._storage.rename({e.path: f"{folder}/{path}" for e, path in zip(drafted, sizes, strict=True)})
        self._storage.delete(draft)
        moved = {path: entry for path, entry in self._parts(name, side).items() if path in sizes}
        if {path: entry.size_bytes for path, entry in moved.items()} != sizes:
            raise RunError(f"files of {folder} are not as they were written", cure="run the same command again")
        rows = self._storage.parquet_row_counts([entry.path for entry in moved.values()])
        if count(list(rows.values())) != written.get.get("rows", 0):
            raise RunError(
                f"{folder} has {count(list(rows.values()))} rows or files, where {written.get['rows']} were written",
                cure="run the same command again, or set the committer that the store's documentation asks for",
            )
        return tuple(PartFile(path, sizes[path], rows[moved[path].path]) for path in sorted(sizes))

    def _sweep_drafts(self, name: str) -> None:
        for entry in self._storage.children(self.folder(name)):
            if entry.is_directory and entry.name.startswith(DRAFT):
                self._storage.delete(entry.path)

    def commit(self, manifest: Manifest, scratch: Sequence[str] = ()) -> None:
        """Publish an artifact: write its manifest, then remove the files it does not name and the scratch folders."""
        self._storage.write_text(f"{self.folder(manifest.artifact)}/{MANIFEST_NAME}", manifest.to_json())
        for place in scratch:
            self._storage.delete(f"{self.folder(manifest.artifact)}/{place}")
        self.tidy(manifest)

    def tidy(self, manifest: Manifest) -> None:
        """Remove drafts and files that a published manifest does not name: what a run leaves that is killed by then."""
        name = manifest.artifact
        named = {part.name for part in manifest.files + manifest.side_files}
        self._sweep_drafts(name)
        for place in _places(manifest):
            for path, entry in self._parts(name, place).items():
                if path not in named:
                    self._storage.delete(entry.path)


def _places(manifest: Manifest) -> list[str]:
    """The folders of an artifact: its own, and the side table's."""
    return ["", *sorted({part.name.rpartition("/")[0] for part in manifest.side_files})]


def _is_part(entry: FileStatus) -> bool:
    return entry.name.startswith("part-")


def _parquet_name(name: str) -> str:
    """The name of a Parquet file that Spark's sink took for something else.

    >>> _parquet_name("part-00000-c000.txt"), _parquet_name("part-00000-c000.zstd.parquet")
    ('part-00000-c000.parquet', 'part-00000-c000.zstd.parquet')
    """
    return f"{name.removesuffix('.parquet').removesuffix('.txt')}.parquet"


def _check_columns(name: str, frame: DataFrame, schema: StructType) -> None:
    have = [(entry.name, entry.dataType.simpleString()) for entry in frame.schema][: len(schema)]
    want = [(entry.name, entry.dataType.simpleString()) for entry in schema]
    if have != want:
        raise RunError(f"{name} would have columns {have}, not {want}", cure="this is a defect: please report it")
