"""Every tokenizer measured: words/s and MB/s a core, the kernel alone and through Spark.

    python benchmarks/tokenize_text.py --input TEXTS --chinese TEXTS --record out.json [--runs 5] [--megabytes 40]

Seconds are a processor's, so that what else the machine does matters little. The kernel is timed in this process, over
batches of as many texts as Spark sends. Through Spark is the `tokens` function under local[1], the session warm: the
text is read, cut, and encoded as files, which are counted and thrown away; seconds of the JVM, its worker and this
process are added up; wall seconds, in which JVM and worker overlap, stand beside them. Dictionaries are loaded before
the clock starts. rjieba's tokens are compared with jieba's, without and with a user dictionary. Megabytes are of UTF-8.
"""

from __future__ import annotations

import argparse
import bz2
import gzip
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
from machine import spread, write_record
from pyspark.sql import SparkSession
from workers import descendants

from pmi_spark.config import InputConfig, TokensConfig, build_config
from pmi_spark.corpus.formats import Layout
from pmi_spark.corpus.jieba_dictionaries import JiebaDictionaries, own_dictionary
from pmi_spark.corpus.sources import read_documents
from pmi_spark.corpus.tokenizers import TextToWords, choose_tokenizer
from pmi_spark.corpus.tokens import DocumentRules, tokenize
from pmi_spark.session import start_session

# spark.sql.execution.arrow.maxRecordsPerBatch of a local session.
TEXTS_PER_BATCH = 4096
OPENERS: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".bz2": bz2.open}

# name -> which text, jieba's engine, settings.
CASES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "words": ("input", "none", {}),
    "words, digits to 0, minimum 2 letters, maximum 30": (
        "input",
        "none",
        {"digits": "zero", "minimum_letters": 2, "maximum_length": 30},
    ),
    "words, nfkc": ("input", "none", {"normalize": "nfkc"}),
    "whitespace": ("input", "none", {"tokenizer": "whitespace"}),
    "module:function, str.split": ("input", "none", {"tokenizer": "tokenize_text:split"}),
    "words, Chinese": ("chinese", "none", {}),
    "characters": ("chinese", "none", {"tokenizer": "characters"}),
    "rjieba": ("chinese", "rjieba", {"tokenizer": "jieba"}),
    "rjieba, user dictionary": ("chinese", "rjieba user", {"tokenizer": "jieba"}),
    "jieba": ("chinese", "jieba", {"tokenizer": "jieba"}),
    "jieba, user dictionary": ("chinese", "jieba user", {"tokenizer": "jieba"}),
    "jieba, HMM": ("chinese", "jieba", {"tokenizer": "jieba", "jieba_hmm": True}),
    "jieba, parts n,v,a": ("chinese", "jieba", {"tokenizer": "jieba", "jieba_parts": "n,v,a"}),
}
# jieba cuts a megabyte in a second, parts of speech take ten: it gets so much less of the text.
SHARE = {"jieba": 0.1, "jieba, user dictionary": 0.1, "jieba, HMM": 0.1, "jieba, parts n,v,a": 0.02}


def split(text: str) -> list[str]:
    """A function of one's own at its cheapest."""
    return text.split()


def read_texts(paths: list[str], megabytes: float) -> list[str]:
    """The first lines of the shards, so many MB of them."""
    texts, size = [], 0
    for path in shards(paths):
        with OPENERS.get(path.suffix, open)(path, "rt", encoding="utf-8") as lines:
            for line in lines:
                texts.append(line.rstrip("\n"))
                size += len(line.encode())
                if size >= megabytes * 1e6:
                    return texts
    return texts


def shards(paths: list[str]) -> Iterator[Path]:
    for path in map(Path, paths):
        yield from sorted(path.iterdir()) if path.is_dir() else [path]


def user_dictionary() -> JiebaDictionaries:
    """Every thousandth word of jieba's own, twice: enough that rjieba is filled from jieba's frequencies."""
    words = [line.split(" ")[0] * 2 for line in own_dictionary().decode().splitlines()[::1000]]
    return JiebaDictionaries(user=("\n".join(words).encode(),))


def tokenizer_of(name: str) -> TextToWords:
    _, engine, settings = CASES[name]
    dictionaries = user_dictionary() if engine.endswith("user") else None
    return choose_tokenizer(tokens_config(settings), engine.partition(" ")[0], dictionaries)


def tokens_config(settings: dict[str, Any]) -> TokensConfig:
    return build_config({"tokens": settings}).tokens


