"""How answers are shown: a table for people, one JSON object for machines."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pmi_spark.vectors.store import WordVectors, load_vectors


class Column(NamedTuple):
    """A column: its key in JSON, its heading, how a number is written (text has no format), and what none is called."""

    key: str
    heading: str
    form: str = ""
    missing: str = "-"

    def show(self, value: Any) -> str:
        """A value for people."""
        return self.missing if value is None else format(value, self.form) if self.form else str(value)


WORD = Column("word", "word")
OCCURRENCES = Column("word_count", "occurrences", ",")
Rows = Sequence[tuple[Any, ...]]


def load(output: str) -> WordVectors:
    """The vectors of a run; on a terminal it is told when they are written to the cache."""
    console = Console(stderr=True)

    def tell(line: str) -> None:
        if console.is_terminal:
            console.print(line, style="dim", markup=False, highlight=False, soft_wrap=True)

    return load_vectors(output, tell)


def print_table(columns: Sequence[Column], rows: Iterable[tuple[Any, ...]]) -> None:
    """A table as wide as the terminal, numbers to the right."""
    table = Table(*(column.heading for column in columns), box=None, pad_edge=False)
    for shown, column in zip(table.columns, columns, strict=True):
        shown.justify = "right" if column.form else "left"
    for row in rows:
        table.add_row(*(Text(column.show(value)) for column, value in zip(columns, row, strict=True)))
    Console().print(table, markup=False, highlight=False)


def print_json(question: str, **found: Any) -> None:
    """One JSON object on one line; what is no number is null."""
    typer.echo(json.dumps({"question": question, **found}, ensure_ascii=False, default=_plain))


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else str(value)


def as_records(columns: Sequence[Column], rows: Iterable[tuple[Any, ...]]) -> list[dict[str, Any]]:
    """Rows as objects for JSON, which knows no NaN.

    >>> as_records([WORD, OCCURRENCES], [("river", 7)])
    [{'word': 'river', 'word_count': 7}]
    """
    return [{column.key: finite(value) for column, value in zip(columns, row, strict=True)} for row in rows]


def finite(value: Any) -> Any:
    """The value, None for a float that is no number."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def show_answers(
    question: str, columns: Sequence[Column], answers: Sequence[tuple[str, Rows]], as_json: bool, **about: Any
) -> None:
    """The rows found for each asked word: a table, with the asked word in front where there are several.

    As JSON: ``{"question", ..., "answers": [{"asked", "found": [{column: value}]}]}``.
    """
    if as_json:
        found = [{"asked": asked, "found": as_records(columns, rows)} for asked, rows in answers]
        print_json(question, **about, answers=found)
    elif len(answers) == 1:
        print_table(columns, answers[0][1])
    else:
        print_table([Column("asked", "asked"), *columns], ((asked, *row) for asked, rows in answers for row in rows))
