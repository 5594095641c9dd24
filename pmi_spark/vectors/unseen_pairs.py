"""How well estimated PMI foretells pairs that the fit did not see. pyarrow and numpy, no Spark.

The fit leaves out a share of all pairs, by a hash of their words (``vectors.held_out``): the same hash finds them in
``pmi`` again. They are asked two questions. Does the estimate tell them from pairs that never met (AUC)? Does it rank
them as their counts do (Spearman)? The calibration fitted its three numbers to these pairs, a constant, a slope and a
power of frequency, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from scipy import stats

from pmi_spark.errors import InputError
from pmi_spark.factorization.row_blocks import draw_pairs, held_out
from pmi_spark.vectors.evaluate import Lexicon
from pmi_spark.vectors.files import ArtifactFiles, read_artifact
from pmi_spark.vectors.judgements import Judgement
from pmi_spark.vectors.store import WordVectors

Longs = npt.NDArray[np.int64]
Doubles = npt.NDArray[np.float64]
Estimate = Callable[[Longs, Longs], npt.NDArray[np.floating]]
# 6 MB, and what is computed of them.
PAIRS_AT_ONCE = 1 << 18
# 300 dimensions of so many pairs take 160 MB.
ESTIMATES_AT_ONCE = 1 << 16
# The draws depend on nothing but the marginals.
SEED = 1


def area_under_curve(above: npt.NDArray[np.floating], below: npt.NDArray[np.floating]) -> float:
    """The chance that one of ``above`` is larger than one of ``below``, a tie counting half (Mann and Whitney 1947).

    >>> area_under_curve(np.array([1.0, 3.0]), np.array([1.0, 2.0]))
    0.625
    """
    if not len(above) or not len(below):
        return float("nan")
    ranks = stats.rankdata(np.concatenate([above, below]))
    larger = ranks[: len(above)].sum() - len(above) * (len(above) + 1) / 2
    return float(larger / (len(above) * len(below)))


def rank_correlation(estimates: npt.NDArray[np.floating], observed: npt.NDArray[np.floating]) -> float:
    """Spearman's rho; not a number where one side is all the same."""
    if len(estimates) < 2 or not np.ptp(estimates) or not np.ptp(observed):
        return float("nan")
    return float(stats.spearmanr(estimates, observed).statistic)


def estimate_pairs(estimate: Estimate, pairs: Longs) -> npt.NDArray[np.floating]:
    """The estimate of many pairs (2 x k word ids), ESTIMATES_AT_ONCE at a time."""
    starts = range(0, max(1, pairs.shape[1]), ESTIMATES_AT_ONCE)
    return np.concatenate([estimate(*pairs[:, start : start + ESTIMATES_AT_ONCE]) for start in starts])


class HeldPairs(NamedTuple):
    """Pairs (2 x k word ids) kept from the fit that met, with counts (weighted) and PMI (nats); pairs that never met.

    ``all_held`` is how many the fit left out; ``met`` are these, or a sample of them. ``log_marginals``, one a word,
    say how frequent the words are.
    """

    met: Longs
    pair_counts: Doubles
    pmi: Doubles
    never: Longs
    all_held: int
    log_marginals: Doubles

    @property
    def expected(self) -> Doubles:
        """Meetings that independence expects of each pair that met, weighted: n / exp PMI."""
        return np.asarray(self.pair_counts / np.exp(self.pmi))


class UnseenScore(NamedTuple):
    """AUC of pairs that met against pairs that never did, and Spearman's rho with observed PMI.

    ``auc`` is of ``pairs_met`` and ``pairs_never_met``, ``spearman`` of the ``pairs_ranked``; ``pairs_all`` is what
    they were sampled from. The ``by_frequency`` ones are what P(i) P(j) reaches without any vector, where it is known.
    """

    auc: float
    spearman: float
    pairs_met: int
    pairs_never_met: int
    pairs_ranked: int
    pairs_all: int
    auc_by_frequency: float = float("nan")
    spearman_by_frequency: float = float("nan")


