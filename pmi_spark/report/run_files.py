"""What a run left, read for the page: manifests, small JSON, tables batch by batch; and the page written whole."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.fs as pafs

from pmi_spark.artifacts import MANIFEST_NAME, STAGES, Manifest
from pmi_spark.errors import InputError, RunError
from pmi_spark.vectors.store import OutputFiles

# Rows decoded at a time: 79 MB of vectors at 300 dimensions, 7 MB of PMI.
BATCH_ROWS = 1 << 16
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

    def dataset(self, stage: str, side: bool = False) -> ds.Dataset:
        """The files that the stage's manifest names, or those of its side table. Raises RunError when they are gone."""
        manifest = self.manifests[stage]
        parts = manifest.side_files if side else manifest.files
        paths = [f"{self._files.root}/{stage}/{part.name}" for part in parts]
        try:
            return ds.dataset(paths, filesystem=self._files.system, format="parquet")
        except (OSError, pa.ArrowException) as error:
            raise self._damaged(stage, error) from error

    def batches(self, stage: str, columns: Sequence[str], side: bool = False) -> Iterator[pa.RecordBatch]:
        """Some columns, BATCH_ROWS rows at a time and two batches ahead. Raises RunError when a file is damaged."""
        dataset = self.dataset(stage, side)
        try:
            yield from dataset.to_batches(
                columns=list(columns), batch_size=BATCH_ROWS, batch_readahead=2, fragment_readahead=1
            )
        except (OSError, pa.ArrowException) as error:
            raise self._damaged(stage, error) from error

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

    def _damaged(self, stage: str, error: Exception) -> RunError:
        return RunError(f"{self.output}/{stage} is damaged: {error}", cure=f"run `pmi-spark {stage}` again")


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
