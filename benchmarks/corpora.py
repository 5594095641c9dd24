"""Corpora for the pairs benchmark, made from a text: as it is, repeated, or arranged as awkwardly as text gets."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from pmi_spark.artifacts import MANIFEST_NAME
from pmi_spark.corpus.token_files import SCHEMA, WORD_STRINGS
from pmi_spark.parquet_files import MAGIC, ParquetEncoder, decode_row_groups

GIANT_WORDS = 10_000_000
MANY_WORDS = 2_000_000
WORDS_A_DOCUMENT = 1000
LARGE_BYTES = 10**9
TINY_SHARDS = 4000
SHORT_WORDS = 8


def lines_of(inputs: Sequence[str]) -> Iterator[str]:
    """The lines of text shards, plain or gzip, in the order of their names."""
    for path in map(Path, inputs):
        for shard in sorted(path.iterdir()) if path.is_dir() else [path]:
            opener = gzip.open if shard.suffix == ".gz" else open
            with opener(shard, "rt", encoding="utf-8") as text:
                yield from text


def giant_line(_: Sequence[str], folder: Path) -> None:
    """10 M words on one line: ranks drawn by Zipf's law from 2 M, 1.1 M of which occur."""
    ranks = np.random.default_rng(0).zipf(1.15, GIANT_WORDS) % MANY_WORDS
    folder.joinpath("one.txt").write_text(" ".join(f"w{rank}" for rank in ranks.tolist()) + "\n")


def many_words(_: Sequence[str], folder: Path) -> None:
    """12 M words, each of 2 M different ones at least once."""
    generator = np.random.default_rng(0)
    ranks = np.concatenate((np.arange(MANY_WORDS), generator.zipf(1.15, 5 * MANY_WORDS) % MANY_WORDS))
    generator.shuffle(ranks)
    with folder.joinpath("many.txt").open("w") as text:
        for document in ranks.reshape(-1, WORDS_A_DOCUMENT).tolist():
            text.write(" ".join(f"w{rank}" for rank in document) + "\n")


def one_shard(inputs: Sequence[str], folder: Path) -> None:
    """The text again and again up to 1 GB in one gzip file, which one task reads."""
    lines = list(lines_of(inputs))
    size = 0
    with gzip.open(folder / "all.txt.gz", "wt", compresslevel=1, encoding="utf-8") as text:
        while size < LARGE_BYTES:
            for line in lines:
                text.write(line)
                size += len(line.encode())


def tiny_shards(inputs: Sequence[str], folder: Path) -> None:
    """The text in 4,000 files."""
    lines = list(lines_of(inputs))
    for shard in range(TINY_SHARDS):
        folder.joinpath(f"{shard:04d}.txt").write_text("".join(lines[shard::TINY_SHARDS]), encoding="utf-8")


def half_shard(inputs: Sequence[str], folder: Path) -> None:
    """Half of the text in one gzip file, the other half in sixteen."""
    lines = list(lines_of(inputs))
    half = len(lines) // 2
    for name, part in [("half", lines[:half]), *((f"{k:02d}", lines[half + k :: 16]) for k in range(16))]:
        with gzip.open(folder / f"{name}.txt.gz", "wt", compresslevel=1, encoding="utf-8") as text:
            text.writelines(part)


def giant_document(inputs: Sequence[str], folder: Path) -> None:
    """Half of the text as one line, the other half cut into lines of 8 words: a million documents."""
    lines = list(lines_of(inputs))
    half = len(lines) // 2
    folder.joinpath("giant.txt").write_text(" ".join(line.strip() for line in lines[:half]) + "\n", encoding="utf-8")
    with folder.joinpath("short.txt").open("w", encoding="utf-8") as text:
        for line in lines[half:]:
            words = line.split()
            text.writelines(" ".join(words[k : k + SHORT_WORDS]) + "\n" for k in range(0, len(words), SHORT_WORDS))


MAKERS: dict[str, Callable[[Sequence[str], Path], None]] = {
    "giant-line": giant_line,
    "many-words": many_words,
    "one-shard": one_shard,
    "tiny-shards": tiny_shards,
    "half-shard": half_shard,
    "giant-document": giant_document,
}


def prepare(corpus: str, inputs: Sequence[str], output: Path, settings: Sequence[str]) -> None:
    """The tokens and the vocabulary of a corpus, in ``output``."""
    output.mkdir(parents=True)
    if corpus.endswith("-copies"):
        copies = int(corpus.partition("-")[0])
        run_stage("tokens", output, settings, inputs)
        repeat_tokens(output / "tokens", copies)
        settings = [*settings, f"vocabulary.minimum_count={5 * copies}"]
    elif corpus == "text":
        run_stage("tokens", output, settings, inputs)
    else:
        folder = output / "_text"
        folder.mkdir()
        MAKERS[corpus](inputs, folder)
        run_stage("tokens", output, settings, [str(folder)])
    run_stage("vocabulary", output, settings)


def run_stage(stage: str, output: Path, settings: Sequence[str], inputs: Sequence[str] = ()) -> None:
    """One stage by the command line."""
    overrides = [part for setting in settings for part in ("--set", setting)]
    given = ["--input", *inputs] if inputs else []
    command = [sys.executable, "-m", "pmi_spark.cli", stage, *given, "--output", str(output), *overrides]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)


def repeat_tokens(folder: Path, copies: int) -> None:
    """Add copies of every file of tokens, each under other document ids: subsampling then keeps other occurrences."""
    path = folder / MANIFEST_NAME
    manifest = json.loads(path.read_text(encoding="utf-8"))
    for part in list(manifest["files"]):
        groups = decode_row_groups(part["name"], (folder / part["name"]).read_bytes(), SCHEMA)
        for copy in range(1, copies):
            name = part["name"].replace(".parquet", f"-copy{copy:02d}.parquet")
            encoder = ParquetEncoder(SCHEMA, dictionary=[WORD_STRINGS])
            for rows in groups:
                ids = np.asarray(rows["document_id"]) ^ np.int64(copy * 0x9E3779B97F4A7C15 & (2**63 - 1))
                encoder.add(pa.table([pa.array(ids), rows["words"]], schema=SCHEMA))
            content = encoder.finish().to_pybytes() + MAGIC.encode()
            (folder / name).write_bytes(content)
            manifest["files"].append({**part, "name": name, "size_bytes": len(content)})
    for fact in ("documents_read", "documents", "words"):
        manifest["facts"][fact] *= copies
    manifest["row_count"] *= copies
    path.write_text(json.dumps(manifest), encoding="utf-8")
    (folder / f".{MANIFEST_NAME}.crc").unlink(missing_ok=True)
