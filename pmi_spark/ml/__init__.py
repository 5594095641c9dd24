"""The pipeline as an estimator of ``pyspark.ml``, in place of ``pyspark.ml.feature.Word2Vec``."""

from pmi_spark.ml.estimator import PMIEmbedding
from pmi_spark.ml.model import PMIEmbeddingModel

__all__ = ["PMIEmbedding", "PMIEmbeddingModel"]
