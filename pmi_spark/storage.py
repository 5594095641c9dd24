"""Files on whatever file system Spark reaches (local, HDFS, object stores), through Hadoop's FileSystem."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pmi_spark.errors import InputError, RunError
from pmi_spark.publication import choose_publisher, read_if_there, resolve_mounts, write_whole

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pyspark.sql import SparkSession

    from pmi_spark.publication import Publisher


@dataclass(frozen=True, order=True)
class FileStatus:
    """One file or folder: absolute path, size in bytes, modification time in milliseconds since 1970."""

    path: str
    size_bytes: int
    modified_ms: int
    is_directory: bool

    @property
    def name(self) -> str:
        return self.path.rstrip("/").rpartition("/")[2]

    @property
    def is_hidden(self) -> bool:
        """Spark, Hadoop and pyarrow all pass over names that start with an underscore or a dot."""
        return self.name.startswith(("_", "."))


# Calls to the file system under way at the same time, where there is one for every file.
AT_ONCE = 8
GLOB_CHARACTERS = re.compile(r"[\\{}\[\]*?]")


def escape_glob(path: str) -> str:
    r"""A path that Hadoop's globbing takes literally.

    >>> print(escape_glob("part[1].txt"))
    part\[1\].txt
    """
    return GLOB_CHARACTERS.sub(lambda found: "\\" + found.group(), path)


def list_glob(path: str) -> str:
    r"""A path as :func:`escape_glob` gives it, fit for a list that is split at commas outside of braces.

    Neither can be escaped there; ? stands for any one character.

    >>> print(list_glob("a,b{c}[1]"))
    a?b?c?\[1\]
    """
    return re.sub(r",|\\[{}]", "?", escape_glob(path))


def columns_of_message(message: str) -> dict[str, str]:
    r"""The columns of a Parquet schema as its library prints it; a text is ``string``, other types have its own names.

    >>> columns_of_message("message m {\n  optional binary text (STRING);\n  required int64 id = 2;\n}")
    {'text': 'string', 'id': 'int64'}
    """
    # Columns stand at the first level; what is within a group is indented further.
    found = re.findall(
        r"^  (required|optional|repeated) (\S+) (.+?)(?: \(([^()]*)(?:\(.*\))?\))?(?: = \d+)?(?:;| \{)$", message, re.M
    )
    return {
        name: "string" if annotation in ("STRING", "UTF8", "ENUM", "JSON") and often != "repeated" else kind
        for often, kind, name, annotation in found
    }


class Storage:
    """The few file operations the pipeline needs. Every call is one round trip to the file system."""

    def __init__(self, spark: SparkSession) -> None:
        context: Any = spark.sparkContext
        self._hadoop = context._jvm.org.apache.hadoop
        self._parquet = context._jvm.org.apache.parquet
        self._new_array = context._gateway.new_array
        self._configuration = context._jsc.hadoopConfiguration()
        self._publishers: dict[str, tuple[Publisher, str]] = {}

    def _open(self, path: str) -> tuple[Any, Any]:
        hadoop_path = self._hadoop.fs.Path(path)
        return hadoop_path, hadoop_path.getFileSystem(self._configuration)

    def resolve(self, path: str) -> str:
        """A relative path against this process's folder, where the default file system is the local one.

        The JVM would take the folder it was started in; on a cluster a relative path is the file system's affair.
        """
        local = str(self._hadoop.fs.FileSystem.getDefaultUri(self._configuration)).startswith("file:")
        return str(Path.cwd() / path) if local and ":" not in path and not path.startswith("/") else path

    def qualify(self, path: str) -> str:
        """A path with its scheme and host, as listings and Spark spell it."""
        hadoop_path, system = self._open(path)
        return str(system.makeQualified(hadoop_path).toString())

    def exists(self, path: str) -> bool:
        hadoop_path, system = self._open(path)
        return bool(system.exists(hadoop_path))

    def is_directory(self, path: str) -> bool:
        """Is it a folder? False when there is nothing."""
        hadoop_path, system = self._open(path)
        return bool(system.exists(hadoop_path) and system.getFileStatus(hadoop_path).isDirectory())

    def children(self, path: str) -> list[FileStatus]:
        """What lies directly in a folder, sorted by path; empty when it does not exist."""
        hadoop_path, system = self._open(path)
        if not system.exists(hadoop_path):
            return []
        return sorted(_status(entry) for entry in system.listStatus(hadoop_path))

    def find_files(self, pattern: str) -> list[FileStatus]:
        """Files that a path, folder or glob stands for, folders walked whole, sorted by path.

        Names that start with an underscore or a dot are left out unless the path itself is one. Raises InputError when
        nothing matches.
        """
        if self.exists(pattern):
            return sorted(self._walk(self._status(pattern)))
        hadoop_path, system = self._open(pattern)
        matches = [entry for entry in map(_status, system.globStatus(hadoop_path) or []) if not entry.is_hidden]
        if not matches:
            raise InputError(
                f"no such input: {pattern}", cure="check the path; quote a glob so that the shell leaves it alone"
            )
        return sorted(found for entry in matches for found in self._walk(entry))

    def _status(self, path: str) -> FileStatus:
        hadoop_path, system = self._open(path)
        return _status(system.getFileStatus(hadoop_path))

    def _walk(self, entry: FileStatus) -> Iterator[FileStatus]:
        if not entry.is_directory:
            yield entry
            return
        for child in self.children(entry.path):
            if not child.is_hidden:
                yield from self._walk(child)

    def read_bytes(self, path: str) -> bytes:
        """A whole file, through the JVM: for small ones, 10 ns a byte. RunError when it is not there."""
        content = self.read_if_there(path)
        if content is None:
            raise RunError(f"{path} is gone", cure="run the stage that makes it again")
        return content

    def read_if_there(self, path: str) -> bytes | None:
        """A whole file, None when it is not there, in one call: another run may remove it at any moment."""
        hadoop_path, system = self._open(path)
        return read_if_there(system, hadoop_path)

    def read_head(self, path: str, size: int) -> bytes:
        """At most the first ``size`` bytes of a file, as stored; InputError when it cannot be opened."""
        from py4j.protocol import Py4JJavaError

        hadoop_path, system = self._open(path)
        try:
            stream = system.open(hadoop_path)
            try:
                return bytes(stream.readNBytes(size))
            finally:
                stream.close()
        except Py4JJavaError as error:
            raise InputError(f"cannot read {path}: {error.java_exception.toString()}", "check the file") from error

    def parquet_columns(self, path: str) -> dict[str, str]:
        """Names and types of a Parquet file's columns, from its footer: 10 ms. InputError when it has none."""
        from py4j.protocol import Py4JJavaError

        hadoop = self._parquet.hadoop
        try:
            file = hadoop.util.HadoopInputFile.fromPath(self._hadoop.fs.Path(path), self._configuration)
            reader = hadoop.ParquetFileReader.open(file)
            try:
                return columns_of_message(str(reader.getFileMetaData().getSchema().toString()))
            finally:
                reader.close()
        except Py4JJavaError as error:
            raise InputError(f"cannot read {path}: {error.java_exception.toString()}", "replace the file") from error

    def read_text(self, path: str) -> str:
        return self.read_bytes(path).decode("utf-8")

    def write_bytes(self, path: str, content: bytes) -> None:
        """A new file, replaced where there is one; a reader may see a part of it until this returns."""
        hadoop_path, system = self._open(path)
        write_whole(system.create(hadoop_path, True), content)

    def upload(self, local: Path, path: str) -> None:
        """Copy a file of this machine to a new one, replaced where there is one: 1-2 ns a byte on a local disk."""
        hadoop_path, system = self._open(path)
        system.copyFromLocalFile(False, True, self._hadoop.fs.Path(local.as_uri()), hadoop_path)

    def download(self, path: str, local: Path) -> None:
        """Copy a file to this machine."""
        hadoop_path, system = self._open(path)
        # The last argument leaves out the checksum file that Hadoop would write beside a local one.
        system.copyToLocalFile(False, hadoop_path, self._hadoop.fs.Path(local.as_uri()), True)

    def write_text(self, path: str, text: str) -> None:
        """Replace a file's text so that a reader sees the old or the new, never a part, as its file system does it."""
        publisher, real_path = self._publisher(path)
        publisher.replace(real_path, text.encode("utf-8"))

    def create(self, path: str, content: bytes) -> bool:
        """A new file that appears whole, and False where there is one already.

        Of several at once one succeeds where :meth:`admits_one`; elsewhere the last one's content stays.
        """
        hadoop_path, system = self._open(path)
        system.mkdirs(hadoop_path.getParent())
        publisher, real_path = self._publisher(path)
        return publisher.create(real_path, content)

    def admits_one(self, path: str) -> bool:
        """Does exactly one of several succeed that :meth:`create` this file at the same time?"""
        return self._publisher(path)[0].admits_one

    def promise(self, path: str) -> str:
        """What the file system of a path promises to who publishes there, in a few words."""
        return self._publisher(path)[0].promise

    def _publisher(self, path: str) -> tuple[Publisher, str]:
        """How a file is published, asked once a folder, and its path behind the mounts of a viewfs."""
        folder, _, name = path.rpartition("/")
        if folder not in self._publishers:
            real_folder = resolve_mounts(self._hadoop, self._configuration, folder or "/")
            publisher = choose_publisher(self._hadoop, self._configuration, self._new_array, real_folder)
            self._publishers[folder] = publisher, real_folder.rstrip("/")
        publisher, real_folder = self._publishers[folder]
        return publisher, f"{real_folder}/{name}"

    def parquet_row_counts(self, paths: Sequence[str]) -> dict[str, int]:
        """Rows of each Parquet file, from its footer: 10 ms a file on a local disk, several at a time."""
        hadoop = self._parquet.hadoop

        def count(path: str) -> int:
            reader = hadoop.ParquetFileReader.open(
                hadoop.util.HadoopInputFile.fromPath(self._hadoop.fs.Path(path), self._configuration)
            )
            try:
                return int(reader.getRecordCount())
            finally:
                reader.close()

        with ThreadPoolExecutor(AT_ONCE) as threads:
            return dict(zip(paths, threads.map(count, paths), strict=True))

    def rename(self, targets: Mapping[str, str]) -> None:
        """Give files other names, {old: new}, several at a time: on object stores each is copied."""

        def rename_one(source: str, target: str) -> None:
            hadoop_path, system = self._open(source)
            if not system.rename(hadoop_path, self._hadoop.fs.Path(target)):
                raise RunError(f"cannot rename {source} to {target}", cure="check who else writes to this directory")

        for folder in {target.rpartition("/")[0] for target in targets.values()}:
            hadoop_path, system = self._open(folder)
            system.mkdirs(hadoop_path)
        with ThreadPoolExecutor(AT_ONCE) as threads:
            # Asked for the results, map raises what a thread raised.
            list(threads.map(rename_one, targets.keys(), targets.values()))

    def delete_empty(self, path: str) -> None:
        """Remove a folder that holds nothing; one that does stays."""
        if not self.children(path):
            hadoop_path, system = self._open(path)
            system.delete(hadoop_path, False)

    def delete(self, path: str) -> None:
        """Remove a file or a folder with all it holds; nothing happens when it is not there."""
        hadoop_path, system = self._open(path)
        system.delete(hadoop_path, True)


def _status(entry: Any) -> FileStatus:
    return FileStatus(
        path=str(entry.getPath().toString()),
        size_bytes=int(entry.getLen()),
        modified_ms=int(entry.getModificationTime()),
        is_directory=bool(entry.isDirectory()),
    )
