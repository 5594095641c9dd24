"""Similarity through contexts: words are alike when they want the same words. Pure numpy.

The profile of word i is its estimated PMI with each of the N most frequent words, x_i = shift + V_N D v_i, and two
words are compared by the correlation of their profiles: by the cosine of what is left when each profile's own mean is
taken off. The shift, which every profile has in common, goes with the mean; in a plain cosine it would outweigh all
else. With C the rows of V_N less their mean, centred profiles have the products

    x_i'x_j = v_i' M v_j,   M = D C'C D = R'R

and the Cholesky factor R (d x d) maps v_i to R v_i, whose cosines are the correlations: nothing of N numbers a word is
ever made. R comes from a QR decomposition of C D, which is the same factor without squaring the condition number, and
exists for fewer contexts than dimensions too.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]

# Rows that are doubles at once: 157 MB at 300 dimensions.
ROWS_AT_ONCE = 1 << 16


def context_factor(contexts: Floats, metric: Doubles) -> Doubles:
    """R with R'R = D C'C D, from the vectors of the context words (N x d) and D: 2 N d^2 flops.

    >>> vectors, metric = np.float32([[1, 0], [0, 1], [2, 2]]), np.diag([1.0, -1.0])
    >>> factor = context_factor(vectors, metric)
    >>> centred = (vectors - vectors.mean(axis=0)) @ metric
    >>> np.allclose(factor.T @ factor, centred.T @ centred)
    True
    """
    dimensions = contexts.shape[1]
    factor = np.empty((0, dimensions + 1))
    for start in range(0, len(contexts), ROWS_AT_ONCE):
        rows = contexts[start : start + ROWS_AT_ONCE].astype(np.float64) @ metric
        # A leading column of ones takes the mean off: what is below the first row of R is orthogonal to it.
        block = np.column_stack((np.ones(len(rows)), rows))
        factor = np.asarray(np.linalg.qr(np.vstack((factor, block)), mode="r"))
    return np.asarray(factor[1:, 1:])


def profile_cosines(matrix: Floats, factor: Doubles, word_id: int, lengths: Floats) -> Floats:
    """The correlation of one word's profile with every word's: a product of n x d. 0 where a profile is constant."""
    asked = factor @ matrix[word_id].astype(np.float64)
    length = np.linalg.norm(asked)
    direction = factor.T @ asked / (length if length > 0 else 1)
    return np.asarray(matrix @ direction.astype(np.float32) / lengths)


def profile_lengths(matrix: Floats, factor: Doubles) -> Floats:
    """|R v_i| of every word, 1 where it is 0: 2 n d^2 flops, 1.8e11 for a million words of 300 dimensions."""
    transposed = factor.T.astype(np.float32)
    lengths = np.empty(len(matrix), np.float32)
    for start in range(0, len(matrix), ROWS_AT_ONCE):
        rows = slice(start, start + ROWS_AT_ONCE)
        lengths[rows] = np.linalg.norm(matrix[rows] @ transposed, axis=1)
    return np.where(lengths > 0, lengths, np.float32(1))
