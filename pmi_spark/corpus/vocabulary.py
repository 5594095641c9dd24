"""The vocabulary stage: words -> ids, the most frequent first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyspark import StorageLevel
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import LongType, StringType, StructField, StructType
from scipy import sparse

from pmi_spark.corpus.ranking import ranked
from pmi_spark.corpus.token_files import decode_tokens
from pmi_spark.corpus.word_account import Account, Share, SizeCut, WordClass, settle_account
from pmi_spark.parquet_files import NO_ROW_COUNTS, file_contents

Batches = Iterator[pa.RecordBatch]
Longs = npt.NDArray[np.int64]

_COUNTED = StructType(
    [
        StructField("word", StringType()),
        StructField("word_count", LongType()),
        StructField("document_count", LongType()),
    ]
)
COUNTED = _COUNTED.fieldNames()


def count_words(token_files: DataFrame, row_counts: Mapping[str, int] = NO_ROW_COUNTS) -> DataFrame:
    """Files of ``tokens`` -> ``word, word_count, document_count`` of every distinct word.

    Each row group (4 M words) is counted in numpy first, so the shuffle carries its distinct words, not occurrences.
    ``row_counts`` says how many rows a path must have.
    """
    return (
        token_files.mapInArrow(_counter(row_counts), _COUNTED)
        .groupBy("word")
        .agg(F.sum("word_count").alias("word_count"), F.sum("document_count").alias("document_count"))
    )


def _counter(row_counts: Mapping[str, int]) -> Callable[[Batches], Batches]:
    def run(batches: Batches) -> Batches:
        for path, content in file_contents(batches):
            for group in decode_tokens(path, content, row_counts.get(path, -1)):
                words, word_counts, document_counts = count_lists(group.column("words").combine_chunks())
                yield pa.RecordBatch.from_arrays(
                    [words.cast(pa.string()), pa.array(word_counts), pa.array(document_counts)],
                    names=COUNTED,
                )

    return run


def count_lists(lists: pa.ListArray) -> tuple[pa.Array, Longs, Longs]:
    """Documents as lists of dictionary-encoded words -> (distinct words, occurrences of each, documents with each).

    >>> words = pa.array([["b", "a", "b"], ["a"]]).flatten().dictionary_encode()
    >>> count_lists(pa.ListArray.from_arrays([0, 3, 4], words))[1:]
    (array([2, 2]), array([1, 2]))
    """
    words = lists.flatten()
    codes = np.asarray(words.indices)
    distinct = len(words.dictionary)
    documents = np.repeat(np.arange(len(lists), dtype=np.int32), np.diff(np.asarray(lists.offsets)))
    # A counting sort by word leaves each word's documents in order: a new one wherever they change.
    by_word = sparse.coo_array((np.ones(len(codes), np.int8), (codes, documents)), shape=(distinct, len(lists)))
    by_word.has_canonical_format = True
    by_word = by_word.tocsr()
    word_counts = np.diff(by_word.indptr).astype(np.int64)
    new = np.ones(len(codes), dtype=np.int8)
    new[1:] = by_word.indices[1:] != by_word.indices[:-1]
    new[by_word.indptr[:-1][word_counts > 0]] = 1
    passed = np.concatenate(([0], np.cumsum(new, dtype=np.int64)))
    return words.dictionary, word_counts, np.diff(passed[by_word.indptr])


@dataclass(frozen=True)
class Rules:
    """What a word must be to be kept: see the configuration's keys of the same names.

    A word is dropped by the first it does not meet, in this order, after the list of words to drop. Words of the list
    to keep need only occur.
    """

    minimum_count: int = 1
    minimum_documents: int = 1
    maximum_document_share: float = 1.0
    maximum_size: int = 0

    def most_documents(self, documents: int) -> int:
        """The largest number of documents that is no more than the share, which is taken as it is written.

        >>> Rules(maximum_document_share=0.29).most_documents(100)  # 0.29 * 100 is 28.999999999999996
        29
        """
        return int(Fraction(str(self.maximum_document_share)) * documents)


class Selection(NamedTuple):
    """Rows of ``vocabulary`` and of the dropped words, in any order, and how many and how much of the text they are."""

    vocabulary: DataFrame
    dropped: DataFrame
    account: Account


@contextmanager
def select_words(
    counted: DataFrame, rules: Rules, documents: int, lists: DataFrame | None = None, listed: int = 0
) -> Iterator[Selection]:
    """``word, word_count, document_count`` -> ``vocabulary``: words dropped by the rules, ids by falling count.

    ``documents`` is how many there are in all; ``lists`` (word, verdict: keep or drop) are exempt from the rules or
    dropped before them, ``listed`` the number of words to keep in it. Ties go by the word's code points (Spark compares
    UTF-8 bytes, which sort alike), so ids depend on nothing but the counts.

    Memory is bounded whatever the number of distinct words: counting is a shuffle that spills, the counted words are
    persisted in memory or on disk while the context is open (50 M of them: 2 GB over all machines), and rules are
    asked before any word is sorted. Numbering is :func:`ranked`. The driver holds one row for each count that occurs
    and rule: different counts sum to no more than the words of the text, so they are at most sqrt(2 N), 447,000 at
    N = 10^11.

    Raises ConfigurationError when the words to keep are more than ``maximum_size``.
    """
    with ExitStack() as held:
        judged = judge_words(counted, rules, documents, lists).persist(StorageLevel.MEMORY_AND_DISK)
        held.callback(judged.unpersist)
        account, cut = settle_account(_classes(judged), rules.maximum_size, listed)
        kept, dropped = judged.where(F.col("rule") == ""), judged.where(F.col("rule") != "")
        if cut:
            kept, over = held.enter_context(_within_size(kept, cut))
            dropped = dropped.unionByName(over)
        order = (F.desc("word_count"), F.asc("word"))
        numbered = held.enter_context(ranked(kept, account.kept.words, *order))
        frequency = share_of_text(account.kept.occurrences)
        yield Selection(_vocabulary(numbered, F.col("rank"), frequency), dropped.select(*COUNTED), account)


def judge_words(counted: DataFrame, rules: Rules, documents: int, lists: DataFrame | None = None) -> DataFrame:
    """Counted words with ``rule``, the one that drops the word or "", and ``listed``: to be kept by the list."""
    verdict = F.lit(None).cast("string")
    if lists is not None:
        counted, verdict = counted.join(lists, on="word", how="left"), F.col("verdict")
    dropped = (
        F.when(verdict == "drop", "drop")
        .when(verdict == "keep", "")
        .when(F.col("word_count") < rules.minimum_count, "minimum_count")
        .when(F.col("document_count") < rules.minimum_documents, "minimum_documents")
        .when(F.col("document_count") > rules.most_documents(documents), "maximum_document_share")
        .otherwise("")
    )
    listed = F.coalesce(verdict == "keep", F.lit(False))
    return counted.select(*COUNTED, dropped.alias("rule"), listed.alias("listed"))


def _classes(judged: DataFrame) -> list[WordClass]:
    classes = judged.groupBy("rule", "listed", "word_count").agg(F.count(F.lit(1)).alias("words")).toArrow()
    return [WordClass(**row) for row in classes.to_pylist()]


@contextmanager
def _within_size(kept: DataFrame, cut: SizeCut) -> Iterator[tuple[DataFrame, DataFrame]]:
    """The words above the cut and, of those at it, which are as frequent, the first by code points; and the others."""
    at_cut = ~F.col("listed") & (F.col("word_count") == cut.word_count)
    above = kept.where(F.col("listed") | (F.col("word_count") > cut.word_count))
    below = kept.where(~F.col("listed") & (F.col("word_count") < cut.word_count))
    with ranked(kept.where(at_cut), cut.tied, F.asc("word")) as tied:
        within, over = F.col("rank") < cut.room, F.col("rank") >= cut.room
        yield above.unionByName(tied.where(within).drop("rank")), below.unionByName(tied.where(over).drop("rank"))


@contextmanager
def count_given(counted: DataFrame, given: DataFrame, size: int) -> Iterator[Selection]:
    """``word, word_count, document_count`` -> ``vocabulary`` of the ``size`` words of ``given``.

    ``given`` has word_id, word and, where it comes from another run, the ``frequency`` it goes by there. Ids stay; a
    word that does not occur has counts of 0. This shuffles either side once, by word; as in :func:`select_words` the
    joined words are persisted while the context is open.
    """
    joined = counted.join(given, on="word", how="full").persist(StorageLevel.MEMORY_AND_DISK)
    try:
        is_given, occurs = F.col("word_id").isNotNull(), F.col("word_count").isNotNull()
        occurrences = F.coalesce(F.sum("word_count"), F.lit(0)).alias("occurrences")
        shares = joined.groupBy(is_given.alias("given")).agg(F.count_if(occurs).alias("words"), occurrences).collect()
        share_of = {row["given"]: Share(row["words"], row["occurrences"]) for row in shares}
        kept = share_of.get(True, Share(0, 0))
        account = Account(kept, {"given": share_of.get(False, Share(0, 0))}, absent=size - kept.words)
        others = joined.where(~is_given).select(*COUNTED)
        frequency = F.col("frequency") if "frequency" in given.columns else share_of_text(kept.occurrences)
        with ranked(joined.where(is_given), size, F.asc("word_id")) as ordered:
            yield Selection(_vocabulary(ordered, F.col("word_id"), frequency), others, account)
    finally:
        joined.unpersist()


def share_of_text(occurrences: int) -> Column:
    """A word's share of so many occurrences, as numpy divides two long integers."""
    return F.coalesce("word_count", F.lit(0)).cast("double") / F.lit(max(occurrences, 1)).cast("double")


