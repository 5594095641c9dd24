"""Products and sums over a block's cells, in each of their shapes, against dense float64 matrices."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pmi_spark.factorization import cell_passes, dense_head
from pmi_spark.factorization.cell_passes import OtherSide, PassedRows, RowCells, gather_rows, visit_cells
from pmi_spark.factorization.dense_head import Split, split_head, undivided
from pmi_spark.factorization.row_blocks import RowBlock

WORDS, DIMENSIONS = 40, 3


class Problem(NamedTuple):
    """A row block, and as matrices: which cells there are, their values, their weights, and the other side."""

    block: RowBlock
    there: np.ndarray
    values: np.ndarray
    weights: np.ndarray
    other: np.ndarray


@st.composite
def problems(draw: st.DrawFn) -> Problem:
    """Blocks of up to 9 rows, fuller to the upper left, as words by frequency are."""
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    row_count = draw(st.integers(1, 9))
    falling = np.exp(-draw(st.floats(0, 0.5)) * (np.arange(row_count)[:, None] + np.arange(WORDS) / 4))
    there = generator.random((row_count, WORDS)) < falling
    values = np.where(there, generator.normal(size=there.shape), 0).astype(np.float32)
    weights = np.where(there, generator.uniform(0.1, 1, there.shape), 0).astype(np.float32)
    starts = np.concatenate(([0], np.cumsum(there.sum(axis=1))))
    columns = np.nonzero(there)[1].astype(np.int32)
    block = RowBlock(0, 1, starts, columns, values[there], weights[there])
    return Problem(block, there, values, weights, generator.normal(size=(WORDS, DIMENSIONS)).astype(np.float32))


def other_side(problem: Problem, slice_words: int = WORDS) -> OtherSide:
    return OtherSide(lambda first, last: problem.other[first:last], WORDS, DIMENSIONS, slice_words)


def check(cells: RowCells, rows: np.ndarray, spots: np.ndarray, problem: Problem) -> None:
    """All that ``cells`` can do, against matrices; ``spots`` are the cells' columns, -1 for those that fill up."""
    directions = np.random.default_rng(0).normal(size=(len(rows), DIMENSIONS)).astype(np.float32)
    products = directions.astype(np.float64) @ problem.other.T
    row_of_cell = np.broadcast_to(cells.spread(np.arange(len(rows), dtype=np.float32)), cells.values.shape)
    at, real = (row_of_cell.astype(int)[spots >= 0], spots[spots >= 0]), spots >= 0
    np.testing.assert_allclose(cells.products(directions)[real], products[at], atol=1e-4)
    for less, expected in ((None, products), (cells.values, products - problem.values[rows])):
        found, drawn = cells.both_ways(directions, less)
        np.testing.assert_allclose(found[real], expected[at], atol=1e-4)
        np.testing.assert_allclose(drawn, (problem.weights[rows] * expected) @ problem.other, atol=1e-3)
    np.testing.assert_allclose(cells.sums(cells.values), problem.values[rows] @ problem.other, atol=1e-3)
    np.testing.assert_allclose(cells.row_totals(cells.weights), problem.weights[rows].sum(axis=1), atol=1e-4)


@given(problems(), st.sampled_from([1, 5, WORDS]), st.sampled_from([0.0, 0.1, 0.5, 2.0]), st.integers(1, 4))
def test_passes_over_any_slices_and_parts(problem, slice_words, dense_share, part_rows):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dense_head, "DENSE_SHARE", dense_share)
        patch.setattr(dense_head, "PART_ROWS", part_rows)
        patch.setattr(dense_head, "STEP_COLUMNS", 4)
        patch.setattr(cell_passes, "BUFFER_CELLS", 7)
        split = split_head(problem.block, slice_words)
        rows = np.arange(problem.block.row_count)
        check(PassedRows(split, other_side(problem, slice_words)), rows, problem.block.columns, problem)


@given(problems(), st.sampled_from([1, 6, 20, 1000]))
def test_gathered_rows(problem, buffer_cells):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cell_passes, "BUFFER_CELLS", buffer_cells)
        lengths, seen = np.diff(problem.block.starts), []
        for cells in gather_rows(problem.block, other_side(problem)):
            assert cells.values.size <= buffer_cells
            spots = np.full(cells.values.shape, -1)
            for place, row in enumerate(cells.rows.tolist()):
                spots[place, : lengths[row]] = problem.block.columns[slice(*problem.block.starts[row : row + 2])]
            check(cells, cells.rows, spots, problem)
            seen += cells.rows.tolist()
        assert sorted(seen) == np.flatnonzero((lengths > 0) & (lengths <= buffer_cells)).tolist()


def cells_of(split: Split) -> list[int]:
    """Every cell that a part or a visit stands for."""
    other = OtherSide(lambda first, last: np.zeros((last - first, 1), np.float32), WORDS, 1, WORDS)
    visited = [cell for _, cells, _ in visit_cells(split, other) for cell in range(cells.start, cells.stop)]
    return sorted(visited + [cell for part in split.parts for cell in part.cells.tolist()])


@given(problems(), st.sampled_from([3, WORDS]))
def test_every_cell_lies_in_one_part_or_in_none(problem, most_columns):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dense_head, "PART_ROWS", 2)
        patch.setattr(dense_head, "STEP_COLUMNS", 3)
        patch.setattr(dense_head, "DENSE_SHARE", 0.5)
        split = split_head(problem.block, most_columns)
    assert cells_of(split) == list(range(len(problem.block.columns)))
    assert split.width <= most_columns
    for part in split.parts:
        found = problem.there[part.rows, : part.width]
        np.testing.assert_array_equal(np.flatnonzero(found), part.places)
    assert cells_of(undivided(problem.block)) == list(range(len(problem.block.columns)))


def test_a_part_ends_where_the_table_grows_thin():
    """64 rows full up to column 512, a twentieth full beyond, and 64 rows with hardly a cell."""
    generator = np.random.default_rng(1)
    there = generator.random((128, 2000)) < np.where(np.arange(2000) < 512, 0.9, 0.05)
    there[64:] = generator.random((64, 2000)) < 0.01
    starts = np.concatenate(([0], np.cumsum(there.sum(axis=1))))
    ones = np.ones(starts[-1], np.float32)
    split = split_head(RowBlock(0, 1, starts, np.nonzero(there)[1].astype(np.int32), ones, ones))
    assert [(part.rows, part.width) for part in split.parts] == [(slice(0, 64), 512)]
    np.testing.assert_array_equal(split.rest[:64] - split.block.starts[:64], there[:64, :512].sum(axis=1))
    np.testing.assert_array_equal(split.rest[64:], split.block.starts[64:-1])


def test_a_part_is_no_larger_than_its_products_may_be(monkeypatch):
    monkeypatch.setattr(dense_head, "PART_PLACES", 64 * 10)
    starts, columns = np.arange(0, 64 * 30 + 1, 30), np.tile(np.arange(30, dtype=np.int32), 64)
    ones = np.ones(len(columns), np.float32)
    assert split_head(RowBlock(0, 1, starts, columns, ones, ones)).width == 10


def test_a_block_without_cells():
    empty = np.zeros(0, np.float32)
    block = RowBlock(0, 1, np.zeros(4, np.int64), np.zeros(0, np.int32), empty, empty)
    assert split_head(block).parts == []
    assert list(gather_rows(block, OtherSide(lambda first, last: empty, 3, 2, 3))) == []
    cells = PassedRows(split_head(block), OtherSide(lambda first, last: np.zeros((3, 2), np.float32), 3, 2, 3))
    np.testing.assert_array_equal(cells.sums(empty), np.zeros((3, 2)))
