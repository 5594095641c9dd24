"""A vocabulary that takes in text and gives it back: its twin, and what a full or a given one does."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession

from pmi_spark.corpus.vocabulary import Rules, count_words, select_words, vocabulary_plain
from pmi_spark.corpus.vocabulary_growth import extend_vocabulary, update_counts, update_given
from pmi_spark.corpus.word_account import Account, Share

Documents = list[list[str]]
Rows = list[tuple[int, str, int, int]]
TEXT = st.lists(st.lists(st.sampled_from(["a", "b", "c", "d", "\uffee", "\U0001f600"]), max_size=6), max_size=6)
RULES = st.builds(
    Rules,
    minimum_count=st.integers(1, 3),
    minimum_documents=st.integers(1, 2),
    maximum_size=st.integers(0, 4),
)


def extended_plain(old: Documents, new: Documents, rules: Rules) -> Rows:
    """The words that the old text gave, counted in both, then those that meet the rules in both and have room."""
    everything = {row[1]: row for row in vocabulary_plain([*old, *new], Rules())}
    words = [word for _, word, _, _ in vocabulary_plain(old, rules)]
    meet = [
        word for _, word, _, _ in vocabulary_plain([*old, *new], Rules(rules.minimum_count, rules.minimum_documents))
    ]
    behind = [word for word in meet if word not in words]
    if rules.maximum_size:
        behind = behind[: max(0, rules.maximum_size - len(words))]
    return [(place, *everything[word][1:]) for place, word in enumerate([*words, *behind])]


@pytest.fixture(scope="module")
def grow(
    spark: SparkSession, token_files_frame: Callable
) -> Callable[[Documents, Documents, Rules], tuple[Rows, list[tuple], Account]]:
    def run(old: Documents, new: Documents, rules: Rules) -> tuple[Rows, list[tuple], Account]:
        with select_words(count_words(token_files_frame(old)), rules, len(old)) as before:
            vocabulary, dropped = (_held(spark, frame) for frame in (before.vocabulary, before.dropped))
        added = count_words(token_files_frame(new))
        updated = update_counts(vocabulary, dropped, added, dropped.limit(0))
        with extend_vocabulary(updated, vocabulary.count(), rules, len(old) + len(new)) as grown:
            rows = sorted(tuple(row)[:4] for row in grown.vocabulary.collect())
            return rows, sorted(tuple(row) for row in grown.dropped.collect()), grown.account

    return run


def _held(spark: SparkSession, frame: DataFrame) -> DataFrame:
    return spark.createDataFrame(frame.collect(), frame.schema)


@settings(max_examples=4, deadline=None, derandomize=True)
@given(old=TEXT.filter(any), new=TEXT, rules=RULES)
def test_it_equals_its_plain_twin(grow: Callable, old: Documents, new: Documents, rules: Rules) -> None:
    rows, dropped, account = grow(old, new, rules)
    assert rows == extended_plain(old, new, rules)
    everything = [row[1:] for row in vocabulary_plain([*old, *new], Rules())]
    assert sorted([*dropped, *(row[1:] for row in rows)]) == sorted(everything)
    assert account.kept == Share(len(rows), sum(row[2] for row in rows))
    assert sum(share.words for share in account.dropped.values()) == len(dropped)


def test_a_full_vocabulary_takes_no_word_in_and_keeps_its_own(grow: Callable) -> None:
    rows, dropped, account = grow([["a", "a", "b"]], [["c", "c", "c"]], Rules(maximum_size=2))
    assert [row[1] for row in rows] == ["a", "b"]
    assert dropped == [("c", 3, 1)]
    assert account.dropped == {"maximum_size": Share(1, 3)}


@pytest.mark.parametrize("removed", [[], [["a", "x"]]], ids=["nothing", "a document"])
def test_given_words_alone_are_counted(spark: SparkSession, token_files_frame: Callable, removed: Sequence) -> None:
    columns = "word string, word_count long, document_count long"
    given = spark.createDataFrame(
        [(0, "a", 1, 1, 0.5), (1, "q", 0, 0, 0.0)], f"word_id int, {columns}, frequency double"
    )
    dropped = spark.createDataFrame([("x", 1, 1)], columns)
    added, gone = (count_words(token_files_frame(documents)) for documents in ([["a", "y"]], list(removed)))
    with update_given(update_counts(given, dropped, added, gone), 2) as selection:
        rows = sorted(tuple(row) for row in selection.vocabulary.collect())
        others = sorted(row["word"] for row in selection.dropped.collect())
    count = 2 - len(removed)
    assert rows == [(0, "a", count, count, 0.5), (1, "q", 0, 0, 0.0)]
    assert others == (["y"] if removed else ["x", "y"])
    assert selection.account.absent == 1
