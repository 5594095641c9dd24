"""``pmi-spark evaluate``: scores of finished vectors, as tables or JSON. Needs no Spark."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pmi_spark.cli.app import app
from pmi_spark.cli.options import AsJson, RunOutput, setting_option, setting_value

Similarity = Annotated[
    list[str] | None,
    typer.Option(
        "--similarity",
        help="Judged word pairs: word1, word2, score a line, parted by tabs, commas or spaces; may be repeated. "
        "[default: none]",
    ),
]
Analogies = Annotated[
    list[str] | None,
    typer.Option(
        "--analogies",
        help="Four words a line under `: section` lines, asked by 3CosAdd and 3CosMul; may be repeated. "
        "[default: none]",
    ),
]
Pairs = Annotated[
    list[str] | None,
    typer.Option(
        "--pairs",
        help="Pairs to judge estimated PMI by: word1, word2 and a count or PMI a line, 0 for pairs that never met; or "
        "held-out for those the fit left out; may be repeated. [default: held-out where no other file is named]",
    ),
]
Restrict = Annotated[int | None, setting_option("--restrict", "evaluation.restrict")]
HeldPairs = Annotated[int | None, setting_option("--held-pairs", "evaluation.held_pairs")]
MinimumExpected = Annotated[float | None, setting_option("--minimum-expected", "evaluation.minimum_expected")]
Save = Annotated[
    bool,
    typer.Option(
        "--save", help="Write the JSON to _evaluation.json in the output directory. [default: false; true or false]"
    ),
]


@app.command()
def evaluate(
    output: RunOutput,
    similarity: Similarity = None,
    analogies: Analogies = None,
    pairs: Pairs = None,
    restrict: Restrict = None,
    held_pairs: HeldPairs = None,
    minimum_expected: MinimumExpected = None,
    save: Save = False,
    as_json: AsJson = False,
) -> None:
    """How well vectors agree with people and with counts: similarity, analogies, held-out pairs, lengths."""
    from pmi_spark.cli.answers import load
    from pmi_spark.vectors.evaluation_record import Asked, evaluate_vectors, save_record

    asked = Asked(
        similarity=similarity or (),
        analogies=analogies or (),
        pairs=pairs or (),
        restrict=setting_value("evaluation.restrict", restrict),
        held_pairs=setting_value("evaluation.held_pairs", held_pairs),
        minimum_expected=setting_value("evaluation.minimum_expected", minimum_expected),
    )
    record = evaluate_vectors(output, asked, load)
    if save:
        save_record(output, record)
    if as_json:
        typer.echo(json.dumps(record, ensure_ascii=False))
        return
    console = Console()
    _print_judged(console, record)
    _print_pairs(console, record)
    rows = [
        (row["vectors"], row["spearman"], row["pearson"], row["slope"], row["intercept"], f"{row['words']:,}")
        for row in record["squared_length"]
    ]
    heading = ("|v|^2 against -log p", "Spearman", "Pearson", "slope", "intercept", "words")
    _print(console, heading, rows)


def _print_judged(console: Console, record: dict[str, Any]) -> None:
    """Similarity, and analogies by section."""
    rows = [
        (row["file"], row["spearman"], row["pearson"], _of(row["known"], row["pairs"])) for row in record["similarity"]
    ]
    _print(console, ("similarity", "Spearman", "Pearson", "pairs known"), rows)
    for row in record["analogies"]:
        sections = [
            (section["name"], section["accuracy"], _of(section["known"], section["questions"]))
            for section in (*row["sections"], row["total"])
        ]
        _print(console, (f"{row['file']}, {row['method']}", "right, of known", "questions known"), sections)


def _print_pairs(console: Console, record: dict[str, Any]) -> None:
    """Estimated PMI of pairs of one's own, and of those that the fit left out."""
    rows = [
        (row["file"], row["auc"], row["spearman"], _of(row["pairs_met"] + row["pairs_never_met"], row["pairs"]))
        for row in record["pairs"]
    ]
    _print(console, ("pairs", "AUC", "Spearman", "pairs known"), rows)
    held = record.get("held_out", {})
    if "auc" in held:
        auc = f"AUC, {held['pairs_never_met']:,} never met"
        spearman = f"Spearman, {held['minimum_expected']:g} or more expected"
        ranked = _of(held["pairs_ranked"], held["pairs_met"])
        rows = [
            (auc, held["auc"], held["auc_by_frequency"], _of(held["pairs_met"], held["pairs"])),
            (spearman, held["spearman"], held["spearman_by_frequency"], ranked),
        ]
        _print(console, ("held-out pairs", "estimated PMI", "P(i) P(j) alone", "pairs judged"), rows)
    if "note" in held:
        console.print(f"held-out pairs: {held['note']}\n", markup=False, highlight=False)


def _print(console: Console, heading: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
    """A table, if it has rows; figures to four places, - where there is none."""
    if not rows:
        return
    table = Table(*heading, box=None, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    for row in rows:
        figures = (value if isinstance(value, str) else "-" if value is None else f"{value:.4f}" for value in row)
        table.add_row(*(Text(figure) for figure in figures))
    console.print(table, markup=False, highlight=False)
    console.print()


def _of(known: int, everything: int) -> str:
    share = f" ({known / everything:.1%})" if everything else ""
    return f"{known:,} of {everything:,}{share}"
