from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pmi_spark.factorization.row_blocks import Cells, build_row_block, cell_weights, held_out, rows_in_block


@st.composite
def cells_of_a_block(draw):
    """(block, blocks, word count, unique cells (row, column, value, weight) whose rows belong to the block)."""
    blocks = draw(st.integers(1, 4))
    block = draw(st.integers(0, blocks - 1))
    word_count = draw(st.integers(block + 1, 20))
    rows = range(block, word_count, blocks)
    places = draw(st.lists(st.tuples(st.sampled_from(rows), st.integers(0, word_count - 1)), unique=True, max_size=25))
    cells = [(row, column, draw(st.integers(-9, 9)) / 4, draw(st.integers(1, 8)) / 8) for row, column in places]
    return block, blocks, word_count, cells


def build(block, blocks, word_count, cells):
    rows, columns, values, weights = zip(*cells, strict=True) if cells else ((), (), (), ())
    return build_row_block(
        block,
        blocks,
        word_count,
        Cells(
            np.array(rows, dtype=np.int32),
            np.array(columns, dtype=np.int32),
            np.array(values, dtype=np.float32),
            np.array(weights, dtype=np.float32),
        ),
    )


@given(cells_of_a_block(), st.randoms(use_true_random=False))
def test_a_block_is_the_same_bytes_for_any_order_of_its_cells(drawn, random):
    block, blocks, word_count, cells = drawn
    first = build(block, blocks, word_count, cells)
    shuffled = random.sample(cells, len(cells))
    second = build(block, blocks, word_count, shuffled)
    for name in ("starts", "columns", "values", "weights"):
        assert getattr(first, name).tobytes() == getattr(second, name).tobytes(), name


@given(cells_of_a_block())
def test_a_block_holds_its_rows_of_the_table(drawn):
    block, blocks, word_count, cells = drawn
    built = build(block, blocks, word_count, cells)
    values, weights = np.zeros((2, word_count, word_count), dtype=np.float32)
    for row, column, value, weight in cells:
        values[row, column], weights[row, column] = value, weight
    assert built.row_count == rows_in_block(word_count, block, blocks)
    found = np.zeros((2, built.row_count, word_count), dtype=np.float32)
    found[:, built.row_of_cell, built.columns] = built.values, built.weights
    np.testing.assert_array_equal(found, [values[block::blocks], weights[block::blocks]])
    assert (built.columns.dtype, built.values.dtype, built.weights.dtype) == (np.int32, np.float32, np.float32)


@given(cells_of_a_block())
def test_columns_are_sorted_within_a_row(drawn):
    built = build(*drawn)
    for row in range(built.row_count):
        assert (np.diff(built.columns[built.starts[row] : built.starts[row + 1]]) > 0).all()


@given(st.integers(0, 200), st.integers(1, 20))
def test_blocks_share_out_every_row(word_count, blocks):
    assert sum(rows_in_block(word_count, block, blocks) for block in range(blocks)) == word_count


@given(st.lists(st.floats(0.01, 1e9), max_size=10), st.floats(0.1, 100), st.floats(0, 2))
def test_truncated_weights_are_the_plain_ones_capped_at_1(counts, ceiling, exponent):
    array = np.array(counts)
    capped = cell_weights(array, ceiling, exponent, truncate=True)
    np.testing.assert_array_equal(capped, np.minimum(cell_weights(array, ceiling, exponent, truncate=False), 1))
    assert (capped > 0).all()


def test_untruncated_weights_grow_above_the_ceiling():
    weights = cell_weights(np.array([5.0, 10.0, 40.0]), 10.0, 0.5, truncate=False)
    assert weights.tolist() == pytest.approx([0.5**0.5, 1, 2])


def test_an_exponent_of_0_weighs_every_pair_alike():
    assert cell_weights(np.array([0.2, 1e6]), 10.0, 0.0, truncate=True).tolist() == [1, 1]


@given(cells_of_a_block(), st.data())
def test_some_rows_of_a_block_are_those_rows(drawn, data):
    built = build(*drawn)
    rows = np.array(data.draw(st.lists(st.sampled_from(range(built.row_count)), unique=True)), dtype=np.int64)
    part = built.of_rows(rows)
    for place, row in enumerate(rows.tolist()):
        own, there = slice(*part.starts[place : place + 2]), slice(*built.starts[row : row + 2])
        for name in ("columns", "values", "weights"):
            assert getattr(part, name)[own].tolist() == getattr(built, name)[there].tolist()


@given(st.lists(st.tuples(st.integers(0, 2**31 - 1), st.integers(0, 2**31 - 1)), max_size=30))
def test_both_sides_of_the_diagonal_are_held_out_alike(pairs):
    rows, columns = np.array(pairs, dtype=np.int32).reshape(-1, 2).T
    np.testing.assert_array_equal(held_out(rows, columns, 0.3), held_out(columns, rows, 0.3))


def test_the_share_held_out_is_the_share_asked_for():
    rows, columns = (side.astype(np.int32).ravel() for side in np.meshgrid(np.arange(700), np.arange(700, 1400)))
    for share in (0.01, 0.25):
        assert abs(held_out(rows, columns, share).mean() - share) < 5 * (share / len(rows)) ** 0.5
