"""The ``vectors`` artifact on whatever file system Spark reaches, whole on the driver: 4 d bytes a word."""

from __future__ import annotations

import numpy as np

from pmi_spark import schemas
from pmi_spark.artifacts import Artifacts, PartFile
from pmi_spark.factorization.calibration import LengthScale
from pmi_spark.factorization.earlier import Gauged
from pmi_spark.factorization.vector_tables import rotation_table, vector_slices
from pmi_spark.vectors.store import gauge_of, matrix_of, rotation_of

ROTATION = "_rotation"


def read_vectors(artifacts: Artifacts) -> Gauged:
    """The vectors there are, by word id, and their gauge; InputError when there are none."""
    table = artifacts.read_table("vectors", schemas.VECTORS).sort_by("word_id").combine_chunks()
    turned = artifacts.require("vectors").side_files
    gauge = gauge_of(table.schema)
    return Gauged(
        words=table["word"].to_pylist(),
        word_counts=np.asarray(table["word_count"]),
        matrix=matrix_of(table["vector"]),
        eigenvalues=gauge.eigenvalues,
        exponent=gauge.exponent,
        shift=gauge.shift,
        lengths=LengthScale(gauge.frequency_exponent, gauge.frequency_reference, gauge.slope),
        rotation=rotation_of(artifacts.read_table("vectors", schemas.ROTATION, side=True)) if turned else None,
        fitted_shift=gauge.fitted_shift,
        regularization=gauge.regularization,
    )


def write_vectors(artifacts: Artifacts, vectors: Gauged) -> tuple[tuple[PartFile, ...], tuple[PartFile, ...]]:
    """The artifact's files and its side table's, the rotation where there is one; not yet published."""
    files = artifacts.write_tables("vectors", vector_slices(vectors))
    side = [] if vectors.rotation is None else [rotation_table(vectors.rotation)]
    return files, artifacts.write_tables("vectors", side, ROTATION)
