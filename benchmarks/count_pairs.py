"""The pairs stage measured: words/s by cores, window and corpus size, shuffle bytes, memory of workers, skew.

    python benchmarks/count_pairs.py --input TEXTS --record out.json [--runs 5] [--cases default window-10 ...]

`tokens` and `vocabulary` of a corpus are made once. Each case is a process and Spark session of its own: the stage runs
once unmeasured (JVM and workers start and warm up; reported apart), then --runs times, from reading `tokens` to the
written `pairs` and their manifest; session start is excluded. Large cases run once, cold. With --cooccur, the program
of that name from Stanford's GloVe counts the same words, as a reference (its own windows and no subsampling).
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from corpora import prepare
from machine import spread, write_record
from workers import SparkStages, worker_memory

from pmi_spark.artifacts import Manifest
from pmi_spark.config import load_config
from pmi_spark.pipeline import Pipeline
from pmi_spark.session import start_session

# Spark would deal the files of one shard to several tasks; this keeps them in one.
ONE_TASK = ("spark.files.openCostInBytes=8g", "spark.files.maxPartitionBytes=16g")
EVERY_WORD = "vocabulary.minimum_count=1"


class Case(NamedTuple):
    """One measurement: a corpus, settings, local cores, further Spark settings.

    ``once``: one run, without a warm-up, for cases whose memory is looked at or that take minutes.
    """

    corpus: str = "text"
    settings: tuple[str, ...] = ()
    cores: int = 2
    spark: tuple[str, ...] = ()
    once: bool = False


CASES = {
    "default": Case(),
    "one-core": Case(cores=1),
    "window-10": Case(settings=("pairs.window=10",)),
    "window-10-one-core": Case(settings=("pairs.window=10",), cores=1),
    "no-subsampling": Case(settings=("pairs.subsample=0.0",)),
    "window-50": Case(settings=("pairs.window=50",), once=True),
    "4-copies": Case("4-copies"),
    "20-copies": Case("20-copies", once=True),
    "giant-line": Case("giant-line", (EVERY_WORD,), once=True),
    "giant-line-window-50": Case("giant-line", (EVERY_WORD, "pairs.window=50"), once=True),
    "many-words": Case("many-words", (EVERY_WORD,), once=True),
    "many-words-window-50": Case("many-words", (EVERY_WORD, "pairs.window=50"), once=True),
    "one-shard": Case("one-shard", spark=ONE_TASK, once=True),
    "tiny-shards": Case("tiny-shards"),
    "half-shard": Case("half-shard"),
    "giant-document": Case("giant-document"),
}


class Quiet:
    """A reporter that says nothing."""

    def started(self, stage: str) -> None: ...
    def note(self, stage: str, text: str) -> None: ...
    def finished(self, stage: str, manifest: Manifest) -> None: ...
    def skipped(self, stage: str, manifest: Manifest) -> None: ...


def measure(output: str, case: Case, runs: int) -> dict[str, Any]:
    """Run one case in this process's own session."""
    spark = start_session("count_pairs benchmark")
    config = load_config(None, case.settings)
    seconds: list[float] = []
    warm_ups = 0 if case.once else 1
    with worker_memory() as memory:
        for _ in range(runs + warm_ups):
            shutil.rmtree(Path(output, "pairs"), ignore_errors=True)
            stages = SparkStages(spark)
            start = time.monotonic()
            Pipeline(spark, output, config, Quiet()).run(["pairs"])
            seconds.append(time.monotonic() - start)
    words = int(manifest_of(output, "tokens")["facts"]["words"])
    pairs = manifest_of(output, "pairs")
    last = stages.summary()
    return {
        "words": words,
        "vocabulary": manifest_of(output, "vocabulary")["row_count"],
        "pairs": pairs["row_count"],
        "bytes_per_pair": round(sum(part["size_bytes"] for part in pairs["files"]) / pairs["row_count"], 2),
        "first_run_seconds": round(seconds[0], 2),
        "seconds": spread(seconds[warm_ups:]),
        "million_words_per_second": spread([words / value / 1e6 for value in seconds[warm_ups:]]),
        "shuffle_bytes_per_word": round(last["shuffle_bytes"] / words, 2),
        "worker_peak_mb": round(memory.peak_mb),
        "budget_mb": config.pairs.memory,
        "stages": last["stages"],
    }


