"""An Airflow of the tests' own: its home, its database, a connection, and a spark-submit that only writes down."""

from __future__ import annotations

import json
import os
import shutil
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from airflow.sdk import DAG

PROJECT = Path(__file__).resolve().parents[2]
# Airflow reads its home when it is imported. Taken away by pytest, not at the end of the process: Airflow forks, and
# the first child to end would take it along.
HOME = mkdtemp(prefix="pmi_spark_airflow-")
os.environ |= {
    "AIRFLOW_HOME": HOME,
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__CORE__DAGS_FOLDER": str(PROJECT / "conf/airflow"),
    "AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": "600",
    "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
    "AIRFLOW_CONN_SPARK_DEFAULT": "spark://master:7077",
}
# Writes its arguments as a JSON line, prints what it was told to, and ends as it was told to.
SPARK_SUBMIT = f"""#!{sys.executable}
import json, os, sys
with open(os.environ["SUBMITTED"], "a") as file:
    file.write(json.dumps(["spark-submit", *sys.argv[1:]]) + "\\n")
print(os.environ.get("SUBMIT_PRINTS", ""))
sys.exit(int(os.environ.get("SUBMIT_STATUS", "0")))
"""


def pytest_unconfigure() -> None:
    shutil.rmtree(HOME)


@pytest.fixture
def submitted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[list[str]]]:
    """The command lines that spark-submit was called with so far."""
    program, calls = tmp_path / "bin/spark-submit", tmp_path / "calls"
    program.parent.mkdir()
    program.write_text(SPARK_SUBMIT, encoding="utf-8")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("SUBMITTED", str(calls))
    return lambda: [json.loads(line) for line in calls.read_text().splitlines()] if calls.exists() else []


@pytest.fixture(scope="session")
def database() -> None:
    from airflow.utils.db import initdb

    initdb()


@pytest.fixture
def bag() -> Any:
    """Airflow's own reading of ``conf/airflow``, anew for each test."""
    from airflow.dag_processing.dagbag import DagBag

    return DagBag(str(PROJECT / "conf/airflow"))


@pytest.fixture
def dag(bag: Any) -> DAG:
    assert bag.import_errors == {}
    found: DAG = bag.dags["pmi_spark_daily"]
    return found
