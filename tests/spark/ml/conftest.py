"""Texts of two topics as a frame with labels, for the estimators."""

from __future__ import annotations

import pytest
from pyspark.sql import DataFrame, SparkSession


@pytest.fixture(scope="module")
def texts(spark: SparkSession, two_topics: list[str]) -> DataFrame:
    """``text string, label double``: the first 300 documents, law and sea in turn."""
    rows = [(text, float(number % 2)) for number, text in enumerate(two_topics[:300])]
    return spark.createDataFrame(rows, "text string, label double").repartition(2).cache()
