"""One copy of a matrix for all workers of a machine."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import numpy as np
import pytest
from py4j.protocol import Py4JJavaError
from pyspark.errors import PythonException
from pyspark.sql import SparkSession

from pmi_spark.factorization.shared_matrix import MatrixBuffer


def test_workers_map_the_same_file(spark: SparkSession) -> None:
    buffer = MatrixBuffer(3000, 5)
    buffer.rows[:] = np.arange(15000).reshape(3000, 5)
    shared = buffer.share(spark.sparkContext)

    def read(places: Iterator[int]) -> Iterator[tuple[int, str, str, int, list[float]]]:
        # Long enough for the other task to need a worker of its own.
        time.sleep(0.5)
        for first in places:
            part = shared.slice(first, first + 2)
            file = os.stat(part.filename)  # noqa: PTH116 - sent to the worker
            yield os.getpid(), type(part).__name__, file.st_ino, part.ctypes.data % 4, part.ravel().tolist()

    found = spark.sparkContext.parallelize([0, 2998], 2).mapPartitions(read).collect()
    workers, kinds, files, askew, rows = zip(*found, strict=True)
    assert len(set(workers)) == 2
    assert set(kinds) == {"memmap"}
    assert len(set(files)) == 1
    assert set(askew) == {0}
    assert rows == (list(range(10)), list(range(14990, 15000)))
    shared.destroy()


def test_what_was_freed_is_gone(spark: SparkSession) -> None:
    shared = MatrixBuffer(10, 2).share(spark.sparkContext)
    shared.destroy()
    with pytest.raises((Py4JJavaError, PythonException, FileNotFoundError)):
        spark.sparkContext.parallelize([0], 1).map(lambda _: shared.slice(0, 1).sum()).collect()
