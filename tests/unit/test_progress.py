from __future__ import annotations

import io
import json
import threading
import time

import pytest
from rich.console import Console

from pmi_spark import progress
from pmi_spark.artifacts import Manifest
from pmi_spark.progress import ConsoleReporter, JsonReporter


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


def test_for_machines_every_event_is_a_json_object_on_one_line(output):
    reporter = JsonReporter(Console(file=output, width=20))
    reporter.started("pairs")
    reporter.note("pairs", "a long line\nthat [breaks] and is wider than the console")
    reporter.finished("pairs", manifest(blocks=8))
    reporter.skipped("pairs", manifest())
    reporter.stop()
    events = [json.loads(line) for line in output.getvalue().splitlines()]
    assert [event["event"] for event in events] == ["started", "note", "finished", "skipped"]
    assert {event["stage"] for event in events} == {"pairs"}
    assert all(event["time"].endswith("+00:00") for event in events)
    assert events[1]["text"] == "a long line that [breaks] and is wider than the console"
    assert events[2]["rows"] == 1234
    assert events[2]["facts"] == {"blocks": 8}


def test_a_terminal_shows_a_bar_of_the_tasks_done_and_takes_it_away(output, monkeypatch):
    monkeypatch.setattr(progress, "POLL_SECONDS", 0.01)
    asked = threading.Event()

    def count_tasks(stage):
        asked.set()
        return 3, 8

    reporter = ConsoleReporter(Console(file=output, force_terminal=True, width=100), count_tasks)
    reporter.started("vectors")
    assert asked.wait(10)
    reporter.note("vectors", "weighted sweep 1 of 2")
    time.sleep(0.5)
    reporter.finished("vectors", manifest(dimensions=300))
    shown = output.getvalue()
    assert "3/8" in shown
    assert "vectors: weighted sweep 1 of 2" in shown
    assert "vectors        12.3 s  1,234 vectors, 300 dimensions" in shown
    assert "pmi_spark progress" not in [thread.name for thread in threading.enumerate()]


def test_a_bar_outlives_a_tracker_that_fails(output, monkeypatch):
    monkeypatch.setattr(progress, "POLL_SECONDS", 0.01)

    def count_tasks(stage):
        raise OSError("the JVM is gone")

    reporter = ConsoleReporter(Console(file=output, force_terminal=True), count_tasks)
    reporter.started("vectors")
    time.sleep(0.1)
    reporter.stop()
