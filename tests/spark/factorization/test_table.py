"""Files of pmi -> the table in row blocks: every cell there, once, whatever way the files come."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
from py4j.protocol import Py4JJavaError
from pyspark.errors import PythonException
from pyspark.sql import SparkSession

from pmi_spark.errors import RunError
from pmi_spark.factorization.row_blocks import RowBlock, held_out
from pmi_spark.factorization.table import CellSettings, Table, TableBlock, build_table, default_blocks, head_of

POSITIVE = {"positive_only": True, "shift": 0.5, "truncate_weights": False}
CellsFound = dict[tuple[int, int], tuple[float, float]]


def blocks_of(table: Table) -> list[TableBlock]:
    blocks = table.blocks.collect()
    assert [block.fitted.block for block in blocks] == list(range(table.block_count))
    return blocks


def cells_of(blocks: list[RowBlock], words: int) -> CellsFound:
    """(row, column) -> (value, weight), each cell once and the columns of a row sorted."""
    found = {}
    for block in blocks:
        assert block.row_count == len(range(block.block, words, block.blocks))
        for row in range(block.row_count):
            own = slice(block.starts[row], block.starts[row + 1])
            assert np.all(np.diff(block.columns[own]) > 0)
            for column, *cell in zip(block.columns[own], block.values[own], block.weights[own], strict=True):
                found[block.word_id(row), int(column)] = tuple(cell)
    assert len(found) == sum(len(block.columns) for block in blocks)
    return found


def fitted_cells(table: Table) -> CellsFound:
    return cells_of([block.fitted for block in blocks_of(table)], table.word_count)


def held_cells(table: Table) -> CellsFound:
    return cells_of([block.held for block in blocks_of(table)], table.word_count)


def assert_same_cells(found: CellsFound, expected: CellsFound) -> None:
    assert found.keys() == expected.keys()
    np.testing.assert_allclose(list(found.values()), [expected[cell] for cell in found], rtol=1e-5, atol=1e-6)


def bytes_of(table: Table) -> list[bytes]:
    arrays = ("starts", "columns", "values", "weights")
    return [
        getattr(part, name).tobytes()
        for block in blocks_of(table)
        for part in (block.fitted, block.held)
        for name in arrays
    ]


class TestCells:
    @pytest.mark.parametrize("changes", [{}, {"shift": -1.0}, POSITIVE], ids=["observed", "shifted", "positive"])
    @pytest.mark.parametrize("blocks", [1, 4])
    def test_both_triangles_of_every_pair_are_there_once(
        self, build: Callable, scattered: Callable, every_cell: CellSettings, blocks: int, changes: dict
    ) -> None:
        pairs, settings = scattered(), dataclasses.replace(every_cell, **changes)
        table = build(pairs, settings, blocks)
        expected = pairs.cells(settings)
        assert (table.word_count, table.block_count, table.cell_count) == (pairs.size, blocks, len(expected))
        assert 0 < len(expected) <= 2 * len(pairs.rows)
        assert_same_cells(fitted_cells(table), expected)
        assert held_cells(table) == {}
        energy = sum(weight * value**2 for value, weight in expected.values()) / pairs.size
        assert table.row_energy == pytest.approx(energy**0.5, rel=1e-5)

    def test_a_share_is_kept_from_the_fit_both_triangles_alike(
        self, build: Callable, scattered: Callable, every_cell: CellSettings
    ) -> None:
        pairs = scattered()
        table = build(pairs, dataclasses.replace(every_cell, held_out=0.3), blocks=3)
        fitted, held = fitted_cells(table), held_cells(table)
        kept = held_out(pairs.rows.astype(np.int32), pairs.columns.astype(np.int32), 0.3)
        own = set(zip(pairs.rows[kept].tolist(), pairs.columns[kept].tolist(), strict=True))
        assert held.keys() == own | {(j, i) for i, j in own}
        assert 0.1 < len(held) / (len(fitted) + len(held)) < 0.5
        assert table.cell_count == len(fitted)
        assert_same_cells(fitted | held, pairs.cells())

    def test_of_some_rows_the_others_are_left_out(
        self, build: Callable, scattered: Callable, every_cell: CellSettings
    ) -> None:
        pairs, wanted = scattered(), np.array([0, 3, 20, 36], dtype=np.int32)
        table = build(pairs, dataclasses.replace(every_cell, only_rows=wanted))
        expected = {cell: value for cell, value in pairs.cells().items() if cell[0] in wanted.tolist()}
        assert_same_cells(fitted_cells(table), expected)

    def test_blocks_beyond_the_words_are_there_and_empty(self, build: Callable, make_pairs: Callable) -> None:
        pairs = make_pairs(2, np.array([0]), np.array([1]), np.array([5.0]), np.array([1.0]))
        found = [(block.row_count, len(block.columns)) for block, *_ in blocks_of(build(pairs, blocks=5, files=1))]
        assert found == [(1, 1), (1, 1), (0, 0), (0, 0), (0, 0)]

    def test_words_that_met_nobody_have_empty_rows(self, build: Callable, make_pairs: Callable) -> None:
        nobody = make_pairs(7, *np.zeros((4, 0)))
        assert [len(block.starts) for block, *_ in blocks_of(build(nobody, blocks=3))] == [4, 3, 3]


class TestFiles:
    def test_blocks_are_the_same_bytes_for_any_files_order_and_row_groups(
        self, build: Callable, scattered: Callable, every_cell: CellSettings
    ) -> None:
        pairs, settings = scattered(), dataclasses.replace(every_cell, held_out=0.2)
        first = build(pairs, settings, blocks=3, files=1)
        for files in ({"files": 3, "groups": 2, "order": [2, 0, 1]}, {"files": 5, "groups": 3}):
            again = build(pairs, settings, blocks=3, **files)
            assert bytes_of(again) == bytes_of(first)
            assert again.row_energy == first.row_energy

    def test_files_that_nobody_names_are_not_read(
        self, spark: SparkSession, scattered: Callable, every_cell: CellSettings
    ) -> None:
        pairs = scattered()
        files = [*pairs.files(1), ("pmi-stray", b"half a file"), *((f"{path}-old", old) for path, old in pairs.files())]
        content = spark.sparkContext.parallelize(files, 2)
        table = build_table(content, {"pmi-0": len(pairs.rows)}, pairs.size, 2, every_cell)
        assert_same_cells(fitted_cells(table), pairs.cells())
        table.blocks.unpersist()

    @pytest.mark.parametrize("positive_only", [False, True])
    def test_a_file_that_went_away_is_missed(
        self, spark: SparkSession, scattered: Callable, every_cell: CellSettings, positive_only: bool
    ) -> None:
        settings = dataclasses.replace(every_cell, positive_only=positive_only)
        pairs = scattered()
        row_counts = {f"pmi-{number}": len(pairs.rows[number::3]) for number in range(3)}
        content = spark.sparkContext.parallelize(pairs.files(3)[:2], 2)
        with pytest.raises(RunError, match="a file of pmi went away"):
            build_table(content, row_counts, pairs.size, 2, settings)

    def test_a_file_of_fewer_rows_than_the_manifest_says_is_named(
        self, spark: SparkSession, scattered: Callable, every_cell: CellSettings
    ) -> None:
        pairs = scattered(size=10)
        count = len(pairs.rows)
        content = spark.sparkContext.parallelize(pairs.files(1), 1)
        message = f"cannot read pmi-0: it has {count} rows, not {count + 1}"
        with pytest.raises((PythonException, Py4JJavaError), match=message):
            build_table(content, {"pmi-0": count + 1}, pairs.size, 2, every_cell)


class TestHead:
    @pytest.mark.parametrize("words", [1, 5, 20, 37])
    def test_it_holds_the_cells_among_the_first_words_and_no_other(
        self, build: Callable, scattered: Callable, every_cell: CellSettings, words: int
    ) -> None:
        pairs = scattered()
        head = head_of(build(pairs, dataclasses.replace(every_cell, held_out=0.2), blocks=4), words)
        whole = build(pairs, dataclasses.replace(every_cell, held_out=0.2), blocks=4)
        expected = {cell: value for cell, value in fitted_cells(whole).items() if max(cell) < words}
        assert (head.word_count, head.block_count) == (words, 4)
        assert fitted_cells(head) == expected
        assert sum(len(block.held.columns) for block in blocks_of(head)) == 0
        head.blocks.unpersist()


@pytest.mark.parametrize(
    ("pair_count", "parallelism", "blocks"),
    [(0, 1, 2), (10**6, 3, 6), (4 << 20, 1, 2), ((4 << 20) + 1, 1, 3), (40 << 20, 2, 20), (40 << 20, 64, 128)],
)
def test_every_core_gets_two_blocks_and_none_is_too_large(pair_count: int, parallelism: int, blocks: int) -> None:
    assert default_blocks(pair_count, parallelism) == blocks
