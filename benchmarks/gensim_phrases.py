"""Phrases by gensim, a process of its own so that its time and memory stand alone; it needs gensim and no Spark.

    python benchmarks/gensim_phrases.py --corpus FILE --settings JSON --delimiters D... --joined FILE --output FILE.json

The corpus is tokenized text, a document a line. ``--joined`` gets it with phrases joined, ``--output`` what each pass
accepted, {phrase: (count, npmi)}, and the seconds of counting and of joining. A pass has a delimiter of its own, which
becomes that of the settings in the joined text.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gensim.models.phrases import Phrases


class Lines:
    """A file's lines as lists of words, read anew each time."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)

    def __iter__(self) -> Iterator[list[str]]:
        with self._path.open(encoding="utf-8") as file:
            for line in file:
                yield line.split()


def run_pass(corpus: str, joined: str, delimiter: str, settings: dict[str, Any]) -> dict[str, Any]:
    """One pass from file to file."""
    start = time.monotonic()
    model = Phrases(
        Lines(corpus),
        min_count=settings["minimum_count"],
        threshold=settings["threshold"],
        scoring="npmi",
        delimiter=delimiter,
        connector_words=frozenset(filter(None, settings["connectors"].split(","))),
    )
    counted = time.monotonic()
    frozen = model.freeze()
    with Path(joined).open("w", encoding="utf-8") as file:
        lines = (" ".join(frozen[words]) + "\n" for words in Lines(corpus))
        file.writelines(line.replace(delimiter, settings["delimiter"]) for line in lines)
    return {
        "count_seconds": round(counted - start, 1),
        "join_seconds": round(time.monotonic() - counted, 1),
        "words": model.corpus_word_count,
        "kept_of_vocabulary": len(model.vocab),
        "phrases": {phrase: (model.vocab[phrase], score) for phrase, score in frozen.phrasegrams.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", required=True)
    parser.add_argument("--settings", required=True, help="the section [phrases] as JSON")
    parser.add_argument("--delimiters", nargs="+", required=True, help="one a pass")
    parser.add_argument("--joined", required=True)
    parser.add_argument("--output", required=True)
    arguments = parser.parse_args()
    settings = json.loads(arguments.settings)
    corpus, passes = arguments.corpus, []
    for number, delimiter in enumerate(arguments.delimiters):
        joined = f"{arguments.joined}.{number}"
        passes.append(run_pass(corpus, joined, delimiter, settings))
        corpus = joined
    Path(corpus).rename(arguments.joined)
    Path(arguments.output).write_text(json.dumps(passes), encoding="utf-8")


if __name__ == "__main__":
    main()
