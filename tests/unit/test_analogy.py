from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pmi_spark.vectors import analogy
from pmi_spark.vectors.analogy import Method, combine_cosines, rank_analogies
from pmi_spark.vectors.ranking import largest


def unit_rows(words: int, dimensions: int, seed: int = 3) -> np.ndarray:
    rows = np.random.default_rng(seed).normal(size=(words, dimensions)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def plain_scores(unit: np.ndarray, a: int, b: int, c: int, method: str) -> dict[int, float]:
    """The formulas, a word at a time in double precision."""
    rows = unit.astype(np.float64)
    scores = {}
    for word in range(len(rows)):
        if word not in (a, b, c):
            to_a, to_b, to_c = (float(rows[word] @ rows[other]) for other in (a, b, c))
            if method == "add":
                scores[word] = to_b - to_a + to_c
            else:
                scores[word] = (to_b + 1) / 2 * ((to_c + 1) / 2) / ((to_a + 1) / 2 + 1e-6)
    return scores


@pytest.mark.parametrize("method", ["add", "mul"])
def test_batched_ranking_is_the_formula_question_by_question(monkeypatch, method):
    monkeypatch.setattr(analogy, "QUESTIONS_AT_ONCE", 3)
    unit = unit_rows(40, 5)
    questions = np.array([np.random.default_rng(k).choice(40, 3, replace=False) for k in range(11)])
    ranked = rank_analogies(unit, *questions.T, method=method, top=4)
    for row, (a, b, c) in enumerate(questions.tolist()):
        plain = plain_scores(unit, a, b, c, method)
        expected = sorted(plain, key=plain.get, reverse=True)[:4]
        assert ranked.ids[row].tolist() == expected
        np.testing.assert_allclose(ranked.scores[row], [plain[word] for word in expected], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("method", list(Method))
def test_the_words_given_are_no_answers(method):
    unit = unit_rows(4, 3)
    ranked = rank_analogies(unit, np.array([0]), np.array([1]), np.array([2]), method, top=10)
    assert ranked.ids.tolist() == [[3, -1, -1, -1]]
    assert np.isneginf(ranked.scores[0, 1:]).all()


def test_no_questions_have_no_answers():
    nothing = np.empty(0, np.int64)
    assert rank_analogies(unit_rows(5, 2), nothing, nothing, nothing, top=2).ids.shape == (0, 2)


def test_of_equal_scores_the_more_frequent_word_is_first():
    unit = np.array([[1, 0], [0, 1], [0, 1], [-1, 0], [0, 1], [0, 1]], dtype=np.float32)
    ranked = rank_analogies(unit, np.array([3]), np.array([0]), np.array([1]), top=3)
    assert ranked.ids.tolist() == [[2, 4, 5]]


@given(st.lists(st.floats(-1, 1, width=32), min_size=3, max_size=3))
def test_multiplying_stays_finite_and_grows_with_b_and_c(cosines):
    to_a, to_b, to_c = (np.float32([value]) for value in cosines)
    score = combine_cosines(to_a, to_b, to_c, "mul")
    assert np.isfinite(score).all()
    assert combine_cosines(to_a, np.float32([1]), to_c, "mul") >= score
    assert combine_cosines(np.float32([1]), to_b, to_c, "mul") <= score


def test_an_unknown_method_is_refused():
    with pytest.raises(ValueError, match="'divide'"):
        rank_analogies(unit_rows(4, 2), np.array([0]), np.array([1]), np.array([2]), "divide")


@given(st.lists(st.sampled_from([-np.inf, -1.0, 0.0, 0.5, 2.0]), max_size=30), st.integers(0, 35))
def test_the_largest_are_those_of_a_stable_sort(values, top):
    scores = np.array(values, dtype=np.float32)
    order = [place for place in np.argsort(-scores, kind="stable").tolist() if scores[place] > -np.inf]
    assert largest(scores, top).tolist() == order[:top]
