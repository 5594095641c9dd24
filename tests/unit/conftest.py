"""Shared by the unit tests: hypothesis profiles and finished artifacts written without Spark."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import settings

from pmi_spark.artifacts import MANIFEST_NAME, Manifest, PartFile

# The same examples on every run, so a red build is red again; `--hypothesis-profile=explore` looks further.
settings.register_profile("unit", deadline=None, derandomize=True, database=None, max_examples=60)
settings.register_profile("explore", deadline=None, database=None, max_examples=1000)
settings.load_profile("unit")

SPARK_METADATA = b"org.apache.spark.sql.parquet.row.metadata"
PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def project() -> Path:
    """The project's folder, which holds ``conf``."""
    return PROJECT


ArtifactWriter = Callable[..., None]


@pytest.fixture(scope="session")
def write_artifact() -> ArtifactWriter:
    """``write(output, name, parts, side)``: one Parquet file a part, and the manifest that names them."""

    def write_parts(folder: Path, place: str, parts: Sequence[pa.Table]) -> tuple[PartFile, ...]:
        (folder / place).mkdir(parents=True, exist_ok=True)
        files = []
        for number, part in enumerate(parts):
            name = f"{place}/part-{number:05}.parquet".lstrip("/")
            pq.write_table(part, folder / name)
            files.append(PartFile(name, (folder / name).stat().st_size, len(part)))
        return tuple(files)

    def write(output: Path, name: str, parts: Sequence[pa.Table], side: Sequence[pa.Table] = ()) -> None:
        folder = output / name
        manifest = Manifest(
            artifact=name,
            fingerprint="0123456789abcdef",
            row_count=sum(len(part) for part in parts),
            files=write_parts(folder, "", parts),
            side_files=write_parts(folder, "_side", side) if side else (),
            configuration={},
            upstream={"vocabulary": "fedcba9876543210"},
        )
        (folder / MANIFEST_NAME).write_text(manifest.to_json(), encoding="utf-8")

    return write


def vectors_table(
    ids: Sequence[int], words: Sequence[str], counts: Sequence[int], rows: Any, gauge: dict[str, Any] | None
) -> pa.Table:
    """Rows of ``vectors`` as Spark's writer leaves them: the gauge is JSON in the Parquet footer."""
    table = pa.table(
        {
            "word_id": pa.array(ids, type=pa.int32()),
            "word": pa.array(words),
            "word_count": pa.array(counts, type=pa.int64()),
            "vector": pa.array(np.asarray(rows, dtype=np.float32).tolist(), type=pa.list_(pa.float32())),
        }
    )
    if gauge is None:
        return table
    fields = [{"name": name, "type": "x", "nullable": True, "metadata": {}} for name in table.column_names[:-1]]
    fields.append({"name": "vector", "type": "x", "nullable": True, "metadata": gauge})
    return table.replace_schema_metadata({SPARK_METADATA: json.dumps({"type": "struct", "fields": fields})})


def rotation_table(rotation: np.ndarray) -> pa.Table:
    """Rows of the side table, the last axis first."""
    axes = pa.array(range(len(rotation))[::-1], type=pa.int32())
    rows = rotation[::-1].astype(np.float32).tolist()
    return pa.table({"axis": axes, "row": pa.array(rows, type=pa.list_(pa.float32()))})


@pytest.fixture(scope="session")
def make_vectors_table() -> Callable[..., pa.Table]:
    return vectors_table


WORDS = ("king", "queen", "castle", "crown", "river", "boat")
COUNTS = (900, 500, 300, 200, 100, 50)
EIGENVALUES = (9.0, -4.0, 1.0)
SHIFT = -0.5
BASIS = np.array(
    [
        [0.6, 0.1, 0.2],
        [0.5, 0.2, -0.1],
        [0.3, -0.4, 0.3],
        [0.4, 0.3, 0.1],
        [-0.2, 0.5, 0.4],
        [-0.1, 0.4, 0.5],
    ]
)


@pytest.fixture(scope="session")
def estimated_table() -> np.ndarray:
    """The PMI of every pair of the tiny vectors, from their eigenvalues: shift + E L E'."""
    return SHIFT + BASIS @ np.diag(EIGENVALUES) @ BASIS.T


@pytest.fixture(scope="session")
def write_vectors(write_artifact: ArtifactWriter) -> Callable[..., None]:
    """``write(output, exponent, rotation)``: six words in three dimensions, over two files, rows not in id order."""

    def write(output: Path, exponent: float = 0.5, rotation: np.ndarray | None = None) -> None:
        gauge = {
            "signs": np.sign(EIGENVALUES).astype(int).tolist(),
            "eigenvalues": list(EIGENVALUES),
            "exponent": exponent,
            "shift": SHIFT,
            "frequency_exponent": 0.0,
            "frequency_reference": 1.0,
            "slope": 1.0,
            "fitted_shift": -0.5,
            "regularization": 0.1,
        }
        rows = BASIS * np.abs(EIGENVALUES) ** exponent @ (np.eye(3) if rotation is None else rotation)
        parts = [
            vectors_table(part, [WORDS[k] for k in part], [COUNTS[k] for k in part], rows[part], gauge)
            for part in ([5, 3, 4], [1, 0, 2])
        ]
        write_artifact(output, "vectors", parts, [] if rotation is None else [rotation_table(rotation)])

    return write


@pytest.fixture(scope="session")
def finished_run(
    tmp_path_factory: pytest.TempPathFactory, write_vectors: Callable[..., None], write_artifact: ArtifactWriter
) -> Path:
    """An output directory with ``vectors`` and ``pmi``."""
    output = tmp_path_factory.mktemp("run")
    write_vectors(output)
    pairs = [(0, 1, 40.0, 2.0), (0, 2, 2.0, 3.5), (0, 3, 10.0, 1.0), (1, 3, 9.0, 1.5), (2, 4, 3.0, -0.25)]
    table = pa.table(
        {
            "word_id": pa.array([pair[0] for pair in pairs], type=pa.int32()),
            "context_id": pa.array([pair[1] for pair in pairs], type=pa.int32()),
            "pair_count": pa.array([pair[2] for pair in pairs]),
            "pmi": pa.array([pair[3] for pair in pairs], type=pa.float32()),
        }
    )
    write_artifact(output, "pmi", [table.slice(0, 2), table.slice(2)])
    return output
