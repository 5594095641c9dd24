"""Pairs kept from the fit, as a sample of all such pairs: those that met, and those that never did. One Spark job."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from pmi_spark.factorization.calibration import PairSample
from pmi_spark.factorization.row_blocks import Doubles, Floats, Ids, Longs, RowBlock, draw_pairs, held_out
from pmi_spark.factorization.table import Table, TableBlock

# Enough for a standard error of a few thousandths of a nat; the driver holds 40 bytes a pair.
MOST_PAIRS = 1 << 18
DRAWS = 1 << 19


class Independence(NamedTuple):
    """What independence expects: E_ij = total exp(log_p_i + log_p_j), weighted occurrences of an unordered pair."""

    log_p: Doubles
    total: float

    def expected(self, rows: Ids, columns: Ids) -> Doubles:
        """E_ij of pairs of word ids, one for one."""
        return np.asarray(self.total * np.exp(self.log_p[rows] + self.log_p[columns]))


def sample_held_pairs(table: Table, independence: Independence, share: float, shift: float) -> PairSample:
    """A sample of the pairs that the hash kept from the fit, a ``share`` of all n (n - 1) / 2.

    Those that met are all there, or ``MOST_PAIRS`` of them by a stricter hash. Those that never met are far too many;
    so ``DRAWS`` pairs are drawn by P(i) P(j), and the ones that never met kept, which are most of what E_ij weighs.
    A pair that never met is a zero whatever its hash, so any of them may stand for those the hash chose. The random
    numbers depend on nothing but the vocabulary's size. ``shift`` is what was taken off PMI before the fit.

    This reads the table once; 8 bytes a draw are broadcast, 12 bytes a pair that met come back.
    """
    held = min(share, MOST_PAIRS * 2 / max(table.cell_count, 1))
    chances = np.exp(independence.log_p)
    mass = float(chances.sum())
    low, high = draw_pairs(chances / mass, DRAWS, seed=len(chances)).astype(np.int32)
    draws = table.blocks.context.broadcast((low, high))
    try:
        found = table.blocks.map(lambda block: _look_up(block, *draws.value, held)).collect()
    finally:
        draws.destroy()
    rows, columns, values = (np.concatenate(column) for column in zip(*(cells for cells, _ in found), strict=True))
    order = np.lexsort((columns, rows))
    rows, columns, values = rows[order], columns[order], values[order]
    never = np.ones(len(low), dtype=bool)
    never[np.concatenate([met for _, met in found])] = False
    low, high = low[never], high[never]
    met_expected, drawn_expected = independence.expected(rows, columns), independence.expected(low, high)
    # A draw stands for 1 / (K 2 q_i q_j) unordered pairs, and 2 q_i q_j = 2 E_ij / (total mass^2).
    stands_for = held * independence.total * mass**2 / (2 * DRAWS * drawn_expected)
    return PairSample(
        np.concatenate([rows, low]),
        np.concatenate([columns, high]),
        np.concatenate([met_expected, drawn_expected]),
        np.concatenate([met_expected * np.exp(values.astype(np.float64) + shift), np.zeros(len(low))]),
        np.concatenate([np.ones(len(rows)), stands_for]),
    )


def _look_up(block: TableBlock, low: Ids, high: Ids, share: float) -> tuple[tuple[Ids, Ids, Floats], Longs]:
    """A block's pairs kept from the fit (upper triangle), and which of the draws met, by their places."""
    fitted, kept = block.fitted, block.held
    rows = (fitted.block + kept.row_of_cell * fitted.blocks).astype(np.int32)
    chosen = (rows < kept.columns) & held_out(rows, kept.columns, share)
    own = np.flatnonzero(low % fitted.blocks == fitted.block)
    met = _holds(fitted, low[own], high[own]) | _holds(kept, low[own], high[own])
    return (rows[chosen], kept.columns[chosen], kept.values[chosen]), own[met]


def _holds(block: RowBlock, rows: Ids, columns: Ids) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Is there a cell? For rows of this block, by their word ids."""
    if not len(block.columns):
        return np.zeros(len(rows), dtype=bool)
    wide = np.int64(1 << math.ceil(math.log2(int(max(block.columns.max(), columns.max(initial=0))) + 2)))
    cells = block.row_of_cell * wide + block.columns
    sought = (rows // block.blocks).astype(np.int64) * wide + columns
    places = np.minimum(np.searchsorted(cells, sought), len(cells) - 1)
    return np.asarray(cells[places] == sought)
