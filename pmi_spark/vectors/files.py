"""Files of an output directory, and its artifacts by their manifests, read with pyarrow alone."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from pmi_spark.artifacts import MANIFEST_NAME, STAGES, Manifest
from pmi_spark.errors import InputError, RunError

# What ``pmi-spark evaluate --save`` leaves beside the artifacts.
RECORD_NAME = "_evaluation.json"


class OutputFiles:
    """Files of an output directory, read by pyarrow: on a local disk, or where a URI says.

    Raises InputError where the place cannot be reached.
    """

    def __init__(self, output: str) -> None:
        self._output = output
        # Hadoop writes local paths as file:/a/b, which pyarrow does not take for a URI.
        place = output if output.startswith("file://") else output.removeprefix("file:")
        # Hadoop's name for S3.
        place = re.sub("^s3[an]://", "s3://", place)
        try:
            self.system, root = pafs.FileSystem.from_uri(place) if "://" in place else (pafs.LocalFileSystem(), place)
        except (OSError, pa.ArrowInvalid) as error:
            raise self._unreadable(error) from error
        self.root = root.rstrip("/")

    def read_text(self, name: str) -> str | None:
        """The text of a small file, None when it is not there."""
        try:
            with self.system.open_input_stream(f"{self.root}/{name}") as stream:
                return str(stream.read().decode("utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, pa.ArrowInvalid) as error:
            raise self._unreadable(error) from error

    def write_whole(self, name: str, content: bytes) -> None:
        """A file that appears whole, or is replaced in one step: written aside, then renamed.

        Raises what the file system does, with nothing left behind.
        """
        place, aside = f"{self.root}/{name}", f"{self.root}/.{name}.{uuid.uuid4().hex}"
        try:
            with self.system.open_output_stream(aside) as stream:
                stream.write(content)
            self.system.move(aside, place)
        finally:
            # Ctrl-C comes here too.
            with suppress(OSError):
                self.system.delete_file(aside)

    def stamps(self, names: Sequence[str]) -> list[tuple[str, int, int]]:
        """(name, size in bytes, modification time in ns) of files; -1 for what the file system does not tell."""
        found = self.system.get_file_info([f"{self.root}/{name}" for name in names])
        return [(name, entry.size or -1, entry.mtime_ns or -1) for name, entry in zip(names, found, strict=True)]

    def _unreadable(self, error: Exception) -> InputError:
        return InputError(f"cannot read {self._output}: {error}", cure="check the path and its permissions")


@dataclass(frozen=True)
class ArtifactFiles:
    """An artifact's manifest, its text, and where its files lie."""

    files: OutputFiles
    manifest: Manifest
    manifest_text: str

    @classmethod
    def find(cls, output: str, name: str) -> ArtifactFiles:
        """Raises InputError when there is no complete artifact."""
        found = cls.look(OutputFiles(output), name)
        if found is None:
            raise InputError(f"no {name} in {output}", cure="name the --output directory of a finished `pmi-spark run`")
        return found

    @classmethod
    def look(cls, files: OutputFiles, name: str) -> ArtifactFiles | None:
        """None when there is no complete artifact."""
        text = files.read_text(f"{name}/{MANIFEST_NAME}")
        # Empty where a store shows a file before it is whole.
        if not text:
            return None
        return cls(files, Manifest.from_json(text, where=f"{files.root}/{name}/{MANIFEST_NAME}"), text)

    @classmethod
    def all_of(cls, files: OutputFiles) -> dict[str, ArtifactFiles]:
        """The complete artifacts of an output directory by name, in the order of the stages."""
        return {name: found for name in STAGES if (found := cls.look(files, name)) is not None}

    def was_replaced(self) -> bool:
        """Has a run published a successor, so that these files may be gone?"""
        return self.files.read_text(f"{self.manifest.artifact}/{MANIFEST_NAME}") != self.manifest_text

    @property
    def folder(self) -> str:
        return f"{self.files.root}/{self.manifest.artifact}"

    def names(self, side: bool = False) -> list[str]:
        """The files that the manifest names, from the output directory."""
        parts = self.manifest.side_files if side else self.manifest.files
        return [f"{self.manifest.artifact}/{part.name}" for part in parts]

    def dataset(self, names: Sequence[str]) -> ds.Dataset:
        return ds.dataset(
            [f"{self.files.root}/{name}" for name in names], filesystem=self.files.system, format="parquet"
        )

    def read(self, side: bool = False, **scan: Any) -> pa.Table:
        """All rows, or the side table's; ``scan`` goes to pyarrow's ``to_table``. RunError when files are damaged."""
        try:
            return self.dataset(self.names(side)).to_table(**scan)
        except (OSError, pa.ArrowException) as error:
            raise self._damaged(error) from error

    def schema(self) -> pa.Schema:
        """The columns, by the first file's footer. Raises RunError when it is missing or damaged."""
        try:
            return self.dataset(self.names()[:1]).schema
        except (OSError, pa.ArrowException) as error:
            raise self._damaged(error) from error

    def tables(self) -> Iterator[pa.Table]:
        """The rows, a file at a time. Raises RunError when one is missing or damaged."""
        for name in self.names():
            try:
                yield self.dataset([name]).to_table()
            except (OSError, pa.ArrowException) as error:
                raise self._damaged(error) from error

    def pieces(self, name: str, columns: Sequence[str], rows: int) -> Iterator[pa.Table]:
        """Some columns of one file, ``rows`` or fewer at a time: what a piece takes is held, and a page a column.

        Raises RunError when the file is missing or damaged.
        """
        try:
            with self.files.system.open_input_file(f"{self.files.root}/{name}") as source:
                file = pq.ParquetFile(source, page_checksum_verification=True, pre_buffer=False, buffer_size=1 << 20)
                for batch in file.iter_batches(rows, columns=list(columns), use_threads=False):
                    yield pa.Table.from_batches([batch])
        except (OSError, pa.ArrowException) as error:
            raise self._damaged(error) from error

    def identity(self) -> list[Any]:
        """Tells this content from any other that lies, or lay, in the same place."""
        return [self.manifest_text, *self.files.stamps(self.names())]

    def _damaged(self, error: Exception) -> RunError:
        return RunError(f"{self.folder} is damaged: {error}", cure=f"run `pmi-spark {self.manifest.artifact}` again")


def read_artifact(output: str, name: str, side: bool = False, **scan: Any) -> tuple[pa.Table, Manifest]:
    """Rows of an artifact, or of its side table, from the files its manifest names, and the manifest.

    ``scan`` goes to pyarrow's ``to_table``. Where a run publishes a successor meanwhile, and removes the files, that is
    what is read.

    Raises InputError when there is no complete artifact, RunError when its files are missing or damaged.
    """
    while True:
        found = ArtifactFiles.find(output, name)
        try:
            return found.read(side, **scan), found.manifest
        except RunError:
            if not found.was_replaced():
                raise
