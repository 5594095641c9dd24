from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from pmi_spark.corpus.vocabulary import vocabulary_plain

DOCUMENTS = st.lists(
    st.lists(st.sampled_from(["a", "b", "B", "é", "z", "\uffff", "\U0001f600"]), max_size=8), max_size=6
)


@given(DOCUMENTS, st.integers(1, 4), st.integers(0, 4))
def test_ids_go_by_falling_count_then_by_code_point(documents, minimum_count, maximum_size):
    rows = vocabulary_plain(documents, minimum_count, maximum_size)
    assert [row[0] for row in rows] == list(range(len(rows)))
    order = [(-count, [ord(character) for character in word]) for _, word, count, _ in rows]
    assert order == sorted(order)
    # Spark compares UTF-8 bytes, which must sort as code points do.
    assert order == sorted(order, key=lambda entry: (entry[0], "".join(map(chr, entry[1])).encode()))


@given(DOCUMENTS, st.integers(1, 4), st.integers(0, 4))
def test_the_kept_words_are_the_most_frequent_that_occur_often_enough(documents, minimum_count, maximum_size):
    counts = Counter(word for document in documents for word in document)
    rows = vocabulary_plain(documents, minimum_count, maximum_size)
    enough = sorted((count for count in counts.values() if count >= minimum_count), reverse=True)
    assert [row[2] for row in rows] == enough[: maximum_size or None]
    for _, word, word_count, document_count in rows:
        assert word_count == counts[word]
        assert document_count == sum(word in document for document in documents)


@given(DOCUMENTS, st.randoms(use_true_random=False))
def test_the_order_of_documents_changes_nothing(documents, random):
    shuffled = random.sample(documents, len(documents))
    assert vocabulary_plain(shuffled, 1) == vocabulary_plain(documents, 1)
