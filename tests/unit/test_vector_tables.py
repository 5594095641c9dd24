"""Rows of vectors as Arrow tables: ids, words and numbers in slices that fit a file."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest

from pmi_spark.factorization import vector_tables
from pmi_spark.factorization.calibration import LengthScale
from pmi_spark.factorization.earlier import Gauged
from pmi_spark.factorization.vector_tables import rotation_table, vector_slices
from pmi_spark.parquet_files import arrow_schema
from pmi_spark.schemas import ROTATION, VECTORS
from pmi_spark.vectors.store import gauge_of, rotation_of

EIGENVALUES = np.array([9.123456789012345, -4.5, 0.0])
WORDS = [f"w{number}" for number in range(20)]
COUNTS = np.arange(100, 80, -1)


def make_vectors() -> Gauged:
    matrix = np.random.default_rng(1).normal(size=(20, 3)).astype(np.float32)
    return Gauged(WORDS, COUNTS, matrix, EIGENVALUES, 0.25, -1.5, LengthScale(0.15, 91.25, 1.25), None, -2.0, 2.5)


@pytest.mark.parametrize("rows", [1, 7, 19, 20, 1 << 16])
def test_slices_put_together_are_the_vectors_by_id(monkeypatch, rows):
    monkeypatch.setattr(vector_tables, "ROWS_PER_SLICE", rows)
    vectors = make_vectors()
    slices = list(vector_slices(vectors))
    assert [len(part) for part in slices] == [min(rows, 20 - start) for start in range(0, 20, rows)]
    table = pa.concat_tables(slices)
    assert table["word_id"].to_pylist() == list(range(20))
    assert table["word"].to_pylist() == WORDS
    assert table["word_count"].to_pylist() == COUNTS.tolist()
    np.testing.assert_array_equal(np.array(table["vector"].to_pylist(), np.float32), vectors.matrix)


def test_every_slice_has_the_artifacts_columns_and_carries_the_gauge(monkeypatch):
    monkeypatch.setattr(vector_tables, "ROWS_PER_SLICE", 8)
    for part in vector_slices(make_vectors()):
        assert part.schema.equals(arrow_schema(VECTORS), check_metadata=False)
        part.validate(full=True)
        gauge = gauge_of(part.schema)
        assert gauge.eigenvalues.tolist() == EIGENVALUES.tolist()
        assert gauge[1:] == (0.25, -1.5, 0.15, 91.25, 1.25, -2.0, 2.5)


def test_signs_stand_beside_the_eigenvalues():
    part = next(vector_slices(make_vectors()))
    fields = json.loads(part.schema.metadata[vector_tables.SPARK_SCHEMA_KEY])["fields"]
    assert [column["name"] for column in fields] == VECTORS.fieldNames()
    assert [column["metadata"] for column in fields[:-1]] == [{}] * 3
    assert fields[-1]["metadata"]["signs"] == [1, -1, 0]


def test_a_rotation_is_read_as_it_was_written():
    rotation, _ = np.linalg.qr(np.random.default_rng(2).normal(size=(5, 5)))
    table = rotation_table(rotation)
    assert table.schema.equals(arrow_schema(ROTATION))
    np.testing.assert_allclose(rotation_of(table), rotation, atol=1e-7)
    shuffled = table.take([3, 0, 4, 1, 2])
    np.testing.assert_array_equal(rotation_of(shuffled), rotation_of(table))
