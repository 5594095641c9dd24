"""Questions about words, and how far a run is; none of these commands needs Spark."""

from __future__ import annotations

import dataclasses
import json
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from pmi_spark.cli.answers import OCCURRENCES, WORD, Column, load, show_answers
from pmi_spark.cli.app import app
from pmi_spark.cli.options import AsJson, Depth, MinimumCount, RunOutput, Top, Words, setting_option, setting_value
from pmi_spark.errors import InputError

ESTIMATED = Column("pmi_nats", "PMI, estimated (nats)", ".3f")
OBSERVED = Column("pmi_nats", "PMI, observed (nats)", ".3f")
BOTH = (
    WORD,
    Column("estimated_pmi_nats", "PMI, estimated (nats)", ".3f"),
    Column("observed_pmi_nats", "PMI, observed (nats)", ".3f", missing="unseen"),
    Column("pair_count", "weighted pairs", ",.1f"),
    OCCURRENCES,
)
MUTUAL = (WORD, ESTIMATED, Column("rank", "rank", ","), Column("rank_back", "rank back", ","), OCCURRENCES)


@app.command()
def similar(
    words: Words,
    output: RunOutput,
    top: Top = None,
    minimum_count: MinimumCount = None,
    context: Annotated[int | None, setting_option("--context", "query.context")] = None,
    as_json: AsJson = False,
) -> None:
    """Words used alike: the largest cosine between vectors, or between their PMI with frequent words."""
    from pmi_spark.vectors.query import ContextSimilarity, similar_words

    limits = setting_value("query.top", top), setting_value("query.minimum_count", minimum_count)
    contexts = setting_value("query.context", context)
    vectors = load(output)
    if contexts:
        through = ContextSimilarity(vectors, contexts)
        found = [(word, through.similar_words(word, *limits)) for word in words]
        columns = WORD, Column("correlation", "correlation", ".3f"), OCCURRENCES
    else:
        found = [(word, similar_words(vectors, word, *limits)) for word in words]
        columns = WORD, Column("cosine", "cosine", ".3f"), OCCURRENCES
    show_answers("similar", columns, found, as_json, output=output, contexts=contexts)


@app.command()
def related(
    words: Words,
    output: RunOutput,
    top: Top = None,
    minimum_count: MinimumCount = None,
    observed: Annotated[
        bool,
        typer.Option(
            "--observed", help="Counted PMI of pairs that met, not the estimate. [default: false; true or false]"
        ),
    ] = False,
    both: Annotated[
        bool,
        typer.Option(
            "--both",
            help="By the estimate, with the counted PMI beside it; pairs that the table does not have are marked. "
            "[default: false; true or false]",
        ),
    ] = False,
    mutual: Annotated[
        bool,
        typer.Option(
            "--mutual",
            help="Those alone that also rank the word among their own, with both ranks. "
            "[default: false; true or false]",
        ),
    ] = False,
    depth: Depth = None,
    minimum_pairs: Annotated[float | None, setting_option("--minimum-pairs", "query.minimum_pairs")] = None,
    as_json: AsJson = False,
) -> None:
    """Words that want each other: the largest PMI, estimated from the vectors, so also for pairs that never met."""
    from pmi_spark.vectors.query import related_both, related_mutual, related_observed, related_words

    if observed + both + mutual > 1:
        raise InputError("--observed, --both and --mutual do not go together", cure="give one of them")
    limits = setting_value("query.top", top), setting_value("query.minimum_count", minimum_count)
    least, reach = float(setting_value("query.minimum_pairs", minimum_pairs)), setting_value("query.depth", depth)
    vectors = load(output)
    if both:
        show_answers(
            "related", BOTH, [(w, related_both(output, vectors, w, *limits)) for w in words], as_json, by="both"
        )
    elif mutual:
        partners = [(word, related_mutual(vectors, word, *limits, depth=reach)) for word in words]
        show_answers("related", MUTUAL, partners, as_json, by="mutual", depth=reach)
    elif observed:
        met = [(word, related_observed(output, vectors, word, *limits, minimum_pairs=least)) for word in words]
        show_answers("related", (WORD, OBSERVED, OCCURRENCES), met, as_json, by="observed", minimum_pairs=least)
    else:
        estimated = [(word, related_words(vectors, word, *limits)) for word in words]
        show_answers("related", (WORD, ESTIMATED, OCCURRENCES), estimated, as_json, by="estimated")


@app.command()
def analogy(
    first: Annotated[str, typer.Argument(help="A, as in man.", show_default=False, metavar="A")],
    second: Annotated[str, typer.Argument(help="B, what A is to it: king.", show_default=False, metavar="B")],
    third: Annotated[str, typer.Argument(help="C: woman is to which word?", show_default=False, metavar="C")],
    output: RunOutput,
    top: Top = None,
    minimum_count: MinimumCount = None,
    method: Annotated[str | None, setting_option("--method", "query.method")] = None,
    as_json: AsJson = False,
) -> None:
    """A is to B as C is to which word? By 3CosAdd or 3CosMul, with both scores."""
    from pmi_spark.vectors.query import analogous_words

    limits = setting_value("query.top", top), setting_value("query.minimum_count", minimum_count)
    chosen, asked = setting_value("query.method", method), (first, second, third)
    found = analogous_words(load(output), asked, *limits, method=chosen)
    columns = WORD, Column("cos_add", "3CosAdd", ".3f"), Column("cos_mul", "3CosMul", ".3f"), OCCURRENCES
    show_answers("analogy", columns, [(" ".join(asked), found)], as_json, output=output, method=chosen)


@app.command()
def status(output: RunOutput, as_json: AsJson = False) -> None:
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
