"""A vocabulary brought up to date: counts of text added and taken out, ids as they were, new words behind them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from pyspark import StorageLevel
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from pmi_spark.corpus.vocabulary import COUNTED, Rules, Selection, select_words, share_of_text
from pmi_spark.corpus.word_account import Account, Share
from pmi_spark.schemas import VOCABULARY


def update_counts(vocabulary: DataFrame, dropped: DataFrame, added: DataFrame, removed: DataFrame) -> DataFrame:
    """Every word's counts after text was added and taken out: ``vocabulary``'s columns, word_id null outside of it.

    ``dropped``, ``added`` and ``removed`` are of ``word, word_count, document_count``. Words outside the vocabulary
    that are left with no occurrence are gone; those in it stay. This shuffles the distinct words of all four once.
    """
    less = removed.select("word", *((-F.col(name)).alias(name) for name in COUNTED[1:]))
    changes = dropped.select(*COUNTED).unionByName(added.select(*COUNTED)).unionByName(less)
    total = (
        vocabulary.unionByName(changes, allowMissingColumns=True)
        .groupBy("word")
        .agg(
            *(F.max(name).alias(name) for name in ("word_id", "frequency")),
            *(F.sum(name).alias(name) for name in COUNTED[1:]),
        )
    )
    return total.where(F.col("word_id").isNotNull() | (F.col("word_count") > 0)).select(*VOCABULARY.fieldNames())


@contextmanager
def extend_vocabulary(
    updated: DataFrame, size: int, rules: Rules, documents: int, lists: DataFrame | None = None, listed: int = 0
) -> Iterator[Selection]:
    """Updated words -> ``vocabulary``: the ``size`` words it has, then those that meet the rules now, as they rank.

    ``listed`` counts the words to keep that are not in it yet; for the rest see :func:`select_words`. Words that do not
    meet the rules any more stay, so that ids keep their meaning, and take their places of ``maximum_size``. A new
    word's frequency is its share of all kept words at this moment.
    """
    with _known_and_others(updated) as (known, others):
        had = _share(known)
        if 0 < rules.maximum_size <= size:
            account = Account(had, {"maximum_size": _share(others)}, absent=listed)
            yield Selection(known, others, account)
            return
        room = rules.maximum_size and rules.maximum_size - size
        with select_words(others, replace(rules, maximum_size=room), documents, lists, listed) as new:
            kept = Share(had.words + new.account.kept.words, had.occurrences + new.account.kept.occurrences)
            behind = new.vocabulary.withColumns(
                {"word_id": F.col("word_id") + F.lit(size), "frequency": share_of_text(kept.occurrences)}
            )
            yield Selection(known.unionByName(behind), new.dropped, replace(new.account, kept=kept))


@contextmanager
def update_given(updated: DataFrame, size: int) -> Iterator[Selection]:
    """Updated words -> ``vocabulary`` of the words it has, and no others."""
    with _known_and_others(updated) as (known, others):
        kept = _share(known)
        yield Selection(known, others, Account(kept, {"given": _share(others)}, absent=size - kept.words))


@contextmanager
def _known_and_others(updated: DataFrame) -> Iterator[tuple[DataFrame, DataFrame]]:
    """The words of the vocabulary, and the counts of those outside of it, persisted while the context is open."""
    updated = updated.persist(StorageLevel.MEMORY_AND_DISK)
    try:
        has_id = F.col("word_id").isNotNull()
        yield updated.where(has_id), updated.where(~has_id).select(*COUNTED)
    finally:
        updated.unpersist()


def _share(words: DataFrame) -> Share:
    occurs = F.count_if(F.col("word_count") > 0).alias("words")
    row = words.agg(occurs, F.coalesce(F.sum("word_count"), F.lit(0)).alias("occurrences")).collect()[0]
    return Share(row["words"], row["occurrences"])
