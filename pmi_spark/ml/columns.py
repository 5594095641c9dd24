"""The columns that the estimator and its model read and write."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pandas as pd
import pyarrow as pa
from pyspark.ml.functions import array_to_vector
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, StringType

from pmi_spark.ml.embedding import Sent
from pmi_spark.ml.errors import ArgumentError
from pmi_spark.ml.params import EmbeddingParams
from pmi_spark.vectors.text_vectors import sum_vectors


def words_column(dataset: DataFrame, params: EmbeddingParams) -> Column:
    """The column of words that the parameters name.

    ArgumentError unless it is an array of strings, and there is no column yet of the output's name.
    """
    there = ", ".join(dataset.columns)
    if not params.isDefined(params.inputCol):
        raise ArgumentError("inputCol is not set", cure=f"it takes one of {there}")
    name, new = params.getInputCol(), params.getOutputCol()
    if name not in dataset.columns:
        raise ArgumentError(f"there is no column {name}", cure=f"inputCol takes one of {there}")
    kind = dataset.schema[name].dataType
    if not (isinstance(kind, ArrayType) and isinstance(kind.elementType, StringType)):
        raise ArgumentError(f"column {name} is {kind.simpleString()}, not array<string>", "split text into words first")
    if new in dataset.columns:
        raise ArgumentError(f"column {new} is there already", cure="give another outputCol")
    quoted = name.replace("`", "``")
    return F.col(f"`{quoted}`")


def text_vectors(words: Column, sent: Sent, mean: bool, metadata: dict[str, Any], name: str) -> Column:
    """The vector of each text, dense: :func:`sum_vectors` in Python workers, an Arrow batch of texts at a time.

    A narrow map. A text that is null has none.
    """
    adder = F.pandas_udf(_adder(sent, mean), "array<double>")  # type: ignore[attr-defined]
    return F.when(words.isNotNull(), array_to_vector(adder(words))).alias(name, metadata=metadata)


def _adder(sent: Sent, mean: bool) -> Callable[[Iterator[pd.Series]], Iterator[pd.Series]]:
    def add(batches: Iterator[pd.Series]) -> Iterator[pd.Series]:
        words, matrix = sent.words.value, sent.matrix.slice(0, sent.matrix.shape[0])
        for batch in batches:
            texts = pa.array(batch, pa.list_(pa.string()))
            yield pd.Series(list(sum_vectors(texts, words, matrix, mean)))

    return add
