"""The command line's options: each with its meaning and default, once for all commands that take it."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from pmi_spark.config import declared


class LogFormat(StrEnum):
    """How a run tells what it does."""

    text = "text"
    json = "json"


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
RunDryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run", help="Say which stages would run, and why; write nothing. [default: false; true or false]"
    ),
]
LogFormatOption = Annotated[
    LogFormat,
    typer.Option(
        "--log-format",
        help="What standard error gets: lines for people, or a JSON object a line. [default: text; text or json]",
        show_default=False,
        show_choices=False,
    ),
]
Append = Annotated[
    bool,
    typer.Option(
        "--append",
        help="Add the inputs to the text that is there, under a label, and bring every artifact up to date. "
        "[default: false; true or false]",
    ),
]
Label = Annotated[
    str | None,
    typer.Option(
        "--label", help="With --append, the name of what is added. [default: today's date in UTC, yyyy-mm-dd]"
    ),
]
Retire = Annotated[
    str | None, typer.Option("--retire", help="Take what was added under this label out again. [default: none]")
]
Word = Annotated[str, typer.Argument(help="The word asked about.", show_default=False)]
RunOutput = Annotated[str, typer.Option("--output", help="The --output directory of a finished run. [no default]")]
