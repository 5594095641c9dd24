"""The Spark session: the user's settings first, ours only where the user has none.

Settings come from, in falling order: spark-submit and PYSPARK_SUBMIT_ARGS, spark-defaults.conf, then LOCAL_SETTINGS.
"""

from __future__ import annotations

import os
import re
import sys
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from py4j.protocol import Py4JError, Py4JNetworkError
from pyspark import SparkConf, SparkContext
from pyspark.sql import SparkSession

from pmi_spark.errors import MissingToolError, PmiSparkError, RunError, TryAgainError
from pmi_spark.java import java_problem

# What pyspark calls an application that nobody named.
PYSPARK_NAME = "pyspark-shell"
# What Spark says when the driver's JVM or the cluster is gone, and neither the data nor the program is at fault.
_LOST = re.compile(
    r"SparkContext (was|has been) (shut ?down|stopped)|stopped SparkContext|All masters are unresponsive"
    r"|Master removed our application|Application .{0,80} (was|has been) killed"
)
# What file systems say, local ones and HDFS.
_FULL = re.compile(r"No space left on device|Disk quota exceeded|DSQuotaExceededException")
# What BLAS libraries take their number of threads from.
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class SparkSetting(NamedTuple):
    """One Spark setting with the reason it differs from Spark's own default."""

    key: str
    value: str
    reason: str


# What must be known before the JVM starts: its heap, and what the launcher would set for a Python shell.
LAUNCH_SETTINGS = (
    SparkSetting(
        "spark.driver.memory",
        "4g",
        "in local mode the driver is also the executor; Spark's 1g spills a 10^7-pair table",
    ),
    SparkSetting(
        "spark.ui.showConsoleProgress",
        "false",
        "pmi-spark prints its own progress; two bars on one line garble each other",
    ),
)
LOCAL_SETTINGS = (
    *LAUNCH_SETTINGS,
    SparkSetting(
        "spark.driver.maxResultSize",
        "0",
        "a half-sweep returns words x dimensions x 4 bytes; Spark's 1g stops it near 900,000 words",
    ),
    SparkSetting(
        "spark.storage.unrollMemoryThreshold",
        "1000000",
        "bytes of each piece that persisted rows are kept in; Spark's 1048576 are just over half of a region of the "
        "heap (2 MB below 8 GB), so each would take a region of its own and half of the memory would stay empty",
    ),
    SparkSetting("spark.ui.enabled", "false", "a laptop run needs no web server, and its port may be taken"),
    SparkSetting(
        "spark.sql.execution.arrow.maxRecordsPerBatch", "4096", "a batch of web documents then stays near 10 MB"
    ),
    SparkSetting(
        "spark.sql.execution.arrow.maxBytesPerBatch",
        "33554432",
        "4096 documents as long as input.maximum_bytes allows would be 40 GB",
    ),
    SparkSetting(
        "spark.sql.shuffle.partitions", "16", "Spark's 200 tasks cost more to start than a laptop's aggregation takes"
    ),
    SparkSetting("spark.python.worker.reuse", "true", "a worker keeps its dictionary and vocabulary from task to task"),
    SparkSetting(
        "spark.executorEnv.OMP_NUM_THREADS", "1", "every core has a task already; more BLAS threads only contend"
    ),
    SparkSetting("spark.executorEnv.OPENBLAS_NUM_THREADS", "1", "as above: numpy's wheels carry OpenBLAS"),
    SparkSetting("spark.executorEnv.MKL_NUM_THREADS", "1", "as above: conda's numpy carries MKL"),
)


def start_session(application: str = "pmi_spark") -> SparkSession:
    """Join the session that spark-submit made, or start one in local mode with LOCAL_SETTINGS as fall-backs.

    Raises MissingToolError when Java is missing or too old. One JVM start, about 3 s.
    """
    submitted = "PYSPARK_GATEWAY_PORT" in os.environ
    running = SparkSession.getActiveSession() is not None
    if not submitted and not running:
        problem = java_problem()
        if problem:
            found, _, cure = problem.partition("; ")
            raise MissingToolError(found, cure)
        _pin_blas_threads()
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        os.environ.setdefault("PYSPARK_SUBMIT_ARGS", launch_arguments())
    # Without a JVM SparkConf is empty: what spark-submit and spark-defaults.conf say is known to the JVM alone.
    SparkContext._ensure_initialized()
    conf = SparkConf()
    local = str(conf.get("spark.master", "local[*]")).startswith("local")
    if local:
        for key, value, _ in set(LOCAL_SETTINGS) - set(LAUNCH_SETTINGS):
            conf.setIfMissing(key, value)
    conf.setIfMissing("spark.master", "local[*]")
    if conf.get("spark.app.name") in (None, PYSPARK_NAME):
        conf.setAppName(application)
    return SparkSession.builder.config(conf=conf).getOrCreate()