def find_held_pairs(output: str, at_most: int) -> HeldPairs:
    """The pairs that the fit left out, and pairs to set against them, ``at_most`` of either kind.

    Pairs that never met are drawn by the product of their words' window marginals, P(i) P(j), i and j different; of
    ``at_most`` draws those stay that ``pmi`` does not hold. They may repeat. Where independence expects few meetings,
    E of them, a pair met with a chance of about E, and is drawn in proportion to E: both kinds are of like frequency.

    Reads ``pmi`` once, 1 us a thousand pairs and core less than decoding takes; holds 60 bytes a pair of either kind.
    Raises InputError when no pairs were left out, or the artifacts are not of one run.
    """
    vectors, pmi_files = (ArtifactFiles.find(output, name) for name in ("vectors", "pmi"))
    pmi, settings = pmi_files.manifest, vectors.manifest.configuration["vectors"]
    if not settings["held_out"] or settings["solver"] == "mllib":
        key = "solver is mllib" if settings["held_out"] else "held_out is 0"
        raise InputError(f"vectors.{key}: no pairs were kept from the fit", "run `pmi-spark vectors` with others")
    if vectors.manifest.upstream["pmi"] != pmi.fingerprint:
        raise InputError(f"pmi and vectors in {output} are not of one run", cure="run `pmi-spark run` again")
    share = min(settings["held_out"], at_most / max(pmi.row_count, 1))
    marginals = _marginals(output, vectors.manifest.row_count)
    draws = draw_pairs(marginals, at_most, SEED)
    keys, draw_of_key = np.unique(draws[0] * len(marginals) + draws[1], return_inverse=True)
    have_met = np.zeros(len(keys), dtype=bool)
    found: list[pa.Table] = []
    held = 0
    for table in _stream_pairs(pmi_files):
        low, high = np.asarray(table["word_id"]), np.asarray(table["context_id"])
        pairs = low.astype(np.int64) * len(marginals) + high
        places = np.minimum(np.searchsorted(keys, pairs), len(keys) - 1)
        have_met[places[keys[places] == pairs]] = True
        held += int(np.count_nonzero(held_out(low, high, settings["held_out"])))
        found.append(table.filter(pa.array(held_out(low, high, share))))
    kept = pa.concat_tables(found)
    ids = np.stack([np.asarray(kept[name]).astype(np.int64) for name in ("word_id", "context_id")])
    never = draws[:, ~have_met[draw_of_key]]
    counts, values = (np.asarray(kept[name]).astype(np.float64) for name in ("pair_count", "pmi"))
    log_marginals = np.log(np.maximum(marginals, np.finfo(np.float64).tiny))
    return HeldPairs(ids, counts, values, never, held, log_marginals)


def _stream_pairs(pmi: ArtifactFiles) -> Iterator[pa.Table]:
    for name in pmi.names():
        yield from pmi.pieces(name, ["word_id", "context_id", "pair_count", "pmi"], PAIRS_AT_ONCE)


def _marginals(output: str, words: int) -> Doubles:
    """The window marginal of each word: 0 where a word met nobody."""
    table, _ = read_artifact(output, "pairs", side=True)
    marginals = np.zeros(words)
    marginals[np.asarray(table["word_id"])] = np.asarray(table["marginal_count"])
    return marginals


def score_held_pairs(vectors: WordVectors, pairs: HeldPairs, minimum_expected: float) -> UnseenScore:
    """AUC over all pairs; Spearman over those of which independence expects ``minimum_expected`` meetings or more.

    Of rarer words' pairs those alone have a PMI that met, by good luck mostly, and the rarer the words, the higher it
    is: over all pairs that met, counts and frequencies rank alike (20 M pairs: rho .91), and estimates do not. So pairs
    are chosen by what is expected of them, not by what came.
    """
    met = estimate_pairs(vectors.estimated_pmi, pairs.met)
    never = estimate_pairs(vectors.estimated_pmi, pairs.never)
    met_frequency, never_frequency = (pairs.log_marginals[ids].sum(axis=0) for ids in (pairs.met, pairs.never))
    ranked = pairs.expected >= minimum_expected
    return UnseenScore(
        area_under_curve(met, never),
        rank_correlation(met[ranked], pairs.pmi[ranked]),
        len(met),
        len(never),
        int(np.count_nonzero(ranked)),
        pairs.all_held,
        area_under_curve(met_frequency, never_frequency),
        rank_correlation(-met_frequency[ranked], pairs.pmi[ranked]),
    )


def score_pairs(vectors: WordVectors, judgements: Sequence[Judgement]) -> UnseenScore:
    """Pairs of one's own, each with a count or PMI from elsewhere: 0 or less stands for a pair that never met.

    Spearman is over all pairs of known words. ``pairs_all`` is the pairs given.
    """
    lexicon = Lexicon(vectors)
    rows = [(lexicon.places(judgement[:2]), judgement.score) for judgement in judgements]
    known = [(places, score) for places, score in rows if places is not None]
    places = np.array([pair for pair, _ in known], dtype=np.int64).reshape(-1, 2)
    scores = np.array([score for _, score in known])
    estimates = estimate_pairs(vectors.estimated_pmi, lexicon.ids[places].T)
    met = scores > 0
    return UnseenScore(
        area_under_curve(estimates[met], estimates[~met]),
        rank_correlation(estimates, scores),
        int(np.count_nonzero(met)),
        int(np.count_nonzero(~met)),
        len(known),
        len(rows),
    )
