from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pmi_spark.vectors import contexts
from pmi_spark.vectors.contexts import context_factor, profile_cosines, profile_lengths


def make(words: int, dimensions: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    metric = generator.normal(size=(dimensions, dimensions))
    return generator.normal(size=(words, dimensions)).astype(np.float32), metric + metric.T


@given(st.integers(0, 10_000), st.integers(2, 30), st.integers(1, 6), st.floats(-5, 5))
def test_cosines_in_d_dimensions_are_correlations_of_the_explicit_profiles(seed, count, dimensions, shift):
    """Whatever the shift, and with fewer contexts than dimensions too."""
    matrix, metric = make(30, dimensions, seed)
    profiles = shift + matrix.astype(np.float64) @ metric @ matrix[:count].T
    centred = profiles - profiles.mean(axis=1, keepdims=True)
    factor = context_factor(matrix[:count], metric)
    lengths = profile_lengths(matrix, factor)
    np.testing.assert_allclose(lengths, np.linalg.norm(centred, axis=1), rtol=1e-3)
    expected = centred @ centred[3] / np.linalg.norm(centred, axis=1) / np.linalg.norm(centred[3])
    np.testing.assert_allclose(profile_cosines(matrix, factor, 3, lengths), expected, atol=1e-3)


@pytest.mark.parametrize("rows", [1, 2, 7])
def test_the_factor_is_the_same_in_pieces(monkeypatch, rows):
    matrix, metric = make(20, 4, seed=1)
    whole = context_factor(matrix, metric)
    monkeypatch.setattr(contexts, "ROWS_AT_ONCE", rows)
    parts = context_factor(matrix, metric)
    np.testing.assert_allclose(parts.T @ parts, whole.T @ whole, rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(profile_lengths(matrix, whole), np.linalg.norm(matrix @ whole.T, axis=1), rtol=1e-5)


def test_the_factor_is_cholesky_s_up_to_signs():
    matrix, metric = make(50, 4, seed=2)
    centred = (matrix - matrix.mean(axis=0, dtype=np.float64)) @ metric
    expected = np.linalg.cholesky(centred.T @ centred).T
    np.testing.assert_allclose(np.abs(context_factor(matrix, metric)), np.abs(expected), rtol=1e-5, atol=1e-5)


def test_a_constant_profile_is_like_nothing():
    matrix, metric = make(6, 2, seed=3)
    matrix[4] = 0
    factor = context_factor(matrix[:4], metric)
    lengths = profile_lengths(matrix, factor)
    assert profile_cosines(matrix, factor, 4, lengths).tolist() == [0] * 6
    assert profile_cosines(matrix, factor, 0, lengths)[4] == 0
