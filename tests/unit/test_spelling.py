from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pmi_spark.vectors.spelling import nearest_spellings
from pmi_spark.vectors.words import Words


def osa_plain(left: str, right: str) -> int:
    """Optimal string alignment: insertions, deletions, changes and swaps of neighbours."""
    rows = [[i + j if not i * j else 0 for j in range(len(right) + 1)] for i in range(len(left) + 1)]
    for i in range(1, len(left) + 1):
        for j in range(1, len(right) + 1):
            same = left[i - 1] == right[j - 1]
            rows[i][j] = min(rows[i - 1][j] + 1, rows[i][j - 1] + 1, rows[i - 1][j - 1] + (not same))
            if i > 1 and j > 1 and left[i - 1] == right[j - 2] and left[i - 2] == right[j - 1]:
                rows[i][j] = min(rows[i][j], rows[i - 2][j - 2] + 1)
    return rows[-1][-1]


spellings = st.text("abcdé", min_size=1, max_size=6)


@given(st.lists(spellings, min_size=1, max_size=15, unique=True), spellings)
def test_near_spellings_are_those_within_the_slips_a_length_allows(words, wanted):
    slips = 0 if len(wanted) < 2 else 1 if len(wanted) < 4 else 2
    expected = {word for word in words if osa_plain(word, wanted) <= slips} if slips else set()
    found = nearest_spellings(Words.of(words), np.arange(len(words), 0, -1), wanted, 100)
    assert set(found) == expected
    distances = [osa_plain(word, wanted) for word in found]
    assert distances == sorted(distances)


def test_of_as_many_slips_the_longer_common_beginning_comes_first_then_the_more_frequent_word():
    words = Words.of(["over", "rivera", "rover", "rivet", "driver", "raver"])
    counts = np.array([900, 10, 50, 60, 800, 70])
    assert nearest_spellings(words, counts, "river", 5) == ["rivera", "rivet", "raver", "rover", "driver"]


@pytest.mark.parametrize("wanted", ["", "x", "水"])
def test_a_single_character_is_like_no_other(wanted):
    assert nearest_spellings(Words.of(["y", "x", "水", "火"]), np.ones(4, int), wanted) == []


@given(st.lists(spellings, max_size=10, unique=True), st.lists(spellings, max_size=10, unique=True))
def test_words_are_found_as_in_a_list(words, wanted):
    held = Words.of(words)
    expected = [words.index(word) if word in words else -1 for word in wanted]
    assert held.find(pa.array(wanted, pa.string())).tolist() == expected
    assert [word in held for word in wanted] == [word in words for word in wanted]


@given(st.lists(spellings, max_size=10), st.slices(10))
def test_words_are_a_sequence_like_any(words, chosen):
    held = Words.of(words)
    assert held == words
    assert list(held) == words
    assert held[chosen] == words[chosen]
    assert [held[place] for place in range(-len(words), len(words))] == words + words
    assert (held == [*words, "more"]) is False
    assert pa.array(held) == pa.array(words, pa.string())
