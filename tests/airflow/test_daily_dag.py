"""The daily DAG as Airflow parses it, schedules it, renders it and judges its failures."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

# What a day's tasks submit, by stage, in order; tests/unit reads the same file with the command line's own parser.
COMMANDS = json.loads((Path(__file__).parent / "commands.json").read_text(encoding="utf-8"))
DAY = datetime(2026, 11, 25, tzinfo=UTC)
WAITS_MINUTES = (5, 10, 20, 40, 60)


def test_airflow_reads_the_file_without_a_complaint(bag: Any) -> None:
    assert bag.import_errors == {}
    assert list(bag.dags) == ["pmi_spark_daily"]
    assert [str(stat.warning_num) for stat in bag.dagbag_stats] == ["0"]


def test_the_tasks_are_the_stages_one_after_another(dag: Any) -> None:
    assert [task.task_id for task in dag.topological_sort()] == list(COMMANDS)
    edges = {(task.task_id, after) for task in dag.tasks for after in task.downstream_task_ids}
    assert edges == set(pairwise(COMMANDS))
    assert {task.task_type for task in dag.tasks} == {"SparkSubmitOperator"}


def test_days_are_added_in_order_and_one_at_a_time(dag: Any) -> None:
    from airflow.serialization.serialized_objects import DagSerialization

    scheduled = DagSerialization.from_dict(DagSerialization.to_dict(dag))
    assert (scheduled.max_active_runs, scheduled.catchup) == (1, True)
    assert all(task.depends_on_past for task in scheduled.tasks)
    runs = list(scheduled.iter_dagrun_infos_between(DAY, DAY + timedelta(days=2)))
    assert [run.data_interval.start for run in runs] == [DAY + timedelta(days=number) for number in range(3)]
    assert all(run.run_after == run.data_interval.start + timedelta(days=1) for run in runs)
    first = scheduled.next_dagrun_info(last_automated_run_info=None)
    assert first.data_interval.start == scheduled.start_date


def test_a_day_submits_these_command_lines(dag: Any, database: None, submitted: Any) -> None:
    # A run that is started by hand takes the last day that was over.
    run = dag.test(logical_date=DAY + timedelta(days=1))
    assert run.state == "success"
    assert submitted() == list(COMMANDS.values())


@pytest.mark.parametrize(("status", "tries"), [(75, 2), (143, 2), (1, 1), (2, 1)])
def test_airflow_tries_again_where_the_exit_status_says_so(
    dag: Any, database: None, submitted: Any, monkeypatch: pytest.MonkeyPatch, status: int, tries: int
) -> None:
    monkeypatch.setenv("SUBMIT_STATUS", str(status))
    for task in dag.tasks:
        task.retries, task.retry_delay = 1, timedelta(0)
    run = dag.test(logical_date=DAY + timedelta(days=2 + status))
    assert run.state == "failed"
    assert [line[line.index("--name") + 1].split("-")[1] for line in submitted()] == ["tokens"] * tries


UNTOLD = (
    'Exception in thread "main" org.apache.spark.SparkException: Application application_1 finished with failed status'
)


@pytest.mark.parametrize(
    ("message", "action"),
    [
        ("Cannot execute: spark-submit. Error code is: 75.", "retry"),
        ("Cannot execute: spark-submit. Error code is: 143.", "retry"),
        ("Cannot execute: spark-submit. Error code is: 2.", "fail"),
        ("Cannot execute: spark-submit. Error code is: 1.", "fail"),
        ("Cannot execute: spark-submit. Error code is: -9.", "fail"),
        ("Cannot execute: x. Error code is: 0. Kubernetes spark exit code is: 75", "retry"),
        ("Cannot execute: x. Error code is: 0. Kubernetes spark exit code is: 2", "fail"),
        ("Cannot execute: x. Error code is: 0. Kubernetes spark exit code is: None", "default"),
        (f"Cannot execute: x. Error code is: 1.\nLast spark-submit output:\n{UNTOLD}", "default"),
        ("YARN application application_1 ended\nDiagnostics: User application exited with status 75", "retry"),
        ("YARN application application_1 ended\nDiagnostics: User application exited with status 2", "fail"),
        ("the worker lost its connection", "default"),
    ],
)
def test_the_exit_status_is_found_wherever_the_driver_runs(dag: Any, message: str, action: str) -> None:
    policy = dag.task_dict["pairs"].retry_policy
    assert policy.evaluate(RuntimeError(message), 1, 5).action.value == action


@pytest.mark.parametrize(
    ("connection", "prints", "status", "action"),
    [
        ("spark://master:7077", "", 75, "retry"),
        ("spark://master:7077", "", 2, "fail"),
        ("spark://yarn?deploy-mode=client", "", 75, "retry"),
        ("spark://yarn?deploy-mode=cluster", UNTOLD, 1, "default"),
    ],
    ids=["standalone-75", "standalone-2", "yarn-client-75", "yarn-cluster"],
)
def test_the_operators_own_failures_are_understood(
    dag: Any,
    submitted: Any,
    monkeypatch: pytest.MonkeyPatch,
    connection: str,
    prints: str,
    status: int,
    action: str,
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_SPARK_DEFAULT", connection)
    monkeypatch.setenv("SUBMIT_PRINTS", prints)
    monkeypatch.setenv("SUBMIT_STATUS", str(status))
    task = dag.task_dict["pairs"]
    with pytest.raises(Exception, match=f"Error code is: {status}") as failure:
        task.execute({})
    assert len(submitted()) == 1
    assert task.retry_policy.evaluate(failure.value, 1, 5).action.value == action


def test_the_waits_between_tries_grow_to_an_hour(dag: Any) -> None:
    for task in dag.tasks:
        waits = [
            min(task.retry_delay * task.retry_exponential_backoff**number, task.max_retry_delay)
            for number in range(task.retries)
        ]
        assert [wait / timedelta(minutes=1) for wait in waits] == list(WAITS_MINUTES)
