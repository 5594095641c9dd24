from __future__ import annotations

import warnings

import numpy as np
import pytest

from pmi_spark.cooccurrence.windows import keep_thresholds
from pmi_spark.factorization.calibration import LengthScale
from pmi_spark.factorization.lengths import fit_lengths, typical_count


@pytest.fixture(autouse=True)
def no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def test_words_that_do_not_occur_change_nothing_for_those_that_do():
    counts, more = np.array([40, 10, 1]), np.array([40, 0, 10, 0, 1])
    occur = more > 0
    assert typical_count(more) == typical_count(counts)
    scale = LengthScale(0.3, typical_count(counts))
    assert np.array_equal(scale.of(more)[occur], scale.of(counts))
    basis = np.random.default_rng(0).standard_normal((5, 2))
    eigenvalues = np.array([2.0, -1.0])
    assert fit_lengths(basis, eigenvalues, more) == fit_lengths(basis[occur], eigenvalues, counts)


def test_words_that_do_not_occur_are_stretched_like_rare_ones_and_not_sampled_away():
    assert LengthScale(0.3, 8.0).of(np.array([0, 8])).tolist() == LengthScale(0.3, 8.0).of(np.array([1, 8])).tolist()
    assert keep_thresholds(np.array([0.0, 1.0]), 1e-2)[0] == 2**64 - 1
