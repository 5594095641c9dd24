from __future__ import annotations

import dataclasses
from collections import Counter
from fractions import Fraction

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pmi_spark.corpus.vocabulary import Rules, count_lists, vocabulary_plain

DOCUMENTS = st.lists(
    st.lists(st.sampled_from(["a", "b", "B", "é", "z", "\uffff", "\U0001f600"]), max_size=8), max_size=6
)


WORDS = st.sets(st.sampled_from(["a", "b", "B", "é", "z"]), max_size=3)
RULES = st.builds(
    Rules,
    minimum_count=st.integers(1, 4),
    minimum_documents=st.integers(1, 3),
    maximum_document_share=st.sampled_from([0.0, 0.3, 0.5, 1.0]),
    maximum_size=st.integers(0, 4),
)


def documents_with(word, documents):
    return sum(word in document for document in documents)


@given(DOCUMENTS, RULES)
def test_ids_go_by_falling_count_then_by_code_point(documents, rules):
    rows = vocabulary_plain(documents, rules)
    assert [row[0] for row in rows] == list(range(len(rows)))
    order = [(-count, [ord(character) for character in word]) for _, word, count, _ in rows]
    assert order == sorted(order)
    # Spark compares UTF-8 bytes, which must sort as code points do.
    assert order == sorted(order, key=lambda entry: (entry[0], "".join(map(chr, entry[1])).encode()))


@given(DOCUMENTS, RULES)
def test_the_kept_words_are_the_most_frequent_that_meet_the_rules(documents, rules):
    counts = Counter(word for document in documents for word in document)
    rows = vocabulary_plain(documents, rules)
    enough = sorted(
        (
            count
            for word, count in counts.items()
            if count >= rules.minimum_count
            and documents_with(word, documents) >= rules.minimum_documents
            and documents_with(word, documents) <= Fraction(str(rules.maximum_document_share)) * len(documents)
        ),
        reverse=True,
    )
    assert [row[2] for row in rows] == enough[: rules.maximum_size or None]
    for _, word, word_count, document_count in rows:
        assert word_count == counts[word]
        assert document_count == documents_with(word, documents)


@given(DOCUMENTS, RULES, WORDS, WORDS)
def test_lists_come_before_the_rules(documents, rules, keep, drop):
    drop -= keep
    occur = {word for document in documents for word in document}
    rules = dataclasses.replace(rules, maximum_size=rules.maximum_size and rules.maximum_size + len(keep))
    kept = {row[1] for row in vocabulary_plain(documents, rules, keep, drop)}
    assert keep & occur <= kept <= occur - drop
    assert not rules.maximum_size or len(kept) <= rules.maximum_size
    # A list says nothing of words outside of it where there is room for all.
    if not rules.maximum_size:
        assert kept - keep == {row[1] for row in vocabulary_plain(documents, rules)} - keep - drop


@given(DOCUMENTS, st.randoms(use_true_random=False))
def test_the_order_of_documents_changes_nothing(documents, random):
    shuffled = random.sample(documents, len(documents))
    assert vocabulary_plain(shuffled, Rules()) == vocabulary_plain(documents, Rules())


def dictionary_lists(documents: list[list[str]]) -> pa.ListArray:
    words = pa.array([word for document in documents for word in document], type=pa.string())
    offsets = np.cumsum([0, *map(len, documents)])
    return pa.ListArray.from_arrays(pa.array(offsets, type=pa.int32()), words.dictionary_encode())


def counted(lists: pa.ListArray) -> dict[str, tuple[int, int]]:
    """{word: (occurrences, documents)} of the words that occur."""
    words, word_counts, document_counts = count_lists(lists)
    assert word_counts.dtype == document_counts.dtype == np.int64
    counts = list(zip(word_counts.tolist(), document_counts.tolist(), strict=True))
    found = dict(zip(words.to_pylist(), counts, strict=True))
    assert len(found) == len(counts)
    return {word: both for word, both in found.items() if both != (0, 0)}


def counted_plain(documents: list[list[str]]) -> dict[str, tuple[int, int]]:
    word_counts = Counter(word for document in documents for word in document)
    document_counts = Counter(word for document in documents for word in set(document))
    return {word: (count, document_counts[word]) for word, count in word_counts.items()}


@given(DOCUMENTS)
def test_count_lists_equals_a_counter(documents):
    assert counted(dictionary_lists(documents)) == counted_plain(documents)


@given(DOCUMENTS, st.data())
def test_a_slice_of_lists_counts_its_own_documents(documents, data):
    start = data.draw(st.integers(0, len(documents)))
    stop = data.draw(st.integers(start, len(documents)))
    lists = dictionary_lists(documents).slice(start, stop - start)
    assert counted(lists) == counted_plain(documents[start:stop])


@given(st.lists(DOCUMENTS, min_size=1, max_size=4))
def test_chunks_with_dictionaries_of_their_own_count_as_one(chunks):
    lists = pa.chunked_array([dictionary_lists(documents) for documents in chunks]).combine_chunks()
    assert counted(lists) == counted_plain([document for documents in chunks for document in documents])


@pytest.mark.parametrize(
    "documents",
    [
        [],
        [[]],
        [[], [], []],
        [["a"] * 300],
        [["a"]] * 300,
        [["a", "b"], [], ["b", "b", "a"], []],
        # The last document of one word is the first of the next.
        [["a"], ["a", "b"], ["b", "c"], ["c"]],
    ],
)
def test_empty_documents_and_repeated_words_are_counted(documents):
    assert counted(dictionary_lists(documents)) == counted_plain(documents)


@given(DOCUMENTS, st.integers(1, 4))
def test_counted_lists_rank_as_the_plain_vocabulary_does(documents, minimum_count):
    found = counted(dictionary_lists(documents))
    rows = sorted((-count, word, documents_with) for word, (count, documents_with) in found.items())
    expected = [
        (rank, word, -negative, documents_with)
        for rank, (negative, word, documents_with) in enumerate(row for row in rows if -row[0] >= minimum_count)
    ]
    assert vocabulary_plain(documents, Rules(minimum_count)) == expected
