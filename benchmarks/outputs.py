"""An output directory seen from outside: its artifacts beside a reference's, what else lies in it, and a reader."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pmi_spark.artifacts import CORE_STAGES, MANIFEST_NAME
from pmi_spark.errors import InputError
from pmi_spark.increments import COUNTED
from pmi_spark.metrics import JSON_NAME, PROMETHEUS_NAME
from pmi_spark.status import read_status
from pmi_spark.vectors.store import load_vectors, read_artifact

# Written by Spark, whose footers list a column's encodings in any order.
BY_ROWS = ("vocabulary",)
# Vectors are float32 of length about 1.
TOLERANCE = 1e-5
READ_SECONDS = 0.2
# What a manifest says of the run rather than of the artifact.
_OF_THE_RUN = ("files", "side_files", "seconds", "written_at")
_RUN_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def manifests(output: Path) -> dict[str, str]:
    """The text of each manifest that is there."""
    paths = {stage: output / stage / MANIFEST_NAME for stage in CORE_STAGES}
    return {stage: path.read_text(encoding="utf-8") for stage, path in paths.items() if path.exists()}


def stage_under_way(output: Path) -> str:
    """The first stage that is not done; "start" before the run has taken the directory, "end" when all are."""
    if not output.exists():
        return "start"
    done = manifests(output)
    return next((stage for stage in CORE_STAGES if stage not in done), "end")


class Reference:
    """The artifacts of an undisturbed run."""

    def __init__(self, output: Path) -> None:
        self._output = output
        self._tables = {stage: read_artifact(str(output), stage)[0] for stage in CORE_STAGES}
        self._matrix = load_vectors(str(output)).matrix

    def differences(self, output: Path) -> list[str]:
        """How another run's artifacts differ: files byte for byte or row for row, manifests, vectors by TOLERANCE."""
        found = []
        for stage in CORE_STAGES:
            own, other = (_manifest(place, stage) for place in (self._output, output))
            found += [f"{stage}: other {key}" for key in own if _comparable(own[key]) != _comparable(other[key])]
            if stage != "vectors" and _contents(self._output, stage) != _contents(output, stage):
                found.append(f"{stage}: other {'rows' if stage in BY_ROWS else 'bytes'}")
        distance = self.distance(output)
        return found + ([f"vectors: {distance:.1e} away"] if distance > TOLERANCE else [])

    def distance(self, output: Path) -> float:
        """The greatest difference of two numbers of the vectors."""
        return float(np.abs(load_vectors(str(output)).matrix - self._matrix).max())

    def differs(self, stage: str, table: pa.Table) -> bool:
        """Are an artifact's rows others than the reference's?"""
        own = self._tables[stage]
        if stage != "vectors":
            return not table.equals(own)
        return len(table) != len(own) or not table.drop_columns("vector").equals(own.drop_columns("vector"))


def _manifest(output: Path, stage: str) -> dict[str, Any]:
    """What a manifest says of the artifact; in names of files a run's own id is blanked."""
    values = json.loads(_RUN_ID.sub("*", (output / stage / MANIFEST_NAME).read_text(encoding="utf-8")))
    return {key: value for key, value in values.items() if key not in _OF_THE_RUN}


def _comparable(value: Any) -> Any:
    """Facts without the seconds of sweeps and the digests of files' names; sums of floats rounded."""
    if isinstance(value, dict):
        return {
            key: sorted(entry) if key == COUNTED else _comparable(entry)
            for key, entry in value.items()
            if key != "seconds"
        }
    if isinstance(value, list):
        return [_comparable(entry) for entry in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value


def _contents(output: Path, stage: str) -> list[Any]:
    """An artifact's files, then its side table's, in the order of their numbers, for names differ by run.

    SHA-256 of each, or its rows in their order.
    """
    values = json.loads((output / stage / MANIFEST_NAME).read_text(encoding="utf-8"))
    paths = [output / stage / part["name"] for part in values["files"] + values["side_files"]]
    if stage in BY_ROWS:
        return [pq.read_table(path) for path in paths]
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]


def strangers(output: Path) -> list[str]:
    """Files and empty folders in an output directory that no manifest names, and that are none of its own records."""
    named = {output / JSON_NAME, output / PROMETHEUS_NAME}
    for stage, text in manifests(output).items():
        values = json.loads(text)
        named |= {output / stage / part["name"] for part in values["files"] + values["side_files"]}
        named.add(output / stage / MANIFEST_NAME)
    # Hadoop keeps a checksum file beside a local one.
    named |= {path.with_name(f".{path.name}.crc") for path in named}
    found = [path for path in output.rglob("*") if path not in named and (path.is_file() or not any(path.iterdir()))]
    return sorted(str(path.relative_to(output)) for path in found)


def megabytes_below(folder: Path) -> float:
    """The files in a folder and its folders, added up."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


class Reader:
    """Someone who reads an output directory again and again while a run writes to it."""

    def __init__(self, output: Path, reference: Reference | None) -> None:
        self.reads = 0
        self.violations: list[str] = []
        self._output = str(output)
        self._reference = reference
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._read_on, daemon=True)

    def __enter__(self) -> Reader:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _read_on(self) -> None:
        while not self._stop.wait(READ_SECONDS):
            self._try("status", lambda: read_status(self._output))
            for stage in CORE_STAGES:
                self._try(stage, lambda stage=stage: self._read(stage))
            self._try("vectors", lambda: load_vectors(self._output))

    def _try(self, what: str, read: Any) -> None:
        try:
            read()
            self.reads += 1
        except InputError as error:
            # "no pairs in ..." is how it says that there are none yet.
            if not error.found.startswith("no "):
                self.violations.append(f"{what}: {error}")
        except Exception as error:
            self.violations.append(f"{what}: {type(error).__name__}: {error}")

    def _read(self, stage: str) -> None:
        table, manifest = read_artifact(self._output, stage)
        if len(table) != manifest.row_count:
            self.violations.append(f"{stage}: {len(table)} rows of {manifest.row_count}")
        if self._reference is not None and self._reference.differs(stage, table):
            self.violations.append(f"{stage}: other rows than the reference")
