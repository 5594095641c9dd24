"""A sweep over a table far larger than a laptop's: 10^6 words, 300 dimensions, 10^8 pairs. Seconds and memory.

    python benchmarks/factorize_large.py --record out.json [--words N] [--pairs N] [--dimensions N] [--memory MB]

The table is synthetic: word ids by Zipf's law (chance of id r proportional to 1 / (r + 10)), values of a planted table
of rank 20 with noise. Files of ``pmi`` are made first and not counted. Then one warm sweep over the head and one
weighted sweep over everything, on this machine's cores. Memory is resident memory, what is mapped included: of the
largest Python worker, of this driver's Python process, and of its JVM.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from machine import gathered_gb_per_s, memory_bandwidth, write_record
from workers import SparkStages, process_memory, worker_memory

from pmi_spark.factorization.als import SweepSettings, initial_factors, sweep
from pmi_spark.factorization.loss import LossSettings
from pmi_spark.factorization.state import State
from pmi_spark.factorization.table import CellSettings, build_table, default_blocks
from pmi_spark.parquet_files import MAGIC, ParquetEncoder, arrow_schema
from pmi_spark.schemas import PMI
from pmi_spark.session import start_session

FILE_PAIRS = 5_000_000
RANK = 20


def draw_ids(generator: np.random.Generator, count: int, words: int) -> np.ndarray:
    """Zipf ids by the inverse of the distribution function log((r + 10) / 10) / log((V + 10) / 10)."""
    share = generator.random(count)
    return (10 * np.exp(share * np.log((words + 10) / 10)) - 10).astype(np.int64).clip(0, words - 1)


def write_pairs(folder: Path, words: int, pairs: int) -> dict[str, int]:
    """Files of ``pmi``; file f has the distinct pairs whose lower id is f modulo the number of files."""
    files = -(-pairs // FILE_PAIRS)
    planted = np.random.default_rng(1).standard_normal((words, RANK), dtype=np.float32) / np.float32(RANK**0.5)
    row_counts = {}
    for number in range(files):
        generator = np.random.default_rng([2, number])
        keys = np.empty(0, np.int64)
        while len(keys) < pairs // files:
            first, second = (draw_ids(generator, FILE_PAIRS, words) for _ in range(2))
            low, high = np.minimum(first, second), np.maximum(first, second)
            low = low - low % files + number
            keys = np.union1d(keys, (low * words + high)[low < high])
        # A share of them at random: union1d sorts, and the first ones would be the most frequent words alone.
        keys = np.sort(generator.permutation(keys)[: pairs // files])
        low, high = keys // words, keys % words
        values = (planted[low] * planted[high]).sum(axis=1) + generator.normal(2, 1, len(keys))
        counts = np.ceil(generator.pareto(1.2, len(keys)) * 5 + 0.1) / 5
        columns = [pa.array(low.astype(np.int32)), pa.array(high.astype(np.int32)), pa.array(counts)]
        encoder = ParquetEncoder(arrow_schema(PMI), ["pair_count"], deltas=["word_id", "context_id"])
        table = pa.table([*columns, pa.array(values.astype(np.float32))], schema=arrow_schema(PMI))
        for start in range(0, len(table), 1 << 20):
            encoder.add(table.slice(start, 1 << 20))
        path = folder / f"part-{number:05d}.parquet"
        path.write_bytes(encoder.finish().to_pybytes() + MAGIC.encode())
        row_counts[f"file:{path}"] = len(table)
    return row_counts


def measure(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    row_counts = write_pairs(folder, arguments.words, arguments.pairs)
    spark = start_session("factorize_large")
    context = spark.sparkContext
    stages = SparkStages(spark)
    settings = SweepSettings(1, 8192, 1, "cg", 2, 0.0, arguments.memory << 20)
    cells = CellSettings(False, -1.0, 10.0, 0.75, True)
    loss = LossSettings(0.1, 0.0, 0.1)
    blocks = default_blocks(sum(row_counts.values()), context.defaultParallelism)
    jvm = context._gateway.proc.pid
    with worker_memory() as workers, process_memory(os.getpid()) as driver, process_memory(jvm) as java:
        start = time.monotonic()
        files = context.binaryFiles(str(folder / "part-*"), len(row_counts))
        table = build_table(files, row_counts, arguments.words, blocks, cells)
        built = time.monotonic() - start
        right = initial_factors(arguments.words, arguments.dimensions, 1, settings.warm_words)
        *_, state = sweep(table, State(np.zeros_like(right), right), loss, settings)
    reports = state.reports
    seconds = reports[-1].seconds
    return {
        "words": arguments.words,
        "dimensions": arguments.dimensions,
        "pairs": sum(row_counts.values()),
        "cells": table.cell_count,
        "row_blocks": blocks,
        "memory_limit_mb": arguments.memory,
        "seconds_to_build": round(built, 1),
        "warm_sweep_seconds": round(reports[0].seconds, 1),
        "weighted_sweep_seconds": round(seconds, 1),
        "core_microseconds_a_cell": round(context.defaultParallelism * seconds / (2 * table.cell_count) * 1e6, 2),
        "gathered_gb_per_s": round(gathered_gb_per_s(table.cell_count, arguments.dimensions, seconds), 1),
        "memory_gb_per_s": memory_bandwidth(),
        "peak_mb": {
            "largest_worker": round(workers.peak_mb),
            "driver_python": round(driver.peak_mb),
            "driver_jvm": round(java.peak_mb),
        },
        "spark": stages.summary(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--words", type=int, default=1_000_000, help="vocabulary [default 1,000,000]")
    parser.add_argument("--pairs", type=int, default=100_000_000, help="pairs of the table [default 100,000,000]")
    parser.add_argument("--dimensions", type=int, default=300, help="dimensions [default 300]")
    parser.add_argument("--memory", type=int, default=2048, help="vectors.memory, MB [default 2048]")
    parser.add_argument("--record", required=True, help="JSON file to write")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(arguments, Path(folder))
    write_record(arguments.record, figures)
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
