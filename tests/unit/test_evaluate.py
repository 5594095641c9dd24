from __future__ import annotations

import math

import numpy as np
import pytest

from pmi_spark.vectors.evaluate import Lexicon, add_sections, pair_cosines, score_analogies, score_similarity
from pmi_spark.vectors.judgements import Analogy
from pmi_spark.vectors.store import WordVectors


@pytest.fixture
def vectors() -> WordVectors:
    """Words at 0, 10, 30 and 90 degrees, so that cosines fall in a known order."""
    angles = np.radians([0, 10, 30, 90])
    matrix = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    return WordVectors(["a", "b", "c", "d"], np.array([4, 3, 2, 1]), matrix, np.ones(2), exponent=0.5, shift=0.0)


def test_judgements_in_the_order_of_the_cosines_score_1(vectors):
    score = score_similarity(vectors, [("a", "b", 9.0), ("a", "c", 5.0), ("a", "d", 1.0)])
    assert (score.spearman, score.pairs_known, score.pairs_all) == (pytest.approx(1), 3, 3)


def test_judgements_in_the_opposite_order_score_minus_1(vectors):
    assert score_similarity(vectors, [("a", "b", 1.0), ("a", "c", 5.0), ("a", "d", 9.0)]).spearman == pytest.approx(-1)


def test_pairs_with_an_unknown_word_are_counted_and_left_out(vectors):
    judged = [("A", "B", 9.0), ("a", "stranger", 0.0), ("stranger", "a", 0.0), ("a", "c", 5.0), ("c", "d", 4.0)]
    score = score_similarity(vectors, judged)
    assert (score.pairs_known, score.pairs_all) == (3, 5)
    assert score.spearman == pytest.approx(1)


def test_fewer_than_two_known_pairs_have_no_correlation(vectors):
    score = score_similarity(vectors, [("a", "b", 9.0), ("a", "stranger", 1.0)])
    assert math.isnan(score.spearman)
    assert (score.pairs_known, score.pairs_all) == (1, 2)


class TestAnalogies:
    # Man and woman, king and queen: the second axis is the sex, the first the rank.
    WORDS = ("man", "woman", "king", "queen", "apple")
    ROWS = ((1, 0.2), (1, -0.2), (3, 0.6), (3, -0.6), (-1, 0.0))

    @pytest.fixture
    def royal(self) -> WordVectors:
        matrix = np.array([[x, y, 0.1 * k] for k, (x, y) in enumerate(self.ROWS)], dtype=np.float32)
        return WordVectors(list(self.WORDS), np.arange(5, 0, -1), matrix, np.ones(3), exponent=0.5, shift=0.0)

    def test_the_words_given_are_no_answers(self, royal):
        for method in ("add", "mul"):
            assert score_analogies(royal, [Analogy("", "man", "woman", "king", "queen")], method)[0][1:] == (1, 1, 1)
            assert score_analogies(royal, [Analogy("", "man", "woman", "king", "woman")], method)[0].right == 0

    def test_questions_with_an_unknown_word_are_counted_and_left_out(self, royal):
        asked = [Analogy("", "man", "woman", "king", "queen"), Analogy("", "man", "woman", "uncle", "aunt")]
        assert score_analogies(royal, asked)[0][1:] == (1, 1, 2)
        (score,) = score_analogies(royal, asked[1:])
        assert math.isnan(score.accuracy)
        assert score[1:] == (0, 0, 1)

    def test_sections_stand_in_the_order_of_the_file(self, royal):
        asked = [("z", "man", "woman", "king", "queen"), ("a", "man", "woman", "king", "apple")]
        asked.append(("z", "woman", "man", "queen", "king"))
        sections = score_analogies(royal, [Analogy(*question) for question in asked])
        assert [tuple(section) for section in sections] == [("z", 2, 2, 2), ("a", 0, 1, 1)]
        assert add_sections("all", sections)[1:] == (2, 3, 3)

    def test_restricted_to_the_most_frequent_words_the_others_are_neither_asked_nor_answers(self, royal):
        asked = [Analogy("", "man", "woman", "king", "queen")]
        assert score_analogies(royal, asked, restrict=4)[0][1:] == (1, 1, 1)
        assert score_analogies(royal, asked, restrict=3)[0][1:] == (0, 0, 1)

    def test_there_may_be_no_questions(self, royal):
        assert score_analogies(royal, []) == []
        assert add_sections("all", []) == ("all", 0, 0, 0)


def test_the_most_frequent_words_go_by_their_counts_where_ids_do_not():
    rows = np.eye(4, dtype=np.float32)
    words, counts = ["old", "older", "new", "newer"], np.array([9, 2, 5, 1])
    lexicon = Lexicon(WordVectors(words, counts, rows, np.ones(4), 0.5, 0.0), restrict=2)
    assert lexicon.ids.tolist() == [0, 2]
    assert lexicon.places(["NEW", "old"]) == [1, 0]
    assert lexicon.places(["old", "older"]) is None


def test_of_words_alike_in_capitals_the_most_frequent_stands_for_all():
    words = ["us", "US", "stra\u00dfe", "STRASSE"]
    vectors = WordVectors(words, np.array([4, 3, 2, 1]), np.eye(4, dtype=np.float32), np.ones(4), 0.5, 0.0)
    lexicon = Lexicon(vectors)
    assert lexicon.stands_for.tolist() == [0, 0, 2, 2]
    assert lexicon.has_variants
    assert not Lexicon(vectors, restrict=1).has_variants


def test_a_row_of_zeros_has_cosine_0_with_every_other():
    rows = np.array([[0, 0], [3, 4]], dtype=np.float32)
    assert pair_cosines(rows, np.array([0, 1]), np.array([1, 1])).tolist() == [0, 1]


def test_scores_that_are_all_the_same_have_no_correlation(vectors):
    assert math.isnan(score_similarity(vectors, [("a", "b", 3.0), ("a", "c", 3.0)]).pearson)
    assert math.isnan(score_similarity(vectors, [("a", "b", 1.0), ("a", "b", 3.0)]).spearman)
