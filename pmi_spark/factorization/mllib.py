"""The named baseline: the same cells through ``pyspark.ml.recommendation.ALS``."""

from __future__ import annotations

import numpy as np
from pyspark.ml.recommendation import ALS
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from pmi_spark.factorization.row_blocks import Floats


def mllib_factors(
    pmi: DataFrame, word_count: int, dimensions: int, sweeps: int, regularization: float, seed: int, shift: float
) -> tuple[Floats, Floats]:
    """Both sides' factors (words x d) of Spark's explicit ALS on ``pmi`` less ``shift``, mirrored.

    But: MLlib weighs every observed pair alike, never sees an unseen one (its ``implicitPrefs`` regresses on 0 or 1,
    not on PMI), takes lambda times the number of a word's pairs for regularization (``vectors.regularization`` goes
    there as it is), and solves by Cholesky through the JVM: 5 sweeps at rank 100 over 21 M pairs had not ended after
    540 s on 2 cores. Words that met nobody get zeros. Nothing of it is resumed, held out or stopped early.
    """
    pairs = pmi.select("word_id", "context_id", (F.col("pmi") - shift).alias("value"))
    mirrored = pairs.union(pairs.select("context_id", "word_id", "value"))
    model = ALS(
        rank=dimensions,
        maxIter=sweeps,
        regParam=regularization,
        userCol="word_id",
        itemCol="context_id",
        ratingCol="value",
        seed=seed,
    ).fit(mirrored)
    return _matrix(model.userFactors, word_count, dimensions), _matrix(model.itemFactors, word_count, dimensions)


def _matrix(factors: DataFrame, word_count: int, dimensions: int) -> Floats:
    matrix = np.zeros((word_count, dimensions), dtype=np.float32)
    table = factors.toArrow()
    matrix[np.asarray(table["id"])] = np.asarray(table["features"].combine_chunks().flatten()).reshape(-1, dimensions)
    return matrix
