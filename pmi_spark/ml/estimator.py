"""The estimator: a column of words -> a model."""

from __future__ import annotations

from typing import Unpack

from pyspark.ml import Estimator
from pyspark.ml.util import DefaultParamsReadable, DefaultParamsWritable
from pyspark.sql import DataFrame

from pmi_spark.ml.columns import words_column
from pmi_spark.ml.model import PMIEmbeddingModel
from pmi_spark.ml.params import WITHOUT_EFFECT, Arguments, EmbeddingParams, accessor
from pmi_spark.ml.training import logger, train


class PMIEmbedding(
    Estimator[PMIEmbeddingModel], EmbeddingParams, DefaultParamsReadable["PMIEmbedding"], DefaultParamsWritable
):
    """Word vectors from PMI, in place of :class:`pyspark.ml.feature.Word2Vec`: the same methods and parameters.

    ``fit`` counts a column of words (array<string>), a row a text, and factorizes their PMI: the stages of
    ``pmi-spark run``, in a folder that is gone afterwards (``workingDirectory``). Python's logging hears of them as
    ``pmi_spark.ml``.

    Word2Vec's parameters have its names and defaults. ``maxIter`` are weighted sweeps, of which the pipeline does 2 by
    default; ``stepSize``, ``numPartitions`` and ``maxSentenceLength`` have no effect, which a warning says where one is
    set to anything else. The others are settings of the pipeline and have its defaults; ``explainParams`` tells all.

    Differences from Word2Vec: words and texts that are null are left out, where the other counts a null as a word and
    fails at a null text. A text in which no two different words meet gives no model. With more dimensions than words
    the last ones are 0. Unless ``subsample`` is set, no word is thinned that occurs 100 times or less.
    """

    def __init__(self, **arguments: Unpack[Arguments]) -> None:
        super().__init__()
        self._take("__init__", arguments)

    def setParams(self, **arguments: Unpack[Arguments]) -> PMIEmbedding:
        """Set several at once; None leaves one as it is."""
        return self._take("setParams", arguments)

    def _take(self, method: str, arguments: Arguments) -> PMIEmbedding:
        for name in arguments:
            if name not in Arguments.__annotations__:
                raise TypeError(f"PMIEmbedding.{method}() got an unexpected keyword argument {name!r}")
        return self._set(**{name: value for name, value in arguments.items() if value is not None})

    def setInputCol(self, value: str) -> PMIEmbedding:
        return self._set(inputCol=value)

    def setOutputCol(self, value: str) -> PMIEmbedding:
        return self._set(outputCol=value)

    def setVectorSize(self, value: int) -> PMIEmbedding:
        return self._set(vectorSize=value)

    def setMinCount(self, value: int) -> PMIEmbedding:
        return self._set(minCount=value)

    def setWindowSize(self, value: int) -> PMIEmbedding:
        return self._set(windowSize=value)

    def setMaxIter(self, value: int) -> PMIEmbedding:
        return self._set(maxIter=value)

    def setSeed(self, value: int) -> PMIEmbedding:
        return self._set(seed=value)

    def setNumPartitions(self, value: int) -> PMIEmbedding:
        return self._set(numPartitions=value)

    def setStepSize(self, value: float) -> PMIEmbedding:
        return self._set(stepSize=value)

    def setMaxSentenceLength(self, value: int) -> PMIEmbedding:
        return self._set(maxSentenceLength=value)

    def _fit(self, dataset: DataFrame) -> PMIEmbeddingModel:
        words = words_column(dataset, self)
        for name, why in WITHOUT_EFFECT.items():
            if self.getOrDefault(name) != self._defaultParamMap[self.getParam(name)]:
                logger.warning("%s = %s has no effect: %s", name, self.getOrDefault(name), why)
        embedding = train(
            dataset.select(words.alias("words")),
            self.configuration(),
            self.getOrDefault(self.workingDirectory),
            thin=self.isSet(self.subsample),
        )
        model = PMIEmbeddingModel(embedding)
        model._resetUid(self.uid)
        return self._copyValues(model)


for _name in Arguments.__annotations__:
    if not hasattr(PMIEmbedding, accessor("set", _name)):
        # Bound by default: every turn of the loop has its own name.
        setattr(PMIEmbedding, accessor("set", _name), lambda self, value, _name=_name: self._set(**{_name: value}))
