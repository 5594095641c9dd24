"""Errors that end a command with one line: what was found, where, and the cure."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import unquote

EXIT_FAILED = 1
EXIT_USAGE = 2
# EX_TEMPFAIL of sysexits.h: schedulers take it for "try again".
EXIT_TRY_AGAIN = 75
EXIT_INTERRUPTED = 130
# 128 + SIGTERM, as shells have it.
EXIT_TERMINATED = 143


class PmiSparkError(Exception):
    """A failure with its cure; ``str`` of it is the one line the user sees.

    >>> str(InputError("no such file: a.txt", cure="check the path"))
    'no such file: a.txt; check the path'
    """

    exit_status = EXIT_FAILED

    def __init__(self, found: str, cure: str) -> None:
        super().__init__(found, cure)
        self.found = found
        self.cure = cure

    def __str__(self) -> str:
        return " ".join(f"{self.found}; {self.cure}".split())


class ConfigurationError(PmiSparkError):
    """A setting is unknown, of the wrong type, or outside its range."""

    exit_status = EXIT_USAGE


class InputError(PmiSparkError):
    """What the command was pointed at is missing, empty, or something else."""

    exit_status = EXIT_USAGE


class MissingToolError(PmiSparkError):
    """The machine lacks something the command needs, such as Java."""

    exit_status = EXIT_USAGE


class RunError(PmiSparkError):
    """The run itself failed: the data cannot give a result, or Spark gave up."""


class TryAgainError(PmiSparkError):
    """Nothing is wrong with the run itself: the cluster went away, or another run writes to the same output."""

    exit_status = EXIT_TRY_AGAIN


def name_in_failure(error: Exception, paths: Iterable[str]) -> str | None:
    """The one of some files that a failure of Spark speaks of, as it is or percent-encoded; None if there is none.

    Of a.txt and a.txt.gz, both of which stand in the latter's name, the longer is meant.

    >>> failure = OSError("error while reading file file:///a%20b.gz. SQLSTATE: KD001")
    >>> name_in_failure(failure, ["file:/a b", "file:/a b.gz", "file:/c.gz"])
    'file:/a b.gz'
    """
    text = str(error)
    text += unquote(text)
    named = [path for path in paths if path in text or path.replace(":/", ":///", 1) in text]
    return max(named, key=len, default=None)
