"""Many candidate texts ordered by their PMI with a query, a batch at a time, from a file of lines or from Parquet."""

from __future__ import annotations

import itertools
import os
import sys
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from pmi_spark.errors import InputError
from pmi_spark.vectors.ranking import largest
from pmi_spark.vectors.texts import TextCutter
from pmi_spark.vectors.words import Words

Floats = npt.NDArray[np.float32]

LINES_AT_ONCE = 1 << 16
SCORE_COLUMNS = ("sum_pmi", "mean_pmi", "known_words", "unknown_words")
ROW_NUMBER = "candidate"


@dataclass(frozen=True)
class TextScorer:
    """Scores texts for one query; pickled to workers as it is: 4 bytes a word of the vocabulary, and its spelling.

    ``word_scores`` (n) are the PMI of every word with the query, summed over its ``query_words`` words.
    """

    cutter: TextCutter
    vocabulary: Words
    word_scores: Floats
    query_words: int

    def score(self, texts: pa.Array) -> pa.RecordBatch:
        """SCORE_COLUMNS of each text: PMI in nats, summed over all pairs of its known words with the query's, the mean
        of a pair, and how many words are known and unknown. Both PMIs are null where no word is known.
        """
        found = self.cutter.ids(texts, self.vocabulary)
        known = found.ids >= 0
        # reduceat cannot sum nothing, so the sums are differences of running ones: exact enough in double precision.
        running = np.concatenate(([0.0], np.cumsum(np.where(known, self.word_scores[found.ids], 0), dtype=np.float64)))
        running_known = np.concatenate(([0], np.cumsum(known)))
        sums, known_words = np.diff(running[found.offsets]), np.diff(running_known[found.offsets])
        unscored = known_words == 0
        means = sums / np.where(unscored, 1, known_words * self.query_words)
        columns = [
            pa.array(sums, mask=unscored),
            pa.array(means, mask=unscored),
            pa.array(known_words.astype(np.int32)),
            pa.array((np.diff(found.offsets) - known_words).astype(np.int32)),
        ]
        return pa.RecordBatch.from_arrays(columns, names=list(SCORE_COLUMNS))


def read_candidates(path: str, column: str) -> Iterator[pa.RecordBatch]:
    """The candidates in their order: lines as the column ``text``, or all columns of a Parquet file or folder.

    Invalid UTF-8 in lines is replaced. Raises InputError when there is no such file, it cannot be read, or has no
    ``column`` of text.
    """
    place = Path(path)
    try:
        if place.is_dir() or _is_parquet(place):
            yield from _parquet_batches(path, column)
        else:
            with place.open(encoding="utf-8", errors="replace", newline="\n") as file:
                while lines := [line.rstrip("\r\n") for line in itertools.islice(file, LINES_AT_ONCE)]:
                    yield pa.RecordBatch.from_arrays([pa.array(lines, pa.string())], names=["text"])
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"cannot read {path}: {error}", cure="give a file of lines, or Parquet") from error


def _is_parquet(place: Path) -> bool:
    with place.open("rb") as file:
        return file.read(4) == b"PAR1"


def _parquet_batches(path: str, column: str) -> Iterator[pa.RecordBatch]:
    dataset = ds.dataset(path, format="parquet")
    check_columns(path, column, {entry.name: str(entry.type) for entry in dataset.schema})
    yield from dataset.to_batches(batch_size=LINES_AT_ONCE)


def check_columns(path: str, column: str, kinds: Mapping[str, str]) -> None:
    """InputError unless the columns, {name: type}, hold ``column`` of text, and none that scores are written to."""
    if kinds.get(column) not in ("string", "large_string"):
        named = ", ".join(f"{name} ({kind})" for name, kind in kinds.items())
        raise InputError(f"{path} has no column {column} of text", cure=f"name one with --column; it has {named}")
    taken = [name for name in SCORE_COLUMNS if name in kinds]
    if taken:
        raise InputError(f"{path} has a column {taken[0]} already", cure="give it another name")


def rank_candidates(scorer: TextScorer, batches: Iterator[pa.RecordBatch], column: str, by: str, top: int) -> pa.Table:
    """The ``top`` candidates, best first by ``sum_pmi`` or ``mean_pmi``; of equal ones the earlier first.

    Their columns, ROW_NUMBER (from 0) and SCORE_COLUMNS. Those without a known word come last. Memory is the best so
    far and a batch; with ``top`` at the number of candidates, all of them.
    """
    best, seen = None, 0
    waiting: list[pa.Table] = []
    for batch in batches:
        waiting.append(_scored(scorer, batch, column, seen))
        seen += len(batch)
        if sum(map(len, waiting)) >= max(top, LINES_AT_ONCE):
            best, waiting = _best_of([best, *waiting], by, top), []
    return _best_of([best, *waiting], by, top)


def _scored(scorer: TextScorer, batch: pa.RecordBatch, column: str, first: int) -> pa.Table:
    numbers = pa.array(np.arange(first, first + len(batch)))
    scores = scorer.score(batch.column(column).cast(pa.string()))
    columns = [numbers, *batch.columns, *scores.columns]
    return pa.table(columns, names=[ROW_NUMBER, *batch.schema.names, *SCORE_COLUMNS])


def _best_of(tables: list[pa.Table | None], by: str, top: int) -> pa.Table:
    found = [table for table in tables if table is not None]
    table = pa.concat_tables(found) if found else pa.table({by: pa.array([], pa.float64())})
    # -inf is no score to `largest`; what has none stands behind all that have.
    scores = np.asarray(table[by].fill_null(np.finfo(np.float64).min))
    return table.take(pa.array(largest(scores, top)))


def rank_file(
    scorer: TextScorer, path: str, column: str, by: str, top: int, to: str | None = None
) -> tuple[int, pa.Table]:
    """How many candidates there are, and the ``top`` of them, best first.

    With ``to`` all of them are written there, in this order, as one Parquet file that appears whole; they are in memory
    for that, where otherwise a batch is. Raises InputError when candidates cannot be read, or ``to`` not be written.
    """
    count = 0

    def counted() -> Iterator[pa.RecordBatch]:
        nonlocal count
        for batch in read_candidates(path, column):
            count += len(batch)
            yield batch

    ranked = rank_candidates(scorer, counted(), column, by, top if to is None else sys.maxsize)
    if not count:
        raise InputError(f"no candidates in {path}", cure="write one a line")
    if to is not None:
        _write_whole(ranked, Path(to))
    return count, ranked.slice(0, top)


def _write_whole(table: pa.Table, to: Path) -> None:
    aside = to.with_name(f".{to.name}.{uuid.uuid4().hex}")
    try:
        if to.is_dir():
            raise IsADirectoryError(21, os.strerror(21))
        pq.write_table(table, aside, compression="zstd")
        aside.replace(to)
    except OSError as error:
        raise InputError(
            f"cannot write {to}: {error.strerror or error}", cure="name a file in a folder there is"
        ) from error
    finally:
        aside.unlink(missing_ok=True)
