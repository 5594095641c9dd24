"""Estimates fitted to pairs that were kept from the fit: a planted line is found again."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pmi_spark.factorization.calibration import Calibration, LengthScale, PairSample, calibrate

WORDS, PAIRS = 400, 60_000
REFERENCE = 90.0


class Planted:
    """Poisson counts whose log mean over independence is a + b (f f' / reference^2)^-g x."""

    def __init__(self, intercept: float, slope: float, exponent: float, seed: int = 1, meetings: float = 1.0) -> None:
        generator = np.random.default_rng(seed)
        self.word_counts = (5000 / np.arange(1, WORDS + 1)).astype(np.int64)
        rows, columns = generator.integers(0, WORDS, (2, PAIRS)).astype(np.int32)
        self.products = generator.normal(0.5, 0.7, PAIRS)
        stretch = (self.word_counts / REFERENCE) ** -exponent
        expected = self.word_counts[rows] * self.word_counts[columns] * meetings / 3e4
        means = expected * np.exp(intercept + slope * stretch[rows] * stretch[columns] * self.products)
        self.sample = PairSample(rows, columns, expected, generator.poisson(means).astype(float), np.ones(PAIRS))

    def calibrated(self, shift: float = -2.0) -> Calibration:
        return calibrate(self.sample, self.products, self.word_counts, REFERENCE, shift)


@settings(max_examples=15, deadline=None)
@given(st.floats(-2, 0.5), st.floats(0.3, 1.5), st.floats(0.02, 0.4), st.integers(0, 1000))
def test_a_planted_line_is_found(intercept, slope, exponent, seed):
    # With so many meetings the least certain corner has standard errors of .003, .004 and .004.
    found = Planted(intercept, slope, exponent, seed, meetings=100).calibrated()
    assert found.intercept == pytest.approx(intercept, abs=0.05)
    assert found.lengths.slope == pytest.approx(slope, abs=0.05)
    assert found.lengths.exponent == pytest.approx(exponent, abs=0.03)
    assert found.lengths.reference == REFERENCE


def test_what_fits_already_stays_and_gains_nothing():
    found = Planted(-2.0, 1.0, 0.0).calibrated(shift=-2.0)
    assert found.intercept == pytest.approx(-2.0, abs=0.05)
    assert found.lengths.slope == pytest.approx(1.0, abs=0.05)
    assert 0 <= found.gain < 1e-3


def test_as_many_meetings_are_estimated_as_there_are():
    """The score equation of the intercept: sum of E exp(PMI_hat) = sum of n, whatever the model misses."""
    planted = Planted(-0.5, 1.0, 0.2)
    generator = np.random.default_rng(3)
    counts = planted.sample.counts * (generator.random(PAIRS) < 0.3)
    weights = generator.uniform(0.5, 3, PAIRS)
    planted.sample = planted.sample._replace(counts=counts, weights=weights)
    found = planted.calibrated()
    scale = found.lengths.of(planted.word_counts)[:, 0]
    sample = planted.sample
    estimates = found.intercept + scale[sample.rows] * scale[sample.columns] * planted.products
    assert weights @ (sample.expected * np.exp(estimates)) == pytest.approx(weights @ counts, rel=1e-3)


def test_a_pair_of_weight_two_is_two_pairs():
    planted = Planted(-1.0, 0.8, 0.1)
    twice = [np.concatenate([column, column]) for column in planted.sample[:4]]
    doubled = PairSample(*twice, np.ones(2 * PAIRS))
    weighted = planted.sample._replace(weights=np.full(PAIRS, 2.0))
    one = calibrate(weighted, planted.products, planted.word_counts, REFERENCE, -2.0)
    other = calibrate(doubled, np.tile(planted.products, 2), planted.word_counts, REFERENCE, -2.0)
    assert one.intercept == pytest.approx(other.intercept, abs=1e-4)
    assert one.lengths.slope == pytest.approx(other.lengths.slope, abs=1e-4)


def test_products_against_the_truth_do_not_turn_the_order_round():
    planted = Planted(-1.0, 0.8, 0.0)
    planted.products = -planted.products
    found = planted.calibrated()
    assert 0 < found.lengths.slope < 0.1
    assert np.isfinite(found.intercept)


def test_a_word_that_does_not_occur_is_stretched_like_one_that_occurs_once():
    assert LengthScale(0.3, 50.0).of(np.array([0]))[0, 0] == LengthScale(0.3, 50.0).of(np.array([1]))[0, 0]
