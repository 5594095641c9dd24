"""pmi_spark beside gensim's skip-gram, PPMI-SVD and GloVe: the same words, seconds, memory, and every set of questions.

    python benchmarks/compare_peers.py --input TEXTS --judgements FILE... --analogies FILE... --record out.json
        [--set key=value] [--gensim PYTHON] [--glove DIR] [--runs N]

Seconds are wall time of whole processes: for pmi_spark from raw text to vectors; for the others from text that is
already cut into words (its own tokens, a document a line), PPMI-SVD from raw text by pmi_spark's stages up to pmi and
then ARPACK. Memory is the greatest sum over a process and its children (proportional set size, so what two share is
counted once). Runs of pmi_spark and skip-gram take turns.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from machine import gathered_gb_per_s, memory_bandwidth, spread, write_record
from workers import tree_memory

from pmi_spark.artifacts import CORE_STAGES
from pmi_spark.vectors.evaluate import add_sections, score_analogies, score_similarity
from pmi_spark.vectors.judgements import read_analogies, read_judgements
from pmi_spark.vectors.store import WordVectors, load_vectors, read_artifact

PEERS = Path(__file__).with_name("peers.py")


class Runs:
    """Seconds and memory of each system's runs, and the scores of the last."""

    def __init__(self) -> None:
        self.seconds: dict[str, list[float]] = {}
        self.memory_mb: dict[str, list[float]] = {}
        self.stages: dict[str, list[float]] = {}
        self.gathered_gb_per_s: list[float] = []
        self.scores: dict[str, dict[str, Any]] = {}

    def timed(self, system: str, command: Sequence[str], before: float = 0.0) -> None:
        start = time.monotonic()
        process = subprocess.Popen(command)
        with tree_memory(process.pid) as memory:
            status = process.wait()
        if status:
            raise SystemExit(f"{system} failed with status {status}")
        self.seconds.setdefault(system, []).append(before + time.monotonic() - start)
        self.memory_mb.setdefault(system, []).append(memory.peak_mb)

    def table(self) -> list[dict[str, Any]]:
        """One row a system, its scores flattened."""
        rows = []
        for system, scores in self.scores.items():
            timed = system.partition(",")[0]
            rows.append(
                {
                    "system": system,
                    "seconds": spread(self.seconds[timed]),
                    "memory_mb": round(max(self.memory_mb[timed])),
                    **scores,
                }
            )
        return rows


def as_vectors(words: Sequence[str], matrix: np.ndarray) -> WordVectors:
    """A peer's matrix as this project's questions take it."""
    return WordVectors(
        list(words), np.zeros(len(words), np.int64), matrix.astype(np.float32), np.ones(matrix.shape[1]), 0.5, 0.0
    )


def scores_of(vectors: WordVectors, judgements: Sequence[str], analogies: Sequence[str]) -> dict[str, Any]:
    """Every set's score with its coverage; analogies of sections gram... apart from the others."""
    found: dict[str, Any] = {}
    for path in judgements:
        found[Path(path).stem] = score_similarity(vectors, read_judgements(path))._asdict()
    for path in analogies:
        questions = read_analogies(path)
        for half, grammar in (("semantic", False), ("syntactic", True)):
            asked = [question for question in questions if question.section.startswith("gram") == grammar]
            if asked:
                score = add_sections(half, score_analogies(vectors, asked))
                found[f"{Path(path).stem}-{half}"] = {
                    "accuracy": score.accuracy,
                    "questions_known": score.questions_known,
                    "questions_all": score.questions_all,
                }
    return found


def write_corpus(output: str, corpus: str, artifact: str = "tokens") -> None:
    """The tokens of a run, or its phrases, as text, a document a line."""
    tokens, _ = read_artifact(output, artifact, columns=["words"])
    with Path(corpus).open("w", encoding="utf-8") as file:
        for chunk in tokens["words"].chunks:
            file.writelines(" ".join(words) + "\n" for words in chunk.to_pylist())


