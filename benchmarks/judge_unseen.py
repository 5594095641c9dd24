"""How well estimated PMI foretells text that was not counted: who meets at last, and how much they want each other.

    python benchmarks/judge_unseen.py --train TEXTS --held-out TEXTS --record out.json
        [--set key=value] [--gensim PYTHON]

Trains on one part of a text and looks at another, cut, subsampled and windowed alike (meetings within the window count
1 at any distance). Two figures:

    AUC       of the estimate, for pairs that never met in training and meet at least twice in the held-out text,
              against as many pairs of the same words that meet in neither
    Spearman  of the estimate with held-out PMI, for pairs that meet five times or more there, met before or not
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from machine import write_record

from pmi_spark.config import build_config
from pmi_spark.cooccurrence.counting import Words, encode_documents
from pmi_spark.cooccurrence.windows import keep_thresholds
from pmi_spark.vectors.files import read_artifact
from pmi_spark.vectors.store import WordVectors, load_vectors
from pmi_spark.vectors.unseen_pairs import Estimate, area_under_curve, estimate_pairs, rank_correlation

Longs = npt.NDArray[np.int64]
UNSEEN_MEETINGS, KNOWN_MEETINGS = 2, 5


class Judges(NamedTuple):
    """Pairs (2 x k word ids): unseen ones that meet, unseen ones that do not, and well-met ones with their PMI."""

    meet: Longs
    part: Longs
    known: Longs
    known_pmi: npt.NDArray[np.float64]


def count_held_out(tokens: str, train: str, window: int, subsample: float) -> tuple[Longs, Longs, int]:
    """Distinct pairs of the held-out text as keys low * V + high, how often each met, and V."""
    vocabulary = read_artifact(train, "vocabulary")[0].sort_by("word_id").combine_chunks()
    size = len(vocabulary)
    thresholds = keep_thresholds(np.asarray(vocabulary["frequency"]), subsample) if subsample else None
    words = Words(vocabulary["word"].combine_chunks(), thresholds)
    documents = read_artifact(tokens, "tokens")[0].combine_chunks()
    ids, lengths = encode_documents(documents, words, False)
    document = np.repeat(np.arange(len(lengths)), lengths)
    keys = []
    for distance in range(1, window + 1):
        left, right = ids[:-distance].astype(np.int64), ids[distance:].astype(np.int64)
        met = (document[:-distance] == document[distance:]) & (left != right)
        keys.append(np.minimum(left, right)[met] * size + np.maximum(left, right)[met])
    distinct, counts = np.unique(np.concatenate(keys), return_counts=True)
    return distinct, counts, size


def choose_judges(keys: Longs, counts: Longs, size: int, train: str, seed: int = 1) -> Judges:
    """The pairs to judge by. Pairs that never meet have the words of those that do, one for one, dealt anew."""
    pairs = read_artifact(train, "pairs", columns=["word_id", "context_id"])[0]
    trained = np.sort(np.asarray(pairs["word_id"]).astype(np.int64) * size + np.asarray(pairs["context_id"]))
    meet = keys[(counts >= UNSEEN_MEETINGS) & ~_in_sorted(keys, trained)]
    low, high = meet // size, meet % size
    dealt = np.random.default_rng(seed).permutation(high)
    other = np.minimum(low, dealt) * size + np.maximum(low, dealt)
    never = (low != dealt) & ~_in_sorted(other, trained) & ~_in_sorted(other, keys)
    marginals = np.bincount(keys // size, counts, size) + np.bincount(keys % size, counts, size)
    known = counts >= KNOWN_MEETINGS
    first, second = keys[known] // size, keys[known] % size
    pmi = np.log(counts[known] * marginals.sum() / (marginals[first] * marginals[second]))
    part = other[never]
    return Judges(np.stack([low, high]), np.stack([part // size, part % size]), np.stack([first, second]), pmi)


def _in_sorted(values: Longs, among: Longs) -> npt.NDArray[np.bool_]:
    places = np.minimum(np.searchsorted(among, values), len(among) - 1)
    return np.asarray(among[places] == values)


def judge(estimate: Estimate, judges: Judges) -> dict[str, float]:
    """AUC (Mann-Whitney) and Spearman's rho of an estimate."""
    meet, part, known = (estimate_pairs(estimate, pairs) for pairs in (judges.meet, judges.part, judges.known))
    return {
        "auc": round(area_under_curve(meet, part), 4),
        "spearman": round(rank_correlation(known, judges.known_pmi), 4),
    }


def run(command: Sequence[str]) -> None:
    subprocess.run([sys.executable, "-m", "pmi_spark.cli", *command], check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", nargs="+", required=True, help="text to train on")
    parser.add_argument("--held-out", nargs="+", required=True, help="text to look at afterwards")
    parser.add_argument("--set", action="append", default=[], dest="settings", help="a setting, section.key=value")
    parser.add_argument("--gensim", help="a Python that has gensim: skip-gram's in-out product is judged too")
    parser.add_argument("--record", required=True, help="JSON file to write")
    arguments = parser.parse_args()
    config = build_config({}, arguments.settings)
    overrides = [part for setting in arguments.settings for part in ("--set", setting)]
    with tempfile.TemporaryDirectory() as folder:
        train, held_out = f"{folder}/train", f"{folder}/held-out"
        run(["run", "--input", *arguments.train, "--output", train, *overrides])
        run(["tokens", "--input", *arguments.held_out, "--output", held_out, *overrides])
        keys, counts, size = count_held_out(held_out, train, config.pairs.window, config.pairs.subsample)
        judges = choose_judges(keys, counts, size, train)
        vectors = load_vectors(train)
        systems = {"pmi_spark": judge(vectors.estimated_pmi, judges)}
        if arguments.gensim:
            systems["skip-gram, in-out"] = judge(skip_gram_estimate(arguments.gensim, train, folder, vectors), judges)
    figures = {
        "train": [Path(path).name for path in arguments.train],
        "held_out": [Path(path).name for path in arguments.held_out],
        "settings": arguments.settings,
        "held_out_meetings": int(counts.sum()),
        "pairs_that_meet": judges.meet.shape[1],
        "pairs_that_do_not": judges.part.shape[1],
        "pairs_known": judges.known.shape[1],
        "systems": systems,
    }
    write_record(arguments.record, figures)
    print(json.dumps(figures, indent=1, ensure_ascii=False))


def skip_gram_estimate(python: str, train: str, folder: str, vectors: WordVectors) -> Estimate:
    """The product of gensim's input and output vectors, both ways round."""
    from compare_peers import PEERS, write_corpus

    corpus, result = f"{folder}/corpus.txt", f"{folder}/skip-gram.npz"
    write_corpus(train, corpus)
    subprocess.run([python, str(PEERS), "skip-gram", "--corpus", corpus, "--output", result], check=True)
    with np.load(result) as arrays:
        places = {word: place for place, word in enumerate(arrays["words"].tolist())}
        order = np.array([places[word] for word in vectors.words])
        inner, outer = arrays["vectors"][order], arrays["contexts"][order]
    return lambda low, high: (inner[low] * outer[high]).sum(axis=1) + (inner[high] * outer[low]).sum(axis=1)


if __name__ == "__main__":
    main()
