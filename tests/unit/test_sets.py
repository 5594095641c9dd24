from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pmi_spark.vectors.sets import keywords, pair_scores, score_sets, scores_with_set
from pmi_spark.vectors.store import WordVectors

WORDS = 12
GENERATOR = np.random.default_rng(7)
VECTORS = WordVectors(
    [f"w{k}" for k in range(WORDS)],
    np.arange(WORDS, 0, -1) * 10,
    GENERATOR.normal(size=(WORDS, 4)).astype(np.float32),
    np.array([3.0, -2.0, 1.0, -0.5]),
    exponent=0.35,
    shift=-1.7,
    rotation=np.linalg.qr(GENERATOR.normal(size=(4, 4)))[0],
)
TABLE = VECTORS.shift + VECTORS.matrix.astype(np.float64) @ VECTORS.pmi_metric @ VECTORS.matrix.T
id_lists = st.lists(st.integers(0, WORDS - 1), min_size=1, max_size=8)


def ids(numbers: list[int]) -> np.ndarray:
    return np.array(numbers, dtype=np.int64)


@given(id_lists, id_lists)
def test_the_pmi_of_sets_is_the_sum_over_their_pairs(first, second):
    found = score_sets(VECTORS, ids(first), ids(second))
    plain = sum(TABLE[i, j] for i, j in itertools.product(first, second))
    assert found.sum_pmi == pytest.approx(plain, rel=1e-5, abs=1e-4)
    assert found.pairs == len(first) * len(second)
    assert found.mean_pmi == pytest.approx(plain / found.pairs, rel=1e-5, abs=1e-4)


@given(id_lists, id_lists, id_lists)
def test_it_adds_up_and_is_symmetric(first, second, third):
    together = score_sets(VECTORS, ids(first + second), ids(third)).sum_pmi
    apart = sum(score_sets(VECTORS, ids(part), ids(third)).sum_pmi for part in (first, second))
    assert together == pytest.approx(apart, rel=1e-5, abs=1e-4)
    assert score_sets(VECTORS, ids(third), ids(first + second)).sum_pmi == pytest.approx(together, rel=1e-5, abs=1e-4)


@given(id_lists, id_lists)
def test_the_pairs_add_up_to_the_score_and_the_greatest_share_comes_first(first, second):
    pairs = pair_scores(VECTORS, ids(first), ids(second))
    shares = [pair.pmi * pair.times for pair in pairs]
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) == pytest.approx(score_sets(VECTORS, ids(first), ids(second)).sum_pmi, rel=1e-5, abs=1e-4)
    assert len({(pair.first, pair.second) for pair in pairs}) == len(pairs) == len(set(first)) * len(set(second))
    for pair in pairs:
        i, j = VECTORS.ids[pair.first], VECTORS.ids[pair.second]
        assert pair.times == first.count(i) * second.count(j)
        assert pair.pmi == pytest.approx(TABLE[i, j], abs=1e-4)


@given(id_lists)
def test_one_product_scores_every_word_with_a_set(chosen):
    expected = [sum(TABLE[word, other] for other in chosen) for word in range(WORDS)]
    np.testing.assert_allclose(scores_with_set(VECTORS, ids(chosen)), expected, rtol=1e-4, atol=1e-3)


@given(id_lists, st.booleans())
def test_keywords_are_scored_with_the_other_words_of_the_text(chosen, anywhere):
    plain = {}
    for word in range(WORDS) if anywhere else set(chosen):
        others = [other for other in chosen if other != word]
        if others:
            plain[word] = sum(TABLE[word, other] for other in others), len(others)
    found = keywords(VECTORS, ids(chosen), top=WORDS, anywhere=anywhere)
    assert {entry.word for entry in found} == {VECTORS.words[word] for word in plain}
    scores = [entry.sum_pmi for entry in found]
    assert scores == sorted(scores, reverse=True)
    for entry in found:
        total, others = plain[VECTORS.ids[entry.word]]
        assert entry.sum_pmi == pytest.approx(total, rel=1e-4, abs=1e-3)
        assert entry.mean_pmi == pytest.approx(total / others, rel=1e-4, abs=1e-3)
        assert entry.times == chosen.count(VECTORS.ids[entry.word])


def test_keywords_have_a_limit_and_a_least_count():
    text = ids([0, 3, 5, 11])
    assert [len(keywords(VECTORS, text, top)) for top in (1, 2, 9)] == [1, 2, 4]
    rare = keywords(VECTORS, text, top=9, minimum_count=70)
    assert {entry.word for entry in rare} == {"w0", "w3", "w5"}


def test_no_pairs_have_no_mean():
    assert math.isnan(score_sets(VECTORS, ids([]), ids([1])).mean_pmi)
