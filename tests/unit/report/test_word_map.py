"""The map: layouts, clusters and their names."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from pmi_spark.report import word_map
from pmi_spark.report.word_map import MOST_CLUSTERS, cluster, lay_out, nearest_to_centre, principal_axes


def blobs(words: int = 300, centres: int = 5, axes: int = 20) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(1)
    own = np.arange(words) % centres
    middle = np.linalg.qr(random.normal(size=(axes, centres)))[0].T
    return (middle[own] + 0.05 * random.normal(size=(words, axes))).astype(np.float32), own


def test_principal_axes_are_those_of_the_singular_value_decomposition():
    rows, _ = blobs()
    found, held = principal_axes(rows, 4)
    centred = rows - rows.mean(axis=0)
    _, values, right = np.linalg.svd(centred, full_matrices=False)
    np.testing.assert_allclose(np.abs(found), np.abs(centred @ right[:4].T), atol=1e-3)
    assert held == pytest.approx((values[:2] ** 2).sum() / (values**2).sum(), abs=1e-3)


def test_words_of_one_direction_stand_together_in_t_sne():
    rows, own = blobs()
    layout = lay_out(rows).layouts["t-SNE"]
    distances = np.linalg.norm(layout[:, None] - layout, axis=2)
    np.fill_diagonal(distances, np.inf)
    assert np.mean(own[distances.argmin(axis=1)] == own) > 0.95


def test_the_same_vectors_make_the_same_map():
    rows, _ = blobs()
    first, second = lay_out(rows), lay_out(rows.copy())
    assert first.layouts.keys() == second.layouts.keys()
    for name, layout in first.layouts.items():
        np.testing.assert_allclose(layout, second.layouts[name], atol=1e-3)
    np.testing.assert_array_equal(first.clusters, second.clusters)


def test_without_scikit_learn_there_are_the_principal_axes(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.manifold", None)
    found = lay_out(blobs()[0])
    assert list(found.layouts) == ["PCA"]
    assert found.layouts["PCA"].shape == (300, 2)
    assert np.abs(found.layouts["PCA"]).max() <= 1.05


@pytest.mark.parametrize(("words", "axes"), [(1, 3), (2, 1), (5, 2), (60, 1), (60, 3)])
def test_few_words_and_few_axes_make_a_map_too(words, axes):
    rows = np.random.default_rng(2).normal(size=(words, axes)).astype(np.float32)
    found = lay_out(rows)
    for layout in found.layouts.values():
        assert layout.shape == (words, 2)
        assert np.isfinite(layout).all()
    assert len(found.clusters) == words
    assert len(found.names) == found.clusters.max() + 1


def test_words_all_alike_make_a_map_too():
    found = lay_out(np.ones((80, 4), np.float32))
    assert all(np.isfinite(layout).all() for layout in found.layouts.values())


def test_clusters_are_the_directions_there_are(monkeypatch):
    rows, own = blobs(words=300, centres=5)
    monkeypatch.setattr(word_map, "MOST_CLUSTERS", 5)
    found = cluster(rows)
    # Each found cluster is one of the five, or k-means would have split one: the seed is fixed.
    assert all(len(set(own[found == k])) == 1 for k in range(5))


def test_clusters_are_as_many_as_may_be_and_the_largest_comes_first():
    rows = np.random.default_rng(3).normal(size=(2_000, 10)).astype(np.float32)
    sizes = np.bincount(cluster(rows))
    assert len(sizes) == MOST_CLUSTERS
    assert np.all(np.diff(sizes) <= 0)


def test_a_cluster_is_named_by_the_words_nearest_to_its_centre():
    rows, _ = blobs()
    clusters = cluster(rows)
    names = nearest_to_centre(rows, clusters, 0)
    members = np.flatnonzero(clusters == 0)
    nearness = rows[members] @ rows[members].mean(axis=0)
    assert names == members[np.argsort(-nearness)[: len(names)]].tolist()