def kernel_run(chosen: TextToWords, batches: list[pa.Array]) -> tuple[float, int]:
    """Processor seconds and words."""
    start = time.process_time()
    words = sum(len(chosen.lists(batch).flatten()) for batch in batches)
    return time.process_time() - start, words


def spark_run(spark: SparkSession, chosen: TextToWords, path: str) -> tuple[float, int, float]:
    """Processor seconds of this process and all below it, words, wall seconds."""
    start, start_wall = processor_seconds(), time.perf_counter()
    documents = read_documents(spark, {Layout("text"): [path]}, InputConfig())
    words = tokenize(documents, chosen, DocumentRules()).agg({"words": "sum"}).first()[0]
    return processor_seconds() - start, words, time.perf_counter() - start_wall


def processor_seconds() -> float:
    """What this process and those below it have used of a processor so far."""
    processes = [os.getpid(), *descendants(os.getpid())]
    fields = [Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split() for process in processes]
    return sum(int(entry[11]) + int(entry[12]) for entry in fields) / os.sysconf("SC_CLK_TCK")


def start_session_with_one_worker() -> SparkSession:
    """A session under local[1] whose worker finds this module."""
    here = str(Path(__file__).resolve().parent)
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [here, os.environ.get("PYTHONPATH", "")]))
    os.environ["PYSPARK_SUBMIT_ARGS"] = "--master local[1] --driver-memory 4g pyspark-shell"
    return start_session("tokenize_text")


def figures(seconds: list[float], words: int, megabytes: float) -> dict[str, Any]:
    return {
        "million_words_per_s": spread([words / run / 1e6 for run in seconds]),
        "mb_per_s": spread([megabytes / run for run in seconds]),
    }


def measure(spark: SparkSession, name: str, texts: list[str], folder: Path, runs: int) -> dict[str, Any]:
    texts = texts[: max(1, int(len(texts) * SHARE.get(name, 1)))]
    megabytes = sum(len(text.encode()) for text in texts) / 1e6
    batches = [pa.array(texts[k : k + TEXTS_PER_BATCH], pa.string()) for k in range(0, len(texts), TEXTS_PER_BATCH)]
    chosen = tokenizer_of(name)
    kernel_run(chosen, [batches[0][:10]])
    kernel = [kernel_run(chosen, batches) for _ in range(runs)]
    path = folder / "texts.txt"
    path.write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")
    spark_run(spark, chosen, str(path))
    through_spark = [spark_run(spark, chosen, str(path)) for _ in range(runs)]
    return {
        "megabytes": round(megabytes, 1),
        "words": kernel[0][1],
        "kernel": figures([run[0] for run in kernel], kernel[0][1], megabytes),
        "spark": figures([run[0] for run in through_spark], through_spark[0][1], megabytes),
        "spark_wall_seconds": spread([run[2] for run in through_spark]),
    }


def are_equal(texts: list[str], *names: str) -> bool:
    """Whether two cases cut a tenth of the text alike."""
    batch = pa.array(texts[: len(texts) // 10], pa.string())
    first, second = (tokenizer_of(name).lists(batch) for name in names)
    return bool(first.equals(second))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--input", nargs="+", required=True, help="text shards or their directory, with spaces")
    parser.add_argument("--chinese", nargs="+", required=True, help="Chinese text shards or their directory")
    parser.add_argument("--megabytes", type=float, default=40, help="how much of each text [default 40]")
    parser.add_argument("--runs", type=int, default=5, help="runs of each measurement [default 5]")
    parser.add_argument("--cases", nargs="+", default=list(CASES), choices=list(CASES), help="[default all]")
    parser.add_argument("--record", required=True, help="JSON file to write")
    arguments = parser.parse_args()
    texts = {kind: read_texts(getattr(arguments, kind), arguments.megabytes) for kind in ("input", "chinese")}
    spark = start_session_with_one_worker()
    record: dict[str, Any] = {"runs": arguments.runs, "cases": {}}
    with tempfile.TemporaryDirectory() as folder:
        for name in arguments.cases:
            record["cases"][name] = measure(spark, name, texts[CASES[name][0]], Path(folder), arguments.runs)
            print(name, json.dumps(record["cases"][name]), flush=True)
    record["rjieba_equals_jieba"] = {
        kind: are_equal(texts["chinese"], f"rjieba{kind}", f"jieba{kind}") for kind in ("", ", user dictionary")
    }
    spark.stop()
    write_record(arguments.record, record)


if __name__ == "__main__":
    main()
