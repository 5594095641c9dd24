"""The pairs brought up to date: text added and taken out, and old text in which a new word now counts.

Counts are sums over documents, n(i, j) = sum over d of n_d(i, j), so what changes is exactly

    n' = n + sum over added d of n_d' - sum over removed d of n_d + sum over kept d of (n_d' - n_d)

with n_d under the vocabulary as it was and n_d' under the one now. n_d' = n_d unless d holds a new word: unknown words
are dropped before the window is laid, so a word that is known now moves its neighbours, too. A word that came in by the
minimum count m occurs less than m times in the old text, so of V_new new words at most (m - 1) V_new old documents are
counted again, however large the corpus; the others are looked through at 12 ns a word beside their decoding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from enum import Enum
from typing import NamedTuple

import numpy as np
from pyspark import RDD, Broadcast
from pyspark.sql import SparkSession

from pmi_spark.cooccurrence.counting import (
    Blocks,
    CountingPlan,
    PairAccumulator,
    Words,
    documents_with,
    encode_documents,
)
from pmi_spark.cooccurrence.pair_block import Runs, sort_cells
from pmi_spark.cooccurrence.pairs import SCHEMA, PairCounts, mark_read, merge_counts
from pmi_spark.corpus.token_files import decode_tokens
from pmi_spark.errors import RunError
from pmi_spark.parquet_files import decode_row_groups


class Role(Enum):
    """What becomes of a file of tokens: counted for the first time, taken out, or looked through for new words."""

    ADDED = "added"
    REMOVED = "removed"
    KEPT = "kept"


class TokenShard(NamedTuple):
    """A file of tokens: how many documents it has, and its part in an update."""

    documents: int
    role: Role


class Growing(NamedTuple):
    """The vocabulary now, of which the first ``known`` words are the vocabulary as it was."""

    now: Words
    known: int

    @property
    def before(self) -> Words:
        thresholds = self.now.thresholds
        return Words(self.now.words.slice(0, self.known), None if thresholds is None else thresholds[: self.known])


def update_pairs(
    spark: SparkSession,
    token_files: RDD[tuple[str, bytes]],
    shards: Mapping[str, TokenShard],
    pair_files: RDD[tuple[str, bytes]],
    pair_rows: Mapping[str, int],
    words: Growing,
    plan: CountingPlan,
) -> PairCounts:
    """Files of ``tokens`` that change and the files of ``pairs`` there -> files of ``pairs``, and what marginals gain.

    ``shards`` and ``pair_rows`` say what is to be read, and how many rows each has. The table is the same as
    :func:`pmi_spark.cooccurrence.pairs.count_pairs` gives for all the text wanted. Old pairs and changes meet in one
    shuffle, merged by reduceByKey: 5 bytes a pair of the old table and of the changes. Raises RunError where a file was
    not read, or more is to be taken out than is there.
    """
    sources = [*shards, *pair_rows]
    numbers = {path: number for number, path in enumerate(sources)}
    broadcast = spark.sparkContext.broadcast((words, dict(shards), dict(pair_rows), numbers))
    changes = token_files.mapPartitions(changes_of(broadcast, replace(plan, memory_bytes=plan.memory_bytes // 2)))
    there = pair_files.mapPartitions(pairs_there(broadcast, plan))
    found = merge_counts(spark, changes.union(there), sources, plan, minimum_units=1)
    if found.skipped:
        raise RunError(f"{found.skipped[0]} was not read", cure="delete the pairs folder and run that stage again")
    return found


Shared = Broadcast[tuple[Growing, dict[str, TokenShard], dict[str, int], dict[str, int]]]
FilesToBlocks = Callable[[Iterable[tuple[str, bytes]]], Iterable[tuple[int, Runs]]]


def changes_of(broadcast: Shared, plan: CountingPlan) -> FilesToBlocks:
    """A task over files of ``tokens``: what each adds to the table or takes off it, in blocks."""

    def run(files: Iterable[tuple[str, bytes]]) -> Iterator[tuple[int, Runs]]:
        words, shards, _, numbers = broadcast.value
        before, new = words.before, words.now.words.slice(words.known)
        gain, loss = PairAccumulator(plan), PairAccumulator(plan)
        for path, content in files:
            if path not in shards:
                continue
            documents, role = shards[path]
            for group in decode_tokens(path, content, documents):
                rows = documents_with(group, new) if role is Role.KEPT else group
                if role is not Role.ADDED:
                    yield from _taken_off(loss.add(*encode_documents(rows, before, plan.unknown_leaves_gap)))
                if role is not Role.REMOVED:
                    yield from _as_runs(gain.add(*encode_documents(rows, words.now, plan.unknown_leaves_gap)))
            yield mark_read(numbers[path], plan)
        yield from _as_runs(gain.finish())
        yield from _taken_off(loss.finish())

    return run


def _as_runs(blocks: Blocks) -> Iterator[tuple[int, Runs]]:
    for block, cells in blocks:
        yield block, (cells,)


def _taken_off(blocks: Blocks) -> Iterator[tuple[int, Runs]]:
    for block, cells in blocks:
        yield block, (-cells,)


def pairs_there(broadcast: Shared, plan: CountingPlan) -> FilesToBlocks:
    """A task over files of ``pairs``: the old table in the blocks of the new one, 50 ns a pair.

    It is in order already where the blocks are as many.
    """

    def run(files: Iterable[tuple[str, bytes]]) -> Iterator[tuple[int, Runs]]:
        _, _, rows, numbers = broadcast.value
        for path, content in files:
            if path not in rows:
                continue
            for group in decode_row_groups(path, content, SCHEMA, row_count=rows[path]):
                ids, contexts, counts = (np.asarray(group.column(name)) for name in SCHEMA.names)
                yield from _as_runs(plan.layout.split(sort_cells(plan.layout.matrix_rows(ids), contexts, counts)))
            yield mark_read(numbers[path], plan)

    return run
