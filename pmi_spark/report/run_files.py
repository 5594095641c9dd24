"""What a run left, read for the page: manifests, small JSON, tables batch by batch; and the page written whole."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

import pyarrow as pa
import pyarrow.fs as pafs

from pmi_spark.errors import InputError, RunError
from pmi_spark.vectors.files import RECORD_NAME, ArtifactFiles, OutputFiles

# Rows decoded at a time: 10 MB of vectors at 300 dimensions.
PIECE_ROWS = 1 << 13
PAGE_NAME = "_report.html"


class RunFiles:
    """An output directory. Raises InputError when no stage wrote to it."""

    def __init__(self, output: str) -> None:
        self.output = output
        self._files = OutputFiles(output)
        self._artifacts = ArtifactFiles.all_of(self._files)
        self.manifests = {stage: found.manifest for stage, found in self._artifacts.items()}
        if not self.manifests:
            raise InputError(f"no run wrote to {output}", cure="name the --output directory of `pmi-spark run`")

    def facts(self, stage: str) -> dict[str, Any]:
        """Those of a stage's manifest; empty when there is none."""
        return self.manifests[stage].facts if stage in self.manifests else {}

    def schema(self, stage: str) -> pa.Schema:
        """The columns of the stage's files, with their metadata. Raises RunError when they are gone or damaged."""
        return self._artifacts[stage].schema()

    def pieces(self, stage: str, columns: Sequence[str], side: bool = False) -> Iterator[pa.Table]:
        """Some columns of the files that the manifest names, or of the side table's, PIECE_ROWS rows at a time.

        Raises RunError when a file is gone or damaged; pages carry checksums.
        """
        found = self._artifacts[stage]
        for name in found.names(side):
            yield from found.pieces(name, columns, PIECE_ROWS)

    def evaluation(self) -> dict[str, Any]:
        """What ``pmi-spark evaluate`` wrote; empty when it was not run. Raises RunError when it is no JSON object."""
        text = self._files.read_text(RECORD_NAME)
        if text is None:
            return {}
        with suppress(ValueError):
            found = json.loads(text)
            if isinstance(found, dict):
                return found
        raise RunError(f"{self.output}/{RECORD_NAME} is no evaluation", cure="run `pmi-spark evaluate` again")

    def default_page(self) -> str:
        """Where the page is written unless it is said: beside the artifacts, under a name that stages pass over."""
        return f"{self.output.rstrip('/')}/{PAGE_NAME}"


def write_page(path: str, content: bytes) -> None:
    """A page that appears whole, or is replaced in one step. InputError when it cannot be.

    ``path`` is a local one or a URI, as for :class:`OutputFiles`.
    """
    folder, _, name = path.rpartition("/")
    target = OutputFiles(folder or ("/" if path.startswith("/") else "."))
    try:
        if target.system.get_file_info(f"{target.root}/{name}").type == pafs.FileType.Directory:
            raise InputError(f"cannot write {path}: it is a directory", cure="name a file")
        target.write_whole(name, content)
    except (OSError, pa.ArrowInvalid) as error:
        raise InputError(f"cannot write {path}: {error}", cure="check the folder and its permissions") from error