def manifest_of(output: str, stage: str) -> dict[str, Any]:
    """The manifest of a stage, as JSON."""
    return dict(json.loads(Path(output, stage, "_manifest.json").read_text(encoding="utf-8")))


def measure_apart(output: Path, name: str, runs: int) -> dict[str, Any]:
    """One case in a process of its own, with that many local cores."""
    case = CASES[name]
    further = ("spark.ui.showConsoleProgress=false", *case.spark)
    launch = " ".join([f"--master local[{case.cores}] --driver-memory 4g", *(f"--conf {entry}" for entry in further)])
    environment = os.environ | {"PYSPARK_SUBMIT_ARGS": f"{launch} pyspark-shell"}
    command = [
        sys.executable,
        __file__,
        "--child",
        str(output),
        "--cases",
        name,
        "--runs",
        str(1 if case.once else runs),
    ]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    figures = {**case._asdict(), **json.loads(done.stdout.splitlines()[-1])}
    print(name, json.dumps(figures), flush=True)
    return figures


class Cooccur:
    """GloVe's own counter, one thread, on the words of a run's tokens: every word counted, 1/d by distance."""

    def __init__(self, program: str, output: Path, folder: Path) -> None:
        self._program = Path(program)
        self._text, self._vocabulary = folder / "glove.txt", folder / "glove-vocabulary.txt"
        words = (
            ds.dataset(output / "tokens", exclude_invalid_files=True).to_table()["words"].cast(pa.list_(pa.string()))
        )
        self._words = pc.sum(pc.list_value_length(words)).as_py()
        with self._text.open("w", encoding="utf-8") as out:
            out.writelines(f"{line}\n" for line in pc.binary_join(words, " ").to_pylist())
        self._run("vocab_count", ["-min-count", "5"], self._text, self._vocabulary)

    def _run(self, name: str, options: list[str], source: Path, target: Path) -> float:
        start = time.monotonic()
        with source.open("rb") as stdin, target.open("wb") as stdout:
            command = [str(self._program.with_name(name)), "-verbose", "0", *options]
            subprocess.run(command, stdin=stdin, stdout=stdout, stderr=subprocess.DEVNULL, check=True)
        return time.monotonic() - start

    def measure(self, window: int, runs: int) -> dict[str, Any]:
        """Words/s over several runs; the counts are written to a file, as ours are."""
        options = ["-window-size", str(window), "-vocab-file", str(self._vocabulary), "-memory", "8"]
        target = self._text.with_suffix(".bin")
        options += ["-overflow-file", str(self._text.with_suffix(".overflow"))]
        seconds = [self._run("cooccur", options, self._text, target) for _ in range(runs)]
        return {
            "window": window,
            "seconds": spread(seconds),
            "million_words_per_second": spread([self._words / value / 1e6 for value in seconds]),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--input", nargs="+", help="text shards or their directory")
    parser.add_argument("--record", help="JSON file to write")
    parser.add_argument("--runs", type=int, default=5, help="measured runs a case [default 5]")
    parser.add_argument("--cases", nargs="*", default=list(CASES), choices=list(CASES), help="[default: all]")
    parser.add_argument("--cooccur", help="path of GloVe's cooccur program, vocab_count beside it")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        print(json.dumps(measure(arguments.child, CASES[arguments.cases[0]], arguments.runs)))
        return
    if not (arguments.input and arguments.record):
        parser.error("--input and --record are needed")
    record: dict[str, Any] = {
        "text": [Path(path).name for path in arguments.input],
        "runs": arguments.runs,
        "cooccur": [],
        "cases": {},
    }
    with tempfile.TemporaryDirectory() as folder:
        for corpus in dict.fromkeys(CASES[name].corpus for name in arguments.cases):
            names = [name for name in arguments.cases if CASES[name].corpus == corpus]
            output = Path(folder, corpus)
            stage_settings = [entry for entry in CASES[names[0]].settings if entry.startswith("vocabulary.")]
            prepare(corpus, arguments.input, output, stage_settings)
            for name in names:
                record["cases"][name] = measure_apart(output, name, arguments.runs)
                # After every case, so that what took an hour is not lost to what comes next.
                write_record(arguments.record, record)
            if arguments.cooccur and corpus == "text":
                cooccur = Cooccur(arguments.cooccur, output, Path(folder))
                record["cooccur"] = [cooccur.measure(window, arguments.runs) for window in (5, 10)]
                write_record(arguments.record, record)
            shutil.rmtree(output)


if __name__ == "__main__":
    main()
