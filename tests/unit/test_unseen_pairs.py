from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from pmi_spark.errors import InputError
from pmi_spark.factorization.row_blocks import held_out
from pmi_spark.vectors import unseen_pairs
from pmi_spark.vectors.judgements import Judgement
from pmi_spark.vectors.store import load_vectors
from pmi_spark.vectors.unseen_pairs import (
    area_under_curve,
    estimate_pairs,
    find_held_pairs,
    rank_correlation,
    score_held_pairs,
    score_pairs,
)

numbers = st.lists(st.integers(-3, 3).map(float), min_size=1, max_size=12).map(np.array)


@given(numbers, numbers)
def test_the_area_is_the_share_of_pairs_in_order_ties_by_half(above, below):
    wins = [1.0 if a > b else 0.5 if a == b else 0.0 for a in above for b in below]
    assert area_under_curve(above, below) == pytest.approx(np.mean(wins))
    assert area_under_curve(above, below) + area_under_curve(below, above) == pytest.approx(1)


def test_without_pairs_on_a_side_there_is_no_area_and_without_differences_no_correlation():
    some = np.array([1.0, 2.0])
    assert math.isnan(area_under_curve(some, some[:0]))
    assert math.isnan(rank_correlation(some, np.ones(2)))
    assert rank_correlation(some, some) == pytest.approx(1)


def test_many_pairs_are_estimated_a_slice_at_a_time(monkeypatch):
    monkeypatch.setattr(unseen_pairs, "ESTIMATES_AT_ONCE", 3)
    sizes = []

    def estimate(low, high):
        sizes.append(len(low))
        return low * 10.0 + high

    pairs = np.stack([np.arange(7), np.arange(7)])
    assert estimate_pairs(estimate, pairs).tolist() == [11.0 * k for k in range(7)]
    assert sizes == [3, 3, 1]
    assert len(estimate_pairs(estimate, pairs[:, :0])) == 0


@pytest.fixture(scope="module")
def pairs_of_run(scored_run):
    """{(low, high): (count, PMI)} of all that met."""
    columns = (scored_run.pairs[name].to_pylist() for name in scored_run.pairs.column_names)
    return {(low, high): (count, pmi) for low, high, count, pmi in zip(*columns, strict=True)}


@pytest.fixture(scope="module")
def found(scored_run):
    return find_held_pairs(str(scored_run.output), at_most=100_000)


def test_the_pairs_are_those_that_the_hash_keeps_from_the_fit(scored_run, pairs_of_run, found):
    expected = {
        pair: value
        for pair, value in pairs_of_run.items()
        if held_out(np.array(pair[:1]), np.array(pair[1:]), scored_run.held_out)[0]
    }
    have = {tuple(pair): value for pair, *value in zip(found.met.T.tolist(), found.pair_counts, found.pmi, strict=True)}
    assert {pair: tuple(value) for pair, value in have.items()} == expected
    assert found.all_held == len(expected) > 500
    np.testing.assert_allclose(found.expected, [count / math.exp(pmi) for count, pmi in have.values()])


def test_pairs_that_never_met_are_in_no_file_and_are_drawn_by_their_marginals(scored_run, pairs_of_run, found):
    drawn = [tuple(pair) for pair in found.never.T.tolist()]
    assert all(low < high for low, high in drawn)
    assert not set(drawn) & set(pairs_of_run)
    chances = scored_run.marginals / scored_run.marginals.sum()
    weights = np.triu(2 * np.outer(chances, chances), 1)
    weights[tuple(np.array(list(pairs_of_run)).T)] = 0
    # 100,000 draws: how many stay, and how often each word is among them.
    assert len(drawn) == pytest.approx(100_000 * weights.sum(), rel=0.02)
    often = np.bincount(np.ravel(drawn), minlength=300)
    expected = (weights.sum(axis=0) + weights.sum(axis=1)) * 100_000
    assert np.all(np.abs(often - expected) < 6 * np.sqrt(expected + 1))


def test_the_sample_depends_on_nothing_but_the_run(scored_run, found, tmp_path, write_artifact):
    again = find_held_pairs(str(scored_run.output), at_most=100_000)
    assert all(np.array_equal(one, other) for one, other in zip(again, found, strict=True))


