"""A day's text added to what is there, beside a run from scratch over all of it: seconds a stage, and the same counts.

    python benchmarks/append_day.py --first TEXTS... --day TEXTS... --record out.json

Each repetition runs `pmi-spark run` over the first text, adds the day with `--append`, and runs over both from scratch
with the vocabulary that came of it. Every run is a process of its own; stage seconds are read from the manifests.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pyarrow as pa
from machine import spread, write_record

from pmi_spark.artifacts import CORE_STAGES
from pmi_spark.vectors.store import read_artifact

COUNTS = (("vocabulary", False), ("pairs", False), ("pairs", True))


def run_once(output: str, *arguments: str) -> dict[str, float]:
    """Wall seconds of a run and of each of its stages."""
    start = time.monotonic()
    subprocess.run([sys.executable, "-m", "pmi_spark.cli", "run", "--output", output, *arguments], check=True)
    seconds = {"whole": time.monotonic() - start}
    for stage in CORE_STAGES:
        seconds[stage] = json.loads(Path(output, stage, "_manifest.json").read_text())["seconds"]
    return seconds


def rows(output: str, name: str, side: bool) -> pa.Table:
    """A table in the order of its ids, without what Spark says of nulls."""
    found = read_artifact(output, name, side=side)[0]
    ids = [(column, "ascending") for column in ("word_id", "context_id") if column in found.schema.names]
    found = found.sort_by(ids).combine_chunks()
    return found.cast(pa.schema([field.with_nullable(True) for field in found.schema]))


def repeat(first: list[str], day: list[str], settings: list[str]) -> tuple[dict[str, dict[str, float]], bool]:
    """Seconds of the three runs, and whether the counts are the same."""
    overrides = [part for setting in settings for part in ("--set", setting)]
    with tempfile.TemporaryDirectory() as folder:
        appended, scratch = f"{folder}/appended", f"{folder}/scratch"
        seconds = {"first": run_once(appended, "--append", "--label", "first", "--input", *first, *overrides)}
        seconds["append"] = run_once(appended, "--append", "--label", "day", "--input", *day, *overrides)
        given = ["--set", f"vocabulary.given={appended}"]
        seconds["scratch"] = run_once(scratch, "--input", *first, *day, *overrides, *given)
        return seconds, all(rows(appended, *table).equals(rows(scratch, *table)) for table in COUNTS)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--first", nargs="+", required=True, help="the text that is there")
    parser.add_argument("--day", nargs="+", required=True, help="the text that is added")
    parser.add_argument("--set", action="append", default=[], dest="settings", help="a setting, section.key=value")
    parser.add_argument("--runs", type=int, default=3, help="how many repetitions [default 3]")
    parser.add_argument("--record", required=True, help="JSON file to write")
    arguments = parser.parse_args()
    repeated = [repeat(arguments.first, arguments.day, arguments.settings) for _ in range(arguments.runs)]
    runs = [seconds for seconds, _ in repeated]
    kinds = {kind: {name: spread([run[kind][name] for run in runs]) for name in runs[0][kind]} for kind in runs[0]}
    ratios = {name: spread([run["append"][name] / run["scratch"][name] for run in runs]) for name in runs[0]["append"]}
    figures = {
        "first": [Path(path).name for path in arguments.first],
        "day": [Path(path).name for path in arguments.day],
        "settings": arguments.settings,
        "runs": arguments.runs,
        "seconds": kinds,
        "append_to_scratch": ratios,
        "counts_equal": all(same for _, same in repeated),
    }
    write_record(arguments.record, figures)
    print(json.dumps(figures, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
