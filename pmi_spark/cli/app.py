"""The command line's root, its help pages, and how a failure becomes one line."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from pmi_spark.config import declared_settings, stage_sections
from pmi_spark.errors import PmiSparkError

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


@contextmanager
def failures_in_one_line(debug: bool) -> Iterator[None]:
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
