"""Canonical factors -> rows of ``vectors``, in slices that fit a file each. Arrow on the driver, no Spark job."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from pmi_spark.factorization.earlier import Gauged
from pmi_spark.factorization.row_blocks import Doubles, Floats
from pmi_spark.parquet_files import SPARK_SCHEMA_KEY, arrow_schema
from pmi_spark.schemas import ROTATION, VECTORS

# 79 MB a file at 300 dimensions; list offsets are 32-bit, so 2^16 rows leave room for 32,767 dimensions.
ROWS_PER_SLICE = 1 << 16


def vector_slices(vectors: Gauged) -> Iterator[pa.Table]:
    """The ``vectors`` rows by word id; signs, eigenvalues, exponent and shift go into the vector column's metadata.

    At exponent 0.5, PMI_hat(i, j) = shift + sum_k sign_k v_ik v_jk. With the eigenvalues a reader can form E |L|^q for
    any other q. The shift is kept apart because a constant is the table's largest component by far (eigenvalue -72,600
    against 5,600 for the next, 20 M pairs) and tells no words apart: left inside, MEN-3000 falls from .70 to .61.
    """
    metadata = {
        "signs": np.sign(vectors.eigenvalues).astype(int).tolist(),
        "eigenvalues": vectors.eigenvalues.tolist(),
        "exponent": vectors.exponent,
        "shift": vectors.shift,
        "frequency_exponent": vectors.lengths.exponent,
        "frequency_reference": vectors.lengths.reference,
        "slope": vectors.lengths.slope,
        "fitted_shift": vectors.fitted_shift,
        "regularization": vectors.regularization,
    }
    words = pa.array(vectors.words, pa.string())
    schema = arrow_schema(VECTORS).with_metadata({SPARK_SCHEMA_KEY: _spark_schema(metadata)})
    for start in range(0, len(vectors.matrix), ROWS_PER_SLICE):
        part = slice(start, start + ROWS_PER_SLICE)
        rows = vectors.matrix[part]
        word_ids = np.arange(start, start + len(rows), dtype=np.int32)
        columns = [pa.array(word_ids), words[part], pa.array(vectors.word_counts[part]), _lists(rows)]
        yield pa.table([column.cast(kind) for column, kind in zip(columns, schema.types, strict=True)], schema=schema)


def rotation_table(rotation: Doubles) -> pa.Table:
    """The rotation R (d x d) between canonical axes and those written: rows of the vectors' side table."""
    numbers = pa.array(np.arange(len(rotation), dtype=np.int32))
    schema = arrow_schema(ROTATION)
    return pa.table([numbers, _lists(rotation.astype(np.float32)).cast(schema.field("row").type)], schema=schema)


def _spark_schema(metadata: dict[str, Any]) -> str:
    schema = VECTORS.jsonValue()
    for column in schema["fields"]:
        if column["name"] == "vector":
            column["metadata"] = metadata
    return json.dumps(schema)


def _lists(rows: Floats) -> pa.ListArray:
    offsets = np.arange(len(rows) + 1, dtype=np.int32) * np.int32(rows.shape[1])
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(rows.ravel()))
