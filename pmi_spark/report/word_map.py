"""The most frequent words in the plane, and in clusters."""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.cluster.vq import kmeans2

from pmi_spark.report.word_space import Floats, units_of

Ids = npt.NDArray[np.int64]

# Seven colours that all eyes tell apart, in two shapes.
MOST_CLUSTERS = 14
WORDS_A_CLUSTER = 20
CLUSTER_NAMES = 4
SEED = 1
# t-SNE is asked for the neighbours of each word in so many principal axes, as its authors advise.
AXES = 50
# Gradient steps of t-SNE, the first 250 with neighbours drawn together.
STEPS = 500
# Of fewer words there is no neighbourhood to lay out.
FEWEST_WORDS = 50


class WordMap(NamedTuple):
    """``layouts``: {name: words x 2 in -1 to 1}; the cluster of each word; the words nearest to each cluster's centre.

    ``held_share`` is what the two principal axes hold of the squared distances.
    """

    layouts: dict[str, Floats]
    clusters: Ids
    names: list[list[int]]
    held_share: float


def lay_out(rows: Floats) -> WordMap:
    """Vectors (words x d), the most frequent first -> their map.

    Directions count, not lengths; what is common to all words is taken off first, as it tells none apart. The principal
    axes are always there; t-SNE (van der Maaten and Hinton 2008), which keeps neighbours together instead of distances,
    where scikit-learn is installed. 3,000 words of 300 numbers: 1 s, and 20 s with t-SNE.
    """
    centred = units_of(rows)[0]
    centred = units_of(centred - centred.mean(axis=0))[0] if len(rows) > 1 else centred
    axes, held_share = principal_axes(centred, AXES)
    layouts = {}
    neighbours = _neighbour_layout(axes) if len(rows) >= FEWEST_WORDS else None
    if neighbours is not None:
        layouts["t-SNE"] = _fitted(neighbours)
    layouts["PCA"] = _fitted(axes[:, :2])
    clusters = cluster(centred)
    names = [nearest_to_centre(centred, clusters, own) for own in range(int(clusters.max()) + 1)]
    return WordMap(layouts, clusters, names, held_share)


def principal_axes(rows: Floats, most: int) -> tuple[Floats, float]:
    """Coordinates on the first principal axes (words x at most ``most``, 2 at least), and what the first two hold.

    Signs are set so that each axis' largest entry is positive: the same vectors make the same picture.

    >>> coordinates, held = principal_axes(np.array([[2.0, 0.0], [-2.0, 0.0], [0.0, 0.0]], np.float32), 2)
    >>> coordinates[:, 0].tolist(), held
    ([2.0, -2.0, 0.0], 1.0)
    """
    centred = rows - rows.mean(axis=0)
    values, vectors = np.linalg.eigh(centred.T.astype(np.float64) @ centred)
    leading = vectors[:, ::-1][:, :most]
    leading = leading * np.where(leading[np.abs(leading).argmax(axis=0), np.arange(leading.shape[1])] < 0, -1, 1)
    coordinates = (centred @ leading).astype(np.float32)
    if coordinates.shape[1] < 2:
        coordinates = np.pad(coordinates, ((0, 0), (0, 2 - coordinates.shape[1])))
    held = values[::-1][:2].sum() / values.sum() if values.sum() > 0 else 0.0
    return coordinates, round(float(held), 4)


def _neighbour_layout(axes: Floats) -> Floats | None:
    """t-SNE from the principal axes; None where scikit-learn is not installed, or all words point the same way."""
    try:
        from sklearn.manifold import TSNE
        from threadpoolctl import threadpool_limits
    except ImportError:
        return None
    spread = np.std(axes[:, 0])
    if not spread:
        return None
    start = axes[:, :2] / spread * 1e-4
    perplexity = min(30, len(axes) / 4)
    # One thread: the same picture every time, and threads that wait for each other by spinning are slow on a machine
    # that has other work.
    with threadpool_limits(1):
        found = TSNE(init=start, perplexity=perplexity, metric="cosine", max_iter=STEPS, n_jobs=1)
        return np.asarray(found.fit_transform(axes), np.float32)


def _fitted(layout: Floats) -> Floats:
    """Centred, and scaled so that all but a few words stand within -1 to 1; those are brought to the edge."""
    centred = layout - np.median(layout, axis=0)
    reach = np.quantile(np.abs(centred), 0.998)
    return np.clip(centred / (reach or 1.0), -1.05, 1.05).astype(np.float32)


def cluster(rows: Floats) -> Ids:
    """k-means over directions: the number of each word's cluster, the one with the most words first.

    One for every WORDS_A_CLUSTER words and MOST_CLUSTERS at most; empty ones are left out.
    """
    directions = len(np.unique(rows.round(4), axis=0))
    wanted = max(1, min(MOST_CLUSTERS, len(rows) // WORDS_A_CLUSTER, directions))
    if wanted == 1:
        return np.zeros(len(rows), np.int64)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "One of the clusters is empty", UserWarning)
        _, labels = kmeans2(rows.astype(np.float64), wanted, iter=30, minit="++", seed=SEED, missing="warn")
    found, places, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    rank = np.empty(len(found), np.int64)
    rank[np.argsort(-sizes, kind="stable")] = np.arange(len(found))
    return rank[places]


def nearest_to_centre(rows: Floats, clusters: Ids, own: int) -> list[int]:
    """The CLUSTER_NAMES words of a cluster that point most nearly to its centre."""
    members = np.flatnonzero(clusters == own)
    centre = rows[members].mean(axis=0)
    return [int(members[k]) for k in np.argsort(-(rows[members] @ centre), kind="stable")[:CLUSTER_NAMES]]
