"""What the factorization's tests share: small tables of pairs, their files, and the dense algebra they must agree with.

Everything dense is written a pair at a time in float64, from the formulas of ``pmi_spark.factorization.loss``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from pmi_spark.factorization.als import SweepSettings, initial_factors, sweep
from pmi_spark.factorization.loss import LossSettings
from pmi_spark.factorization.state import State
from pmi_spark.factorization.table import CellSettings, Table, build_table
from pmi_spark.parquet_files import MAGIC, ParquetEncoder, arrow_schema
from pmi_spark.schemas import PMI

EVERY_CELL = CellSettings(
    positive_only=False, shift=0.0, count_ceiling=10.0, weight_exponent=0.75, truncate_weights=True
)
SWEEPS = SweepSettings(
    warm_sweeps=1, warm_words=0, sweeps=2, solver="cg", solver_steps=3, stop_below=0.0, worker_bytes=1 << 30
)
LOSS = LossSettings(background=0.1, target=0.0, regularization=0.1)
PmiFile = tuple[str, bytes]


class Pairs(NamedTuple):
    """Pairs i < j of ``size`` words, with their counts and PMI."""

    size: int
    rows: np.ndarray
    columns: np.ndarray
    counts: np.ndarray
    values: np.ndarray

    def cells(self, settings: CellSettings = EVERY_CELL) -> dict[tuple[int, int], tuple[float, float]]:
        """Both triangles: (row, column) -> (value less the shift, weight)."""
        cells = {}
        for i, j, count, value in zip(*(column.tolist() for column in self[1:]), strict=True):
            weight = (count / settings.count_ceiling) ** settings.weight_exponent
            weight = min(1.0, weight) if settings.truncate_weights else weight
            if not settings.positive_only or value > settings.shift:
                cells[i, j] = cells[j, i] = (value - settings.shift, weight)
        return cells

    def dense(self, settings: CellSettings = EVERY_CELL) -> tuple[np.ndarray, np.ndarray]:
        """(values, weights), words x words; 0 where a pair was not seen."""
        values, weights = np.zeros((2, self.size, self.size))
        for cell, (value, weight) in self.cells(settings).items():
            values[cell], weights[cell] = value, weight
        return values, weights

    def files(self, files: int = 2, groups: int = 2) -> list[PmiFile]:
        """Whole files of ``pmi``, pairs dealt out in turn, each file in so many row groups."""
        schema = arrow_schema(PMI)
        columns = [pa.array(column).cast(kind) for column, kind in zip(self[1:], schema.types, strict=True)]
        table = pa.table(columns, schema=schema)
        encoded = []
        for number in range(files):
            encoder = ParquetEncoder(schema)
            for group in range(groups):
                encoder.add(table.take(np.arange(number + group * files, len(table), files * groups)))
            encoded.append((f"pmi-{number}", encoder.finish().to_pybytes() + MAGIC.encode()))
        return encoded


def scattered_pairs(size: int = 37, share: float = 0.3, seed: int = 5) -> Pairs:
    """A share of all pairs, of any rank; the last word met nobody."""
    generator = np.random.default_rng(seed)
    rows, columns = np.triu_indices(size, k=1)
    met = (generator.random(len(rows)) < share) & (columns < size - 1)
    counts = generator.integers(1, 40, met.sum()).astype(float)
    values = generator.normal(0.5, 1.5, met.sum()).astype(np.float32)
    return Pairs(size, rows[met], columns[met], counts, values)


def dense_loss(
    pairs: Pairs, left: np.ndarray, right: np.ndarray, loss: LossSettings, settings: CellSettings = EVERY_CELL
) -> float:
    left, right = left.astype(float), right.astype(float)
    values, weights = pairs.dense(settings)
    estimated = left @ right.T
    fitted = np.sum(weights * (estimated - values) ** 2)
    background = loss.background * np.sum((estimated - loss.target) ** 2)
    return float(fitted + background + loss.regularization * (np.sum(left**2) + np.sum(right**2)))


@pytest.fixture(scope="session")
def every_cell() -> CellSettings:
    """Every observed pair, weights capped at 10 meetings, no shift."""
    return EVERY_CELL


@pytest.fixture(scope="session")
def make_pairs() -> Callable[..., Pairs]:
    """``make_pairs(size, rows, columns, counts, values)``."""
    return Pairs


@pytest.fixture(scope="session")
def scattered() -> Callable[..., Pairs]:
    """``scattered(size, share, seed)``: :func:`scattered_pairs`."""
    return scattered_pairs


@pytest.fixture(scope="session")
def loss_by_hand() -> Callable[..., float]:
    """``loss_by_hand(pairs, left, right, loss, settings)``: the loss over all cells, dense."""
    return dense_loss


@pytest.fixture
def build(spark: SparkSession) -> Iterator[Callable[..., Table]]:
    """``build(pairs, settings, blocks, files, groups, order)``: the table from encoded files, freed after the test."""
    built = []

    def run(
        pairs: Pairs,
        settings: CellSettings = EVERY_CELL,
        blocks: int = 2,
        files: int = 2,
        groups: int = 1,
        order: Sequence[int] | None = None,
    ) -> Table:
        encoded = pairs.files(files, groups)
        dealt = [encoded[place] for place in (order or range(files))]
        row_counts = {f"pmi-{number}": len(pairs.rows[number::files]) for number in range(files)}
        content = spark.sparkContext.parallelize(dealt, min(files, 2))
        built.append(build_table(content, row_counts, pairs.size, blocks, settings))
        return built[-1]

    yield run
    for table in built:
        table.blocks.unpersist()


@pytest.fixture
def swept(build: Callable[..., Table]) -> Callable[..., State]:
    """``swept(pairs, dimensions, loss, cells, seed, blocks, files, state, ...)``: the state after all sweeps.

    Further names are those of SweepSettings, at the values above where not given.
    """

    def run(
        pairs: Pairs,
        dimensions: int,
        loss: LossSettings = LOSS,
        cells: CellSettings = EVERY_CELL,
        seed: int = 1,
        blocks: int = 2,
        files: int = 2,
        state: State | None = None,
        words: Sequence[str] = (),
        **changes: object,
    ) -> State:
        settings = dataclasses.replace(SWEEPS, **changes)
        right = initial_factors(pairs.size, dimensions, seed)
        state = state or State(np.zeros_like(right), right)
        table = build(pairs, cells, blocks, files)
        assert all(found is state for found in sweep(table, state, loss, settings, words))
        return state

    return run
