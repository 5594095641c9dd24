"""Association tables and word vectors from very large text corpora, on Spark."""

__version__ = "0.1.0"
