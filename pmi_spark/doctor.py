"""Is this machine ready? Each check is one line: what was looked at, what was found, and the cure where it is bad."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version

from rich.console import Console

from pmi_spark.java import find_java, java_problem, java_version

# (found, cure or None where all is well)
Finding = tuple[str, str | None]


def check_python() -> Finding:
    """Python 3.11 or newer."""
    found = f"Python {sys.version.split()[0]} at {sys.executable}"
    return found, None if sys.version_info >= (3, 11) else "install Python 3.11 or newer"


def check_java() -> Finding:
    """A Java that Spark runs on."""
    problem = java_problem()
    if problem:
        found, _, cure = problem.partition("; ")
        return found, cure
    executable = find_java() or ""
    return f"Java {java_version(executable)} at {executable}", None


def check_packages() -> Finding:
    """The packages the pipeline imports, and their versions."""
    found, missing = [], []
    for name in ("pyspark", "numpy", "scipy", "pyarrow", "pandas", "jieba"):
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            missing.append(name)
    return ", ".join(found), f"pip install {' '.join(missing)}" if missing else None


def check_fast_segmenter() -> Finding:
    """rjieba, which is optional: never a fault."""
    if importlib.util.find_spec("rjieba"):
        return f"rjieba {version('rjieba')}: Chinese is cut about ten times faster", None
    return "rjieba is not installed; jieba itself cuts Chinese (pip install 'pmi_spark[fast]' is faster)", None


def check_memory() -> Finding:
    """1 GB a core for Python workers beside 4 GB of JVM heap."""
    try:
        gigabytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    except (ValueError, OSError, AttributeError):
        return "memory: unknown on this system", None
    cores = os.cpu_count() or 1
    needed = 4 + cores
    cure = (
        None if gigabytes >= needed else f"about {needed} GB are wanted: lower spark.driver.memory or use fewer cores"
    )
    return f"{gigabytes:.0f} GB of memory, {cores} cores", cure


def check_disk() -> Finding:
    """Room for shuffles: about 40 bytes a distinct pair and task."""
    folder = os.environ.get("SPARK_LOCAL_DIRS", tempfile.gettempdir()).split(",")[0]
    free = shutil.disk_usage(folder).free / 2**30
    return (
        f"{free:.0f} GB free for shuffles in {folder}",
        None if free >= 5 else "free some, or point SPARK_LOCAL_DIRS elsewhere",
    )


def check_spark_job() -> Finding:
    """A job that starts a JVM and Python workers, and brings Arrow across."""
    from pmi_spark.session import describe_failure, start_session

    try:
        spark = start_session("pmi-spark doctor")
        total = spark.range(1000).mapInArrow(lambda batches: batches, "id long").count()
    except Exception as error:
        return str(describe_failure(error).found), "read the cause above; `pmi-spark doctor` again after the cure"
    return f"Spark {spark.version} ran a job in {spark.sparkContext.master} ({total:,} rows through Python)", None


CHECKS: tuple[Callable[[], Finding], ...] = (
    check_python,
    check_java,
    check_packages,
    check_fast_segmenter,
    check_memory,
    check_disk,
    check_spark_job,
)


def findings() -> Iterator[Finding]:
    """Every check in order; the Spark job is left out when Java is missing, which would be its only news."""
    for check in CHECKS:
        if check is check_spark_job and java_problem():
            continue
        yield check()


def run_checks(console: Console) -> bool:
    """Print every finding; True when nothing needs a cure."""
    ready = True
    for found, cure in findings():
        ready = ready and cure is None
        mark, ending = ("ok ", "") if cure is None else ("BAD", f"; {cure}")
        console.print(f"{mark} {found}{ending}", markup=False, highlight=False, soft_wrap=True)
    console.print("ready" if ready else "not ready")
    return ready
