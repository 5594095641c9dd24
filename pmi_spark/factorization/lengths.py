"""How long a word's vector is, and what that tells of its rarity. Pure numpy."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import stats

from pmi_spark.factorization.row_blocks import Doubles, Floats, Longs, word_slices


def typical_count(word_counts: Longs) -> float:
    """The geometric mean of the words' counts over the running text: exp(sum f log f / sum f).

    >>> typical_count(np.array([8, 8, 0]))
    8.0
    """
    counts = word_counts[word_counts > 0].astype(np.float64)
    return float(np.round(np.exp(counts @ np.log(counts) / counts.sum()), 6))


class LengthFit(NamedTuple):
    """|v|^2 against -log p over words: rank and linear correlation, and the line |v|^2 = intercept - slope log p."""

    spearman: float
    slope: float
    intercept: float
    pearson: float


def fit_lengths(basis: Floats, eigenvalues: Doubles, word_counts: Longs) -> LengthFit:
    """Do lengths tell how rare a word is? Where one space holds every PMI, |v_i|^2 stands for PMI(i, i) = -log p_i.

    |v_i|^2 = sum_k |L_k| E_ik^2, before any stretching. Words that do not occur have no p and are left out.

    >>> fit_lengths(np.sqrt(np.log([[2.0], [4.0], [4.0]])), np.array([1.0]), np.array([2, 1, 1])).slope
    1.0
    """
    occur = word_counts > 0
    size, squares = np.abs(eigenvalues), np.empty(len(basis))
    for part in word_slices(len(basis)):
        squares[part] = (basis[part].astype(np.float64) ** 2) @ size
    return fit_squares(squares[occur], word_counts[occur])


def fit_squares(squares: Doubles, word_counts: Longs) -> LengthFit:
    """As :func:`fit_lengths`, of squared lengths that are there, one a word that occurs.

    >>> fit_squares(np.array([3.0, 1.0]), np.array([1, 3])).spearman
    1.0
    """
    rarity = -np.log(word_counts / word_counts.sum())
    if np.ptp(rarity) == 0 or np.ptp(squares) == 0:
        return LengthFit(0.0, 0.0, float(squares.mean()), 0.0)
    slope, intercept = np.polyfit(rarity, squares, 1)
    rho = float(stats.spearmanr(squares, rarity).statistic)
    correlation = float(np.corrcoef(squares, rarity)[0, 1])
    return LengthFit(*(round(float(value), 4) for value in (rho, slope, intercept, correlation)))
