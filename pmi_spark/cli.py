"""The command line ``pmi-spark``; the scripts under ``jobs/`` call the same commands.

Exit status: 0 done, 1 the run failed, 2 usage, configuration or missing input, 130 interrupted.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pmi_spark import __version__
from pmi_spark.artifacts import STAGES
from pmi_spark.config import checked, declared, declared_settings, load_config, stage_sections
from pmi_spark.errors import EXIT_FAILED, EXIT_INTERRUPTED, EXIT_USAGE, InputError, PmiSparkError
from pmi_spark.settings import toml_value

if TYPE_CHECKING:
    from collections.abc import Iterator

app = typer.Typer(
    name="pmi-spark",
    help="Association tables and word vectors from very large text corpora, on Spark.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)


def settings_epilog(*stages: str) -> str:
    """The settings of some stages for a help page: one paragraph each, from their declarations."""
    lines = ["Settings, given as --set section.key=value or in the --config file:"]
    lines += [f"{entry.key}: {entry.describe()}" for entry in declared_settings(*stage_sections(*stages))]
    return "\n\n".join(line.replace("_", r"\_").replace(" | ", " or ") for line in lines)


Input = Annotated[
    list[str] | None,
    typer.Option(
        "--input",
        help="Text to read: files, directories, quoted globs; plain, .gz, .bz2 or .zst; a line is a document. "
        "Several may follow. [no default]",
    ),
]
MoreInput = Annotated[list[str] | None, typer.Argument(help="Further inputs.", metavar="[PATH]...", show_default=False)]
Output = Annotated[
    str, typer.Option("--output", help="Directory of the artifacts, on any Hadoop file system. [no default]")
]
ConfigFile = Annotated[
    str | None, typer.Option("--config", help="TOML file of settings. [default: none, every setting at its default]")
]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", help="One setting, section.key=value; may be repeated, wins over --config. [default: none]"),
]
Init = Annotated[
    str | None,
    typer.Option(
        "--init", help="Start from the vectors of an earlier run's output directory: vectors.init. [default: none]"
    ),
]
Debug = Annotated[
    bool, typer.Option("--debug", help="Show the whole trace of a failure. [default: false; true or false]")
]
DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run", help="Show ten documents as they will be cut, write nothing. [default: false; true or false]"
    ),
]
Top = Annotated[int | None, typer.Option("--top", help=declared("query.top").describe(), show_default=False)]
MinimumCount = Annotated[
    int | None, typer.Option("--minimum-count", help=declared("query.minimum_count").describe(), show_default=False)
]


def _run_stages(
    stages: Sequence[str],
    inputs: Sequence[str],
    output: str,
    config: str | None,
    overrides: Sequence[str] | None,
    debug: bool,
) -> None:
    settings = load_config(config, overrides or ())
    with _failures_in_one_line(debug):
        from pmi_spark.pipeline import Pipeline
        from pmi_spark.progress import ConsoleReporter
        from pmi_spark.session import start_session

        reporter = ConsoleReporter(Console(stderr=True))
        try:
            Pipeline(start_session(), output, settings, reporter).run(stages, inputs)
        finally:
            reporter.stop()


@contextmanager
def _failures_in_one_line(debug: bool) -> Iterator[None]:
    """Spark's failures as a RunError that names the root cause; everything as it is with ``--debug``."""
    from pmi_spark.session import describe_failure, stop_session

    if not debug:
        # py4j reports an interrupted call to the root logger with its whole trace; a handler there keeps it quiet.
        logging.getLogger().addHandler(logging.NullHandler())
    try:
        yield
    except KeyboardInterrupt:
        stop_session()
        raise
    except PmiSparkError:
        raise
    except Exception as error:
        if _is_interrupt(error):
            raise KeyboardInterrupt from error
        if debug:
            raise
        raise describe_failure(error) from error


def _is_interrupt(error: BaseException | None) -> bool:
    """Was the failure raised while Ctrl-C was being handled? py4j turns some interrupts into errors of its own."""
    while error is not None:
        if isinstance(error, KeyboardInterrupt):
            return True
        error = error.__cause__ or error.__context__
    return False


def _inputs(first: Sequence[str] | None, more: Sequence[str] | None) -> list[str]:
    inputs = [*(first or []), *(more or [])]
    if not inputs:
        raise InputError("no --input", cure="name the text to read: --input PATH...")
    return inputs


def _with_init(overrides: Sequence[str] | None, init: str | None) -> list[str]:
    """The overrides and ``--init``, which wins."""
    return [*(overrides or []), *([] if init is None else [f"vectors.init={toml_value(init)}"])]


@app.command(epilog=settings_epilog(*STAGES))
def run(
    output: Output,
    input: Input = None,
    more: MoreInput = None,
    config: ConfigFile = None,
    set: Overrides = None,
    init: Init = None,
    debug: Debug = False,
) -> None:
    """Run every stage, text to vectors; stages whose artifact is already there are skipped."""
    _run_stages(STAGES, _inputs(input, more), output, config, _with_init(set, init), debug)


