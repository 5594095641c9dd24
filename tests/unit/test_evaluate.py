from __future__ import annotations

import math

import numpy as np
import pytest

from pmi_spark.errors import InputError
from pmi_spark.vectors import evaluate
from pmi_spark.vectors.evaluate import Analogy, read_analogies, read_judgements, score_analogies, score_similarity
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


def test_judgements_are_read_and_empty_lines_passed_over(tmp_path):
    path = tmp_path / "judged.tsv"
    path.write_text("tiger\tcat\t7.35\n\nÄrger\tWut\t8\n", encoding="utf-8")
    assert read_judgements(str(path)) == [("tiger", "cat", 7.35), ("Ärger", "Wut", 8.0)]


@pytest.mark.parametrize("line", ["tiger cat 7.35", "tiger\tcat", "tiger\tcat\thigh", "a\tb\t1\t2"])
def test_a_line_that_is_no_judgement_is_named_with_its_number(tmp_path, line):
    path = tmp_path / "judged.tsv"
    path.write_text(f"a\tb\t1\n{line}\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"judged\.tsv line 2 is .*; write word1 TAB word2 TAB score"):
        read_judgements(str(path))


def test_a_missing_file_of_judgements_is_named(tmp_path):
    with pytest.raises(InputError, match=r"cannot read .*absent\.tsv: No such file"):
        read_judgements(str(tmp_path / "absent.tsv"))


class TestAnalogies:
    # Man and woman, king and queen: the second axis is the sex, the first the rank.
    WORDS = ("man", "woman", "king", "queen", "apple")
    ROWS = ((1, 0.2), (1, -0.2), (3, 0.6), (3, -0.6), (-1, 0.0))

    @pytest.fixture
    def royal(self) -> WordVectors:
        matrix = np.array([[x, y, 0.1 * k] for k, (x, y) in enumerate(self.ROWS)], dtype=np.float32)
        return WordVectors(list(self.WORDS), np.arange(5, 0, -1), matrix, np.ones(3), exponent=0.5, shift=0.0)

    def test_the_words_given_are_no_answers(self, royal):
        score = score_analogies(royal, [Analogy("", "man", "woman", "king", "queen")])
        assert score == (1.0, 1, 1)
        assert score_analogies(royal, [Analogy("", "man", "woman", "king", "woman")]).accuracy == 0

    def test_questions_with_an_unknown_word_are_counted_and_left_out(self, royal):
        asked = [Analogy("", "man", "woman", "king", "queen"), Analogy("", "man", "woman", "uncle", "aunt")]
        assert score_analogies(royal, asked) == (1.0, 1, 2)
        assert math.isnan(score_analogies(royal, asked[1:]).accuracy)

    def test_it_equals_the_formula_question_by_question(self, monkeypatch):
        monkeypatch.setattr(evaluate, "QUESTIONS_AT_ONCE", 3)
        generator = np.random.default_rng(2)
        words = [f"w{k}" for k in range(12)]
        matrix = generator.normal(size=(12, 4)).astype(np.float32)
        vectors = WordVectors(words, np.ones(12, int), matrix, np.ones(4), exponent=0.5, shift=0.0)
        unit = matrix / np.linalg.norm(matrix, axis=1, keepdims=True)
        asked, right = [], 0
        for _ in range(20):
            a, b, c, d = generator.choice(12, 4, replace=False).tolist()
            asked.append(Analogy("", words[a], words[b], words[c], words[d]))
            scores = {w: unit[w] @ (unit[b] - unit[a] + unit[c]) for w in range(12) if w not in (a, b, c)}
            right += max(scores, key=scores.get) == d
        assert score_analogies(vectors, asked).accuracy == pytest.approx(right / 20)

    def test_sections_go_with_their_questions(self, tmp_path):
        path = tmp_path / "questions.txt"
        path.write_text(": family\nman woman king queen\n\n: gram\nbig bigger cold colder\n", encoding="utf-8")
        assert [analogy.section for analogy in read_analogies(str(path))] == ["family", "gram"]

    def test_a_line_of_three_words_is_named(self, tmp_path):
        path = tmp_path / "questions.txt"
        path.write_text(": family\nman woman king\n", encoding="utf-8")
        with pytest.raises(InputError, match="line 2 is 'man woman king'"):
            read_analogies(str(path))
