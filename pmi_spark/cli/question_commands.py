"""The commands that ask of what a run made, or how far it is; none of them needs Spark."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pmi_spark.cli.app import app
from pmi_spark.cli.options import MinimumCount, RunOutput, Top, Word
from pmi_spark.config import checked, declared


def _query_setting(name: str, value: int | None) -> int:
    return int(checked(f"query.{name}", declared(f"query.{name}").default if value is None else value))


@app.command()
def similar(word: Word, output: RunOutput, top: Top = None, minimum_count: MinimumCount = None) -> None:
    """Words used alike: the largest cosine between vectors."""
    from pmi_spark.vectors.query import similar_words
    from pmi_spark.vectors.store import load_vectors

    limits = _query_setting("top", top), _query_setting("minimum_count", minimum_count)
    _print_neighbours("cosine", similar_words(load_vectors(output), word, *limits))


@app.command()
def related(
    word: Word,
    output: RunOutput,
    top: Top = None,
    minimum_count: MinimumCount = None,
    observed: Annotated[
        bool,
        typer.Option(
            "--observed", help="Counted PMI of pairs that met, not the estimate. [default: false; true or false]"
        ),
    ] = False,
    minimum_pairs: Annotated[
        float | None,
        typer.Option("--minimum-pairs", help=declared("query.minimum_pairs").describe(), show_default=False),
    ] = None,
) -> None:
    """Words that want each other: the largest PMI, estimated from the vectors, so also for pairs that never met."""
    from pmi_spark.vectors.query import related_observed, related_words
    from pmi_spark.vectors.store import load_vectors

    limits = _query_setting("top", top), _query_setting("minimum_count", minimum_count)
    least = declared("query.minimum_pairs").default if minimum_pairs is None else minimum_pairs
    least = float(checked("query.minimum_pairs", least))
    found = load_vectors(output)
    if observed:
        _print_neighbours("PMI, observed", related_observed(output, found, word, *limits, minimum_pairs=least))
    else:
        _print_neighbours("PMI, estimated", related_words(found, word, *limits))


def _print_neighbours(score_name: str, neighbours: Sequence[Any]) -> None:
    table = Table("word", score_name, "occurrences", box=None, pad_edge=False)
    table.columns[1].justify = table.columns[2].justify = "right"
    for neighbour in neighbours:
        table.add_row(Text(neighbour.word), f"{neighbour.score:.3f}", f"{neighbour.word_count:,}")
    Console().print(table, markup=False, highlight=False)


@app.command()
def status(
    output: RunOutput,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object instead of a table. [default: false; true or false]")
    ] = False,
) -> None:
    """How far a run is: its stages, their sizes and seconds, the current sweep, who is writing. Needs no Spark."""
    from pmi_spark.status import read_status, status_rows

    found = read_status(output)
    rows = status_rows(found)
    if as_json:
        holder = None if found.holder is None else dataclasses.asdict(found.holder)
        typer.echo(json.dumps({"stages": rows, "holder": holder}))
        return
    table = Table("stage", "rows", "MB", "seconds", "made at", "state", box=None, pad_edge=False)
    for column in table.columns[1:4]:
        column.justify = "right"
    for row in rows:
        figures = ["", "", ""]
        if row["rows"] is not None:
            figures = [f"{row['rows']:,}", f"{row['bytes'] / 1e6:,.1f}", f"{row['seconds']:,.1f}"]
        table.add_row(row["stage"], *figures, row["written_at"] or "", row["state"])
    Console().print(table, markup=False, highlight=False)
    if found.holder is not None:
        typer.echo(f"\nheld by process {found.holder.process} on {found.holder.host}, since {found.holder.since}")
