"""What a run left, read for the page: manifests, small JSON, tables batch by batch; and the page written whole."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from pmi_spark.artifacts import MANIFEST_NAME, STAGES, Manifest, PartFile
from pmi_spark.errors import InputError, RunError
from pmi_spark.vectors.files import OutputFiles

# Rows decoded at a time: 10 MB of vectors at 300 dimensions.
BATCH_ROWS = 1 << 13
EVALUATION_NAME = "_evaluation.json"
PAGE_NAME = "_report.html"


class RunFiles:
    """An output directory. Raises InputError when no stage wrote to it."""

    def __init__(self, output: str) -> None:
        self.output = output
        self._files = OutputFiles(output)
        self.manifests: dict[str, Manifest] = {}
        for stage in STAGES:
            text = self._files.read_text(f"{stage}/{MANIFEST_NAME}")
            if text:
                self.manifests[stage] = Manifest.from_json(text, where=f"{output}/{stage}/{MANIFEST_NAME}")
        if not self.manifests:
            raise InputError(f"no run wrote to {output}", cure="name the --output directory of `pmi-spark run`")

    def facts(self, stage: str) -> dict[str, Any]:
        """Those of a stage's manifest; empty when there is none."""
        return self.manifests[stage].facts if stage in self.manifests else {}

    def schema(self, stage: str) -> pa.Schema:
        """The columns of the stage's files, with their metadata. Raises RunError when they are gone or damaged."""
        with self._opened(stage, self.manifests[stage].files[0]) as file:
            return file.schema_arrow

    def batches(self, stage: str, columns: Sequence[str], side: bool = False) -> Iterator[pa.RecordBatch]:
        """Some columns of the files that the manifest names, or of the side table's, BATCH_ROWS rows at a time.

        Raises RunError when a file is gone or damaged; pages carry checksums.
        """
        manifest = self.manifests[stage]
        for part in manifest.side_files if side else manifest.files:
            with self._opened(stage, part) as file:
                yield from file.iter_batches(BATCH_ROWS, columns=list(columns), use_threads=False)

    @contextmanager
    def _opened(self, stage: str, part: PartFile) -> Iterator[pq.ParquetFile]:
        try:
            with self._files.system.open_input_file(f"{self._files.root}/{stage}/{part.name}") as source:
                yield pq.ParquetFile(source, page_checksum_verification=True)
        except (OSError, pa.ArrowException) as error:
            found = f"{self.output}/{stage} is damaged: {error}"
            raise RunError(found, cure=f"run `pmi-spark {stage}` again") from error

    def evaluation(self) -> dict[str, Any]:
        """What ``pmi-spark evaluate`` wrote; empty when it was not run. Raises RunError when it is no JSON object."""
        text = self._files.read_text(EVALUATION_NAME)
        if text is None:
            return {}
        with suppress(ValueError):
            found = json.loads(text)
            if isinstance(found, dict):
                return found
        raise RunError(f"{self.output}/{EVALUATION_NAME} is no evaluation", cure="run `pmi-spark evaluate` again")

    def default_page(self) -> str:
        """Where the page is written unless it is said: beside the artifacts, under a name that stages pass over."""
        return f"{self.output.rstrip('/')}/{PAGE_NAME}"


def write_whole(path: str, content: bytes) -> None:
    """A file that appears whole, or is replaced in one step: written aside, then renamed. InputError when it cannot be.

    ``path`` is a local one or a URI, as for :class:`OutputFiles`.
    """
    folder, _, name = path.rpartition("/")
    target = OutputFiles(folder or ("/" if path.startswith("/") else "."))
    place, aside = f"{target.root}/{name}", f"{target.root}/.{name}.{uuid.uuid4().hex}"
    try:
        if target.system.get_file_info(place).type == pafs.FileType.Directory:
            raise InputError(f"cannot write {path}: it is a directory", cure="name a file")
        try:
            with target.system.open_output_stream(aside) as stream:
                stream.write(content)
            target.system.move(aside, place)
        finally:
            with suppress(OSError):
                target.system.delete_file(aside)
    except (OSError, pa.ArrowInvalid) as error:
        raise InputError(f"cannot write {path}: {error}", cure="check the folder and its permissions") from error
