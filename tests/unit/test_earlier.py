"""Vectors of an earlier run: their factors, new words among them, and axes that stay."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pmi_spark.factorization.calibration import LengthScale
from pmi_spark.factorization.earlier import Gauged, align, fill_in, match_words, start_from
from pmi_spark.vectors.store import WordVectors

EIGENVALUES = np.array([9.0, -5.0, 2.0, -0.5])
EARLIER = [f"w{number}" for number in range(20)]
COUNTS = np.arange(220, 20, -10)
# Some known words in another order, some of them missing, and new ones between.
NOW = ["new0", "w7", "w3", "new1", "w19", *EARLIER[8:15], "new2", "w0"]
NOW_COUNTS = np.array([5, *range(400, 400 - len(NOW) + 1, -1)])
EXPONENTS = [0.5, 0.25, 0.0]
TURNS = ["straight", "turned"]


def orthonormal(rows: int, columns: int, seed: int) -> np.ndarray:
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(rows, columns)))[0]


def gauged(
    exponent: float = 0.5,
    turn: str = "straight",
    eigenvalues: np.ndarray = EIGENVALUES,
    frequency_exponent: float = 0.25,
) -> Gauged:
    """Vectors of twenty words in a gauge; rare words' are stretched."""
    lengths = LengthScale(frequency_exponent, 50.0, 1.5)
    rotation = orthonormal(4, 4, 2) if turn == "turned" else None
    matrix = lengths.of(COUNTS) * orthonormal(len(EARLIER), 4, 1) * np.abs(eigenvalues) ** exponent
    matrix = (matrix if rotation is None else matrix @ rotation).astype(np.float32)
    return Gauged(EARLIER, COUNTS, matrix, eigenvalues, exponent, -1.5, lengths, rotation, -2.5, 0.75)


def estimates(vectors: Gauged) -> np.ndarray:
    """As a reader of the artifact has them."""
    rest = (vectors.matrix, vectors.eigenvalues, vectors.exponent, vectors.shift, vectors.rotation)
    read = WordVectors(list(vectors.words), vectors.word_counts, *rest)
    return read.shift + read.matrix @ read.pmi_metric @ read.matrix.T


def cosines(vectors: Gauged) -> np.ndarray:
    unit = vectors.matrix / np.linalg.norm(vectors.matrix, axis=1, keepdims=True)
    return unit @ unit.T


class TestMatching:
    @given(
        st.lists(st.sampled_from("abcdefghij"), unique=True),
        st.lists(st.sampled_from("abcdefghij"), unique=True),
    )
    def test_words_of_both_runs_are_matched_by_name_and_the_others_are_new(self, words, earlier):
        match = match_words(words, earlier)
        pairs = [(words[here], earlier[there]) for here, there in zip(match.here, match.there, strict=True)]
        assert pairs == [(word, word) for word in words if word in earlier]
        assert [words[place] for place in match.new_words(len(words))] == [w for w in words if w not in earlier]
        assert match.here.dtype == match.there.dtype == match.new_words(len(words)).dtype == np.int32


@pytest.mark.parametrize("exponent", EXPONENTS)
@pytest.mark.parametrize("turn", TURNS)
class TestStart:
    def test_the_factors_product_is_the_earlier_estimate_less_the_shift_and_not_stretched(self, exponent, turn):
        earlier = gauged(exponent, turn)
        match = match_words(NOW, EARLIER)
        left, right = start_from(earlier, match, len(NOW))
        stretched = earlier.lengths.of(COUNTS)
        expected = ((estimates(earlier) - earlier.shift) / stretched / stretched.T)[np.ix_(match.there, match.there)]
        np.testing.assert_allclose((left @ right.T)[np.ix_(match.here, match.here)], expected, atol=1e-4)
        assert left.dtype == right.dtype == np.float32

    def test_words_that_the_earlier_run_did_not_know_start_at_0(self, exponent, turn):
        match = match_words(NOW, EARLIER)
        for side in start_from(gauged(exponent, turn), match, len(NOW)):
            assert side.any(axis=1).tolist() == [not word.startswith("new") for word in NOW]

    def test_both_sides_are_balanced(self, exponent, turn):
        left, right = start_from(gauged(exponent, turn), match_words(EARLIER, EARLIER), len(EARLIER))
        for side in (left, right):
            np.testing.assert_allclose(side.T @ side, np.diag(np.abs(EIGENVALUES)), atol=1e-4)


