"""What a model holds: the vectors, what they were made from, and one copy of them for the workers."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

from pyspark import Broadcast, SparkContext
from pyspark.sql import SparkSession

from pmi_spark.artifacts import Artifacts, Manifest
from pmi_spark.config import TokensConfig
from pmi_spark.errors import InputError
from pmi_spark.factorization.earlier import Gauged
from pmi_spark.factorization.shared_matrix import MatrixBuffer, SharedMatrix
from pmi_spark.storage import Storage
from pmi_spark.vector_artifact import read_vectors, write_vectors
from pmi_spark.vectors.store import WordVectors
from pmi_spark.vectors.words import Words


@dataclass(frozen=True)
class Sent:
    """Words and their vectors (words x d), broadcast: for closures."""

    words: Broadcast[Words]
    matrix: SharedMatrix


@dataclass(frozen=True)
class Embedding:
    """The vectors with their gauge, 4 d bytes a word on the driver, and the manifest of their artifact."""

    vectors: Gauged
    manifest: Manifest
    _sent: dict[str, Sent] = field(default_factory=dict)

    @cached_property
    def words(self) -> Words:
        """The words by id, as questions and workers take them."""
        return Words.of(self.vectors.words)

    @cached_property
    def word_vectors(self) -> WordVectors:
        """As questions take them; nothing is copied."""
        vectors = self.vectors
        return WordVectors(
            words=self.words,
            word_counts=vectors.word_counts,
            matrix=vectors.matrix,
            eigenvalues=vectors.eigenvalues,
            exponent=vectors.exponent,
            shift=vectors.shift,
            rotation=vectors.rotation,
            vocabulary_fingerprint=str(self.manifest.upstream.get("vocabulary", "")),
            fingerprint=self.manifest.fingerprint,
            tokens=TokensConfig(**self.manifest.configuration["tokens"]),
        )

    def sent(self, context: SparkContext) -> Sent:
        """The vectors on the workers: 4 d bytes a word to each machine, once for this model and Spark application.

        They stay as long as the model or a frame that it transformed.
        """
        application = str(context.applicationId)
        if application not in self._sent:
            buffer = MatrixBuffer(*self.vectors.matrix.shape)
            buffer.rows[:] = self.vectors.matrix
            self._sent[application] = Sent(context.broadcast(self.words), buffer.share(context))
        return self._sent[application]


def save_embedding(spark: SparkSession, path: str, embedding: Embedding) -> None:
    """Write a new folder with the ``vectors`` artifact in it: what asks an output directory asks it too.

    Raises InputError when there is something of this name.
    """
    artifacts = _artifacts(spark, path)
    if artifacts.storage.exists(artifacts.output):
        raise InputError(f"{path} is there already", cure="write().overwrite().save(path) replaces it")
    files, side_files = write_vectors(artifacts, embedding.vectors)
    artifacts.commit(replace(embedding.manifest, files=files, side_files=side_files))


def load_embedding(spark: SparkSession, path: str) -> Embedding:
    """What :func:`save_embedding` wrote. Raises InputError when there is none, RunError when it is damaged."""
    artifacts = _artifacts(spark, path)
    return Embedding(read_vectors(artifacts), artifacts.require("vectors"))


def _artifacts(spark: SparkSession, path: str) -> Artifacts:
    """A relative path means what it means to Spark, which writes the metadata beside."""
    storage = Storage(spark)
    return Artifacts(spark, storage, storage.qualify(path))
