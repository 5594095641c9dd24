"""A million vectors of 300 dimensions: seconds to load and to answer, mapped from the cache and without it.

    python benchmarks/ask_questions.py --record out.json [--words N] [--dimensions N] [--runs N] [--candidates N]

The artifact is synthetic: vectors of random numbers whose rows are as long as a word is frequent, words of random
letters. It is written first and not counted. Each run is a process of its own that loads the vectors and asks each
question three times, of other words; the first answer after loading is kept apart, for it maps the pages. The first run
of all writes the cache. Files are in the operating system's page cache: what is measured is this program, not the disk.
The machine's load average stands in the record: where other programs run, the seconds are theirs too.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from machine import memory_bandwidth, spread, write_record

from pmi_spark.artifacts import MANIFEST_NAME, Manifest, PartFile
from pmi_spark.factorization.calibration import LengthScale
from pmi_spark.factorization.earlier import Gauged
from pmi_spark.factorization.vector_tables import vector_slices

LETTERS = np.frombuffer(b"abcdefghijklmnopqrstuvwxyz", np.uint8)
ASKED_EACH = 3
WORDS_OF_A_TEXT = 20


def random_words(count: int) -> list[str]:
    """Distinct words of 4 to 11 letters, the number behind making each its own."""
    generator = np.random.default_rng(3)
    lengths = generator.integers(4, 12, count)
    letters = LETTERS[generator.integers(0, 26, lengths.sum())].tobytes().decode()
    ends = np.cumsum(lengths).tolist()
    return [
        letters[end - length : end] + str(k) for k, (end, length) in enumerate(zip(ends, lengths.tolist(), strict=True))
    ]


def write_vectors(output: Path, words: int, dimensions: int) -> None:
    """A ``vectors`` artifact in files as a run leaves them."""
    generator = np.random.default_rng(1)
    matrix = generator.standard_normal((words, dimensions), dtype=np.float32)
    eigenvalues = np.linspace(5, 0.5, dimensions) * np.where(np.arange(dimensions) % 3 == 2, -1, 1)
    counts = (10**9 / (np.arange(words) + 10)).astype(np.int64)
    gauge = Gauged(random_words(words), counts, matrix, eigenvalues, 0.35, -1.0, LengthScale(0.0, 1.0), None, -2.0)
    (output / "vectors").mkdir(parents=True)
    parts = []
    for number, table in enumerate(vector_slices(gauge)):
        path = output / "vectors" / f"part-{number:05d}.parquet"
        pq.write_table(table, path, compression="zstd", use_dictionary=False)
        parts.append(PartFile(path.name, path.stat().st_size, len(table)))
    manifest = Manifest("vectors", "0123456789abcdef", words, tuple(parts), {}, {"vocabulary": "fedcba9876543210"})
    (output / "vectors" / MANIFEST_NAME).write_text(manifest.to_json(), encoding="utf-8")


def write_candidates(path: Path, vocabulary: list[str], count: int) -> None:
    """Lines of frequent words."""
    ids = np.random.default_rng(2).zipf(1.2, (count, WORDS_OF_A_TEXT)) % len(vocabulary)
    path.write_text("".join(" ".join(vocabulary[k] for k in row) + "\n" for row in ids.tolist()), encoding="utf-8")


def ask(output: str, candidates: str, mapped: bool) -> dict[str, Any]:
    """In a process of its own: seconds of each question."""
    start = time.perf_counter()
    from pmi_spark.vectors import store
    from pmi_spark.vectors.candidates import TextScorer, rank_file
    from pmi_spark.vectors.query import analogous_words, nearest_spellings, related_mutual, related_words, similar_words
    from pmi_spark.vectors.sets import scores_with_set
    from pmi_spark.vectors.texts import load_cutter

    imported = time.perf_counter() - start
    if not mapped:
        store.MAPPED_FROM_BYTES = 1 << 60
    start = time.perf_counter()
    vectors = store.load_vectors(output)
    seconds: dict[str, Any] = {"import": imported, "load": time.perf_counter() - start}
    words = vectors.word_array.take(np.random.default_rng(os.getpid()).integers(0, len(vectors.words), 16))

    def clock(name: str, question: Any, times: int = ASKED_EACH) -> None:
        each = []
        for number in range(times):
            start = time.perf_counter()
            question(number)
            each.append(time.perf_counter() - start)
        seconds[name] = statistics.median(each)

    clock("similar_first", lambda k: similar_words(vectors, words[15], 10), 1)
    clock("similar", lambda k: similar_words(vectors, words[k], 10))
    clock("related_first", lambda k: related_words(vectors, words[14], 10), 1)
    clock("related", lambda k: related_words(vectors, words[k], 10))
    clock("analogy", lambda k: analogous_words(vectors, words[3 * k : 3 * k + 3], 10))
    clock("near_spellings", lambda k: nearest_spellings(vectors, words[k][:-1] + "x"))
    clock("related_mutual_depth_100", lambda k: related_mutual(vectors, words[k], 10, 0, 100), 1)
    query = vectors.find(words[:3])

    def rank(number: int) -> None:
        cutter = load_cutter(output, vectors.tokens)
        scorer = TextScorer(cutter, vectors.word_array, scores_with_set(vectors, query), len(query))
        rank_file(scorer, candidates, "text", "mean_pmi", 10)

    clock("rank_candidates", rank, 1)
    peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    seconds["peak_mb"] = round(int(peak.split()[1]) / 1024)
    return seconds


def run(script: str, *arguments: str, cache: Path) -> dict[str, Any]:
    command = [sys.executable, script, "--ask", *arguments]
    environment = os.environ | {"XDG_CACHE_HOME": str(cache)}
    return json.loads(subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout)


def measure(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    output, candidates = folder / "out", folder / "candidates.txt"
    write_vectors(output, arguments.words, arguments.dimensions)
    write_candidates(candidates, random_words(arguments.words), arguments.candidates)
    load_before = os.getloadavg()[0]
    first = run(__file__, str(output), str(candidates), cache=folder / "cache")
    runs = [run(__file__, str(output), str(candidates), cache=folder / "cache") for _ in range(arguments.runs)]
    in_memory = run(__file__, str(output), str(candidates), "--in-memory", cache=folder / "cache")
    return {
        "words": arguments.words,
        "dimensions": arguments.dimensions,
        "candidates": arguments.candidates,
        "artifact_bytes": sum(path.stat().st_size for path in (output / "vectors").glob("part-*")),
        "runs": arguments.runs,
        "load_average": [round(load_before, 1), round(os.getloadavg()[0], 1)],
        "memory_gb_per_s": memory_bandwidth(),
        "first_load_that_writes_the_cache_seconds": round(first["load"], 2),
        "mapped": {name: spread([found[name] for found in runs]) for name in runs[0]},
        "in_memory_one_run": {name: round(value, 3) for name, value in in_memory.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--words", type=int, default=1_000_000, help="vocabulary [default 1,000,000]")
    parser.add_argument("--dimensions", type=int, default=300, help="dimensions [default 300]")
    parser.add_argument("--candidates", type=int, default=1_000_000, help="texts to rank [default 1,000,000]")
    parser.add_argument("--runs", type=int, default=5, help="processes [default 5]")
    parser.add_argument("--record", help="JSON file to write")
    parser.add_argument("--ask", nargs=2, metavar=("OUTPUT", "CANDIDATES"), help=argparse.SUPPRESS)
    parser.add_argument("--in-memory", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.ask:
        print(json.dumps(ask(*arguments.ask, mapped=not arguments.in_memory)))
        return
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(arguments, Path(folder))
    if arguments.record:
        write_record(arguments.record, figures)
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
