"""Shared by the unit tests: hypothesis profiles and finished artifacts written without Spark."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

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
    """``write(output, name, parts, side)``: one Parquet file a part, and the manifest that names them.

    Further arguments are entries of the manifest.
    """

    def write_parts(folder: Path, place: str, parts: Sequence[pa.Table]) -> tuple[PartFile, ...]:
        (folder / place).mkdir(parents=True, exist_ok=True)
        files = []
        for number, part in enumerate(parts):
            name = f"{place}/part-{number:05}.parquet".lstrip("/")
            pq.write_table(part, folder / name)
            files.append(PartFile(name, (folder / name).stat().st_size, len(part)))
        return tuple(files)

    def write(
        output: Path, name: str, parts: Sequence[pa.Table], side: Sequence[pa.Table] = (), **entries: Any
    ) -> None:
        folder = output / name
        manifest = Manifest(
            artifact=name,
            fingerprint="0123456789abcdef",
            row_count=sum(len(part) for part in parts),
            files=write_parts(folder, "", parts),
            side_files=write_parts(folder, "_side", side) if side else (),
            **({"configuration": {}, "upstream": {"vocabulary": "fedcba9876543210"}} | entries),
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


class ScoredRun(NamedTuple):
    """A run of 300 words in 12 dimensions whose pairs follow from its vectors: its folder, words, counts and rows."""

    output: Path
    words: list[str]
    word_counts: np.ndarray
    rows: np.ndarray
    pairs: pa.Table
    marginals: np.ndarray
    held_out: float


@pytest.fixture(scope="session")
def scored_run(tmp_path_factory: pytest.TempPathFactory, write_artifact: ArtifactWriter) -> ScoredRun:
    """``vectors`` (exponent 0.5, canonical axes), ``pmi`` and ``pairs``; some words differ by capitals alone.

    Those differ little in their vectors. Meetings are Poisson about what the vectors estimate, so estimates foretell
    them, with noise.
    """
    generator = np.random.default_rng(5)
    words = [f"word{k}" for k in range(240)] + [f"Word{k}" for k in range(40)] + [f"WORD{k}" for k in range(20)]
    word_counts = (20_000 / np.arange(1, 301)).astype(np.int64)
    eigenvalues = np.array([*np.linspace(9, 2, 10), -3.0, -1.5])
    rows = generator.normal(size=(300, 12)).astype(np.float32) * 0.6
    rows[240:280] = rows[:40] + 0.1 * rows[240:280]
    rows[280:] = rows[:20] + 0.1 * rows[280:]
    estimates = -0.5 + rows @ np.diag(np.sign(eigenvalues)) @ rows.T
    chances = word_counts / word_counts.sum()
    expected = 60_000 * np.outer(chances, chances)
    met = generator.poisson(expected * np.exp(np.minimum(estimates, 4)))
    low, high = np.nonzero(np.triu(met, 1))
    values = np.log(met[low, high] / expected[low, high])
    pairs = pa.table(
        {
            "word_id": pa.array(low, pa.int32()),
            "context_id": pa.array(high, pa.int32()),
            "pair_count": pa.array(met[low, high].astype(np.float64)),
            "pmi": pa.array(values, pa.float32()),
        }
    )
    gauge = {
        "signs": np.sign(eigenvalues).astype(int).tolist(),
        "eigenvalues": eigenvalues.tolist(),
        "exponent": 0.5,
        "shift": SHIFT,
        "frequency_exponent": 0.1,
        "frequency_reference": 100.0,
        "slope": 1.5,
        "fitted_shift": -2.0,
        "regularization": 0.1,
    }
    output = tmp_path_factory.mktemp("scored")
    parts = [np.arange(200, 300), np.arange(200)]
    tables = [vectors_table(part, [words[k] for k in part], word_counts[part], rows[part], gauge) for part in parts]
    settings = {"held_out": 0.2, "solver": "cg", "init": ""}
    upstream = {"vocabulary": "fedcba9876543210", "pmi": "0123456789abcdef"}
    write_artifact(output, "vectors", tables, configuration={"vectors": settings}, upstream=upstream)
    write_artifact(output, "pmi", [pairs.slice(0, 4000), pairs.slice(4000)])
    marginals = np.bincount(low, met[low, high], 300) + np.bincount(high, met[low, high], 300)
    side = pa.table({"word_id": pa.array(range(300), pa.int32()), "marginal_count": pa.array(marginals.astype(int))})
    write_artifact(output, "pairs", [pairs.select(["word_id", "context_id"])], [side])
    return ScoredRun(output, words, word_counts, rows, pairs, marginals, 0.2)
