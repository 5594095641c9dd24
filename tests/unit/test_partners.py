from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pmi_spark.vectors import partners
from pmi_spark.vectors.partners import mutual_partners, top_partners


def random_vectors(words: int, dimensions: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """V and an indefinite, symmetric D."""
    generator = np.random.default_rng(seed)
    turn, _ = np.linalg.qr(generator.normal(size=(dimensions, dimensions)))
    metric = turn @ np.diag(generator.choice([-1.0, 1.0], dimensions) * generator.uniform(0.5, 2, dimensions)) @ turn.T
    return generator.normal(size=(words, dimensions)).astype(np.float32), metric


def plain_top(row: np.ndarray, own: int, top: int) -> list[int]:
    others = [other for other in range(len(row)) if other != own and row[other] > -np.inf]
    return sorted(others, key=lambda other: (-row[other], other))[:top]


@pytest.mark.parametrize("top", [1, 3, 40, 100])
@pytest.mark.parametrize("tile", [(1, 1), (3, 7), (256, 64)])
def test_tiles_give_the_partners_of_the_whole_product(monkeypatch, tile, top):
    monkeypatch.setattr(partners, "TILE_ROWS", tile[0])
    monkeypatch.setattr(partners, "TILE_COLUMNS", tile[1])
    matrix, metric = random_vectors(50, 4, seed=1)
    left = matrix @ metric.astype(np.float32)
    rows = np.array([7, 0, 49, 20, 21])
    found = top_partners(left[rows], rows, matrix, top)
    products = left @ matrix.T
    for row, own in enumerate(rows.tolist()):
        expected = plain_top(products[own], own, top)
        assert found.ids[row].tolist() == expected + [-1] * (top - len(expected))
        np.testing.assert_allclose(found.products[row, : len(expected)], products[own, expected], rtol=1e-4, atol=1e-5)
        assert np.isneginf(found.products[row, len(expected) :]).all()


@given(st.lists(st.integers(-2, 2), min_size=2, max_size=30), st.integers(1, 12), st.integers(1, 9))
def test_of_equal_products_the_lower_ids_are_kept_whatever_the_tiles(values, top, tile):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(partners, "TILE_COLUMNS", tile)
        matrix = np.array(values, dtype=np.float32)[:, None]
        found = top_partners(np.ones((1, 1), np.float32), np.array([0]), matrix, top)
    expected = plain_top(matrix[:, 0], 0, top)
    assert found.ids[0].tolist() == expected + [-1] * (top - len(expected))


def test_who_is_not_eligible_is_no_partner():
    matrix, metric = random_vectors(20, 3, seed=2)
    eligible = np.arange(20) % 3 == 0
    rows = np.arange(20)
    found = top_partners(matrix @ metric.astype(np.float32), rows, matrix, 20, eligible)
    for own in rows.tolist():
        assert set(found.ids[own][found.ids[own] >= 0].tolist()) == set(range(0, 20, 3)) - {own}


def test_no_rows_have_no_partners():
    assert top_partners(np.empty((0, 2), np.float32), np.empty(0, int), np.ones((4, 2), np.float32), 3).ids.shape == (
        0,
        3,
    )


@given(st.integers(0, 10_000), st.integers(1, 12))
def test_mutual_is_symmetric(seed, depth):
    """If j is a mutual partner of i then i is one of j, with the ranks turned round."""
    matrix, metric = random_vectors(25, 3, seed)
    everyone = np.ones(25, bool)
    found = {own: mutual_partners(matrix, metric, own, depth, everyone) for own in range(25)}
    ranks = {
        (own, partner): (rank, back)
        for own, answer in found.items()
        for partner, rank, back in zip(
            answer.ids.tolist(), answer.ranks.tolist(), answer.ranks_back.tolist(), strict=True
        )
    }
    assert all(ranks.get((j, i)) == (back, rank) for (i, j), (rank, back) in ranks.items())
    assert all(max(pair) <= depth for pair in ranks.values())


def test_at_full_depth_everyone_is_mutual():
    matrix, metric = random_vectors(12, 3, seed=4)
    assert set(mutual_partners(matrix, metric, 5, 11, np.ones(12, bool)).ids.tolist()) == set(range(12)) - {5}


def test_the_asked_word_competes_however_rare_it_is():
    matrix, metric = random_vectors(12, 3, seed=4)
    eligible = np.ones(12, bool)
    eligible[5] = False
    assert len(mutual_partners(matrix, metric, 5, 11, eligible).ids) == 11