def _vocabulary(words: DataFrame, word_id: Column, frequency: Column) -> DataFrame:
    counts = (F.coalesce(name, F.lit(0)).alias(name) for name in ("word_count", "document_count"))
    return words.select(word_id.cast("int").alias("word_id"), "word", *counts, frequency.alias("frequency"))


def vocabulary_plain(
    documents: Iterable[Sequence[str]],
    rules: Rules,
    keep: Collection[str] = (),
    drop: Collection[str] = (),
) -> list[tuple[int, str, int, int]]:
    """The plain twin of :func:`select_words`: rows of ``vocabulary``.

    >>> documents = [["b", "a", "b"], ["a", "c"]]
    >>> vocabulary_plain(documents, Rules(minimum_count=2))
    [(0, 'a', 2, 2), (1, 'b', 2, 1)]
    >>> vocabulary_plain(documents, Rules(minimum_count=2, maximum_document_share=0.5), keep={"c"})
    [(0, 'b', 2, 1), (1, 'c', 1, 1)]
    >>> vocabulary_plain(documents, Rules(maximum_size=2), keep={"c"}, drop={"a"})
    [(0, 'b', 2, 1), (1, 'c', 1, 1)]
    """
    documents = list(documents)
    word_counts = Counter(word for document in documents for word in document)
    document_counts = Counter(word for document in documents for word in set(document))
    most = rules.most_documents(len(documents))
    ranked_words = sorted(word_counts, key=lambda word: (-word_counts[word], word))
    always = [word for word in ranked_words if word in keep]
    free = [
        word
        for word in ranked_words
        if word not in keep and word not in drop
        if word_counts[word] >= rules.minimum_count
        if rules.minimum_documents <= document_counts[word] <= most
    ]
    free = free[: rules.maximum_size - len(always)] if rules.maximum_size else free
    kept = sorted([*always, *free], key=ranked_words.index)
    return [(rank, word, word_counts[word], document_counts[word]) for rank, word in enumerate(kept)]
