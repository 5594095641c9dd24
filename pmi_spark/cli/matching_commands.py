"""The question asked of every word at once: a Spark job."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from pmi_spark.cli.answers import print_json
from pmi_spark.cli.app import app, failures_in_one_line
from pmi_spark.cli.options import AsJson, Debug, Depth, MinimumCount, RunOutput, setting_option, setting_value


@app.command()
def matches(
    output: RunOutput,
    to: Annotated[str, typer.Option("--to", help="Folder for the Parquet, on any Hadoop file system. [no default]")],
    words: Annotated[int | None, setting_option("--words", "query.words")] = None,
    minimum_count: MinimumCount = None,
    depth: Depth = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Every word's best mutual partner, on Spark: of those that rank it among their own, the one of largest PMI."""
    given = {"words": words, "minimum_count": minimum_count, "depth": depth}
    limits = [setting_value(f"query.{name}", value) for name, value in given.items()]
    console = Console(stderr=True)
    with failures_in_one_line(debug):
        from pmi_spark.matches import MatchLimits, match_words

        def tell(line: str) -> None:
            console.print(line, markup=False, highlight=False, soft_wrap=True)

        manifest = match_words(output, to, MatchLimits(*limits), tell)
    if as_json:
        print_json("matches", output=output, to=to, words=manifest.facts["words"], matched=manifest.row_count)
        return
    typer.echo(f"{manifest.row_count:,} of {manifest.facts['words']:,} words have a mutual partner, in {to}")
