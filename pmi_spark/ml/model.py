"""The fitted model: vectors of words and of texts, and questions to them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from pyspark.ml import Model
from pyspark.ml.functions import array_to_vector
from pyspark.ml.linalg import Vector
from pyspark.ml.util import DefaultParamsReader, DefaultParamsWriter, MLReadable, MLReader, MLWritable, MLWriter
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import DoubleType, StringType, StructField, StructType

from pmi_spark.ml.columns import text_vectors, words_column
from pmi_spark.ml.embedding import Embedding, load_embedding, save_embedding
from pmi_spark.ml.errors import ArgumentError
from pmi_spark.ml.params import EmbeddingParams
from pmi_spark.vectors.query import Neighbour, nearest_words, related_words, similar_words
from pmi_spark.vectors.store import Floats


class PMIEmbeddingModel(Model, EmbeddingParams, MLReadable["PMIEmbeddingModel"], MLWritable):
    """Vectors that :class:`pmi_spark.ml.PMIEmbedding` fitted, with what Word2VecModel offers and ``findRelated``.

    The vectors, 4 d bytes a word, are held on the driver, where all questions are answered: one product of words x d
    each. Differences from Word2VecModel: ``transform`` gives a text that is null no vector where the other fails, a
    text without words a dense zero where the other's is sparse; an unknown word raises InputError, with near spellings.
    """

    def __init__(self, embedding: Embedding) -> None:
        super().__init__()
        self._embedding = embedding

    def setInputCol(self, value: str) -> PMIEmbeddingModel:
        return self._set(inputCol=value)

    def setOutputCol(self, value: str) -> PMIEmbeddingModel:
        return self._set(outputCol=value)

    def setAggregation(self, value: str) -> PMIEmbeddingModel:
        return self._set(aggregation=value)

    def getVectors(self) -> DataFrame:
        """``word string, vector vector``, the most frequent word first."""
        vectors = self._embedding.vectors
        size = vectors.matrix.shape[1]
        rows = pa.FixedSizeListArray.from_arrays(pa.array(vectors.matrix.ravel()), size).cast(pa.list_(pa.float32()))
        frame = SparkSession.active().createDataFrame(pa.table({"word": pa.array(vectors.words), "vector": rows}))
        return frame.select("word", array_to_vector("vector").alias("vector"))  # type: ignore[arg-type]

    def findSynonyms(self, word: str | Vector | Sequence[float], num: int) -> DataFrame:
        """``word string, similarity double``: the ``num`` words of largest cosine with a word, or with a vector.

        A word is not among its own; a vector may be any. Raises InputError for an unknown word, ArgumentError unless
        ``num`` is positive and a vector has the model's dimensions.
        """
        return _frame("similarity", self.findSynonymsArray(word, num))

    def findSynonymsArray(self, word: str | Vector | Sequence[float], num: int) -> list[tuple[str, float]]:
        """As :meth:`findSynonyms`, as a list."""
        _refuse_none(num)
        vectors = self._embedding.word_vectors
        if isinstance(word, str):
            return _pairs(similar_words(vectors, word, num))
        return _pairs(nearest_words(vectors, self._direction(word), num))

    def findRelated(self, word: str, num: int) -> DataFrame:
        """``word string, pmi double``: the ``num`` words of largest estimated PMI (nats) with a word, met or not."""
        _refuse_none(num)
        return _frame("pmi", _pairs(related_words(self._embedding.word_vectors, word, num)))

    def _direction(self, vector: Vector | Sequence[float]) -> Floats:
        values = np.asarray(vector.toArray() if isinstance(vector, Vector) else vector)
        if not values.shape or values.dtype.kind not in "fiu":
            raise TypeError(f"cannot take {type(vector).__name__} for a word or a vector")
        size = self._embedding.vectors.matrix.shape[1]
        if values.shape != (size,):
            raise ArgumentError(f"a vector of shape {values.shape} is none of this model", f"it takes {size} numbers")
        return values.astype(np.float32)

    def _transform(self, dataset: DataFrame) -> DataFrame:
        """The frame with a vector a text, the mean or the sum of its words' vectors: see :func:`sum_vectors`."""
        words = words_column(dataset, self)
        sent = self._embedding.sent(dataset.sparkSession.sparkContext)
        size = {"ml_attr": {"num_attrs": self._embedding.vectors.matrix.shape[1]}}
        mean = self.getOrDefault(self.aggregation) == "mean"
        return dataset.select("*", text_vectors(words, sent, mean, size, self.getOutputCol()))

    def write(self) -> MLWriter:
        return _Writer(self)

    @classmethod
    def read(cls) -> MLReader[PMIEmbeddingModel]:
        return _Reader()

    def __repr__(self) -> str:
        words, size = self._embedding.vectors.matrix.shape
        return f"PMIEmbeddingModel: uid={self.uid}, numWords={words}, vectorSize={size}"


class _Writer(MLWriter):
    """``metadata`` as Spark's own models have it, and beside it ``vectors``, Parquet with a manifest."""

    def __init__(self, model: PMIEmbeddingModel) -> None:
        super().__init__()
        self._model = model

    def saveImpl(self, path: str) -> None:
        save_embedding(self.sparkSession, path, self._model._embedding)
        # Last: a folder without it is no model.
        DefaultParamsWriter.saveMetadata(self._model, path, self.sparkSession)


class _Reader(MLReader[PMIEmbeddingModel]):
    def load(self, path: str) -> PMIEmbeddingModel:
        own = f"{PMIEmbeddingModel.__module__}.{PMIEmbeddingModel.__name__}"
        metadata = DefaultParamsReader.loadMetadata(path, self.sparkSession, own)
        model = PMIEmbeddingModel(load_embedding(self.sparkSession, path))
        model._resetUid(metadata["uid"])
        DefaultParamsReader.getAndSetParams(model, metadata)
        return model


def _pairs(neighbours: Sequence[Neighbour]) -> list[tuple[str, float]]:
    return [(found.word, found.score) for found in neighbours]


def _refuse_none(num: int) -> None:
    if num < 1:
        raise ArgumentError(f"num = {num} words are asked for", cure="ask for 1 or more")


def _frame(score: str, rows: list[tuple[str, float]]) -> DataFrame:
    columns = StructType([StructField("word", StringType()), StructField(score, DoubleType(), nullable=False)])
    return SparkSession.active().createDataFrame(rows, columns)
