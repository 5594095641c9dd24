from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pmi_spark.factorization.canonical import canonical_form
from pmi_spark.factorization.lengths import fit_lengths

WORDS = 25
EIGENVALUES = np.array([9.0, -6.0, 4.0, -2.5, 1.0])
SEEDS = st.integers(0, 10**6)


def orthonormal(generator: np.random.Generator, rows: int, columns: int) -> np.ndarray:
    return np.linalg.qr(generator.normal(size=(rows, columns)))[0]


def gauge(generator: np.random.Generator, dimensions: int) -> np.ndarray:
    """An invertible matrix of condition number at most 9, so that float32 factors keep their digits."""
    scales = generator.uniform(1 / 3, 3, dimensions)
    return orthonormal(generator, dimensions, dimensions) * scales @ orthonormal(generator, dimensions, dimensions)


def factors_of_an_indefinite_table(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(table, U, V): a symmetric table of rank 5 with eigenvalues of both signs, factorized in a random gauge."""
    generator = np.random.default_rng(seed)
    basis = orthonormal(generator, WORDS, len(EIGENVALUES))
    table = basis * EIGENVALUES @ basis.T
    change = gauge(generator, len(EIGENVALUES))
    left = basis * np.abs(EIGENVALUES) ** 0.5 @ change
    right = basis * (np.sign(EIGENVALUES) * np.abs(EIGENVALUES) ** 0.5) @ np.linalg.inv(change).T
    return table, left.astype(np.float32), right.astype(np.float32)


def by_magnitude(eigenvalues: np.ndarray, count: int) -> np.ndarray:
    return eigenvalues[np.argsort(-np.abs(eigenvalues))][:count]


@given(SEEDS)
def test_the_form_does_not_depend_on_the_gauge(seed):
    generator = np.random.default_rng(seed)
    _, left, right = factors_of_an_indefinite_table(seed)
    change = gauge(generator, left.shape[1])
    one = canonical_form(left, right)
    other = canonical_form((left @ change).astype(np.float32), (right @ np.linalg.inv(change).T).astype(np.float32))
    np.testing.assert_allclose(one.eigenvalues, other.eigenvalues, rtol=1e-4)
    # Columns are compared up to sign: where a column's entries sum to nearly 0, rounding decides it.
    agreement = np.abs(np.sum(one.basis * other.basis, axis=0))
    np.testing.assert_allclose(agreement, 1, atol=1e-4)


@given(SEEDS)
def test_eigenvalues_are_those_of_the_dense_table_by_falling_magnitude(seed):
    table, left, right = factors_of_an_indefinite_table(seed)
    canonical = canonical_form(left, right)
    np.testing.assert_allclose(canonical.eigenvalues, EIGENVALUES, rtol=1e-4)
    np.testing.assert_allclose(canonical.eigenvalues, by_magnitude(np.linalg.eigvalsh(table), 5), rtol=1e-4)


@given(SEEDS)
def test_the_basis_is_orthonormal_and_holds_the_dense_tables_eigenvectors(seed):
    table, left, right = factors_of_an_indefinite_table(seed)
    canonical = canonical_form(left, right)
    np.testing.assert_allclose(canonical.basis.T @ canonical.basis, np.eye(5), atol=1e-4)
    np.testing.assert_allclose(table @ canonical.basis, canonical.basis * canonical.eigenvalues, atol=1e-3)


@given(SEEDS)
def test_vectors_at_a_half_with_their_signs_give_back_the_table(seed):
    table, left, right = factors_of_an_indefinite_table(seed)
    canonical = canonical_form(left, right)
    vectors = canonical.vectors(0.5)
    np.testing.assert_allclose(vectors * np.sign(canonical.eigenvalues) @ vectors.T, table, atol=1e-3)


@given(SEEDS)
def test_sides_that_differ_give_the_leading_pairs_of_the_symmetric_part(seed):
    generator = np.random.default_rng(seed)
    left, right = generator.normal(size=(2, WORDS, 4)).astype(np.float32)
    product = left.astype(np.float64) @ right.T
    symmetric = (product + product.T) / 2
    canonical = canonical_form(left, right)
    np.testing.assert_allclose(canonical.eigenvalues, by_magnitude(np.linalg.eigvalsh(symmetric), 4), rtol=1e-4)
    np.testing.assert_allclose(symmetric @ canonical.basis, canonical.basis * canonical.eigenvalues, atol=1e-3)


@given(SEEDS)
def test_exchanging_the_sides_changes_nothing(seed):
    left, right = np.random.default_rng(seed).normal(size=(2, WORDS, 3)).astype(np.float32)
    one, other = canonical_form(left, right), canonical_form(right, left)
    np.testing.assert_allclose(one.eigenvalues, other.eigenvalues, rtol=1e-5)


@given(SEEDS)
def test_the_entries_of_each_column_sum_to_0_or_more(seed):
    _, left, right = factors_of_an_indefinite_table(seed)
    assert (canonical_form(left, right).basis.sum(axis=0, dtype=np.float64) > -1e-6).all()


@pytest.mark.parametrize("exponent", [0.0, 0.25, 0.5, 1.0])
def test_the_exponent_scales_each_column_by_its_magnitude(exponent):
    _, left, right = factors_of_an_indefinite_table(1)
    canonical = canonical_form(left, right)
    lengths = np.linalg.norm(canonical.vectors(exponent), axis=0)
    np.testing.assert_allclose(lengths, np.abs(EIGENVALUES) ** exponent, rtol=1e-4)
    assert canonical.vectors(exponent).dtype == np.float32


def test_slices_of_a_long_table_are_summed():
    """More words than one slice of the Gramian holds."""
    left = np.ones(((1 << 16) + 1, 1), dtype=np.float32)
    assert canonical_form(left, left).eigenvalues == pytest.approx([(1 << 16) + 1])


def test_a_table_of_low_rank_is_filled_up_with_zeros():
    left = np.zeros((6, 5), dtype=np.float32)
    left[:, 0] = np.arange(6)
    canonical = canonical_form(left, left)
    assert canonical.basis.shape == (6, 5)
    assert canonical.eigenvalues[0] == pytest.approx(55.0)
    np.testing.assert_array_equal(canonical.eigenvalues[1:], np.zeros(4))
    np.testing.assert_array_equal(canonical_form(0 * left, 0 * left).vectors(0.5), np.zeros((6, 5)))


def test_the_basis_may_take_the_left_sides_place():
    _, left, right = factors_of_an_indefinite_table(3)
    own, room = canonical_form(left, right), left.copy()
    other = canonical_form(room, right, overwrite_left=True)
    assert other.basis is room
    np.testing.assert_array_equal(other.basis, own.basis)


def test_the_read_out_holds_one_matrix_besides_both_sides():
    # The driver's memory is told as 12 n d bytes: both sides, and one more while they are sent or read out.
    words, dimensions = 1 << 17, 32
    matrix = 4 * words * dimensions
    left, right = np.random.default_rng(0).standard_normal((2, words, dimensions), dtype=np.float32)
    tracemalloc.start()
    try:
        canonical = canonical_form(left, right, overwrite_left=True)
        fit_lengths(*canonical, np.arange(1, words + 1))
        canonical.products(np.arange(100), np.arange(100))
        canonical.vectors(0.35)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert matrix <= peak < 1.7 * matrix
