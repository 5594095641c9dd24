"""Fix the gauge: the one form of U V' that any solver would reach. Pure numpy.

U V' = (U G)(V G^-T)' for any invertible G, so distances between rows of U mean nothing until G is fixed.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pmi_spark.factorization.row_blocks import Floats, Ids, word_slices


class Canonical(NamedTuple):
    """PMI_hat = E diag(L) E': ``basis`` E (words x d, orthonormal columns), ``eigenvalues`` L by falling magnitude."""

    basis: Floats
    eigenvalues: npt.NDArray[np.float64]

    def vectors(self, exponent: float) -> Floats:
        """E |L|^p: at p = 0.5, PMI_hat(i, j) = sum_k sign(L_k) v_ik v_jk. One more matrix of n x d."""
        vectors = np.empty(self.basis.shape, dtype=np.float32)
        scale = np.abs(self.eigenvalues) ** exponent
        for part in word_slices(len(vectors)):
            vectors[part] = self.basis[part] * scale
        return vectors

    def products(self, rows: Ids, columns: Ids) -> npt.NDArray[np.float64]:
        """PMI_hat(i, j), as fitted, of pairs of word ids, one for one: 8 d bytes a pair of some at a time."""
        found = np.empty(len(rows))
        scaled = self.basis * self.eigenvalues.astype(np.float32)
        for part in word_slices(len(rows)):
            found[part] = np.einsum("ij,ij->i", scaled[rows[part]], self.basis[columns[part]])
        return found


def canonical_form(left: Floats, right: Floats, overwrite_left: bool = False) -> Canonical:
    """The d leading eigenpairs, by magnitude, of the symmetric part of U V'.

    With Z = [U V] and J swapping its halves, (U V' + V U') / 2 = Z J Z' / 2. From the Gramian Z'Z = W D W' follows an
    orthonormal Q = Z W D^-1/2, in which the table is the small matrix D^1/2 W' J W D^1/2 / 2 (2d x 2d); its
    eigenvectors, through Q, are the table's. PMI is indefinite: eigenvalues of either sign are kept. Each eigenvector's
    sign is set so that its entries sum to at least 0. A table of rank below d is filled up with zeros.
    Cost: 8 n d^2 flops, one more matrix of n x d, or none with ``overwrite_left``: the basis then takes U's place.

    >>> canonical_form(np.array([[2.0], [0.0]]), np.array([[-2.0], [0.0]])).eigenvalues
    array([-4.])
    """
    dimensions = left.shape[1]
    across = _product(left, right)
    gramian = np.block([[_product(left, left), across], [across.T, _product(right, right)]])
    squares, rotation = np.linalg.eigh(gramian)
    # U and V nearly span one space, so half of Z's directions are rounding errors: they are cut off.
    held = squares > max(np.finfo(left.dtype).eps * squares[-1], np.finfo(np.float32).tiny)
    scale, rotation = np.sqrt(squares[held]), rotation[:, held]
    swapped = np.roll(rotation, dimensions, axis=0)
    middle = scale[:, None] * (rotation.T @ swapped) * scale / 2
    eigenvalues, eigenvectors = np.linalg.eigh((middle + middle.T) / 2)
    leading = np.argsort(-np.abs(eigenvalues), kind="stable")[:dimensions]
    mix = (rotation / scale) @ eigenvectors[:, leading]
    missing = dimensions - len(leading)
    mix = np.pad(mix, ((0, 0), (0, missing))).astype(left.dtype)
    basis = left if overwrite_left else np.empty_like(left)
    for part in word_slices(len(left)):
        basis[part] = left[part] @ mix[:dimensions] + right[part] @ mix[dimensions:]
    basis *= np.where(basis.sum(axis=0, dtype=np.float64) < 0, -1, 1).astype(np.float32)
    return Canonical(basis, np.pad(eigenvalues[leading], (0, missing)))


def _product(left: Floats, right: Floats) -> npt.NDArray[np.float64]:
    """Left' right: slices in their own precision, summed in float64."""
    total = np.zeros((left.shape[1], right.shape[1]))
    for part in word_slices(len(left)):
        total += left[part].T @ right[part]
    return total