def compare(arguments: argparse.Namespace, folder: str) -> Runs:
    runs = Runs()
    corpus = f"{folder}/corpus.txt"
    overrides = [part for setting in arguments.settings for part in ("--set", setting)]

    def score(system: str, vectors: WordVectors) -> None:
        runs.scores[system] = scores_of(vectors, arguments.judgements, arguments.analogies)

    def peer(system: str, python: str, *options: str, before: float = 0.0) -> dict[str, np.ndarray]:
        result = f"{folder}/{system}.npz"
        runs.timed(system, [python, str(PEERS), system, "--output", result, *options], before)
        with np.load(result) as arrays:
            return dict(arrays)

    for number in range(arguments.runs):
        output = f"{folder}/{number}"
        command = [sys.executable, "-m", "pmi_spark.cli", "run", "--input", *arguments.input, "--output", output]
        runs.timed("pmi_spark", [*command, *overrides])
        for stage in CORE_STAGES:
            manifest = json.loads(Path(output, stage, "_manifest.json").read_text())
            runs.stages.setdefault(stage, []).append(manifest["seconds"])
        facts = manifest["facts"]
        runs.gathered_gb_per_s += [
            gathered_gb_per_s(facts["cells"], facts["dimensions"], sweep["seconds"])
            for sweep in facts["sweeps"]
            if sweep["phase"] == "weighted"
        ]
        if arguments.gensim:
            write_corpus(output, corpus)
            found = peer("skip-gram", arguments.gensim, "--corpus", corpus)
            score("skip-gram", as_vectors(found["words"], found["vectors"]))
            centred = found["vectors"] - found["vectors"].mean(axis=0)
            score("skip-gram, centred", as_vectors(found["words"], centred))
    score("pmi_spark", load_vectors(output))
    before = runs.seconds["pmi_spark"][-1] - runs.stages["vectors"][-1]
    found = peer("ppmi-svd", sys.executable, "--tables", output, before=before)
    score("ppmi-svd", as_vectors(found["words"], found["vectors"]))
    score("ppmi-svd, p = 0", as_vectors(found["words"], found["vectors_p0"]))
    if arguments.glove:
        write_corpus(output, corpus)
        found = peer("glove", sys.executable, "--corpus", corpus, "--programs", arguments.glove)
        score("glove", as_vectors(found["words"], found["vectors"]))
    return runs


def print_table(rows: Sequence[dict[str, Any]]) -> None:
    sets = [key for key in rows[0] if key not in ("system", "seconds", "memory_mb")]
    print("| system | seconds | GB |", " | ".join(sets), "|")
    print("|---" * (3 + len(sets)) + "|")
    for row in rows:
        cells = [f"{row[name].get('spearman', row[name].get('accuracy')):.3f}" for name in sets]
        print(
            f"| {row['system']} | {row['seconds']['median']:.0f} | {row['memory_mb'] / 1000:.1f} |",
            " | ".join(cells),
            "|",
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--input", nargs="+", required=True, help="text shards or their directory")
    parser.add_argument("--judgements", nargs="*", default=[], help="word1 TAB word2 TAB score files")
    parser.add_argument("--analogies", nargs="*", default=[], help="files of four words a line under : sections")
    parser.add_argument("--set", action="append", default=[], dest="settings", help="a setting, section.key=value")
    parser.add_argument("--gensim", help="a Python that has gensim; without it skip-gram is left out")
    parser.add_argument("--glove", help="folder of GloVe's programs; without it GloVe is left out")
    parser.add_argument("--runs", type=int, default=3, help="runs of pmi_spark and of skip-gram [default 3]")
    parser.add_argument("--record", required=True, help="JSON file to write")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        runs = compare(arguments, folder)
    table = runs.table()
    figures = {
        "text": [Path(path).name for path in arguments.input],
        "settings": arguments.settings,
        "runs": arguments.runs,
        "memory_gb_per_s": memory_bandwidth(),
        "gathered_gb_per_s": spread(runs.gathered_gb_per_s),
        "stage_seconds": {stage: spread(seconds) for stage, seconds in runs.stages.items()},
        "table": table,
    }
    if "skip-gram" in runs.seconds:
        pairs = zip(runs.seconds["pmi_spark"], runs.seconds["skip-gram"], strict=True)
        figures["seconds_over_skip_gram"] = spread([own / peer for own, peer in pairs])
    write_record(arguments.record, figures)
    print_table(table)


if __name__ == "__main__":
    main()
