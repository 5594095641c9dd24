"""The command line's options: each with its meaning and default, once for all commands that take it."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer

from pmi_spark.config import checked, declared
from pmi_spark.settings import Scalar


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
Words = Annotated[
    list[str], typer.Argument(help="The words asked about, one or several.", metavar="WORD...", show_default=False)
]
AsJson = Annotated[
    bool, typer.Option("--json", help="One JSON object instead of a table. [default: false; true or false]")
]
To = Annotated[
    str | None,
    typer.Option("--to", help="Write every answer there as Parquet. [default: none]", show_default=False),
]


def setting_option(flag: str, key: str) -> typer.models.OptionInfo:
    """An option for a setting such as ``query.top``, with its meaning, default and range."""
    return typer.Option(flag, help=declared(key).describe(), show_default=False)  # type: ignore[no-any-return]


def setting_value(key: str, value: Scalar | None) -> Any:
    """An option's value, or the setting's default where it is not given; ConfigurationError outside its range."""
    return checked(key, declared(key).default if value is None else value)


Top = Annotated[int | None, setting_option("--top", "query.top")]
MinimumCount = Annotated[int | None, setting_option("--minimum-count", "query.minimum_count")]
Depth = Annotated[int | None, setting_option("--depth", "query.depth")]
RunOutput = Annotated[str, typer.Option("--output", help="The --output directory of a finished run. [no default]")]
