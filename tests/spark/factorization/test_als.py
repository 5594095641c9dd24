"""PMI -> vectors: what the sweeps find, and that nothing but the table and the seed decides it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pytest
from pyspark.sql import DataFrame, SparkSession

from pmi_spark.artifacts import Manifest
from pmi_spark.factorization.als import CellSettings, build_row_blocks, factorize, initial_factors, vectors_frame
from pmi_spark.factorization.canonical import Canonical, canonical_form
from pmi_spark.factorization.solver import LossSettings, solve_row_plain
from pmi_spark.schemas import PMI, VECTORS
from pmi_spark.vectors.store import load_vectors

EVERY_CELL = CellSettings(
    positive_only=False, shift=0.0, count_ceiling=10.0, weight_exponent=0.75, truncate_weights=True
)
LOSS = LossSettings(background=0.1, target=0.0, regularization=0.1)


class Table(NamedTuple):
    """Pairs i < j with their counts and PMI."""

    size: int
    rows: np.ndarray
    columns: np.ndarray
    counts: np.ndarray
    values: np.ndarray

    def frame(self, spark: SparkSession, partitions: int = 2) -> DataFrame:
        columns = [
            pa.array(self.rows, pa.int32()),
            pa.array(self.columns, pa.int32()),
            pa.array(self.counts, pa.float64()),
            pa.array(self.values, pa.float32()),
        ]
        return spark.createDataFrame(pa.table(columns, names=PMI.fieldNames())).repartition(partitions)

    def cells(self, settings: CellSettings = EVERY_CELL) -> dict[tuple[int, int], tuple[float, float]]:
        """Both triangles: (row, column) -> (value less the shift, weight), written out a pair at a time."""
        cells = {}
        for i, j, count, value in zip(*self[1:], strict=True):
            weight = (count / settings.count_ceiling) ** settings.weight_exponent
            weight = min(1.0, weight) if settings.truncate_weights else weight
            if not settings.positive_only or value > settings.shift:
                cells[i, j] = cells[j, i] = (value - settings.shift, weight)
        return cells


def sparse_table(size: int = 37, share: float = 0.3, seed: int = 5) -> Table:
    generator = np.random.default_rng(seed)
    rows, columns = np.triu_indices(size, k=1)
    held = generator.random(len(rows)) < share
    # The last word met nobody: its row is empty.
    held &= columns < size - 1
    counts = generator.integers(1, 40, held.sum()).astype(float)
    values = generator.normal(0.5, 1.5, held.sum()).astype(np.float32)
    return Table(size, rows[held], columns[held], counts, values)


def planted_table(eigenvalues: np.ndarray, size: int = 60, seed: int = 6) -> tuple[Table, np.ndarray]:
    """Every pair of a table of known rank, met so often that its weight is 1; and the whole symmetric matrix."""
    generator = np.random.default_rng(seed)
    basis, _ = np.linalg.qr(generator.standard_normal((size, len(eigenvalues))))
    matrix = (basis * eigenvalues) @ basis.T
    rows, columns = np.triu_indices(size, k=1)
    values = matrix[rows, columns].astype(np.float32)
    return Table(size, rows, columns, np.full(len(rows), 1e3), values), matrix


@pytest.fixture(scope="session")
def solved(spark: SparkSession) -> Callable[..., tuple[np.ndarray, np.ndarray]]:
    """``solved(table, dimensions, ...)``: both sides' factors."""

    def solve(
        table: Table, dimensions: int, *, seed: int = 1, blocks: int = 2, loss: LossSettings = LOSS, **sweeps: int
    ) -> tuple[np.ndarray, np.ndarray]:
        asked = {"warm_sweeps": 1, "sweeps": 1, "solver_steps": 3} | sweeps
        row_blocks = build_row_blocks(table.frame(spark), table.size, blocks, EVERY_CELL)
        try:
            return factorize(spark, row_blocks, initial_factors(table.size, dimensions, seed), loss, **asked)
        finally:
            row_blocks.unpersist()

    return solve


class TestRowBlocks:
    SETTINGS = (
        EVERY_CELL,
        dataclasses.replace(EVERY_CELL, positive_only=True, shift=0.5, truncate_weights=False),
    )

    @pytest.mark.parametrize("settings", SETTINGS, ids=["observed", "positive"])
    @pytest.mark.parametrize("blocks", [1, 4])
    def test_they_hold_both_triangles_of_every_pair(
        self, spark: SparkSession, blocks: int, settings: CellSettings
    ) -> None:
        table = sparse_table()
        found = {}
        for block in build_row_blocks(table.frame(spark), table.size, blocks, settings).collect():
            assert block.row_count == len(range(block.block, table.size, blocks))
            for local, (start, stop) in enumerate(zip(block.starts[:-1], block.starts[1:], strict=True)):
                columns = block.columns[start:stop]
                assert np.all(np.diff(columns) > 0)
                row = block.block + local * blocks
                for place in range(start, stop):
                    found[row, int(block.columns[place])] = (block.values[place], block.weights[place])
        expected = table.cells(settings)
        assert found.keys() == expected.keys()
        np.testing.assert_allclose(list(found.values()), [expected[cell] for cell in found], rtol=1e-5, atol=1e-6)

    def test_blocks_beyond_the_words_are_there_and_empty(self, spark: SparkSession) -> None:
        table = Table(2, np.array([0]), np.array([1]), np.array([5.0]), np.array([1.0]))
        found = build_row_blocks(table.frame(spark), 2, 5, EVERY_CELL).collect()
        assert [(block.block, block.row_count, len(block.columns)) for block in found] == [
            (0, 1, 1),
            (1, 1, 1),
            (2, 0, 0),
            (3, 0, 0),
            (4, 0, 0),
        ]


