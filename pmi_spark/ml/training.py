"""A frame of words -> vectors, by the pipeline's stages in a folder of their own."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
from pyspark.sql import DataFrame, SparkSession

from pmi_spark.artifacts import Artifacts, Manifest
from pmi_spark.config import Config
from pmi_spark.errors import PmiSparkError
from pmi_spark.factorization.earlier import Gauged
from pmi_spark.ml.embedding import Embedding
from pmi_spark.ml.folders import working_folder
from pmi_spark.ml.params import KEYS, NEVER_THINNED
from pmi_spark.pipeline import Pipeline
from pmi_spark.storage import Storage
from pmi_spark.vector_artifact import read_vectors

logger = logging.getLogger("pmi_spark.ml")

# What names jobs, as Spark keeps it for each thread.
_JOB_PROPERTIES = ("spark.jobGroup.id", "spark.job.description", "spark.job.interruptOnCancel")


def train(words: DataFrame, config: Config, working_directory: str, thin: bool) -> Embedding:
    """The vectors of a frame's words, ``words array<string>``, a row a document.

    What the stages write takes 2 bytes a word of text and 5 a pair while this runs; they shuffle as their docstrings
    say. With ``thin`` the threshold of subsampling is taken as it is: see NEVER_THINNED. Raises PmiSparkError when the
    text cannot give vectors; it names parameters, not keys.
    """
    spark = words.sparkSession
    with _own_jobs(spark), _named_as_parameters(), working_folder(spark, working_directory) as folder:
        pipeline = Pipeline(spark, folder, config, Log())
        pipeline.take_words(words)
        pipeline.run(("vocabulary",))
        artifacts = Artifacts(spark, Storage(spark), folder)
        fitting = fit_to_size(config, artifacts.require("vocabulary"), thin)
        Pipeline(spark, folder, fitting, Log()).run(("pairs", "pmi", "vectors"))
        vectors = widen(read_vectors(artifacts), config.vectors.dimensions)
        return Embedding(vectors, artifacts.require("vectors"))


class Log:
    """A reporter that tells Python's logging, at its level INFO."""

    def started(self, stage: str) -> None:
        logger.info("%s", stage)

    def note(self, stage: str, text: str) -> None:
        logger.info("%s: %s", stage, text)

    def finished(self, stage: str, manifest: Manifest) -> None:
        logger.info("%s: %s rows, %s s", stage, f"{manifest.row_count:,}", manifest.seconds)

    def skipped(self, stage: str, manifest: Manifest) -> None:
        logger.info("%s: there already", stage)


def fit_to_size(config: Config, vocabulary: Manifest, thin: bool) -> Config:
    """The settings for as few words as there are: no more dimensions, and no threshold that thins rare words."""
    dimensions = min(config.vectors.dimensions, vocabulary.row_count)
    subsample = config.pairs.subsample
    if subsample and not thin:
        subsample = min(max(subsample, NEVER_THINNED / vocabulary.facts["kept_words"]), 1.0)
    return replace(
        config,
        pairs=replace(config.pairs, subsample=subsample),
        vectors=replace(config.vectors, dimensions=dimensions),
    )


def widen(vectors: Gauged, dimensions: int) -> Gauged:
    """Vectors with axes behind that hold nothing, eigenvalue 0, up to ``dimensions``: estimates and cosines stay."""
    missing = dimensions - vectors.matrix.shape[1]
    if not missing:
        return vectors
    return vectors._replace(
        matrix=np.pad(vectors.matrix, ((0, 0), (0, missing))), eigenvalues=np.pad(vectors.eigenvalues, (0, missing))
    )


@contextmanager
def _own_jobs(spark: SparkSession) -> Iterator[None]:
    """The stages name their jobs; afterwards jobs are named as before."""
    context = spark.sparkContext
    before = {name: context.getLocalProperty(name) for name in _JOB_PROPERTIES}
    try:
        yield
    finally:
        for name, value in before.items():
            context.setLocalProperty(name, value)  # type: ignore[arg-type]


@contextmanager
def _named_as_parameters() -> Iterator[None]:
    """An error that speaks of the pipeline's keys speaks of parameters instead."""
    try:
        yield
    except PmiSparkError as error:
        raise type(error)(_as_parameters(error.found), _as_parameters(error.cure)) from error


def _as_parameters(text: str) -> str:
    """Keys as the parameters that stand for them.

    >>> _as_parameters("lower vocabulary.minimum_count or give more text")
    'lower minCount or give more text'
    """
    # The longest first: one key may begin with another.
    for name, key in sorted(KEYS.items(), key=lambda entry: -len(entry[1])):
        text = text.replace(key, name)
    return text
