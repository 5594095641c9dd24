"""PMI and its kin, from counts. Pure numpy; logarithms are natural, so values are in nats."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Doubles = npt.NDArray[np.float64]

FURTHER_MEASURES = ("npmi", "log_likelihood")


def log_probabilities(marginals: npt.NDArray[np.generic], context_smoothing: float) -> Doubles:
    """Log of the symmetric, smoothed marginal probability of each word; -inf where a word has no count.

        P_s(j)    = n_j^s / sum_k n_k^s                       (Levy, Goldberg, Dagan 2015, s = 0.75)
        log p_j   = (log P(j) + log P_s(j)) / 2

    Smoothing one side alone makes the table asymmetric; the mean of both orders keeps PMI(i,j) = PMI(j,i), and with
    s = 1 it is plain log P.

    >>> np.exp(log_probabilities(np.array([3, 1]), 1.0))
    array([0.75, 0.25])
    """
    counts = np.asarray(marginals, dtype=np.float64)
    with np.errstate(divide="ignore"):
        logs = np.log(counts)
    plain = logs - np.log(counts.sum())
    met = counts > 0
    powers = context_smoothing * np.where(met, logs, 0.0)
    smoothed = powers - np.log(np.sum(np.exp(powers[met])))
    return np.where(met, (plain + smoothed) / 2, -np.inf)


def pmi(pair_counts: Doubles, total: float, log_p_word: Doubles, log_p_context: Doubles) -> Doubles:
    """PMI(i,j) = log P(i,j) - log P(i) - log P(j), with P(i,j) = n_ij / N (Church and Hanks 1990).

    N is the sum over ordered pairs, so an unordered pair stands in it twice, as it does in both marginals.

    >>> pmi(np.array([4.0]), 16.0, np.log([0.5]), np.log([0.5]))
    array([0.])
    """
    return np.asarray(np.log(pair_counts) - np.log(total) - log_p_word - log_p_context)


def npmi(pmi_values: Doubles, pair_counts: Doubles, total: float) -> Doubles:
    """PMI / -log P(i,j): 1 when the words only meet each other, 0 when independent (Bouma 2009).

    >>> npmi(np.array([0.0]), np.array([4.0]), 16.0)
    array([0.])
    """
    return np.asarray(pmi_values / -np.log(pair_counts / total))


def log_likelihood(pair_counts: Doubles, total: float, n_word: Doubles, n_context: Doubles) -> Doubles:
    """Dunning's (1993) G2 of the 2x2 table of a pair: 2 * sum O log(O / E), in nats; 0 when independent.

    >>> log_likelihood(np.array([4.0]), 16.0, np.array([8.0]), np.array([8.0]))
    array([0.])
    """
    both = pair_counts
    word_only, context_only = n_word - both, n_context - both
    neither = total - n_word - n_context + both
    cells = [
        (both, n_word, n_context),
        (word_only, n_word, total - n_context),
        (context_only, total - n_word, n_context),
        (neither, total - n_word, total - n_context),
    ]
    result = np.zeros_like(both)
    for observed, row, column in cells:
        with np.errstate(divide="ignore", invalid="ignore"):
            term = observed * np.log(observed * total / (row * column))
        result += 2 * np.where(observed > 0, term, 0.0)
    return result
