"""What a record says of the machine and the versions it was made with."""

from __future__ import annotations

import json
import multiprocessing
import os
import platform
import statistics
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np


def describe_machine() -> dict[str, Any]:
    """Processor, cores, memory, operating system and the versions of what the figures depend on."""
    processor = platform.processor()
    if Path("/proc/cpuinfo").exists():
        names = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
        processor = names[0].partition(":")[2].strip() if names else processor
    return {
        "processor": processor,
        "cores": os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "versions": {name: version(name) for name in ("pmi_spark", "pyspark", "numpy", "scipy", "pyarrow")},
        "date": datetime.now(UTC).date().isoformat(),
    }


def memory_bandwidth(cores: int = 2) -> float:
    """GB/s that so many processes read together from arrays far larger than the caches: the median of five."""
    with multiprocessing.get_context("fork").Pool(cores) as pool:
        return round(statistics.median(sum(pool.map(_read_speed, range(cores))) for _ in range(5)), 1)


def _read_speed(_: int) -> float:
    numbers = np.ones(64 << 20, dtype=np.float32)
    start = time.perf_counter()
    numbers.sum()
    return numbers.nbytes / (time.perf_counter() - start) / 1e9


def gathered_gb_per_s(cells: int, dimensions: int, seconds: float) -> float:
    """What a sweep of so many seconds reads of the other side's rows: 4 d bytes a cell, in either half-sweep."""
    return 2 * cells * 4 * dimensions / seconds / 1e9


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median, least and greatest of several runs."""
    return {"median": round(statistics.median(values), 3), "min": round(min(values), 3), "max": round(max(values), 3)}


def write_record(path: str, figures: dict[str, Any]) -> None:
    """Write a JSON record: the machine, then the figures; ValueError for a number that JSON does not know."""
    text = json.dumps({"machine": describe_machine(), **figures}, indent=1, ensure_ascii=False, allow_nan=False)
    Path(path).write_text(text + "\n", encoding="utf-8")
