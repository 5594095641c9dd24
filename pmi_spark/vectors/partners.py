"""The words of largest PMI with each of many words, tile by tile, and which of them want each other. Pure numpy."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Longs = npt.NDArray[np.int64]
Ids = npt.NDArray[np.integer]

# Rows and columns of a tile: 256 x 8192 products are 8 MB, and the columns' vectors 10 MB at 300 dimensions.
TILE_ROWS = 256
TILE_COLUMNS = 8192


class Partners(NamedTuple):
    """The best partners of some words (words x top, best first) and their products; -1 and -inf where there are fewer.

    ``products`` are PMI (nats) less the shift.
    """

    ids: Longs
    products: Floats


def top_partners(
    left: Floats, own: Ids, matrix: Floats, top: int, eligible: npt.NDArray[np.bool_] | None = None
) -> Partners:
    """For rows of V D (``left``, r x d) that belong to the words ``own`` their best partners among all of V (n x d).

    2 r n d flops; a tile at a time is compared with the least that each row holds so far, so of n products only about
    top * log(n / top) are ever sorted. Memory is a tile and r * top. A word is no partner of its own; ``eligible``
    (n) says who may be one at all. Of equal products the lower id is first.

    >>> vectors = np.float32([[1, 0], [2, 0], [0, 1]])
    >>> top_partners(vectors[:1], np.array([0]), vectors, 1)
    Partners(ids=array([[1]]), products=array([[2.]], dtype=float32))
    """
    blocks = [
        _top_of_block(
            left[start : start + TILE_ROWS], np.asarray(own[start : start + TILE_ROWS]), matrix, top, eligible
        )
        for start in range(0, len(left), TILE_ROWS)
    ]
    if not blocks:
        return Partners(np.empty((0, top), np.int64), np.empty((0, top), np.float32))
    return Partners(np.concatenate([block.ids for block in blocks]), np.concatenate([b.products for b in blocks]))


def _top_of_block(left: Floats, own: Ids, matrix: Floats, top: int, eligible: npt.NDArray[np.bool_] | None) -> Partners:
    best = Partners(np.full((len(left), top), -1, np.int64), np.full((len(left), top), -np.inf, np.float32))
    for start in range(0, len(matrix), TILE_COLUMNS):
        tile = left @ matrix[start : start + TILE_COLUMNS].T
        inside = np.flatnonzero((own >= start) & (own < start + tile.shape[1]))
        tile[inside, own[inside] - start] = -np.inf
        if eligible is not None:
            tile[:, ~eligible[start : start + tile.shape[1]]] = -np.inf
        best = _merge(best, tile, start)
    return best


def _merge(best: Partners, tile: Floats, start: int) -> Partners:
    """The best so far and a tile of later columns, which must be better to come in."""
    top = best.ids.shape[1]
    hits = tile > best.products[:, -1:]
    if top < tile.shape[1] and np.count_nonzero(hits) > 4 * hits.shape[0] * top:
        # The first tiles have many: no more than the tile's own best, and what equals the last of them, can come in.
        least = np.partition(tile, tile.shape[1] - top, axis=1)[:, tile.shape[1] - top]
        hits &= tile >= least[:, None]
    rows, columns = np.nonzero(hits)
    if not len(rows):
        return best
    touched, places = np.unique(rows, return_inverse=True)
    owner = np.concatenate((np.repeat(np.arange(len(touched)), top), places))
    ids = np.concatenate((best.ids[touched].ravel(), columns + start))
    products = np.concatenate((best.products[touched].ravel(), tile[rows, columns]))
    order = np.lexsort((ids, -products, owner))
    firsts = np.searchsorted(owner[order], np.arange(len(touched)))
    taken = order[(firsts[:, None] + np.arange(top)).ravel()]
    best.ids[touched] = ids[taken].reshape(-1, top)
    best.products[touched] = products[taken].reshape(-1, top)
    return best


class MutualPartners(NamedTuple):
    """Partners that rank a word among their own, best first: ids, products, rank of each, rank that each gives back.

    Ranks begin at 1.
    """

    ids: Longs
    products: Floats
    ranks: Longs
    ranks_back: Longs


def mutual_partners(
    matrix: Floats, metric: npt.NDArray[np.float64], word_id: int, depth: int, eligible: npt.NDArray[np.bool_]
) -> MutualPartners:
    """Of the ``depth`` best partners of a word those among whose ``depth`` best it is itself: 2 depth n d flops.

    ``matrix`` is V (n x d), ``metric`` D. Who is ``eligible`` competes on either side; the word itself always does.
    """
    allowed = eligible.copy()
    allowed[word_id] = True
    metric = metric.astype(np.float32)
    own = np.array([word_id])
    forward = top_partners(matrix[own] @ metric, own, matrix, depth, allowed)
    known = forward.ids[0] >= 0
    ids, products = forward.ids[0][known], forward.products[0][known]
    back = top_partners(matrix[ids] @ metric, ids, matrix, depth, allowed)
    wants, ranks_back = np.nonzero(back.ids == word_id)
    return MutualPartners(ids[wants], products[wants], wants + 1, ranks_back + 1)


def best_mutual_plain(products: npt.NDArray[np.floating], depth: int) -> dict[int, int]:
    """The plain twin of the job that matches words: {word: its best mutual partner} from a whole table (n x n).

    >>> best_mutual_plain(np.array([[0, 3, 2], [3, 0, 5], [2, 5, 0]]), depth=1)
    {1: 2, 2: 1}
    """
    lists = []
    for word, row in enumerate(products.tolist()):
        others = [other for other in range(len(row)) if other != word]
        lists.append(sorted(others, key=lambda other: (-row[other], other))[:depth])
    best = {}
    for word, partners in enumerate(lists):
        mutual = [partner for partner in partners if word in lists[partner]]
        if mutual:
            best[word] = mutual[0]
    return best
