"""The demonstration: the docstrings of the installed packages as a sharded corpus, trained end to end."""

from __future__ import annotations

import gzip
import sys
from pathlib import Path

from rich.console import Console

from pmi_spark.config import load_config
from pmi_spark.corpus.docstrings import docstring_documents, source_folders
from pmi_spark.errors import PmiSparkError

# Words that any release of the documented packages speaks of.
DEMO_WORDS = ("matrix", "file", "probability", "thread", "column", "error")


def write_corpus(folder: Path) -> list[Path]:
    """One gzip shard a package; a shard that is already there with the same bytes is left as it is, so reruns skip."""
    folder.mkdir(parents=True, exist_ok=True)
    shards = []
    for source in source_folders():
        text = "\n".join(docstring_documents(source)) + "\n"
        packed = gzip.compress(text.encode("utf-8", errors="replace"), compresslevel=6, mtime=0)
        shard = folder / f"{source.name}.txt.gz"
        if not shard.exists() or shard.read_bytes() != packed:
            shard.write_bytes(packed)
        shards.append(shard)
    return shards


def run_demo(output: str, progress: Console, answers: Console) -> None:
    """Write the corpus under ``output``, run every stage, print what came of it and where the Parquet lies."""
    from pmi_spark.pipeline import Pipeline
    from pmi_spark.progress import ConsoleReporter
    from pmi_spark.session import conf_directory, start_session
    from pmi_spark.vectors.query import related_words, similar_words
    from pmi_spark.vectors.store import load_vectors

    config = load_config(str(conf_directory() / "demo.toml"))
    spark = start_session("pmi-spark demo")
    reporter = ConsoleReporter(progress)
    progress.print(
        "reading the docstrings of the standard library, numpy, scipy, pyspark and pyarrow",
        highlight=False,
        soft_wrap=True,
    )
    shards = write_corpus(Path(output, "_corpus"))
    try:
        Pipeline(spark, output, config, reporter).run(inputs=[str(shard) for shard in shards])
    finally:
        reporter.stop()
    vectors = load_vectors(output)
    for word in DEMO_WORDS:
        try:
            related = [answer.word for answer in related_words(vectors, word, top=8)]
            similar = [answer.word for answer in similar_words(vectors, word, top=8)]
        except PmiSparkError:
            continue
        answers.print(f"\n[bold]{word}[/bold]", highlight=False, soft_wrap=True)
        answers.print(f"  related (PMI)     {' '.join(related)}", highlight=False, soft_wrap=True, markup=False)
        answers.print(f"  similar (cosine)  {' '.join(similar)}", highlight=False, soft_wrap=True, markup=False)
    answers.print(
        f"\nParquet: {Path(output).resolve()}/{{tokens,vocabulary,pairs,pmi,vectors}}",
        highlight=False,
        soft_wrap=True,
        markup=False,
    )
    answers.print(
        f"ask more: {sys.argv[0]} related WORD --output {output}", highlight=False, soft_wrap=True, markup=False
    )