class TestFactorization:
    def test_a_planted_table_of_low_rank_is_found(self, solved: Callable) -> None:
        eigenvalues = np.array([60.0, -40.0, 25.0])
        table, matrix = planted_table(eigenvalues)
        faint = LossSettings(background=1e-5, target=0.0, regularization=1e-4)
        canonical = canonical_form(*solved(table, 3, loss=faint, warm_sweeps=2, sweeps=12, solver_steps=8))
        estimated = (canonical.basis * canonical.eigenvalues) @ canonical.basis.T
        np.testing.assert_allclose(canonical.eigenvalues, eigenvalues, rtol=0.01)
        np.testing.assert_allclose(estimated, matrix, atol=0.02 * np.abs(matrix).max())

    def test_rows_satisfy_their_normal_equations(self, solved: Callable) -> None:
        table = sparse_table()
        loss = LossSettings(background=0.2, target=-0.5, regularization=0.3)
        left, right = solved(table, 6, loss=loss, sweeps=1, solver_steps=60)
        cells = table.cells()
        for row in range(table.size):
            columns = np.array([j for i, j in cells if i == row], dtype=np.int32)
            values = np.array([cells[row, j][0] for j in columns])
            weights = np.array([cells[row, j][1] for j in columns])
            expected = solve_row_plain(left.astype(float), columns, values, weights, loss)
            np.testing.assert_allclose(right[row], expected, rtol=2e-3, atol=2e-3)

    def test_every_weighted_sweep_lowers_the_loss_it_reports(self, spark: SparkSession) -> None:
        table, told = sparse_table(), []
        blocks = build_row_blocks(table.frame(spark), table.size, 2, EVERY_CELL)
        start = initial_factors(table.size, 5, 1)
        left, right = factorize(spark, blocks, start, LOSS, 1, 3, 10, lambda *report: told.append(report))
        assert [(phase, sweep) for phase, sweep, _ in told] == [("warm", 1), *(("weighted", k) for k in range(1, 4))]
        losses = [loss for phase, _, loss in told if phase == "weighted"]
        assert all(after < before for before, after in pairwise(losses))
        estimated = left.astype(float) @ right.T
        by_hand = sum(weight * (estimated[cell] - value) ** 2 for cell, (value, weight) in table.cells().items())
        by_hand += LOSS.background * np.sum(estimated**2) + LOSS.regularization * np.sum(left**2 + right**2)
        assert losses[-1] == pytest.approx(by_hand, rel=1e-4)

    def test_the_same_seed_gives_the_same_vectors_another_seed_others(self, solved: Callable) -> None:
        table = sparse_table()
        vectors = [canonical_form(*solved(table, 5, seed=seed)).vectors(0.5) for seed in (1, 1, 2)]
        assert vectors[0].tobytes() == vectors[1].tobytes()
        assert not np.allclose(vectors[0], vectors[2], atol=1e-3)

    def test_vectors_do_not_depend_on_the_number_of_blocks(self, solved: Callable) -> None:
        table = sparse_table()
        estimates = [np.matmul(left, right.T) for left, right in (solved(table, 5, blocks=k) for k in (1, 2, 7))]
        np.testing.assert_allclose(estimates[1], estimates[0], atol=1e-4)
        np.testing.assert_allclose(estimates[2], estimates[0], atol=1e-4)


class TestVectorsArtifact:
    def test_signs_eigenvalues_exponent_and_shift_survive_parquet(
        self, spark: SparkSession, artifacts: Callable, tmp_path: Path
    ) -> None:
        _, matrix = planted_table(np.array([9.0, -4.0, 2.0]), size=20)
        eigenvalues, basis = np.linalg.eigh(matrix)
        leading = np.argsort(-np.abs(eigenvalues))[:3]
        canonical = Canonical(basis[:, leading].astype(np.float32), eigenvalues[leading])
        words = pa.array([f"w{number}" for number in range(20)])
        frame = vectors_frame(spark, canonical, 0.25, -1.5, words, pa.array(range(100, 80, -1)))
        store = artifacts(tmp_path / "out")
        files = store.write_files("vectors", frame, VECTORS)
        store.commit(Manifest("vectors", "print", 20, files, {}, {}))

        on_spark = store.read("vectors", VECTORS).schema["vector"].metadata
        assert on_spark["signs"] == [1, -1, 1]
        vectors = load_vectors(str(tmp_path / "out"))
        assert vectors.words == words.to_pylist()
        assert vectors.word_counts.tolist() == list(range(100, 80, -1))
        assert (vectors.exponent, vectors.shift) == (0.25, -1.5)
        assert json.dumps(vectors.eigenvalues.tolist()) == json.dumps(canonical.eigenvalues.tolist())
        np.testing.assert_array_equal(vectors.matrix, canonical.vectors(0.25))
        estimated = vectors.shift + (vectors.matrix * vectors.pmi_scale) @ vectors.matrix.T
        np.testing.assert_allclose(estimated, matrix - 1.5, atol=1e-4)
