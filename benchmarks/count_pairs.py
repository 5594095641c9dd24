"""The pairs stage measured: words/s by cores, window and corpus size, memory of workers, shuffle bytes.

    python benchmarks/count_pairs.py --input TEXTS --record out.json [--runs 3] [--cases default window-10 ...]

`tokens` and `vocabulary` are made once. Each case is a process and Spark session of its own: the stage runs once
unmeasured (JVM warm-up, reported apart), then --runs times, from reading `tokens` to the written `pairs`; session
start is excluded. A corpus of n copies is the tokens read n times under other document ids, so that subsampling
differs from copy to copy: pairs grow slowly, counts n-fold.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from functools import reduce
from pathlib import Path
from typing import Any, NamedTuple

from machine import spread, write_record
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from pmi_spark.artifacts import Artifacts, Manifest
from pmi_spark.config import load_config
from pmi_spark.pipeline import Pipeline
from pmi_spark.session import start_session

SAMPLE_SECONDS = 0.05


class Case(NamedTuple):
    """One measurement: local cores, settings, copies of the corpus."""

    cores: int = 2
    settings: tuple[str, ...] = ()
    copies: int = 1


CASES = {
    "default": Case(),
    "one-core": Case(cores=1),
    "window-10": Case(settings=("pairs.window=10",)),
    "no-subsampling": Case(settings=("pairs.subsample=0.0",)),
    "no-subsampling-window-10": Case(settings=("pairs.subsample=0.0", "pairs.window=10")),
    "window-50": Case(settings=("pairs.window=50",)),
    "4-copies": Case(copies=4),
    "20-copies": Case(copies=20),
}


class Quiet:
    """A reporter that says nothing."""

    def started(self, stage: str) -> None: ...
    def note(self, stage: str, text: str) -> None: ...
    def finished(self, stage: str, manifest: Manifest) -> None: ...
    def skipped(self, stage: str, manifest: Manifest) -> None: ...


class WorkerMemory:
    """Peak resident memory of the largest of this process's Python workers (MB), sampled from /proc."""

    def __init__(self) -> None:
        self.peak_mb = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> WorkerMemory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(SAMPLE_SECONDS):
            for process in descendants(os.getpid()):
                self.peak_mb = max(self.peak_mb, resident_mb(process))


def descendants(root: int) -> Iterator[int]:
    """Process ids below a process."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        children.setdefault(parent, []).append(int(folder.name))
    waiting = [root]
    while waiting:
        found = children.get(waiting.pop(), [])
        waiting += found
        yield from found


def resident_mb(process: int) -> float:
    """Resident memory of a Python worker; 0 for any other process, and for one that has just ended."""
    try:
        if "pyspark.daemon" not in Path(f"/proc/{process}/cmdline").read_text():
            return 0.0
        pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def read_copies(copies: int) -> None:
    """Make every reader of `tokens` see them several times over, each copy under other document ids."""
    read = Artifacts.read

    def repeated(self: Artifacts, name: str, schema: Any, side: bool = False) -> DataFrame:
        frame = read(self, name, schema, side)
        if name != "tokens":
            return frame
        return reduce(
            DataFrame.unionAll,
            [frame.withColumn("document_id", F.xxhash64("document_id", F.lit(copy))) for copy in range(copies)],
        )

    Artifacts.read = repeated  # type: ignore[method-assign]


def shuffle_bytes(spark: SparkSession) -> int:
    """Bytes written to the shuffle by all stages so far, from Spark's own store."""
    context: Any = spark.sparkContext
    stages = (
        context._jsc.sc()
        .statusStore()
        .stageList(None, False, False, context._gateway.new_array(context._jvm.double, 0), None)
    )
    return sum(stages.apply(index).shuffleWriteBytes() for index in range(stages.size()))


def measure(output: str, case: Case, runs: int) -> dict[str, Any]:
    """Run one case in this process's own session."""
    spark = start_session("count_pairs benchmark")
    if case.copies > 1:
        read_copies(case.copies)
    config = load_config(None, case.settings)
    seconds, shuffled = [], [0]
    with WorkerMemory() as memory:
        for _ in range(runs + 1):
            shutil.rmtree(Path(output, "pairs"), ignore_errors=True)
            start = time.monotonic()
            Pipeline(spark, output, config, Quiet()).run(["pairs"])
            seconds.append(time.monotonic() - start)
            shuffled.append(shuffle_bytes(spark))
    words = case.copies * int(manifest_of(output, "tokens")["facts"]["words"])
    return {
        "words": words,
        "pairs": manifest_of(output, "pairs")["row_count"],
        "first_run_seconds": round(seconds[0], 2),
        "seconds": spread(seconds[1:]),
        "million_words_per_second": spread([words / value / 1e6 for value in seconds[1:]]),
        "shuffle_bytes_per_word": round((shuffled[-1] - shuffled[-2]) / words, 2),
        "worker_peak_mb": round(memory.peak_mb),
        "budget_mb": config.pairs.memory,
    }


def manifest_of(output: str, stage: str) -> dict[str, Any]:
    """The manifest of a stage, as JSON."""
    return dict(json.loads(Path(output, stage, "_manifest.json").read_text(encoding="utf-8")))


def measure_apart(output: str, name: str, runs: int) -> dict[str, Any]:
    """One case in a process of its own, with that many local cores."""
    case = CASES[name]
    launch = f"--master local[{case.cores}] --driver-memory 4g --conf spark.ui.showConsoleProgress=false pyspark-shell"
    environment = os.environ | {"PYSPARK_SUBMIT_ARGS": launch}
    command = [sys.executable, __file__, "--child", output, "--cases", name, "--runs", str(runs)]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return {**case._asdict(), **json.loads(done.stdout.splitlines()[-1])}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--input", nargs="+", help="text shards or their directory")
    parser.add_argument("--record", help="JSON file to write")
    parser.add_argument("--runs", type=int, default=3, help="measured runs a case [default 3]")
    parser.add_argument("--cases", nargs="*", default=list(CASES), choices=list(CASES), help="[default: all]")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        print(json.dumps(measure(arguments.child, CASES[arguments.cases[0]], arguments.runs)))
        return
    if not (arguments.input and arguments.record):
        parser.error("--input and --record are needed")
    with tempfile.TemporaryDirectory() as output:
        command = [sys.executable, "-m", "pmi_spark.cli"]
        subprocess.run([*command, "tokens", "--input", *arguments.input, "--output", output], check=True)
        subprocess.run([*command, "vocabulary", "--output", output], check=True)
        figures = {name: measure_apart(output, name, arguments.runs) for name in arguments.cases}
    text = [Path(path).name for path in arguments.input]
    write_record(arguments.record, {"text": text, "runs": arguments.runs, "cases": figures})
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
