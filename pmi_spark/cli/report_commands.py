"""The command that writes the page to look at; it needs no Spark."""

from __future__ import annotations

from typing import Annotated

import typer

from pmi_spark.cli.app import app
from pmi_spark.cli.options import RunOutput


@app.command()
def report(
    output: RunOutput,
    to: Annotated[
        str,
        typer.Option("--to", help="The file to write, replaced whole. [default: _report.html in --output]"),
    ] = "",
) -> None:
    """Write one HTML page of a run: corpus, vocabulary, PMI, sweeps, a map of words, and a search. Needs no network."""
    from pmi_spark.report.build import write_report

    path, size = write_report(output, to)
    typer.echo(f"{path}  {size / 1e6:,.1f} MB")
