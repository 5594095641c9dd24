"""Settings tried one by one on the same text, and every figure of each: what the defaults were chosen from.

    python benchmarks/search_defaults.py --input TEXTS --judgements FILE... --analogies FILE... --record out.json
        [--train TEXTS --held-out TEXTS] [--base section.key=value ...] [--try "section.key=value ..." ...]

Each ``--try`` is a set of overrides on top of the defaults and ``--base``; the first row has none. All share one output
directory, so only the stages that a setting touches run again. Cosines are taken at several read-out exponents, for
that costs nothing. With ``--train`` and ``--held-out`` unseen pairs are judged too (see judge_unseen.py).
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from compare_peers import scores_of
from judge_unseen import choose_judges, count_held_out, judge, run
from machine import write_record

from pmi_spark.config import build_config
from pmi_spark.vectors.store import WordVectors, load_vectors

EXPONENTS = (0.0, 0.25, 0.35, 0.5)


def at_exponent(vectors: WordVectors, exponent: float) -> WordVectors:
    """The same vectors read out at another p."""
    powers = np.where(vectors.eigenvalues != 0, np.abs(vectors.eigenvalues), 1.0) ** (exponent - vectors.exponent)
    return dataclasses.replace(vectors, matrix=(vectors.matrix * powers).astype(np.float32), exponent=exponent)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--input", nargs="+", required=True, help="text shards or their directory")
    parser.add_argument("--judgements", nargs="*", default=[], help="word1 TAB word2 TAB score files")
    parser.add_argument("--analogies", nargs="*", default=[], help="files of four words a line under : sections")
    parser.add_argument("--train", nargs="*", default=[], help="text to train on for unseen pairs")
    parser.add_argument("--held-out", nargs="*", default=[], help="text to judge unseen pairs by")
    parser.add_argument("--base", nargs="*", default=[], help="overrides of every row, section.key=value")
    parser.add_argument("--try", action="append", default=[], dest="tries", help="overrides of one row, in quotes")
    parser.add_argument("--record", required=True, help="JSON file to write, anew after each row")
    arguments = parser.parse_args()
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        whole, train, held_out = (f"{folder}/{name}" for name in ("whole", "train", "held-out"))
        for text in ["", *arguments.tries]:
            settings = [*arguments.base, *text.split()]
            config = build_config({}, settings)
            overrides = [part for setting in settings for part in ("--set", setting)]
            run(["run", "--input", *arguments.input, "--output", whole, *overrides])
            vectors = load_vectors(whole)
            row: dict[str, Any] = {"settings": settings}
            row["seconds"] = json.loads(Path(whole, "vectors", "_manifest.json").read_text())["seconds"]
            row["by_exponent"] = {
                str(p): scores_of(at_exponent(vectors, p), arguments.judgements, arguments.analogies) for p in EXPONENTS
            }
            if arguments.train:
                run(["run", "--input", *arguments.train, "--output", train, *overrides])
                run(["tokens", "--input", *arguments.held_out, "--output", held_out, *overrides])
                counted = count_held_out(held_out, train, config.pairs.window, config.pairs.subsample)
                judges = choose_judges(*counted, train)
                row["unseen"] = judge(load_vectors(train).estimated_pmi, judges)
            rows.append(row)
            write_record(arguments.record, {"text": [Path(path).name for path in arguments.input], "rows": rows})
            print(json.dumps(row, ensure_ascii=False), flush=True)


if __name__ == "__main__":
    main()
