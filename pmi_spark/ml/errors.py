"""What ``pyspark.ml`` users catch, with this project's one line."""

from __future__ import annotations

from pyspark.errors import IllegalArgumentException, PySparkException

from pmi_spark.errors import ConfigurationError


class ArgumentError(ConfigurationError, IllegalArgumentException):
    """A column, parameter or argument that cannot be taken: an IllegalArgumentException, as Word2Vec raises.

    >>> str(ArgumentError("windowSize = 0 is out of range", cure="it takes 1 to 100 words"))
    'windowSize = 0 is out of range; it takes 1 to 100 words'
    """

    def __init__(self, found: str, cure: str) -> None:
        PySparkException.__init__(self, message=f"{found}; {cure}")
        self.args = found, cure
        self.found = found
        self.cure = cure
