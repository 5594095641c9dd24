from __future__ import annotations

import numpy as np
import pytest

from pmi_spark.errors import EXIT_USAGE, InputError
from pmi_spark.vectors.query import (
    nearest_spellings,
    related_observed,
    related_words,
    similar_words,
    word_id,
)
from pmi_spark.vectors.store import WordVectors, load_vectors


@pytest.fixture(scope="module")
def vectors(finished_run) -> WordVectors:
    return load_vectors(str(finished_run))


def make_vectors(words: list[str], rows: list[list[float]], counts: list[int] | None = None) -> WordVectors:
    matrix = np.array(rows, dtype=np.float32)
    return WordVectors(
        words, np.array(counts or range(len(words), 0, -1)), matrix, np.ones(matrix.shape[1]), exponent=0.5, shift=0.0
    )


def test_related_words_carry_the_estimated_pmi_of_the_factorization(vectors, estimated_table):
    for word, own in vectors.ids.items():
        answers = related_words(vectors, word, top=10)
        assert [answer.score for answer in answers] == sorted((answer.score for answer in answers), reverse=True)
        assert {answer.word for answer in answers} == set(vectors.words) - {word}
        for answer in answers:
            assert answer.score == pytest.approx(estimated_table[own, vectors.ids[answer.word]], abs=1e-5)


@pytest.mark.parametrize("exponent", [0.0, 0.25, 0.5, 1.0])
def test_estimates_do_not_depend_on_the_exponent_the_vectors_were_written_with(
    tmp_path, write_vectors, estimated_table, exponent
):
    write_vectors(tmp_path, exponent)
    vectors = load_vectors(str(tmp_path))
    answers = related_words(vectors, "castle", top=5)
    expected = [estimated_table[2, vectors.ids[answer.word]] for answer in answers]
    np.testing.assert_allclose([answer.score for answer in answers], expected, atol=1e-5)


@pytest.mark.parametrize("ask", [similar_words, related_words])
def test_answers_do_not_depend_on_how_the_axes_are_turned(tmp_path, write_vectors, vectors, ask):
    rotation, _ = np.linalg.qr(np.random.default_rng(2).normal(size=(3, 3)))
    write_vectors(tmp_path, 0.5, rotation)
    turned = load_vectors(str(tmp_path))
    for word in vectors.words:
        expected = {answer.word: answer.score for answer in ask(vectors, word, top=5)}
        assert {answer.word: answer.score for answer in ask(turned, word, top=5)} == pytest.approx(expected, abs=1e-5)


def test_similar_words_carry_the_cosine(vectors):
    matrix = vectors.matrix.astype(np.float64)
    for word, own in vectors.ids.items():
        answers = similar_words(vectors, word, top=10)
        assert len(answers) == len(vectors.words) - 1
        for answer in answers:
            other = vectors.ids[answer.word]
            cosine = matrix[own] @ matrix[other] / np.linalg.norm(matrix[own]) / np.linalg.norm(matrix[other])
            assert answer.score == pytest.approx(cosine, abs=1e-6)


@pytest.mark.parametrize("ask", [similar_words, related_words])
def test_fewer_answers_are_the_first_of_more(vectors, ask):
    everything = ask(vectors, "king", top=5)
    assert [ask(vectors, "king", top=top) for top in range(1, 6)] == [everything[:top] for top in range(1, 6)]
    assert ask(vectors, "king", top=1000) == everything


@pytest.mark.parametrize("ask", [similar_words, related_words])
def test_rarer_words_are_left_out_and_make_room_for_others(vectors, ask):
    answers = ask(vectors, "boat", top=3, minimum_count=200)
    assert len(answers) == 3
    assert all(answer.word_count >= 200 for answer in answers)
    assert [answer for answer in ask(vectors, "boat", top=5) if answer.word_count >= 200][:3] == answers


def test_ties_go_to_the_more_frequent_word():
    vectors = make_vectors(["asked", "b", "c", "d"], [[1, 0], [0, 1], [2, 0], [3, 0]])
    assert [answer.word for answer in similar_words(vectors, "asked", top=3)] == ["c", "d", "b"]


def test_a_vector_of_length_0_is_similar_to_nothing():
    vectors = make_vectors(["asked", "zero"], [[1, 0], [0, 0]])
    assert similar_words(vectors, "asked", top=1)[0].score == 0
    assert similar_words(vectors, "zero", top=1)[0].score == 0


def test_observed_partners_are_found_on_either_side_of_a_pair(finished_run, vectors):
    def partners(word: str, **limits: float) -> list[tuple[str, float]]:
        found = related_observed(str(finished_run), vectors, word, top=10, **limits)
        return [(answer.word, answer.score) for answer in found]

    assert partners("king") == [("castle", 3.5), ("queen", 2.0), ("crown", 1.0)]
    assert partners("crown") == [("queen", 1.5), ("king", 1.0)]
    assert partners("river") == [("castle", -0.25)]
    assert partners("boat") == []


def test_pairs_that_met_too_seldom_are_left_out(finished_run, vectors):
    def partners(minimum_pairs: float) -> list[str]:
        found = related_observed(str(finished_run), vectors, "king", top=10, minimum_pairs=minimum_pairs)
        return [answer.word for answer in found]

    assert partners(2.0) == ["castle", "queen", "crown"]
    assert partners(2.5) == ["queen", "crown"]
    assert partners(40.0) == ["queen"]
    assert partners(40.5) == []


def test_a_word_is_found_as_written_before_it_is_lowered():
    vectors = make_vectors(["US", "us", "word"], [[1], [2], [3]])
    assert [word_id(vectors, word) for word in ("US", "us", "Us", "WORD")] == [0, 1, 1, 2]


def test_an_unknown_word_is_told_with_its_nearest_spellings(vectors):
    with pytest.raises(InputError) as caught:
        word_id(vectors, "Quean")
    assert str(caught.value) == "unknown word Quean; nearest spellings: queen"
    assert caught.value.exit_status == EXIT_USAGE


def test_a_word_like_no_other_says_so(vectors):
    with pytest.raises(InputError, match="no word is spelt like it"):
        word_id(vectors, "zzzzzzzz")


@pytest.mark.parametrize("ask", [similar_words, related_words])
def test_an_unknown_word_is_never_a_zero_vector(vectors, ask):
    with pytest.raises(InputError, match="unknown word castel; nearest spellings: castle"):
        ask(vectors, "castel", top=3)


def test_the_nearest_spelling_comes_first():
    vectors = make_vectors(["color", "colour", "colours", "cool", "dog"], [[1]] * 5)
    assert nearest_spellings(vectors, "colourr")[0] == "colour"
    assert "dog" not in nearest_spellings(vectors, "colourr")
    assert len(nearest_spellings(vectors, "colo", count=1)) == 1


def test_a_typographic_apostrophe_finds_the_word_as_the_tokenizer_wrote_it():
    vectors = WordVectors(["don't"], np.array([1]), np.ones((1, 1), np.float32), np.ones(1), 0.5, 0.0)
    assert word_id(vectors, "Don’t") == 0
