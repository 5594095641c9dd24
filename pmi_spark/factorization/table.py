"""The files of ``pmi`` -> the table in row blocks, a partition each: both triangles, ready for the sweeps."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from pyspark import RDD, StorageLevel

from pmi_spark.errors import RunError
from pmi_spark.factorization.row_blocks import Cells, Ids, RowBlock, build_row_block, cell_weights, held_out
from pmi_spark.parquet_files import arrow_schema, decode_row_groups
from pmi_spark.schemas import PMI

Piece = tuple[int, Cells]
# What travels for a block: cells, and how many pairs were read with them before any was left out.
Parcel = tuple[int, tuple[Cells, int]]
# A block's cells take 12 bytes each; a worker holds one block, twice while it is read.
BLOCK_CELLS = 4 << 20
_SCHEMA = arrow_schema(PMI)
_NO_CELLS = Cells(*np.empty((2, 0), dtype=np.int32), *np.empty((2, 0), dtype=np.float32))


@dataclass(frozen=True)
class CellSettings:
    """Which pairs are fitted and how much each weighs: see the configuration's keys of the same names.

    With ``only_rows`` (word ids) the cells of all other rows are left out: what folding in takes.
    """

    positive_only: bool
    shift: float
    count_ceiling: float
    weight_exponent: float
    truncate_weights: bool
    held_out: float = 0.0
    only_rows: Ids | None = None


class TableBlock(NamedTuple):
    """A row block of the cells to fit, one of those kept to judge the fit, and how many pairs were read for it."""

    fitted: RowBlock
    held: RowBlock
    pairs_read: int = 0


class Table(NamedTuple):
    """The table in row blocks, persisted, with its size: words, blocks, cells to fit (both triangles) of all words.

    ``row_energy`` is sqrt(sum_ij w_ij x_ij^2 / n), nats: how much there is to fit in a word's row, root mean square.
    """

    blocks: RDD[TableBlock]
    word_count: int
    block_count: int
    cell_count: int
    row_energy: float


def head_of(table: Table, words: int) -> Table:
    """The table of its first ``words`` words among themselves, persisted beside it. Nothing is shuffled.

    Of 20 M pairs of 74,500 words, 66 % lie among the first 16,384 and 43 % among the first 8,192.
    """
    blocks = table.blocks.map(lambda block: TableBlock(block.fitted.of_head(words), block.held.of_head(0)))
    return table._replace(blocks=blocks.persist(StorageLevel.MEMORY_AND_DISK), word_count=words)


def default_blocks(pair_count: int, parallelism: int) -> int:
    """Row blocks for a table of so many pairs: two a core at least, more where one would pass 50 MB.

    >>> default_blocks(20_000_000, 2), default_blocks(100_000_000, 2)
    (10, 48)
    """
    return max(2 * parallelism, -(-2 * pair_count // BLOCK_CELLS))


def build_table(
    pmi_files: RDD[tuple[str, bytes]],
    row_counts: Mapping[str, int],
    word_count: int,
    block_count: int,
    settings: CellSettings,
) -> Table:
    """Files of ``pmi`` (path, content) -> the table, persisted in memory or on disk: 24 bytes a pair.

    This shuffles: each pair goes once to either of its words' blocks, 16 bytes a cell. ``row_counts`` names the files
    and their rows. Raises RunError when a file is damaged or was not there.
    """
    pieces = pmi_files.mapPartitions(_cell_mapper(dict(row_counts), block_count, settings))
    build = _block_builder(block_count, word_count, settings.held_out)
    dealt = pieces.partitionBy(block_count, lambda block: block)
    blocks = dealt.mapPartitions(build).persist(StorageLevel.MEMORY_AND_DISK)
    # In the blocks' order, so the float sum is the same every time.
    fitted, pairs_read, energy = (sum(column) for column in zip(*blocks.map(_measure).collect(), strict=True))
    if pairs_read != sum(row_counts.values()):
        blocks.unpersist()
        raise RunError("a file of pmi went away while it was read", cure="run `pmi-spark pmi` again")
    return Table(blocks, word_count, block_count, fitted, math.sqrt(energy / word_count))


def _measure(block: TableBlock) -> tuple[int, int, float]:
    """Cells to fit, pairs read, and the energy of what is a number: the sweeps name the word of what is not."""
    energies = block.fitted.weights * block.fitted.values**2
    energy = float(np.sum(energies, where=np.isfinite(energies), dtype=np.float64))
    return len(energies), block.pairs_read, energy


def _cell_mapper(
    row_counts: Mapping[str, int], block_count: int, settings: CellSettings
) -> Callable[[Iterable[tuple[str, bytes]]], Iterator[Parcel]]:
    def run(files: Iterable[tuple[str, bytes]]) -> Iterator[Parcel]:
        # So that every block is built, also one whose words met nobody.
        yield from ((block, (_NO_CELLS, 0)) for block in range(block_count))
        for path, content in files:
            if path in row_counts:
                for group in decode_row_groups(path, content, _SCHEMA, row_count=row_counts[path]):
                    cells = cells_of_pairs(group.combine_chunks(), settings)
                    yield 0, (_NO_CELLS, len(group))
                    for half in (cells, cells._replace(rows=cells.columns, columns=cells.rows)):
                        for block, piece in split_by_block(half, block_count, settings.only_rows):
                            yield block, (piece, 0)

    return run


def cells_of_pairs(pairs: pa.Table, settings: CellSettings) -> Cells:
    """Rows of ``pmi`` -> cells of the upper triangle, those alone that are fitted.

    >>> pairs = pa.table({"word_id": [0, 1], "context_id": [2, 2], "pair_count": [10.0, 5.0], "pmi": [1.5, 0.0]})
    >>> cells_of_pairs(pairs, CellSettings(False, -1.0, 10.0, 1.0, True))[2:]
    (array([2.5, 1. ], dtype=float32), array([1. , 0.5], dtype=float32))
    """
    rows, columns, counts, pmi = (np.asarray(pairs[name]) for name in _SCHEMA.names)
    weights = cell_weights(counts, settings.count_ceiling, settings.weight_exponent, settings.truncate_weights)
    cells = Cells(rows, columns, pmi.astype(np.float32) - np.float32(settings.shift), weights)
    return cells.take(cells.values > 0) if settings.positive_only else cells


def split_by_block(cells: Cells, block_count: int, only_rows: Ids | None = None) -> Iterator[Piece]:
    """(block, its cells) for every block that has some; a radix sort by block, 16 bits wide where that is enough."""
    if only_rows is not None:
        cells = cells.take(np.isin(cells.rows, only_rows))
    block_of_cell = cells.rows % np.int32(block_count)
    if block_count <= 1 << 16:
        block_of_cell = block_of_cell.astype(np.uint16)
    order = np.argsort(block_of_cell, kind="stable")
    bounds = np.concatenate(([0], np.cumsum(np.bincount(block_of_cell, minlength=block_count))))
    for block in np.flatnonzero(np.diff(bounds)).tolist():
        yield block, cells.take(order[bounds[block] : bounds[block + 1]])


def _block_builder(
    block_count: int, word_count: int, held_share: float
) -> Callable[[Iterable[Parcel]], Iterator[TableBlock]]:
    def run(parcels: Iterable[Parcel]) -> Iterator[TableBlock]:
        block, parts, pairs_read = -1, [], 0
        for block, (part, count) in parcels:  # noqa: B007 - a partition is one block
            parts.append(part)
            pairs_read += count
        cells = Cells(*(np.concatenate(column) for column in zip(*parts, strict=True)))
        parts.clear()
        held = held_out(cells.rows, cells.columns, held_share) if held_share else np.zeros(len(cells.rows), bool)
        fitted = cells.take(~held) if held_share else cells
        yield TableBlock(
            build_row_block(block, block_count, word_count, fitted),
            build_row_block(block, block_count, word_count, cells.take(held)),
            pairs_read,
        )

    return run
