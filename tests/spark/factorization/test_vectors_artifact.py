"""Vectors written by the driver, read by Spark and by pyarrow alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pmi_spark.artifacts import Manifest
from pmi_spark.factorization import vector_tables
from pmi_spark.factorization.calibration import LengthScale
from pmi_spark.factorization.earlier import Gauged
from pmi_spark.factorization.vector_tables import rotation_table, vector_slices
from pmi_spark.schemas import ROTATION, VECTORS
from pmi_spark.vectors.store import load_vectors

EIGENVALUES = np.array([9.123456789012345, -4.0, 2.0])
WORDS, COUNTS = [f"w{number}" for number in range(20)], np.arange(100, 80, -1)
PLAIN = LengthScale(0.0, 90.5)


@pytest.fixture(params=["straight", "turned"])
def rotation(request: pytest.FixtureRequest) -> np.ndarray | None:
    turned, _ = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))
    return turned if request.param == "turned" else None


def test_what_is_read_is_what_was_written(
    artifacts: Callable, tmp_path: Path, rotation: np.ndarray | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vector_tables, "ROWS_PER_SLICE", 8)
    basis, _ = np.linalg.qr(np.random.default_rng(4).normal(size=(20, 3)))
    matrix = basis * np.abs(EIGENVALUES) ** 0.25 @ (np.eye(3) if rotation is None else rotation)
    written = Gauged(WORDS, COUNTS, matrix.astype(np.float32), EIGENVALUES, 0.25, -1.5, PLAIN, rotation, -2.0, 2.5)

    store = artifacts(tmp_path / "out")
    files = store.write_tables("vectors", vector_slices(written))
    side = store.write_tables("vectors", [] if rotation is None else [rotation_table(rotation)], "_rotation")
    store.commit(Manifest("vectors", "print", 20, files, {}, {}, side_files=side))
    assert [part.row_count for part in files] == [8, 8, 4]
    assert store.has_whole("vectors", "print")

    frame = store.read("vectors", VECTORS)
    assert frame.schema["vector"].metadata == {
        "signs": [1, -1, 1],
        "eigenvalues": EIGENVALUES.tolist(),
        "exponent": 0.25,
        "shift": -1.5,
        "frequency_exponent": 0.0,
        "frequency_reference": 90.5,
        "slope": 1.0,
        "fitted_shift": -2.0,
        "regularization": 2.5,
    }
    rows = frame.orderBy("word_id").collect()
    assert [(row["word_id"], row["word"], row["word_count"]) for row in rows] == [
        (number, WORDS[number], COUNTS[number]) for number in range(20)
    ]
    np.testing.assert_array_equal(np.array([row["vector"] for row in rows], np.float32), written.matrix)
    assert store.read_table("vectors", VECTORS)["word_id"].to_pylist() == list(range(20))

    vectors = load_vectors(str(tmp_path / "out"))
    assert (vectors.words, vectors.word_counts.tolist()) == (WORDS, COUNTS.tolist())
    assert (vectors.exponent, vectors.shift) == (0.25, -1.5)
    assert vectors.eigenvalues.tolist() == EIGENVALUES.tolist()
    np.testing.assert_array_equal(vectors.matrix, written.matrix)
    estimated = vectors.shift + vectors.matrix @ vectors.pmi_metric @ vectors.matrix.T
    np.testing.assert_allclose(estimated, basis * EIGENVALUES @ basis.T - 1.5, atol=1e-4)
    if rotation is None:
        assert vectors.rotation is None
    else:
        np.testing.assert_allclose(vectors.rotation, rotation, atol=1e-6)
        assert len(store.read_table("vectors", ROTATION, side=True)) == 3


def test_a_lost_rotation_is_noticed(artifacts: Callable, tmp_path: Path) -> None:
    store = artifacts(tmp_path / "out")
    vectors = Gauged(WORDS, COUNTS, np.ones((20, 3), np.float32), EIGENVALUES, 0.5, 0.0, PLAIN, np.eye(3), 0.0)
    files = store.write_tables("vectors", vector_slices(vectors))
    (side,) = store.write_tables("vectors", [rotation_table(np.eye(3))], "_rotation")
    store.commit(Manifest("vectors", "print", 20, files, {}, {}, side_files=(side,)))
    (tmp_path / "out" / "vectors" / side.name).unlink()
    assert not store.has_whole("vectors", "print")
