"""The command line ``pmi-spark``; the scripts under ``jobs/`` call the same commands.

Exit status: 0 done, 1 the run failed, 2 usage, configuration or missing input, 75 try again (Spark went away, or
another run writes to the same output), 130 interrupted, 143 terminated.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise

import typer

from pmi_spark.cli.app import app
from pmi_spark.errors import EXIT_INTERRUPTED, EXIT_TERMINATED, EXIT_USAGE, PmiSparkError

# Imported for what they put on the root's help page, in this order.
# isort: off
import pmi_spark.cli.stage_commands
import pmi_spark.cli.question_commands
import pmi_spark.cli.text_commands
import pmi_spark.cli.matching_commands
import pmi_spark.cli.report_commands
import pmi_spark.cli.evaluation_commands
import pmi_spark.cli.export_commands
import pmi_spark.cli.machine_commands  # noqa: F401
# isort: on

__all__ = ["app", "entry_point", "main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; failures become one line on standard error and the exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    status, text = _outcome(given)
    line = " ".join(text.split())
    if line and _wants_json(given):
        from pmi_spark.progress import log_line

        print(log_line("failed", status=status, message=line), file=sys.stderr)
    elif line:
        print(f"pmi-spark: {line}", file=sys.stderr)
    return status


def _outcome(given: list[str]) -> tuple[int, str]:
    """Run a command: its exit status, and the one line to say of it."""
    command = typer.main.get_command(app)
    cure = "finished stages are kept, the same command goes on from there"
    with _sigterm_as_interrupt() as terminated:
        try:
            status = command.main(given, prog_name="pmi-spark", standalone_mode=False)
            # Typer turns Ctrl-C into this status.
            if status == EXIT_INTERRUPTED:
                raise KeyboardInterrupt
            return (status if isinstance(status, int) else 0), ""
        except PmiSparkError as error:
            return error.exit_status, str(error)
        except typer.TyperException as error:
            if type(error).__name__ == "NoArgsIsHelpError":
                print(error.format_message())
                return EXIT_USAGE, ""
            return EXIT_USAGE, f"{error.format_message().rstrip('.')}; see pmi-spark --help"
        except (KeyboardInterrupt, typer.Abort):
            if terminated.is_set():
                return EXIT_TERMINATED, f"terminated; {cure}"
            return EXIT_INTERRUPTED, f"interrupted; {cure}"


@contextmanager
def _sigterm_as_interrupt() -> Iterator[threading.Event]:
    """SIGTERM, by which schedulers stop a run, ends it as Ctrl-C does; set once one came."""
    terminated = threading.Event()

    def stop(number: int, frame: object) -> None:
        terminated.set()
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield terminated
        return
    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield terminated
    finally:
        signal.signal(signal.SIGTERM, before)


def _wants_json(given: Sequence[str]) -> bool:
    return "--log-format=json" in given or ("--log-format", "json") in pairwise(given)


def entry_point() -> None:
    """The installed script."""
    sys.exit(main())
