"""The vocabulary stage: words -> ids, the most frequent first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql.types import LongType, StringType, StructField, StructType

_PARTIAL = StructType(
    [
        StructField("word", StringType()),
        StructField("word_count", LongType()),
        StructField("document_count", LongType()),
    ]
)


def count_words(tokens: DataFrame) -> DataFrame:
    """``tokens`` -> ``word, word_count, document_count`` of every distinct word.

    Each Arrow batch is counted in numpy first, so the shuffle carries distinct words a batch, not occurrences.
    """
    return (
        tokens.select("words")
        .mapInArrow(_count_batches, _PARTIAL)
        .groupBy("word")
        .agg(F.sum("word_count").alias("word_count"), F.sum("document_count").alias("document_count"))
    )


def _count_batches(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        lists = batch.column(0)
        words = lists.flatten().dictionary_encode()
        codes = np.asarray(words.indices, dtype=np.int64)
        documents = np.repeat(np.arange(len(lists)), np.diff(np.asarray(lists.offsets)))
        distinct = len(words.dictionary)
        word_counts = np.bincount(codes, minlength=distinct)
        # A (document, word) meeting counts once: sort the packed pairs and drop repeats.
        meetings = np.unique(documents * max(distinct, 1) + codes)
        document_counts = np.bincount(meetings % max(distinct, 1), minlength=distinct)
        yield pa.RecordBatch.from_arrays(
            [words.dictionary.cast(pa.string()), pa.array(word_counts), pa.array(document_counts)],
            names=_PARTIAL.fieldNames(),
        )


def number_words(counted: DataFrame, minimum_count: int, maximum_size: int) -> DataFrame:
    """``word, word_count, document_count`` -> ``vocabulary``: rare words dropped, ids by falling count.

    Ties go by the word's code points (Spark compares UTF-8 bytes, which sort alike), so ids depend on nothing but
    the counts. The kept words pass through one task to be numbered: about 60 bytes a word.
    """
    order = [F.desc("word_count"), F.asc("word")]
    kept = counted.where(F.col("word_count") >= minimum_count)
    kept = kept.orderBy(*order).limit(maximum_size) if maximum_size else kept
    rank = F.row_number().over(Window.orderBy(*order))
    return kept.select((rank - 1).cast("int").alias("word_id"), "word", "word_count", "document_count")


def vocabulary_plain(
    documents: Iterable[Sequence[str]], minimum_count: int, maximum_size: int = 0
) -> list[tuple[int, str, int, int]]:
    """The plain twin of the stage: rows of ``vocabulary``.

    >>> vocabulary_plain([["b", "a", "b"], ["a", "c"]], minimum_count=2)
    [(0, 'a', 2, 2), (1, 'b', 2, 1)]
    """
    word_counts = Counter(word for document in documents for word in document)
    document_counts = Counter(word for document in documents for word in set(document))
    ranked = sorted((-count, word) for word, count in word_counts.items() if count >= minimum_count)
    kept = ranked[:maximum_size] if maximum_size else ranked
    return [(rank, word, -negative, document_counts[word]) for rank, (negative, word) in enumerate(kept)]
