"""The commands about this machine and this program."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from pmi_spark import __version__
from pmi_spark.cli.app import app, failures_in_one_line
from pmi_spark.cli.options import Debug
from pmi_spark.errors import EXIT_FAILED


@app.command()
def doctor(
    output: Annotated[
        str, typer.Option("--output", help="A directory whose file system is tried too. [default: none]")
    ] = "",
) -> None:
    """Check this machine and its cluster: Python, Java, packages, memory, disk, a small Spark job, the workers."""
    from pmi_spark.doctor import run_checks

    if not run_checks(Console(), output):
        raise typer.Exit(EXIT_FAILED)


@app.command()
def demo(
    output: Annotated[
        str, typer.Option("--output", help="Directory of the artifacts. [default demo-output]")
    ] = "demo-output",
    debug: Debug = False,
) -> None:
    """Train on the docstrings of the installed Python packages and show what came of it."""
    with failures_in_one_line(debug):
        from pmi_spark.demo import run_demo

        run_demo(output, Console(stderr=True), Console())


@app.command()
def version() -> None:
    """Print the version."""
    print(__version__)