@pytest.mark.parametrize("exponent", EXPONENTS)
@pytest.mark.parametrize("turn", TURNS)
class TestFillingIn:
    def filled(self, exponent: float, turn: str) -> tuple[Gauged, Gauged, np.ndarray, np.ndarray]:
        """(earlier, filled in, the left factors it was given, the right ones of known words)."""
        earlier, match = gauged(exponent, turn), match_words(NOW, EARLIER)
        _, right = start_from(earlier, match, len(NOW))
        left = np.random.default_rng(3).normal(size=(len(NOW), 4)).astype(np.float32)
        return earlier, fill_in(left, NOW, NOW_COUNTS, earlier, match), left, right

    def test_known_words_keep_their_vectors_to_the_last_bit(self, exponent, turn):
        earlier, found, _, _ = self.filled(exponent, turn)
        match = match_words(NOW, EARLIER)
        assert found.matrix[match.here].tobytes() == earlier.matrix[match.there].tobytes()
        assert found.words == NOW
        assert found.word_counts is NOW_COUNTS
        assert found.matrix.dtype == np.float32
        kept = (exponent, earlier.shift, earlier.lengths, earlier.rotation, -2.5, 0.75)
        assert (
            found.exponent,
            found.shift,
            found.lengths,
            found.rotation,
            found.fitted_shift,
            found.regularization,
        ) == kept
        np.testing.assert_array_equal(found.eigenvalues, earlier.eigenvalues)

    def test_a_new_words_estimates_are_its_factors_product_with_the_other_side_stretched(self, exponent, turn):
        """Stretched by how frequent it is: the new text is of another length."""
        earlier, found, left, right = self.filled(exponent, turn)
        match = match_words(NOW, EARLIER)
        new = match.new_words(len(NOW))
        as_earlier = NOW_COUNTS * COUNTS.sum() / NOW_COUNTS.sum()
        own, others = earlier.lengths.of(as_earlier)[new], earlier.lengths.of(COUNTS)[match.there]
        expected = found.shift + own * left[new] @ right[match.here].T * others.T
        np.testing.assert_allclose(estimates(found)[np.ix_(new, match.here)], expected, atol=1e-4)


class TestAligning:
    @pytest.mark.parametrize("exponent", EXPONENTS)
    def test_a_turned_copy_is_turned_back(self, exponent):
        straight, turned = gauged(exponent), gauged(exponent, "turned")
        found = align(straight, turned, match_words(EARLIER, EARLIER))
        np.testing.assert_allclose(found.matrix, turned.matrix, atol=1e-5)
        np.testing.assert_allclose(found.rotation, turned.rotation, atol=1e-5)

    def test_words_of_both_runs_decide_it_whatever_their_order(self):
        turned, match = gauged(turn="turned"), match_words(NOW, EARLIER)
        rows = np.random.default_rng(4).normal(size=(len(NOW), 4)).astype(np.float32)
        rows[match.here] = gauged().matrix[match.there]
        found = align(gauged()._replace(words=NOW, matrix=rows), turned, match)
        np.testing.assert_allclose(found.matrix[match.here], turned.matrix[match.there], atol=1e-5)
        np.testing.assert_allclose(found.matrix, rows @ turned.rotation, atol=1e-4)

    @pytest.mark.parametrize("exponent", EXPONENTS)
    def test_cosines_and_estimates_stay(self, exponent):
        vectors = gauged(exponent, eigenvalues=np.array([8.0, -6.0, 2.5, 0.5]))
        found = align(vectors, gauged(exponent, "turned"), match_words(EARLIER, EARLIER))
        np.testing.assert_allclose(found.rotation @ found.rotation.T, np.eye(4), atol=1e-9)
        np.testing.assert_allclose(cosines(found), cosines(vectors), atol=1e-5)
        np.testing.assert_allclose(estimates(found), estimates(vectors), atol=1e-4)

    @given(st.integers(0, 10**6))
    def test_no_other_rotation_comes_nearer(self, seed):
        generator = np.random.default_rng(seed)
        vectors, earlier = (
            gauged()._replace(matrix=generator.normal(size=(20, 4)).astype(np.float32)) for _ in range(2)
        )
        found = align(vectors, earlier, match_words(EARLIER, EARLIER))
        distance = np.linalg.norm(found.matrix - earlier.matrix)
        for trial in range(5):
            other = vectors.matrix @ found.rotation @ orthonormal(4, 4, seed + trial)
            assert np.linalg.norm(other - earlier.matrix) >= distance - 1e-5


@pytest.mark.parametrize("exponent", EXPONENTS)
def test_an_axis_that_holds_nothing_stays_empty(exponent):
    """Eigenvalue 0: no power of it is a number."""
    earlier = gauged(exponent, eigenvalues=np.array([9.0, -5.0, 2.0, 0.0]))
    earlier.matrix[:, 3] = 0
    match = match_words(NOW, EARLIER)
    left, right = start_from(earlier, match, len(NOW))
    assert np.isfinite(left).all()
    assert not left[:, 3].any()
    assert not right[:, 3].any()
    assert np.isfinite(fill_in(left, NOW, NOW_COUNTS, earlier, match).matrix).all()
