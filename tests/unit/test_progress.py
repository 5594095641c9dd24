from __future__ import annotations

import io

import pytest
from rich.console import Console

from pmi_spark.artifacts import Manifest
from pmi_spark.progress import ConsoleReporter


@pytest.fixture
def output() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def reporter(output: io.StringIO) -> ConsoleReporter:
    return ConsoleReporter(Console(file=output, width=40))


def manifest(**facts: object) -> Manifest:
    return Manifest("pairs", "abc", 1234, (), {}, {}, facts=facts, seconds=12.34, written_at="2025-01-01")


def test_a_stage_leaves_one_line_however_narrow_the_console(reporter, output):
    reporter.finished("pairs", manifest(blocks=8, marginal_total=5))
    assert output.getvalue() == "pairs          12.3 s  1,234 pairs, 8 blocks\n"


def test_where_there_is_no_terminal_everything_is_a_plain_line(reporter, output):
    reporter.started("vectors")
    reporter.note("vectors", "weighted sweep 1 of 2, loss [1,234]")
    reporter.stop()
    assert output.getvalue().splitlines() == ["vectors     started", "vectors     weighted sweep 1 of 2, loss [1,234]"]


def test_a_skipped_stage_says_when_it_was_made(reporter, output):
    reporter.skipped("pairs", manifest())
    assert "skipped" in output.getvalue()
    assert "2025-01-01" in output.getvalue()
