"""From fitted products to estimates in nats, by pairs that were kept from the fit. Pure numpy and scipy.

The background draws every row towards 0, and a rare word, whose cells weigh little, the most: u_i.v_j ranks the
partners of a word well, but it is no PMI. What it is worth is asked of pairs that the fit did not see, those that met
and those that never did alike. If a pair's count is Poisson with mean E_ij exp(PMI_hat(i, j)), E_ij being what
independence expects, then

    PMI_hat(i, j) = a + b r_i r_j u_i.v_j        r_i = (f_i / reference)^-g

has the log-likelihood sum_ij n_ij PMI_hat(i, j) - E_ij exp PMI_hat(i, j) and a constant; a, b and g maximize it. The
rows are stretched by sqrt(b) r_i, so an estimate is still one product and a constant, it adds up over sets of words,
and no cosine changes.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import optimize

from pmi_spark.factorization.row_blocks import Doubles, Floats, Ids, Longs

# Fewer pairs that met say too little: three numbers are fitted, and counts vary far more than Poisson's do.
FEWEST_PAIRS = 1000
STEEPEST = 0.5
# exp of more would leave what doubles hold; no PMI comes near.
_CEILING = 50.0
_NEWTON_STEPS = 60


class LengthScale(NamedTuple):
    """How the rows are stretched: by sqrt(slope) (f_i / reference)^-exponent."""

    exponent: float
    reference: float
    slope: float = 1.0

    def of(self, word_counts: Longs) -> Floats:
        """The stretch of each word's row (words x 1).

        A word that does not occur is stretched like one that occurs once.

        >>> LengthScale(0.5, 100.0, 4.0).of(np.array([400, 25])).ravel()
        array([1., 4.], dtype=float32)
        """
        relative = np.maximum(word_counts, 1) / self.reference
        return np.asarray(np.sqrt(self.slope) * relative**-self.exponent, dtype=np.float32)[:, None]


class PairSample(NamedTuple):
    """Pairs kept from the fit, each standing for ``weights`` of them: word ids, E_ij, and n_ij (0: they never met).

    ``expected`` and ``counts`` are in one unit, weighted occurrences.
    """

    rows: Ids
    columns: Ids
    expected: Doubles
    counts: Doubles
    weights: Doubles


class Calibration(NamedTuple):
    """``intercept`` a (nats), the stretch of the rows, and the log-likelihood that a meeting gained by them (nats)."""

    intercept: float
    lengths: LengthScale
    gain: float


def calibrate(sample: PairSample, products: Doubles, word_counts: Longs, reference: float, shift: float) -> Calibration:
    """a, b and g of the greatest likelihood.

    ``products`` are the sample's u_i.v_j, ``shift`` (nats) is what was taken off PMI before the fit.
    For a fixed g the likelihood is concave in a and b, and Newton's method finds them; g is found by Brent's, between 0
    and ``STEEPEST``. About 20 values of g, 5 ns a pair and Newton step: a second for 500,000 pairs.
    """
    relative = np.log(np.maximum(word_counts, 1) / reference)
    heights = relative[sample.rows] + relative[sample.columns]
    mass, drawn = sample.weights * sample.expected, sample.weights * sample.counts
    best = np.array([shift, 1.0])

    def fall_short(exponent: float) -> float:
        nonlocal best
        best, likelihood = _climb(np.exp(-exponent * heights) * products, mass, drawn, best)
        return -likelihood

    found = optimize.minimize_scalar(fall_short, bounds=(0.0, STEEPEST), method="bounded", options={"xatol": 1e-3})
    exponent = round(float(found.x), 4)
    likelihood = -fall_short(exponent)
    before = _likelihood(np.array([shift, 1.0]), products, mass, drawn)
    gain = (likelihood - before) / float(drawn.sum())
    return Calibration(float(best[0]), LengthScale(exponent, reference, float(best[1])), gain)


def _likelihood(line: Doubles, scaled: Doubles, mass: Doubles, drawn: Doubles) -> float:
    estimates = np.minimum(line[0] + line[1] * scaled, _CEILING)
    return float(drawn @ estimates - mass @ np.exp(estimates))


def _climb(scaled: Doubles, mass: Doubles, drawn: Doubles, start: Doubles) -> tuple[Doubles, float]:
    """Newton's steps for a and b from ``start``, halved until they climb; b stays above 0."""
    line, height = start, _likelihood(start, scaled, mass, drawn)
    for _ in range(_NEWTON_STEPS):
        means = mass * np.exp(np.minimum(line[0] + line[1] * scaled, _CEILING))
        slope = np.array([(drawn - means).sum(), (drawn - means) @ scaled])
        across = float(means @ scaled)
        curvature = np.array([[means.sum(), across], [across, float(means @ (scaled * scaled))]])
        step = np.linalg.lstsq(curvature, slope)[0]
        while np.abs(step).max() > 1e-7:
            tried = line + step
            reached = _likelihood(tried, scaled, mass, drawn) if tried[1] > 0 else -np.inf
            if reached >= height:
                break
            step = step / 2
        else:
            break
        line, height = tried, reached
    return line, height
