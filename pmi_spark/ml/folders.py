"""Where a fit keeps its tables: a folder of its own, gone when it is done."""

from __future__ import annotations

import socket
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from py4j.protocol import Py4JError
from pyspark.sql import SparkSession

from pmi_spark.local_folders import passing_folder
from pmi_spark.ml.errors import ArgumentError
from pmi_spark.storage import Storage

CURE = "set workingDirectory to a folder that all machines share"


def is_local(spark: SparkSession) -> bool:
    """Do all tasks run on this machine, in one JVM?"""
    return bool(spark.sparkContext._jsc.sc().isLocal())


@contextmanager
def working_folder(spark: SparkSession, parent: str) -> Iterator[str]:
    """A new folder in ``parent``, gone when the block ends.

    Without a parent it lies among this machine's temporary files, on a cluster in Spark's checkpoint directory. Raises
    ArgumentError where a cluster has none, or its workers do not see the folder.
    """
    local = is_local(spark)
    parent = parent or ("" if local else spark.sparkContext.getCheckpointDir() or "")
    if parent:
        with _folder_in(spark, parent) as folder:
            if not local:
                refuse_unshared(spark, folder)
            yield folder
    elif local:
        with passing_folder() as own:
            yield f"{own.as_uri()}/fit"
    else:
        raise ArgumentError("the machines of this cluster share no folder that is known", CURE)


@contextmanager
def _folder_in(spark: SparkSession, parent: str) -> Iterator[str]:
    storage = Storage(spark)
    # Not by the name of a passing folder: in the temporary directory the next one would take it for abandoned.
    folder = f"{storage.resolve(parent).rstrip('/')}/pmi_spark_fit-{uuid.uuid4().hex}"
    try:
        yield folder
    except BaseException:
        # Spark itself may be gone; what went wrong first is what is told.
        with suppress(Py4JError, OSError):
            storage.delete(folder)
        raise
    storage.delete(folder)


def refuse_unshared(spark: SparkSession, folder: str) -> None:
    """ArgumentError when a local folder is not there where tasks run: a job of as many short tasks as there are cores.

    Asks nothing of other file systems, which are everyone's.
    """
    storage, context = Storage(spark), spark.sparkContext
    scheme, _, path = storage.qualify(folder).partition(":")
    if scheme != "file":
        return
    storage.write_text(f"{folder}/_here", "")

    def lacking(_: int) -> list[str]:
        return [] if Path(path, "_here").exists() else [socket.gethostname()]

    cores = context.defaultParallelism
    hosts = context.parallelize(range(cores), cores).flatMap(lacking).collect()
    if hosts:
        raise ArgumentError(f"{folder} is not there on {hosts[0]}", CURE)
