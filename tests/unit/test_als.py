from __future__ import annotations

import numpy as np

from pmi_spark.factorization.als import initial_factors


def test_initial_factors_depend_on_the_seed_alone():
    first = initial_factors(50, 8, seed=1)
    assert first.tobytes() == initial_factors(50, 8, seed=1).tobytes()
    assert not np.array_equal(first, initial_factors(50, 8, seed=2))
    assert first.dtype == np.float32


def test_initial_factors_have_an_expected_length_of_1():
    squares = (initial_factors(4000, 32, seed=3).astype(np.float64) ** 2).sum(axis=1)
    # The mean of 4000 squared lengths of variance 2 / 32.
    assert abs(squares.mean() - 1) < 5 * (2 / 32 / 4000) ** 0.5
