"""Tokens -> vocabulary: the plain twin's rows, ids by count and then by code points."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from chispa import assert_df_equality
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.errors import PythonException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from pmi_spark.corpus import ranking, tokens
from pmi_spark.corpus.ranking import ranked
from pmi_spark.corpus.vocabulary import Rules, count_given, count_words, select_words, vocabulary_plain
from pmi_spark.corpus.word_account import Account
from pmi_spark.parquet_files import MAGIC
from pmi_spark.schemas import VOCABULARY

Rows = list[tuple[int, str, int, int]]
DOCUMENTS = st.lists(st.lists(st.sampled_from(["a", "b", "c", "\uffee", "\U0001f600", "é"]), max_size=8), max_size=10)


def rows_of(vocabulary: DataFrame) -> Rows:
    """Rows without their frequencies, which are the shares of their counts."""
    rows = sorted(tuple(row) for row in vocabulary.collect())
    total = sum(row[2] for row in rows)
    assert [row[4] for row in rows] == [row[2] / total if total else 0.0 for row in rows]
    return [row[:4] for row in rows]


def selected(
    counted: DataFrame, rules: Rules, documents: int = 1000, keep: Sequence[str] = (), drop: Sequence[str] = ()
) -> tuple[Rows, Account]:
    lists = None
    if keep or drop:
        rows = [(word, "keep") for word in keep] + [(word, "drop") for word in drop]
        lists = counted.sparkSession.createDataFrame(rows, "word string, verdict string")
    with select_words(counted, rules, documents, lists, len(keep)) as selection:
        rows = rows_of(selection.vocabulary)
        left_out = sorted(tuple(row) for row in selection.dropped.collect())
        assert sorted([*left_out, *(row[1:] for row in rows)]) == sorted(tuple(row) for row in counted.collect())
        return rows, selection.account


RULES = st.builds(
    Rules,
    minimum_count=st.integers(1, 3),
    minimum_documents=st.integers(1, 2),
    maximum_document_share=st.sampled_from([0.4, 1.0]),
    maximum_size=st.integers(0, 4),
)
LISTS = st.sets(st.sampled_from(["a", "c", "\uffee", "x"]), max_size=2)


@settings(max_examples=4, deadline=None, derandomize=True)
@given(documents=DOCUMENTS, rules=RULES, keep=LISTS, drop=LISTS)
def test_it_equals_its_plain_twin(
    token_files_frame: Callable, documents: list[list[str]], rules: Rules, keep: set[str], drop: set[str]
) -> None:
    drop -= keep
    rules = dataclasses.replace(rules, maximum_size=rules.maximum_size and rules.maximum_size + len(keep))
    frame = count_words(token_files_frame(documents))
    rows, account = selected(frame, rules, len(documents), sorted(keep), sorted(drop))
    assert rows == vocabulary_plain(documents, rules, keep, drop)
    assert account.kept == (len(rows), sum(row[2] for row in rows))
    everything = vocabulary_plain(documents, Rules())
    facts = account.facts()
    assert (facts["distinct_words"], facts["all_words"]) == (len(everything), sum(row[2] for row in everything))
    assert account.absent == len(keep - {row[1] for row in everything})


def test_many_tasks_number_as_one_does(
    spark: SparkSession, token_files_frame: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ranking, "ROWS_PER_TASK", 9)
    words = [f"w{number * number % 97}" for number in range(400)]
    documents = [words[start : start + 20] for start in range(0, len(words), 20)]
    for size in (0, 31):
        rules = Rules(minimum_count=4, maximum_size=size)
        rows, account = selected(count_words(token_files_frame(documents)), rules, len(documents), ["w7"])
        assert rows == vocabulary_plain(documents, rules, {"w7"})
        assert account.kept.words == len(rows)


def test_ranks_come_in_as_many_sorted_ranges_as_are_asked_for(
    spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ranking, "ROWS_PER_TASK", 25)
    rows = spark.range(100).select((F.col("id") * 37 % 101).alias("value"))
    with ranked(rows, 100, F.desc("value")) as frame:
        ranges = [[row["rank"] for row in part] for part in frame.rdd.glom().collect()]
        found = [row["value"] for row in frame.orderBy("rank").collect()]
    assert len(ranges) == 4
    assert min(map(len, ranges)) > 0
    assert [rank for part in ranges for rank in part] == list(range(100))
    assert found == sorted(found, reverse=True)


def test_nothing_stays_persisted(spark: SparkSession, token_files_frame: Callable) -> None:
    before = spark.sparkContext._jsc.getPersistentRDDs().size()
    frame = count_words(token_files_frame([["b", "a", "b"], ["a", "c"]]))
    selected(frame, Rules(maximum_size=1))
    given = spark.createDataFrame([(0, "a")], "word_id int, word string")
    with count_given(frame, given, 1) as selection:
        selection.vocabulary.collect()
    assert spark.sparkContext._jsc.getPersistentRDDs().size() == before


@settings(max_examples=3, deadline=None, derandomize=True)
@given(documents=DOCUMENTS, words=st.permutations(["a", "b", "\U0001f600", "x", "y"]))
def test_given_words_keep_their_ids_whatever_they_count(
    spark: SparkSession, token_files_frame: Callable, documents: list[list[str]], words: list[str]
) -> None:
    given = spark.createDataFrame(list(enumerate(words)), "word_id int, word string")
    counts = {row[1]: row[2:] for row in vocabulary_plain(documents, Rules())}
    with count_given(count_words(token_files_frame(documents)), given, len(words)) as selection:
        rows, account = rows_of(selection.vocabulary), selection.account
    assert rows == [(place, word, *counts.get(word, (0, 0))) for place, word in enumerate(words)]
    others = [count for word, (count, _) in counts.items() if word not in words]
    assert account.dropped == {"given": (len(others), sum(others))}
    assert account.kept.occurrences == sum(row[2] for row in rows)
    assert account.absent == sum(row[2] == 0 for row in rows)


def test_it_is_the_declared_frame(spark: SparkSession, token_files_frame: Callable) -> None:
    counted = count_words(token_files_frame([["b", "a", "b"], ["a", "c"]]))
    with select_words(counted, Rules(minimum_count=2), 2) as selection:
        expected = spark.createDataFrame([(0, "a", 2, 2, 0.5), (1, "b", 2, 1, 0.5)], VOCABULARY)
        assert_df_equality(selection.vocabulary, expected, ignore_nullable=True, ignore_row_order=True)


def test_ties_go_by_code_points_not_by_utf16_units(token_files_frame: Callable) -> None:
    # U+FF21 is the smaller code point, but its UTF-16 unit is above the surrogates that stand for U+1D49C.
    words = ["\U0001d49c", "\uff21", "z", "\U00010000", "Z", "\ufffd"]
    rows, _ = selected(count_words(token_files_frame([words, words[::-1]])), Rules())
    assert [row[1] for row in rows] == ["Z", "z", "\uff21", "\ufffd", "\U00010000", "\U0001d49c"]


def test_the_size_limit_keeps_the_most_frequent_and_cuts_ties_by_code_points(token_files_frame: Callable) -> None:
    documents = [["c", "c", "c", "b", "b", "\U0001d49c", "\uff21", "\uff21", "\U0001d49c"]]
    rows, _ = selected(count_words(token_files_frame(documents)), Rules(maximum_size=3))
    assert rows == [(0, "c", 3, 1), (1, "b", 2, 1), (2, "\uff21", 2, 1)]


def test_a_listed_word_among_those_at_the_size_limit_takes_one_place(token_files_frame: Callable) -> None:
    rules = Rules(maximum_size=2)
    rows, account = selected(count_words(token_files_frame([["a", "b", "c", "d"]])), rules, keep=["a"])
    assert rows == [(0, "a", 1, 1), (1, "b", 1, 1)]
    assert account.dropped["maximum_size"] == (2, 2)


def test_a_document_counts_once_however_often_it_says_the_word(token_files_frame: Callable) -> None:
    documents = [["a"] * 5, ["a", "b"], ["b"]] * 40
    assert selected(count_words(token_files_frame(documents)), Rules())[0] == [
        (0, "a", 240, 80),
        (1, "b", 80, 80),
    ]


def test_it_does_not_depend_on_partitions(token_files_frame: Callable) -> None:
    documents = [[f"w{(number * place) % 13}" for place in range(number % 9)] for number in range(50)]
    expected = vocabulary_plain(documents, Rules(minimum_count=2))
    for partitions in (1, 7):
        frame = count_words(token_files_frame(documents, partitions))
        assert selected(frame, Rules(minimum_count=2))[0] == expected


def test_files_without_rows_add_nothing(token_files_frame: Callable) -> None:
    assert selected(count_words(token_files_frame([["a", "a"]], 5)), Rules())[0] == [(0, "a", 2, 1)]


def test_row_groups_with_other_dictionaries_are_summed(spark: SparkSession, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "WORDS_PER_ROW_GROUP", 3)
    file = tokens.TokenFile()
    documents = [["x", "y", "x"], ["a", "a", "x"], ["y"]]
    for number, words in enumerate(documents):
        columns = [pa.array([number]), pa.array([words], tokens.SCHEMA.field("words").type)]
        file.add(pa.RecordBatch.from_arrays(columns, schema=tokens.SCHEMA))
    content = file.finish().to_pybytes() + MAGIC.encode()
    assert pq.ParquetFile(pa.BufferReader(content)).num_row_groups == 3
    frame = spark.createDataFrame([("file", content)], "path string, content binary")
    assert selected(count_words(frame), Rules())[0] == vocabulary_plain(documents, Rules())


def test_a_damaged_file_is_named(spark: SparkSession, token_files: Callable) -> None:
    ((path, content),) = token_files([["a", "b"]], 1)
    frame = spark.createDataFrame([(path, content[:-9])], "path string, content binary")
    with pytest.raises(PythonException, match=f"cannot read {path}: "):
        count_words(frame).collect()
