from __future__ import annotations

from collections import Counter

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from pmi_spark.corpus.duplicates import (
    Document,
    drop_duplicates_plain,
    limit_repeated_lines_plain,
    normal_form_plain,
    remove_lines,
)

TEXTS = st.sampled_from(["", " ", "a b", "A  B", "a\u3000b\n", "c", "C", "ÉÉ", "éé"])
DOCUMENTS = st.lists(
    st.builds(
        Document,
        st.integers(0, 3),
        TEXTS,
        st.sampled_from(["s", "t"]),
        st.integers(0, 2),
        st.just(0),
        st.sampled_from([None, None, "invalid"]),
    ),
    max_size=8,
)
LINES = st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from([0, 1, 2, 3, None])), min_size=1, max_size=4)


@given(DOCUMENTS)
def test_of_each_text_one_document_stays(documents):
    rows = drop_duplicates_plain(documents)
    assert len(rows) == len(documents)
    texts = Counter(normal_form_plain(row.text) for row in rows if row.reject is None)
    assert {text for text in texts if text} == {normal_form_plain(d.text) for d in documents if not d.reject} - {""}
    assert all(count == 1 for text, count in texts.items() if text)
    assert sorted(map(str, (row for row in rows if row.reject == "invalid"))) == sorted(
        map(str, (row for row in documents if row.reject == "invalid"))
    )
    assert all(row.text == "" for row in rows if row.reject == "duplicate")


@given(DOCUMENTS, st.randoms(use_true_random=False))
def test_which_copy_stays_does_not_depend_on_the_order(documents, random):
    assert sorted(drop_duplicates_plain(random.sample(documents, len(documents))), key=str) == sorted(
        drop_duplicates_plain(documents), key=str
    )


@given(st.lists(LINES, max_size=6), st.sets(st.integers(0, 3), min_size=1), st.data())
def test_lines_are_removed_by_their_hash(texts, frequent, data):
    start = data.draw(st.integers(0, len(texts)))
    strings = pa.array(["\n".join(line for line, _ in text) for text in texts], pa.string())
    hashes = pa.array([[number for _, number in text] for text in texts], pa.list_(pa.int64()))
    removed, touched = remove_lines(strings.slice(start), hashes.slice(start), np.array(sorted(frequent)))
    kept = [[line for line, number in text if number not in frequent] for text in texts[start:]]
    assert removed.to_pylist() == ["\n".join(lines) for lines in kept]
    assert touched.to_pylist() == [len(lines) < len(text) for lines, text in zip(kept, texts[start:], strict=True)]


def test_a_list_without_numbers_lets_the_text_be():
    texts = pa.array(["a\nb", "c\nd"])
    removed, _ = remove_lines(texts, pa.array([[], [1, 2]], pa.list_(pa.int64())), np.array([1]))
    assert removed.to_pylist() == ["a\nb", "d"]


@given(DOCUMENTS, st.integers(0, 3))
def test_lines_go_or_stay_with_all_their_occurrences(documents, most):
    rows = limit_repeated_lines_plain(documents, most, shortest=1)
    before = Counter(normal_form_plain(d.text) for d in documents if d.reject is None)
    for row, document in zip(rows, documents, strict=True):
        often = before[normal_form_plain(document.text)] > most and normal_form_plain(document.text)
        if document.reject is None and "\n" not in document.text:
            assert row == (document._replace(text="", reject="empty") if often else document)
        if document.reject:
            assert row == document
