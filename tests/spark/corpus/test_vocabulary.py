"""Tokens -> vocabulary: the plain twin's rows, ids by count and then by code points."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from chispa import assert_df_equality
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.errors import PythonException
from pyspark.sql import DataFrame, SparkSession

from pmi_spark.corpus import tokens
from pmi_spark.corpus.vocabulary import count_words, number_words, vocabulary_plain
from pmi_spark.parquet_files import MAGIC
from pmi_spark.schemas import VOCABULARY

Rows = list[tuple[int, str, int, int]]
DOCUMENTS = st.lists(st.lists(st.sampled_from(["a", "b", "c", "\uffee", "\U0001f600", "é"]), max_size=8), max_size=10)


def rows_of(vocabulary: DataFrame) -> Rows:
    return sorted(tuple(row) for row in vocabulary.collect())


@settings(max_examples=10, deadline=None, derandomize=True)
@given(documents=DOCUMENTS, minimum_count=st.integers(1, 3), maximum_size=st.integers(0, 4))
def test_it_equals_its_plain_twin(
    token_files_frame: Callable, documents: list[list[str]], minimum_count: int, maximum_size: int
) -> None:
    vocabulary = number_words(count_words(token_files_frame(documents)), minimum_count, maximum_size)
    assert rows_of(vocabulary) == vocabulary_plain(documents, minimum_count, maximum_size)


def test_it_is_the_declared_frame(spark: SparkSession, token_files_frame: Callable) -> None:
    vocabulary = number_words(count_words(token_files_frame([["b", "a", "b"], ["a", "c"]])), 2, 0)
    expected = spark.createDataFrame([(0, "a", 2, 2), (1, "b", 2, 1)], VOCABULARY)
    assert_df_equality(vocabulary, expected, ignore_nullable=True, ignore_row_order=True)


def test_ties_go_by_code_points_not_by_utf16_units(token_files_frame: Callable) -> None:
    # U+FF21 is the smaller code point, but its UTF-16 unit is above the surrogates that stand for U+1D49C.
    words = ["\U0001d49c", "\uff21", "z", "\U00010000", "Z", "\ufffd"]
    vocabulary = number_words(count_words(token_files_frame([words, words[::-1]])), 1, 0)
    assert [row[1] for row in rows_of(vocabulary)] == ["Z", "z", "\uff21", "\ufffd", "\U00010000", "\U0001d49c"]


def test_the_size_limit_keeps_the_most_frequent_and_cuts_ties_by_code_points(token_files_frame: Callable) -> None:
    documents = [["c", "c", "c", "b", "b", "\U0001d49c", "\uff21", "\uff21", "\U0001d49c"]]
    vocabulary = number_words(count_words(token_files_frame(documents)), 1, 3)
    assert rows_of(vocabulary) == [(0, "c", 3, 1), (1, "b", 2, 1), (2, "\uff21", 2, 1)]


def test_a_document_counts_once_however_often_it_says_the_word(token_files_frame: Callable) -> None:
    documents = [["a"] * 5, ["a", "b"], ["b"]] * 40
    assert rows_of(number_words(count_words(token_files_frame(documents)), 1, 0)) == [
        (0, "a", 240, 80),
        (1, "b", 80, 80),
    ]


def test_it_does_not_depend_on_partitions(token_files_frame: Callable) -> None:
    documents = [[f"w{(number * place) % 13}" for place in range(number % 9)] for number in range(50)]
    expected = vocabulary_plain(documents, 2)
    for partitions in (1, 7):
        assert rows_of(number_words(count_words(token_files_frame(documents, partitions)), 2, 0)) == expected


def test_files_without_rows_add_nothing(token_files_frame: Callable) -> None:
    assert rows_of(number_words(count_words(token_files_frame([["a", "a"]], 5)), 1, 0)) == [(0, "a", 2, 1)]


def test_row_groups_with_other_dictionaries_are_summed(spark: SparkSession, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "WORDS_PER_ROW_GROUP", 3)
    file = tokens.TokenFile()
    documents = [["x", "y", "x"], ["a", "a", "x"], ["y"]]
    for number, words in enumerate(documents):
        columns = [pa.array([number]), pa.array([words], tokens.SCHEMA.field("words").type)]
        file.add(pa.RecordBatch.from_arrays(columns, schema=tokens.SCHEMA))
    content = file.finish()["file"][0].as_py() + MAGIC.encode()
    assert pq.ParquetFile(pa.BufferReader(content)).num_row_groups == 3
    frame = spark.createDataFrame([("file", content)], "path string, content binary")
    assert rows_of(number_words(count_words(frame), 1, 0)) == vocabulary_plain(documents, 1)


def test_a_damaged_file_is_named(spark: SparkSession, token_files: Callable) -> None:
    ((path, content),) = token_files([["a", "b"]], 1)
    frame = spark.createDataFrame([(path, content[:-9])], "path string, content binary")
    with pytest.raises(PythonException, match=f"cannot read {path}: "):
        count_words(frame).collect()
