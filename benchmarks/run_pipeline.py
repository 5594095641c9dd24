"""Seconds of every stage of `pmi-spark run` on real text, and how well the vectors agree with people.

    python benchmarks/run_pipeline.py --input TEXTS [--judgements FILE...] [--set key=value] --record out.json

Each run is a process of its own, `pmi-spark run` into an empty directory; stage seconds are read from the manifests.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from machine import memory_bandwidth, spread, write_record

from pmi_spark.artifacts import CORE_STAGES
from pmi_spark.vectors.evaluate import score_similarity
from pmi_spark.vectors.judgements import read_judgements
from pmi_spark.vectors.store import load_vectors


def run_once(inputs: list[str], settings: list[str], output: str) -> dict[str, float]:
    """Wall seconds of one whole run and of each of its stages."""
    overrides = [part for setting in settings for part in ("--set", setting)]
    start = time.monotonic()
    command = [sys.executable, "-m", "pmi_spark.cli", "run", "--input", *inputs, "--output", output, *overrides]
    subprocess.run(command, check=True)
    seconds = {"whole": time.monotonic() - start}
    for stage in CORE_STAGES:
        seconds[stage] = json.loads(Path(output, stage, "_manifest.json").read_text())["seconds"]
    return seconds


def gathered_gb_per_s(vectors: dict[str, Any]) -> float:
    """How fast the weighted sweeps gather factors: 4 d bytes a cell, for either side of a sweep once."""
    seconds = [sweep["seconds"] for sweep in vectors["sweeps"] if sweep["phase"] == "weighted"]
    gathered = 2 * len(seconds) * vectors["cells"] * 4 * vectors["dimensions"]
    return round(gathered / sum(seconds) / 1e9, 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--input", nargs="+", required=True, help="text shards or their directory")
    parser.add_argument("--judgements", nargs="*", default=[], help="word1 TAB word2 TAB score files")
    parser.add_argument("--set", action="append", default=[], dest="settings", help="a setting, section.key=value")
    parser.add_argument("--runs", type=int, default=3, help="how many runs [default 3]")
    parser.add_argument("--record", required=True, help="JSON file to write")
    arguments = parser.parse_args()
    runs: list[dict[str, float]] = []
    scores: dict[str, Any] = {}
    facts: dict[str, Any] = {}
    for _ in range(arguments.runs):
        with tempfile.TemporaryDirectory() as output:
            runs.append(run_once(arguments.input, arguments.settings, output))
            vectors = load_vectors(output)
            scores = {
                Path(f).stem: score_similarity(vectors, read_judgements(f))._asdict() for f in arguments.judgements
            }
            for stage in CORE_STAGES:
                manifest = json.loads(Path(output, stage, "_manifest.json").read_text())
                facts[stage] = {"rows": manifest["row_count"], **manifest["facts"]}
    seconds = {name: spread([run[name] for run in runs]) for name in runs[0]}
    figures = {
        "text": [Path(path).name for path in arguments.input],
        "settings": arguments.settings,
        "runs": arguments.runs,
        "seconds": seconds,
        "facts": facts,
        "gathered_gb_per_s": gathered_gb_per_s(facts["vectors"]),
        "memory_gb_per_s": memory_bandwidth(),
        "similarity": scores,
    }
    write_record(arguments.record, figures)
    print(json.dumps(figures, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
