"""Finished word vectors: load and ask. Neither Spark nor Java is needed here."""
