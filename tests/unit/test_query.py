from __future__ import annotations

import numpy as np
import pytest

from pmi_spark.config import TokensConfig
from pmi_spark.errors import EXIT_USAGE, ConfigurationError, InputError
from pmi_spark.vectors.query import (
    ContextSimilarity,
    analogous_words,
    nearest_spellings,
    related_both,
    related_mutual,
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


def test_a_run_that_did_not_lower_its_text_does_not_lower_a_word():
    words, counts = ["Paris", "paris"], np.array([2, 1])
    matrix = np.ones((2, 1), np.float32)
    lowered = WordVectors(words[1:], counts[1:], matrix[1:], np.ones(1), 0.5, 0.0)
    kept = WordVectors(words[:1], counts[:1], matrix[:1], np.ones(1), 0.5, 0.0, tokens=TokensConfig(lower=False))
    assert word_id(lowered, "Paris") == 0
    assert word_id(kept, "Paris") == 0
    for asked, word in (("paris", "Paris"), ("Paris", "paris")):
        vectors = WordVectors([word], counts[:1], matrix[:1], np.ones(1), 0.5, 0.0, tokens=TokensConfig(lower=False))
        with pytest.raises(InputError, match=f"unknown word '{asked}'; near: {word}"):
            word_id(vectors, asked)


def test_a_word_is_folded_as_the_run_folded_its_text():
    tokens = TokensConfig(digits="zero", normalize="nfkc")
    vectors = WordVectors(["mp0"], np.array([1]), np.ones((1, 1), np.float32), np.ones(1), 0.5, 0.0, tokens=tokens)
    assert word_id(vectors, "ＭＰ３") == 0


def test_both_pmis_stand_side_by_side_and_unseen_pairs_are_told(finished_run, vectors, estimated_table):
    relations = related_both(str(finished_run), vectors, "crown", top=10)
    assert [entry.word for entry in relations] == [entry.word for entry in related_words(vectors, "crown", top=10)]
    by_word = {entry.word: entry for entry in relations}
    assert (by_word["queen"].observed, by_word["queen"].pair_count) == (1.5, 9.0)
    assert (by_word["river"].observed, by_word["river"].pair_count) == (None, 0.0)
    for entry in relations:
        assert entry.estimated == pytest.approx(estimated_table[3, vectors.ids[entry.word]], abs=1e-5)


def test_mutual_partners_carry_the_estimate_and_both_ranks(vectors, estimated_table):
    table = estimated_table.copy()
    np.fill_diagonal(table, -np.inf)
    ranks = (-table).argsort(axis=1).argsort(axis=1) + 1
    for own, word in enumerate(vectors.words):
        for depth in (1, 2, 5):
            found = related_mutual(vectors, word, top=10, minimum_count=0, depth=depth)
            expected = [other for other in range(6) if other != own and ranks[own, other] <= depth >= ranks[other, own]]
            assert {entry.word for entry in found} == {vectors.words[other] for other in expected}
            for entry in found:
                other = vectors.ids[entry.word]
                assert (entry.rank, entry.rank_back) == (ranks[own, other], ranks[other, own])
                assert entry.score == pytest.approx(table[own, other], abs=1e-5)


def test_words_too_rare_are_no_ones_mutual_partners_and_make_room(vectors, estimated_table):
    found = related_mutual(vectors, "boat", top=10, minimum_count=200, depth=5)
    kept = [0, 1, 2, 3]
    assert [entry.word for entry in found] == [
        vectors.words[other] for other in sorted(kept, key=lambda other: -estimated_table[5, other])
    ]
    assert {entry.rank for entry in found} == {1, 2, 3, 4}


def test_an_analogy_tells_both_scores_and_ranks_by_the_one_asked_for(vectors):
    unit = vectors.matrix.astype(np.float64) / np.linalg.norm(vectors.matrix, axis=1, keepdims=True)
    cosines = unit @ unit.T
    a, b, c = 0, 1, 2
    added = cosines[b] - cosines[a] + cosines[c]
    shifted = (cosines + 1) / 2
    multiplied = shifted[b] * shifted[c] / (shifted[a] + 1e-6)
    for method, scores in (("add", added), ("mul", multiplied)):
        found = analogous_words(vectors, ["king", "queen", "castle"], top=5, method=method)
        assert [entry.word for entry in found] == [
            vectors.words[k] for k in sorted((3, 4, 5), key=lambda k: -scores[k])
        ]
        for entry in found:
            own = vectors.ids[entry.word]
            assert entry.added == pytest.approx(added[own], abs=1e-5)
            assert entry.multiplied == pytest.approx(multiplied[own], rel=1e-4)


def test_context_similarity_is_the_correlation_of_pmi_with_the_most_frequent_words(vectors, estimated_table):
    for contexts in (2, 4, 6):
        correlations = np.corrcoef(estimated_table[:, :contexts])
        through = ContextSimilarity(vectors, contexts)
        for own, word in enumerate(vectors.words):
            for answer in through.similar_words(word, top=10):
                assert answer.score == pytest.approx(correlations[own, vectors.ids[answer.word]], abs=1e-4)


def test_one_context_has_no_correlation(vectors):
    with pytest.raises(ConfigurationError, match=r"query\.context = 1"):
        ContextSimilarity(vectors, 1)


def test_an_unknown_word_is_told_with_its_nearest_spellings(vectors):
    with pytest.raises(InputError) as caught:
        word_id(vectors, "Quean")
    assert str(caught.value) == "unknown word 'Quean'; near: queen"
    assert caught.value.exit_status == EXIT_USAGE


def test_a_word_like_no_other_says_so(vectors):
    with pytest.raises(InputError, match="no word is spelt like it"):
        word_id(vectors, "zzzzzzzz")


@pytest.mark.parametrize("ask", [similar_words, related_words])
def test_an_unknown_word_is_never_a_zero_vector(vectors, ask):
    with pytest.raises(InputError, match="unknown word 'castel'; near: castle"):
        ask(vectors, "castel", top=3)


def test_the_nearest_spelling_comes_first():
    vectors = make_vectors(["color", "colour", "colours", "cool", "dog"], [[1]] * 5)
    assert nearest_spellings(vectors, "colourr")[0] == "colour"
    assert "dog" not in nearest_spellings(vectors, "colourr")
    assert len(nearest_spellings(vectors, "colo", count=1)) == 1


def test_a_typographic_apostrophe_finds_the_word_as_the_tokenizer_wrote_it():
    vectors = WordVectors(["don't"], np.array([1]), np.ones((1, 1), np.float32), np.ones(1), 0.5, 0.0)
    assert word_id(vectors, "Don’t") == 0
