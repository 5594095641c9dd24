"""The vocabulary stage on very many distinct words: seconds and memory, numbered by ranges or by one task.

    python benchmarks/count_vocabulary.py --record out.json [--words N] [--cases all-kept ...]

The tokens are synthetic: each of N words once, and as many draws again by Zipf's law, shuffled, 1000 a document. They
are made first and not counted. Each case is a process and Spark session of its own, cold, and runs the stage once.
Memory is resident memory: of the JVM, in which Spark counts and sorts, and of the largest Python worker.
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

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from machine import write_record
from workers import SparkStages, process_memory, worker_memory

from pmi_spark.artifacts import Artifacts, Manifest, PartFile
from pmi_spark.config import load_config
from pmi_spark.corpus import ranking
from pmi_spark.corpus.token_files import SCHEMA, WORD_STRINGS
from pmi_spark.parquet_files import MAGIC, ParquetEncoder
from pmi_spark.pipeline import Pipeline
from pmi_spark.session import start_session
from pmi_spark.storage import Storage

WORDS_A_DOCUMENT = 1000
GROUP_WORDS = 1 << 22
FILE_GROUPS = 2


class Case(NamedTuple):
    """Settings, and the rows that one task numbers at most."""

    settings: tuple[str, ...]
    rows_per_task: int = ranking.ROWS_PER_TASK


CASES = {
    "all-kept": Case(("vocabulary.minimum_count=1",)),
    "all-kept-one-task": Case(("vocabulary.minimum_count=1",), rows_per_task=1 << 40),
    "largest-million": Case(("vocabulary.minimum_count=1", "vocabulary.maximum_size=1000000")),
    "five-times": Case(()),
}


class Quiet:
    """A reporter that says nothing."""

    def started(self, stage: str) -> None: ...
    def note(self, stage: str, text: str) -> None: ...
    def finished(self, stage: str, manifest: Manifest) -> None: ...
    def skipped(self, stage: str, manifest: Manifest) -> None: ...


def write_tokens(folder: Path, words: int) -> tuple[PartFile, ...]:
    """Files of ``tokens`` of 2 N words, N of them different."""
    generator = np.random.default_rng(0)
    ids = np.concatenate((np.arange(words), generator.zipf(1.15, words) % words))
    generator.shuffle(ids)
    folder.mkdir(parents=True)
    parts = []
    for number, start in enumerate(range(0, len(ids), GROUP_WORDS * FILE_GROUPS)):
        encoder = ParquetEncoder(SCHEMA, dictionary=[WORD_STRINGS])
        for group in range(start, min(start + GROUP_WORDS * FILE_GROUPS, len(ids)), GROUP_WORDS):
            encoder.add(documents_of(ids[group : group + GROUP_WORDS], first=group))
        name = f"part-{number:05d}.parquet"
        size = (folder / name).write_bytes(encoder.finish().to_pybytes() + MAGIC.encode())
        parts.append(PartFile(name, size, encoder.row_count))
    return tuple(parts)


def documents_of(ids: np.ndarray, first: int) -> pa.Table:
    """Word ids as documents of WORDS_A_DOCUMENT words; their document_id is the place of their first word."""
    offsets = np.append(np.arange(0, len(ids), WORDS_A_DOCUMENT), len(ids)).astype(np.int32)
    strings = pc.binary_join_element_wise("w", pa.array(ids).cast(pa.string()), "")
    columns = [pa.array(offsets[:-1].astype(np.int64) + first), pa.ListArray.from_arrays(pa.array(offsets), strings)]
    return pa.table([column.cast(kind) for column, kind in zip(columns, SCHEMA.types, strict=True)], schema=SCHEMA)


def measure(output: str, case: Case) -> dict[str, Any]:
    """Run one case in this process's own session."""
    spark = start_session("count_vocabulary benchmark")
    artifacts = Artifacts(spark, Storage(spark), output)
    ranking.ROWS_PER_TASK = case.rows_per_task
    shutil.rmtree(Path(output, "vocabulary"), ignore_errors=True)
    stages = SparkStages(spark)
    jvm = spark.sparkContext._gateway.proc.pid
    with worker_memory() as workers, process_memory(jvm) as java, process_memory(os.getpid()) as driver:
        start = time.monotonic()
        Pipeline(spark, output, load_config(None, case.settings), Quiet()).run(["vocabulary"])
        seconds = time.monotonic() - start
    manifest = artifacts.require("vocabulary")
    return {
        "seconds": round(seconds, 1),
        "words": manifest.row_count,
        "facts": manifest.facts,
        "files": len(manifest.files),
        "bytes": sum(part.size_bytes for part in manifest.files),
        "peak_mb": {
            "driver_jvm": round(java.peak_mb),
            "largest_worker": round(workers.peak_mb),
            "driver_python": round(driver.peak_mb),
        },
        "spark": stages.summary(),
    }


def publish_tokens(output: str, words: int) -> None:
    """The tokens and their manifest, as the stage before would leave them."""
    parts = write_tokens(Path(output, "tokens"), words)
    rows = sum(part.row_count for part in parts)
    manifest = Manifest("tokens", f"synthetic-{words}", rows, parts, {}, {}, facts={"words": 2 * words})
    Path(output, "tokens", "_manifest.json").write_text(manifest.to_json(), encoding="utf-8")


def measure_apart(output: str, name: str, driver_memory: str) -> dict[str, Any]:
    """One case in a process of its own."""
    launch = f"--driver-memory {driver_memory} --conf spark.ui.showConsoleProgress=false"
    environment = os.environ | {"PYSPARK_SUBMIT_ARGS": f"{launch} pyspark-shell"}
    command = [sys.executable, __file__, "--child", output, "--cases", name]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    figures = {**CASES[name]._asdict(), **json.loads(done.stdout.splitlines()[-1])}
    print(name, json.dumps(figures), flush=True)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--words", type=int, default=10_000_000, help="distinct words [default 10,000,000]")
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES), help="which [default all]")
    parser.add_argument("--driver-memory", default="4g", help="the JVM's heap [default 4g]")
    parser.add_argument("--record", help="JSON file to write")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        print(json.dumps(measure(arguments.child, CASES[arguments.cases[0]])))
        return
    with tempfile.TemporaryDirectory() as output:
        publish_tokens(output, arguments.words)
        cases = {name: measure_apart(output, name, arguments.driver_memory) for name in arguments.cases}
    figures = {"distinct_words": arguments.words, "driver_memory": arguments.driver_memory, "cases": cases}
    if arguments.record:
        write_record(arguments.record, figures)


if __name__ == "__main__":
    main()
