"""Is this machine ready? Each check is one line: what was looked at, what was found, and the cure where it is bad."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import sys
import tempfile
import uuid
from collections.abc import Callable, Collection, Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import NamedTuple

import pyarrow as pa
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
    found: list[str] = []
    missing: list[str] = []
    for name in ("pyspark", "numpy", "scipy", "pyarrow", "pandas", "jieba"):
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            # A Spark that is the cluster's own can be imported, but no package manager knows of it.
            (found if importlib.util.find_spec(name) else missing).append(name)
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


class WorkerFacts(NamedTuple):
    """What must be the same in every Python worker and here, and how many threads a worker's BLAS would take."""

    python: str
    numpy: str
    pyarrow: str
    blas_threads: str


def worker_facts() -> WorkerFacts:
    """Those of the process that asks; BLAS threads as its environment says, empty where it says nothing."""
    from pmi_spark.session import THREAD_VARIABLES

    threads = next((os.environ[name] for name in THREAD_VARIABLES if name in os.environ), "")
    return WorkerFacts(platform.python_version(), version("numpy"), version("pyarrow"), threads)


def check_spark() -> Iterator[Finding]:
    """A job that starts a JVM and Python workers and brings Arrow across; what the workers are, beside the driver."""
    from pmi_spark.session import describe_failure, start_session

    def ask(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        rows = sum(len(batch) for batch in batches)
        facts = {name: [value] for name, value in worker_facts()._asdict().items()}
        yield pa.RecordBatch.from_pydict({**facts, "row_count": [rows]})

    columns = ", ".join([*(f"{name} string" for name in WorkerFacts._fields), "row_count long"])
    try:
        spark = start_session("pmi-spark doctor")
        partitions = 4 * spark.sparkContext.defaultParallelism
        answers = spark.range(0, 1000, 1, partitions).mapInArrow(ask, columns).collect()
    except Exception as error:
        yield str(describe_failure(error).found), "read the cause above; `pmi-spark doctor` again after the cure"
        return
    total = sum(answer["row_count"] for answer in answers)
    yield f"Spark {spark.version} ran a job in {spark.sparkContext.master} ({total:,} rows through Arrow)", None
    yield from compare_workers(worker_facts(), {WorkerFacts(*answer[:-1]) for answer in answers})


def compare_workers(driver: WorkerFacts, workers: Collection[WorkerFacts]) -> Iterator[Finding]:
    """Versions in the workers beside the driver's, and their BLAS threads."""
    for name in ("python", "numpy", "pyarrow"):
        own, others = getattr(driver, name), sorted({getattr(worker, name) for worker in workers})
        cure = f"give driver and executors one environment; the driver has {own}" if others != [own] else None
        yield f"{name} in the workers: {', '.join(others)}", cure
    threads = sorted({worker.blas_threads for worker in workers})
    told = ", ".join(count or "as many as there are cores" for count in threads)
    cure = "set spark.executorEnv.OMP_NUM_THREADS to 1: every core has a task already" if threads != ["1"] else None
    yield f"BLAS threads a worker: {told}", cure


def check_output(output: str) -> Iterator[Finding]:
    """May this user write there, and what does the file system promise?"""
    from pmi_spark.session import describe_failure, start_session
    from pmi_spark.storage import Storage

    storage = Storage(start_session("pmi-spark doctor"))
    folder = storage.qualify(storage.resolve(output))
    was_there = storage.exists(folder)
    probe = f"{folder}/_doctor-{uuid.uuid4().hex}"
    try:
        made = storage.create(probe, b"1")
        made_again = storage.create(probe, b"2")
        storage.write_text(probe, "3")
        kept = storage.read_text(probe)
        storage.delete(probe)
        if not was_there:
            storage.delete_empty(folder)
    except Exception as error:
        yield (
            f"cannot write to {folder}: {describe_failure(error).found}",
            "give another --output, or the right to write",
        )
        return
    whole = made and not made_again and kept == "3"
    yield f"{folder} can be written to", None if whole else "its file system loses or mixes files: use another"
    yield f"{folder.partition(':')[0]}: {storage.promise(probe)}", None
    if storage.admits_one(probe):
        yield "of two runs that start in the same second one goes on", None
    else:
        yield "of two runs that start in the same second both may begin; one stops before it publishes", None


CHECKS: tuple[Callable[[], Finding], ...] = (
    check_python,
    check_java,
    check_packages,
    check_fast_segmenter,
    check_memory,
    check_disk,
)


def findings(output: str = "") -> Iterator[Finding]:
    """Every check in order; those that need Spark are left out when Java is missing, which would be their only news."""
    yield from (check() for check in CHECKS)
    if not java_problem():
        yield from check_spark()
        if output:
            yield from check_output(output)


def run_checks(console: Console, output: str = "") -> bool:
    """Print every finding; True when nothing needs a cure."""
    ready = True
    for found, cure in findings(output):
        ready = ready and cure is None
        mark, ending = ("ok ", "") if cure is None else ("BAD", f"; {cure}")
        console.print(f"{mark} {found}{ending}", markup=False, highlight=False, soft_wrap=True)
    console.print("ready" if ready else "not ready")
    return ready
