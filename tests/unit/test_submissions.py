"""What the README and the Airflow DAG submit: arguments the command line takes, and memory by one arithmetic."""

from __future__ import annotations

import importlib.util
import json
import re
import shlex
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import typer

from pmi_spark.artifacts import CORE_STAGES
from pmi_spark.cli import app
from pmi_spark.config import Config

PROJECT = Path(__file__).parents[2]
README = (PROJECT / "README.md").read_text(encoding="utf-8")
SECTION = README[README.index("## On a cluster") : README.index("## Security")]
# What the DAG submits for a day; tests/airflow holds the DAG to the same file.
AIRFLOW = json.loads((PROJECT / "tests/airflow/commands.json").read_text(encoding="utf-8"))
WORDS, DIMENSIONS = 10**6, 300
# Short options of spark-submit and the properties they set.
SHORT = {
    "--executor-cores": "spark.executor.cores",
    "--executor-memory": "spark.executor.memory",
    "--driver-memory": "spark.driver.memory",
    "--py-files": "spark.submit.pyFiles",
    "--archives": "spark.archives",
}


def submit_lines() -> list[list[str]]:
    blocks = re.findall(r"^```sh\n(.*?)^```", SECTION, re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    return [shlex.split(line) for line in lines if line.startswith("spark-submit ")]


# "spark-submit ..." stands for one of the whole lines, with more to it.
LINES, FURTHER = ([line for line in submit_lines() if (line[1] == "...") is further] for further in (False, True))
SUBMITTED = {line[2].partition(":")[0]: line for line in LINES} | {f"airflow {k}": line for k, line in AIRFLOW.items()}


def script_of(line: list[str]) -> int:
    return next(place for place, word in enumerate(line) if re.search(r"(^|/)jobs/\w+\.py$", word))


def properties(path: Path) -> dict[str, str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return dict(line.split(maxsplit=1) for line in lines if line and not line.startswith("#"))


def settings_of(line: list[str]) -> dict[str, str]:
    """Spark's settings for a line: its own options over the properties file."""
    options = list(pairwise(line[: script_of(line)]))
    given = dict(value.split("=", 1) for option, value in options if option == "--conf")
    given |= {SHORT[option]: value for option, value in options if option in SHORT}
    return properties(PROJECT / "conf/spark-cluster.conf") | given


def gigabytes(text: str) -> int:
    assert text.endswith("g")
    return int(text[:-1])


def command_of_job(name: str) -> str:
    """The command that a script of ``jobs/`` calls."""
    found = re.search(r'main\(\["(\w+)"', (PROJECT / "jobs" / name).read_text(encoding="utf-8"))
    assert found
    return found[1]


def parsed(line: list[str]) -> dict[str, Any]:
    """The program's arguments as its command takes them; an error of typer's where it does not."""
    script = script_of(line)
    command = typer.main.get_command(app).commands[command_of_job(Path(line[script]).name)]
    found: dict[str, Any] = command.make_context(command.name, line[script + 1 :]).params
    return found


def test_the_readme_has_a_line_for_each_kind_of_cluster() -> None:
    assert [line[2].partition(":")[0] for line in LINES] == ["spark", "yarn", "k8s"]


@pytest.mark.parametrize("name", SUBMITTED)
def test_the_command_line_takes_the_arguments(name: str) -> None:
    assert Path(parsed(SUBMITTED[name])["config"]).name == "pipeline.toml"


def test_the_command_line_takes_the_arguments_of_the_further_lines() -> None:
    assert [parsed(line)["output"] for line in FURTHER] == ["s3a://tables/web"]


def test_the_dag_submits_the_stages_of_every_run_in_their_order() -> None:
    assert tuple(AIRFLOW) == CORE_STAGES
    assert [command_of_job(Path(line[script_of(line)]).name) for line in AIRFLOW.values()] == list(CORE_STAGES)


@pytest.mark.parametrize("name", SUBMITTED)
def test_memory_follows_the_arithmetic(name: str) -> None:
    settings, config = settings_of(SUBMITTED[name]), Config()
    cores = int(settings["spark.executor.cores"])
    heap, overhead = (gigabytes(settings[f"spark.executor.memory{part}"]) for part in ("", "Overhead"))
    assert heap == 2 * cores
    assert 1024 * overhead == cores * max(config.pairs.memory + 300, config.vectors.memory) + 1024
    driver_heap, driver_overhead = (gigabytes(settings[f"spark.driver.memory{part}"]) for part in ("", "Overhead"))
    side = 4 * WORDS * DIMENSIONS / 1e9
    needed = (2 * side + 0.5) / 0.6 + 1, 3 * side + 0.6 + 0.1 * driver_heap
    assert needed[0] <= driver_heap
    assert needed[1] <= driver_overhead
    for told in (
        f"{cores} cores x 2 GB",
        f"{cores} workers x max({config.pairs.memory} + 300, {config.vectors.memory}) MB",
        f"| {heap} + {overhead} | {heap + overhead} GB |",
        f"| {needed[0]:.1f} of {driver_heap} GB |",
        f"| {needed[1]:.1f} of {driver_overhead} GB |",
        f"| {driver_heap} + {driver_overhead} | {driver_heap + driver_overhead} GB |",
    ):
        assert told in SECTION


@pytest.mark.parametrize("name", SUBMITTED)
def test_the_workers_are_given_the_package_and_its_environment(name: str) -> None:
    settings = settings_of(SUBMITTED[name])
    assert settings["spark.submit.pyFiles"].endswith("dist/pmi_spark.zip")
    archive, _, folder = settings["spark.archives"].partition("#")
    assert archive.endswith("dist/environment.tar.gz")
    pythons = [settings.get(f"spark.{place}") for place in ("pyspark.python", "executorEnv.PYSPARK_PYTHON")]
    assert f"./{folder}/bin/python" in pythons


@pytest.fixture(scope="module")
def runner() -> ModuleType:
    """``tests/airflow/run.py``, which makes Airflow's environment."""
    spec = importlib.util.spec_from_file_location("airflow_run", PROJECT / "tests/airflow/run.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("errors", "status", "told"),
    [
        (
            "ERROR: Could not find a version that satisfies x\nERROR: No matching distribution found for x",
            0,
            "skipped: ",
        ),
        ("WARNING: Retrying\nERROR: HTTPSConnectionPool: Max retries exceeded with url: /x", 0, "skipped: "),
        ("ERROR: Could not install packages due to an OSError: No space left on device", 1, "test-airflow: "),
        ("ERROR: Failed building wheel for x", 1, "test-airflow: "),
        ("", 1, "test-airflow: "),
    ],
    ids=["no-release", "no-network", "no-space", "no-compiler", "no-word"],
)
def test_airflow_is_left_out_where_pip_cannot_get_it_and_nowhere_else(
    runner: ModuleType, capsys: pytest.CaptureFixture[str], errors: str, status: int, told: str
) -> None:
    assert runner.report_failure(errors) == status
    said = capsys.readouterr().out
    assert said.startswith(told)
    assert len(said.splitlines()) == 1
