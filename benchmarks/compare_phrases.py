"""The phrases stage beside gensim's Phrases (npmi scoring): the same phrases, the same joined text, seconds and memory.

    python benchmarks/compare_phrases.py --input TEXTS --gensim PYTHON --record FILE [--cases NAME...]

Both start from the same words, this project's tokens. Seconds are of whole processes: `pmi-spark phrases` from files of
tokens, its JVM's start included; gensim from text cut into words, a document a line, to the joined text. Memory is the
greatest sum over a process and its children (proportional set size). Each case is added to the record as it is done.

Where they differ by design: gensim knows a phrase by its spelling alone. In a second pass it counts new + york_city
with new_york + city, and its frozen model splits every joined word again: new_york is listed once more, new_york_city
scored by the counts of new and city. The case "two passes, delimiters apart" gives it another delimiter in each pass,
which makes spellings unambiguous. Exact ties with the threshold are phrases here and none there; past 40 M distinct
words and links gensim forgets the rare ones.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

from compare_peers import write_corpus
from machine import write_record
from workers import tree_memory

from pmi_spark.config import build_config
from pmi_spark.vectors.store import read_artifact

GENSIM = Path(__file__).with_name("gensim_phrases.py")
ENGLISH = "a,an,the,for,of,with,without,at,from,to,in,on,by,and,or"
CASES = {
    "one pass": (["phrases.passes=1"], "_"),
    "connectors": (["phrases.passes=1", f"phrases.connectors={ENGLISH}"], "_"),
    "two passes": (["phrases.passes=2"], "__"),
    "two passes, delimiters apart": (["phrases.passes=2"], "_="),
}
SHOWN = 10


def timed(command: Sequence[str]) -> dict[str, float]:
    start = time.monotonic()
    process = subprocess.Popen(command)
    with tree_memory(process.pid) as memory:
        if process.wait():
            raise SystemExit(f"{' '.join(command[:3])} failed")
    return {"seconds": round(time.monotonic() - start, 1), "memory_mb": round(memory.peak_mb)}


def own_phrases(output: str, number: int, delimiter: str) -> dict[str, tuple[int, float]]:
    """{phrase: (count, npmi)} of a pass, spelled as a pass with this delimiter spells; of two alike the more frequent.

    The words of the text hold no delimiter.
    """
    rows = read_artifact(output, "phrases", side=True)[0].to_pylist()
    found = {}
    for row in reversed(rows):
        if row["pass_number"] == number:
            first, second = row["first"], row["second"]
            between = row["phrase"][len(first) : -len(second)].replace("_", delimiter)
            found[f"{first}{between}{second}"] = (row["phrase_count"], row["npmi"])
    return found


def compare_pass(own: dict[str, Any], peer: dict[str, Any]) -> dict[str, Any]:
    """How two tables of phrases differ."""
    both = own.keys() & peer.keys()
    other_counts = sorted(phrase for phrase in both if own[phrase][0] != peer[phrase][0])
    same = [phrase for phrase in both if own[phrase][0] == peer[phrase][0]]
    return {
        "both": len(both),
        "only_pmi_spark": _some(own.keys() - peer.keys(), own),
        "only_gensim": _some(peer.keys() - own.keys(), peer),
        "other_counts": {
            "phrases": len(other_counts),
            "shown": {phrase: [own[phrase][0], peer[phrase][0]] for phrase in other_counts[:SHOWN]},
        },
        "largest_difference_of_npmi": max((abs(own[phrase][1] - peer[phrase][1]) for phrase in same), default=0.0),
    }


def _some(names: set[str], table: dict[str, Any]) -> dict[str, Any]:
    return {"phrases": len(names), "shown": {name: table[name] for name in sorted(names)[:SHOWN]}}


def compare_lines(own: Iterator[str], peer: Iterator[str]) -> dict[str, int]:
    """How many documents there are, and how many are joined otherwise."""
    pairs = [one == other for one, other in zip_longest(own, peer)]
    return {"documents": len(pairs), "joined_otherwise": pairs.count(False)}


def run_case(name: str, output: str, folder: str, python: str) -> dict[str, Any]:
    settings, delimiters = CASES[name]
    overrides = [part for setting in settings for part in ("--set", setting)]
    section = dataclasses.asdict(build_config({}, settings).phrases)
    own = timed([sys.executable, "-m", "pmi_spark.cli", "phrases", "--output", output, *overrides])
    manifest = read_artifact(output, "phrases")[1]
    arguments = ["--corpus", f"{folder}/corpus", "--joined", f"{folder}/gensim", "--output", f"{folder}/gensim.json"]
    peer = timed([python, str(GENSIM), "--settings", json.dumps(section), "--delimiters", *delimiters, *arguments])
    passes = json.loads(Path(folder, "gensim.json").read_text(encoding="utf-8"))
    peer["passes"] = [{name: value for name, value in entry.items() if name != "phrases"} for entry in passes]
    write_corpus(output, f"{folder}/own", "phrases")
    with Path(folder, "own").open(encoding="utf-8") as ours, Path(folder, "gensim").open(encoding="utf-8") as theirs:
        lines = compare_lines(ours, theirs)
    compared = [
        compare_pass(own_phrases(output, number, delimiters[number - 1]), entry["phrases"])
        for number, entry in enumerate(passes, start=1)
    ]
    return {
        "settings": section,
        "pmi_spark": {**own, "stage_seconds": manifest.seconds, "facts": manifest.facts},
        "gensim": peer,
        "phrases": compared,
        "joined": lines,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--input", nargs="+", required=True, help="text shards or their directory")
    parser.add_argument("--gensim", required=True, help="a Python that has gensim")
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES), help="[default all]")
    parser.add_argument("--record", required=True, help="JSON file to write; cases already in it stay")
    arguments = parser.parse_args()
    record = Path(arguments.record)
    cases = json.loads(record.read_text(encoding="utf-8"))["cases"] if record.exists() else {}
    with tempfile.TemporaryDirectory() as folder:
        output = f"{folder}/out"
        inputs = ["--input", *arguments.input, "--output", output]
        subprocess.run([sys.executable, "-m", "pmi_spark.cli", "tokens", *inputs], check=True)
        write_corpus(output, f"{folder}/corpus")
        for name in arguments.cases:
            text = [Path(path).name for path in arguments.input]
            cases[name] = {"text": text, **run_case(name, output, folder, arguments.gensim)}
            write_record(arguments.record, {"cases": cases})
            print(name, json.dumps(cases[name], indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