@app.command(epilog=settings_epilog("tokens"))
def tokens(
    output: Output,
    input: Input = None,
    more: MoreInput = None,
    config: ConfigFile = None,
    set: Overrides = None,
    dry_run: DryRun = False,
    debug: Debug = False,
) -> None:
    """Stage 1: cut documents into words."""
    inputs = _inputs(input, more)
    if dry_run:
        _show_documents(inputs, output, config, set, debug)
    else:
        _run_stages(["tokens"], inputs, output, config, set, debug)


def _show_documents(
    inputs: Sequence[str], output: str, config: str | None, overrides: Sequence[str] | None, debug: bool
) -> None:
    """Ten documents on standard output, a line each: the shard's name, and the words or why it is rejected."""
    settings = load_config(config, overrides or ())
    with _failures_in_one_line(debug):
        from pmi_spark.corpus.account import preview_line
        from pmi_spark.pipeline import Pipeline
        from pmi_spark.progress import ConsoleReporter
        from pmi_spark.session import start_session

        rows = Pipeline(start_session(), output, settings, ConsoleReporter(Console(stderr=True))).preview(inputs)
        for row in rows:
            typer.echo(preview_line(*row))


@app.command(epilog=settings_epilog("phrases"))
def phrases(output: Output, config: ConfigFile = None, set: Overrides = None, debug: Debug = False) -> None:
    """Between stages 1 and 2: join words that want each other; nothing happens while phrases.passes is 0."""
    _run_stages(["phrases"], [], output, config, set, debug)


@app.command(epilog=settings_epilog("vocabulary"))
def vocabulary(output: Output, config: ConfigFile = None, set: Overrides = None, debug: Debug = False) -> None:
    """Stage 2: count words and number them, the most frequent first."""
    _run_stages(["vocabulary"], [], output, config, set, debug)


@app.command(epilog=settings_epilog("pairs"))
def pairs(output: Output, config: ConfigFile = None, set: Overrides = None, debug: Debug = False) -> None:
    """Stage 3: count the pairs that meet in a window, exactly."""
    _run_stages(["pairs"], [], output, config, set, debug)


@app.command(epilog=settings_epilog("pmi"))
def pmi(output: Output, config: ConfigFile = None, set: Overrides = None, debug: Debug = False) -> None:
    """Stage 4: PMI of every pair that met, in nats."""
    _run_stages(["pmi"], [], output, config, set, debug)


@app.command(epilog=settings_epilog("vectors"))
def vectors(
    output: Output, config: ConfigFile = None, set: Overrides = None, init: Init = None, debug: Debug = False
) -> None:
    """Stage 5: factorize the table into one vector a word."""
    _run_stages(["vectors"], [], output, config, _with_init(set, init), debug)


Word = Annotated[str, typer.Argument(help="The word asked about.", show_default=False)]
RunOutput = Annotated[str, typer.Option("--output", help="The --output directory of a finished run. [no default]")]


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
def doctor() -> None:
    """Check this machine: Python, Java, packages, memory, disk, and a small Spark job."""
    from pmi_spark.doctor import run_checks

    if not run_checks(Console()):
        raise typer.Exit(EXIT_FAILED)


@app.command()
def demo(
    output: Annotated[
        str, typer.Option("--output", help="Directory of the artifacts. [default demo-output]")
    ] = "demo-output",
    debug: Debug = False,
) -> None:
    """Train on the docstrings of the installed Python packages and show what came of it."""
    with _failures_in_one_line(debug):
        from pmi_spark.demo import run_demo

        run_demo(output, Console(stderr=True), Console())


@app.command()
def version() -> None:
    """Print the version."""
    print(__version__)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; failures become one line on standard error and the exit status."""
    command = typer.main.get_command(app)
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        status = command.main(given, prog_name="pmi-spark", standalone_mode=False)
        # Typer turns Ctrl-C into this status.
        if status == EXIT_INTERRUPTED:
            raise KeyboardInterrupt
        return status if isinstance(status, int) else 0
    except PmiSparkError as error:
        return _fail(str(error), error.exit_status)
    except typer.TyperException as error:
        if type(error).__name__ == "NoArgsIsHelpError":
            print(error.format_message())
            return EXIT_USAGE
        return _fail(f"{error.format_message().rstrip('.')}; see pmi-spark --help", EXIT_USAGE)
    except (KeyboardInterrupt, typer.Abort):
        return _fail("interrupted; finished stages are kept, the same command goes on from there", EXIT_INTERRUPTED)


def _fail(line: str, status: int) -> int:
    print(f"pmi-spark: {' '.join(line.split())}", file=sys.stderr)
    return status


def entry_point() -> None:
    """The installed script."""
    sys.exit(main())


if __name__ == "__main__":
    entry_point()
