"""Sums and means of word vectors against a loop, and what unknown words and nulls do to them."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pmi_spark.vectors import text_vectors
from pmi_spark.vectors.text_vectors import sum_vectors
from pmi_spark.vectors.words import Words

KNOWN = ["a", "b", "c", "d"]
MATRIX = np.array([[1.0, 0, 2], [0, 1, 0], [4, 4, 4], [-1, 0, 0.5]], np.float32)
TEXTS = st.lists(st.none() | st.lists(st.none() | st.sampled_from([*KNOWN, "new", ""]), max_size=6), max_size=8)


def summed_plain(texts: list[list[str | None] | None], mean: bool) -> np.ndarray:
    rows = np.zeros((len(texts), 3))
    for row, text in zip(rows, texts, strict=True):
        for word in text or ():
            row += MATRIX[KNOWN.index(word)] if word in KNOWN else 0
        row /= max(len(text or ()), 1) if mean else 1
    return rows


@given(TEXTS, st.booleans())
def test_sums_and_means_are_those_of_a_loop(texts: list[list[str | None] | None], mean: bool) -> None:
    found = sum_vectors(pa.array(texts, pa.list_(pa.string())), Words(pa.array(KNOWN)), MATRIX, mean)
    np.testing.assert_allclose(found, summed_plain(texts, mean))


def test_vectors_are_gathered_in_pieces_and_a_slice_of_texts_is_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_vectors, "_WORDS_AT_ONCE", 2)
    texts = [["c"], ["a", "b", "c", "d", "d"], ["b", None, "new"]]
    lists = pa.array([["d"], *texts], pa.list_(pa.string())).slice(1)
    found = sum_vectors(lists, Words(pa.array(KNOWN)), MATRIX, mean=True)
    np.testing.assert_allclose(found, summed_plain(texts, mean=True))