def test_at_most_so_many_pairs_are_taken_by_a_stricter_hash(scored_run, found):
    some = find_held_pairs(str(scored_run.output), at_most=200)
    assert some.all_held == found.all_held
    assert 120 < some.met.shape[1] < 280
    assert set(map(tuple, some.met.T.tolist())) < set(map(tuple, found.met.T.tolist()))
    assert some.never.shape[1] <= 200


def test_scores_are_those_of_the_estimates(scored_run, found):
    vectors = load_vectors(str(scored_run.output))
    score = score_held_pairs(vectors, found, minimum_expected=0.5)
    met = vectors.estimated_pmi(*found.met)
    often = found.pair_counts / np.exp(found.pmi) >= 0.5
    assert score.spearman == pytest.approx(stats.spearmanr(met[often], found.pmi[often]).statistic)
    assert score.pairs_ranked == often.sum() < score.pairs_met == len(met)
    never = vectors.estimated_pmi(*found.never)
    assert score.auc == pytest.approx(stats.mannwhitneyu(met, never).statistic / (len(met) * len(never)))
    # The run's pairs were drawn by these very vectors.
    assert score.auc > 0.75
    assert score.spearman > 0.7
    # Pairs that never met are of like frequency, and frequent pairs' PMI is no matter of it.
    assert score.auc_by_frequency == pytest.approx(0.5, abs=0.05)
    assert abs(score.spearman_by_frequency) < 0.4


def test_a_table_in_more_pieces_gives_the_same(scored_run, found, monkeypatch):
    monkeypatch.setattr(unseen_pairs, "PAIRS_AT_ONCE", 100)
    pieces = find_held_pairs(str(scored_run.output), at_most=100_000)
    assert all(np.array_equal(one, other) for one, other in zip(pieces, found, strict=True))


@pytest.mark.parametrize(
    ("settings", "upstream", "message"),
    [
        ({"held_out": 0.0, "solver": "cg"}, "0123456789abcdef", "held_out is 0: no pairs were kept from the fit"),
        ({"held_out": 0.1, "solver": "mllib"}, "0123456789abcdef", "solver is mllib: no pairs were kept"),
        ({"held_out": 0.1, "solver": "cg"}, "another", "pmi and vectors in .* are not of one run"),
    ],
)
def test_runs_whose_pairs_cannot_be_judged_are_refused(
    tmp_path, write_artifact, make_vectors_table, settings, upstream, message
):
    pairs = pa.table({"word_id": [0], "context_id": [1], "pair_count": [1.0], "pmi": [0.5]})
    table = make_vectors_table([0, 1], ["a", "b"], [2, 1], np.eye(2), None)
    write_artifact(tmp_path, "vectors", [table], configuration={"vectors": settings}, upstream={"pmi": upstream})
    write_artifact(tmp_path, "pmi", [pairs])
    with pytest.raises(InputError, match=message):
        find_held_pairs(str(tmp_path), 10)


def test_pairs_of_ones_own_are_parted_at_0_and_ranked_with_it(scored_run):
    vectors = load_vectors(str(scored_run.output))
    asked = [("word0", "word1", 3.0), ("WORD2", "word3", 0.0), ("word4", "word5", -1.0), ("word6", "stranger", 2.0)]
    asked += [("word7", "word8", 1.0)]
    score = score_pairs(vectors, [Judgement(*row) for row in asked])
    estimates = vectors.estimated_pmi(np.array([0, 2, 4, 7]), np.array([1, 3, 5, 8]))
    assert score.auc == area_under_curve(estimates[[0, 3]], estimates[[1, 2]])
    assert score.spearman == stats.spearmanr(estimates, [3, 0, -1, 1]).statistic
    assert (score.pairs_met, score.pairs_never_met, score.pairs_ranked, score.pairs_all) == (2, 2, 4, 5)


def test_pairs_of_ones_own_may_all_be_unknown(scored_run):
    score = score_pairs(load_vectors(str(scored_run.output)), [Judgement("x", "y", 1.0)])
    assert math.isnan(score.auc)
    assert (score.pairs_ranked, score.pairs_all) == (0, 1)
