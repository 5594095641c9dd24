"""The loss, and what its row problems share: one Gramian, and the coordinates in which it is the identity. Pure numpy.

Over all ordered pairs, with w_ij = 0 for pairs not fitted, the loss is

    L = sum_ij w_ij (u_i.v_j - x_ij)^2  +  alpha sum_ij (u_i.v_j - t)^2  +  lambda (|U|^2 + |V|^2)

and its row-wise minimum solves A_i u_i = b_i with

    A_i = P + sum_j w_ij v_j v_j'        P = alpha V'V + lambda I        b_i = sum_j w_ij x_ij v_j + alpha t sum_j v_j.

V'V (the Gramian) carries all the unseen cells at a cost of d^2 (Hu, Koren, Volinsky 2008). P is the same for every row,
so it is taken out once: with P = L L', y_j = L^-1 v_j and z_i = L' u_i the system becomes

    (I + sum_j w_ij y_j y_j') z_i = sum_j w_ij x_ij y_j + alpha t L^-1 sum_j v_j.

No row multiplies by a d x d matrix any more, and where every w is at most 1 the eigenvalues lie between 1 and about
1 + 1 / alpha: two conjugate-gradient steps do what three or four did on A_i itself (20 M pairs, 300 dimensions).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pmi_spark.factorization.row_blocks import Doubles, Floats

# Slices of this many words: no float64 copy of a whole side is made.
SLICE_WORDS = 1 << 14


class LossSettings(NamedTuple):
    """The loss's constants: alpha, t (nats), lambda."""

    background: float
    target: float
    regularization: float


class Sums(NamedTuple):
    """A side's Gramian V'V (d x d), the sum of its factors over words (d), and how many words it has."""

    gramian: Doubles
    factor_sum: Doubles
    word_count: int


class Whitening(NamedTuple):
    """The change of coordinates for one half-sweep: ``lower`` L and ``inverse`` L^-1 (d x d).

    ``constant`` is alpha t L^-1 sum_j v_j (d); ``shared`` is 1, or 0 where the loss has neither background nor
    regularization: then P = 0, L is the identity and the system is sum_j w_ij v_j v_j' alone.
    """

    lower: Floats
    inverse: Floats
    constant: Floats
    shared: float


def sum_factors(factors: Floats) -> Sums:
    """Gramian and sum of a side's factors (words x d), accumulated in float64; 2 n d^2 flops.

    >>> sum_factors(np.array([[1.0], [2.0]], dtype=np.float32))
    Sums(gramian=array([[5.]]), factor_sum=array([3.]), word_count=2)
    """
    dimensions = factors.shape[1]
    gramian = np.zeros((dimensions, dimensions))
    total = np.zeros(dimensions)
    for start in range(0, len(factors), SLICE_WORDS):
        part = factors[start : start + SLICE_WORDS]
        gramian += part.T @ part
        total += part.sum(axis=0, dtype=np.float64)
    return Sums(gramian, total, len(factors))


def whiten(sums: Sums, loss: LossSettings) -> Whitening:
    """The coordinates of a weighted half-sweep against the side that ``sums`` describe.

    P's diagonal gets 1e-7 of its mean more, float32's own error, so that a side of low rank can be taken apart too.
    """
    return _coordinates(
        loss.background * sums.gramian, loss.regularization, 1e-7, loss.background * loss.target * sums.factor_sum
    )


def whiten_warm(sums: Sums, loss: LossSettings) -> Whitening:
    """The coordinates of an unweighted half-sweep: P = V'V + lambda I.

    Its solution is U = S V P^-1 for the shrunken table S (:func:`shrunken_cells`), hence z_i = sum_j s_ij y_j.
    """
    return _coordinates(sums.gramian, loss.regularization, 1e-6, loss.target * sums.factor_sum)


def _coordinates(gramian: Doubles, regularization: float, floor: float, right: Doubles) -> Whitening:
    dimensions = len(gramian)
    system = gramian + regularization * np.eye(dimensions)
    scale = float(np.trace(system)) / dimensions
    if not scale > 0:
        identity = np.eye(dimensions, dtype=np.float32)
        return Whitening(identity, identity, right.astype(np.float32), shared=0.0)
    lower = np.linalg.cholesky(system + floor * scale * np.eye(dimensions))
    inverse = np.linalg.inv(lower)
    return Whitening(
        lower.astype(np.float32), inverse.astype(np.float32), (inverse @ right).astype(np.float32), shared=1.0
    )


def whitened_rows(factors: Floats, whitening: Whitening, out: Floats) -> None:
    """y_j = L^-1 v_j for every word, into ``out`` (words x d)."""
    for start in range(0, len(factors), SLICE_WORDS):
        part = slice(start, start + SLICE_WORDS)
        np.matmul(factors[part], whitening.inverse.T, out=out[part])


def shrunken_cells(values: Floats, weights: Floats, loss: LossSettings) -> Floats:
    """w / (w + alpha) (x - t): the table of the warm start, less t.

    A cell's weighted and background terms have their joint minimum at S = (w x + alpha t) / (w + alpha). Fitting S
    everywhere with weight 1 is the classical problem, whose row solutions share one matrix.

    >>> shrunken_cells(np.float32([2.0]), np.float32([0.3]), LossSettings(0.1, 0.0, 0.0))
    array([1.5], dtype=float32)
    """
    return np.asarray(weights / (weights + loss.background) * (values - loss.target), dtype=np.float32)


def total_loss(fitted_loss: float, left: Sums, right: Sums, loss: LossSettings) -> float:
    """L from its parts: the background term over all n^2 cells comes from the two Gramians and sums in O(d^2).

    sum_ij (u_i.v_j - t)^2 = tr(U'U V'V) - 2 t (sum u).(sum v) + t^2 n m
    """
    gramians = float(np.sum(left.gramian * right.gramian))
    sums = float(left.factor_sum @ right.factor_sum)
    cells = left.word_count * right.word_count
    background = gramians - 2 * loss.target * sums + loss.target**2 * cells
    lengths = float(np.trace(left.gramian)) + float(np.trace(right.gramian))
    return fitted_loss + loss.background * background + loss.regularization * lengths