def stop_session() -> None:
    """End the running session, if any, so that its tasks stop before this process does."""
    running = SparkSession.getActiveSession()
    if running is not None:
        # An interrupted call may have left the connection to the JVM broken; the JVM then ends with this process.
        with suppress(Py4JError, OSError):
            running.sparkContext.cancelAllJobs()
            running.stop()


def _pin_blas_threads() -> None:
    """Local workers are forked from a daemon that inherits this environment; the user's own choice stays."""
    for variable in THREAD_VARIABLES:
        os.environ.setdefault(variable, "1")


def launch_arguments() -> str:
    """Arguments for the JVM's launcher in local mode, each only where the user set none."""
    defaults = user_defaults()
    arguments = [
        f"--conf {key}={value}"
        for key, value, _ in LAUNCH_SETTINGS
        if key not in defaults and not (key == "spark.driver.memory" and "SPARK_DRIVER_MEMORY" in os.environ)
    ]
    quiet = conf_directory() / "log4j2.properties"
    user_logging = user_conf_directory()
    has_own = user_logging is not None and (user_logging / "log4j2.properties").exists()
    if quiet.exists() and not has_own and "spark.driver.extraJavaOptions" not in defaults:
        arguments.append(f"--driver-java-options -Dlog4j2.configurationFile={quiet.as_uri()}")
    return " ".join([*arguments, "pyspark-shell"])


def describe_failure(error: Exception) -> PmiSparkError:
    """A failure of Spark, the JVM or the disk as one line: the innermost cause, which names what went wrong.

    A TryAgainError where it was the cluster that went away, else a RunError. Executors that die again and again are
    no reason to try again: most often they lack memory.

    >>> str(describe_failure(OSError("Read-only file system")))
    'the run failed: OSError: Read-only file system; finished stages are kept; --debug shows the whole trace'
    """
    text = str(error)
    own = own_error(text)
    if own is not None:
        return own
    cause = f"{type(error).__name__}: {innermost_cause(text)}"
    if isinstance(error, Py4JNetworkError | ConnectionError) or _LOST.search(text):
        return TryAgainError(f"Spark went away: {cause}", cure="finished stages are kept; run the same command again")
    if _FULL.search(cause):
        room = "make room there or in Spark's local directories and run the same command again"
        return RunError(f"the run failed: {cause}", cure=f"{room}, finished stages are kept")
    return RunError(f"the run failed: {cause}", cure="finished stages are kept; --debug shows the whole trace")


def own_error(text: str) -> RunError | None:
    r"""The error of ours that a worker raised, from its trace: it has its line already.

    >>> str(own_error("Traceback ...\npmi_spark.errors.RunError: cannot read a; run it again"))
    'cannot read a; run it again'
    """
    own = re.search(r"^pmi_spark\.[\w.]+Error: (.+); (.+)$", text, re.MULTILINE)
    return RunError(*own.groups()) if own else None


def innermost_cause(text: str) -> str:
    r"""The last cause that a trace of the JVM or of a Python worker names.

    >>> innermost_cause("Job aborted\nCaused by: java.io.IOException: not a gzip file\n\tat x")
    'java.io.IOException: not a gzip file'
    """
    causes = [line.partition("Caused by: ")[2] for line in text.splitlines() if "Caused by: " in line]
    lines = [
        line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith(("at ", "File "))
    ]
    # A Python worker's trace ends with the exception; a Java one names it first.
    in_python = "Traceback (most recent call last)" in text
    cause = causes[-1] if causes else (lines[-1] if in_python else lines[0]) if lines else ""
    return cause[:400]


def conf_directory() -> Path:
    """Where the project's ``conf`` lies: inside an installed package, or beside it in a checkout."""
    package = Path(__file__).parent
    inside = package / "conf"
    return inside if inside.is_dir() else package.parent / "conf"


def user_conf_directory() -> Path | None:
    """The user's own Spark configuration folder, if the environment names one."""
    if "SPARK_CONF_DIR" in os.environ:
        return Path(os.environ["SPARK_CONF_DIR"])
    return Path(os.environ["SPARK_HOME"], "conf") if "SPARK_HOME" in os.environ else None


def user_defaults() -> set[str]:
    """Keys that the user's spark-defaults.conf sets."""
    folder = user_conf_directory()
    path = folder / "spark-defaults.conf" if folder else None
    if path is None or not path.exists():
        return set()
    lines = (line.strip() for line in path.read_text(encoding="utf-8").splitlines())
    return {line.replace("=", " ", 1).split()[0] for line in lines if line and not line.startswith("#")}


def render_local_conf() -> str:
    """``conf/spark-local.conf``: LOCAL_SETTINGS as a properties file, each line with its reason."""
    lines = [
        "# Local mode. `pmi-spark` applies these itself where you have set nothing; for spark-submit, name the file:",
        "#   spark-submit --properties-file conf/spark-local.conf jobs/run_pipeline.py ...",
        "# This file is written by `make conf`, from pmi_spark/session.py.",
    ]
    for key, value, reason in LOCAL_SETTINGS:
        lines += ["", f"# {reason}", f"{key} {value}"]
    return "\n".join(lines) + "\n"
