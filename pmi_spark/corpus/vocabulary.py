"""The vocabulary stage: words -> ids, the most frequent first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql.types import LongType, StringType, StructField, StructType
from scipy import sparse

from pmi_spark.corpus.token_files import decode_tokens
from pmi_spark.parquet_files import NO_ROW_COUNTS, file_contents

Batches = Iterator[pa.RecordBatch]
Longs = npt.NDArray[np.int64]

_PARTIAL = StructType(
    [
        StructField("word", StringType()),
        StructField("word_count", LongType()),
        StructField("document_count", LongType()),
    ]
)


def count_words(token_files: DataFrame, row_counts: Mapping[str, int] = NO_ROW_COUNTS) -> DataFrame:
    """Files of ``tokens`` -> ``word, word_count, document_count`` of every distinct word.

    Each row group (4 M words) is counted in numpy first, so the shuffle carries its distinct words, not occurrences.
    ``row_counts`` says how many rows a path must have.
    """
    return (
        token_files.mapInArrow(_counter(row_counts), _PARTIAL)
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
                    names=_PARTIAL.fieldNames(),
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
