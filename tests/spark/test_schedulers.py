"""What a scheduler sees: plans, events, metrics, how a run ends when it is told to, and no secret of Spark's."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from pmi_spark.cli import main

SETTINGS = ["--set", "vectors.dimensions=4", "--set", "vocabulary.minimum_count=1"]
SECRET = "an-s3a-secret-key"


@pytest.fixture
def text(tmp_path: Path, two_topics: list[str]) -> Path:
    path = tmp_path / "text.txt"
    path.write_text("\n".join(two_topics), encoding="utf-8")
    return path


def plan(text: Path, output: Path, capsys: pytest.CaptureFixture[str], *settings: str) -> dict[str, str]:
    assert main(["run", "--dry-run", "--input", str(text), "--output", str(output), *SETTINGS, *settings]) == 0
    return dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())


def test_the_plan_is_what_a_run_then_does(spark, text, tmp_path, capsys) -> None:
    output = tmp_path / "out"
    before = plan(text, output, capsys)
    assert before.pop("tokens") == "would run: there is none yet"
    assert set(before.values()) == {"would run: what it is made from is made anew"}
    assert not output.exists()
    assert main(["run", "--input", str(text), "--output", str(output), *SETTINGS]) == 0
    capsys.readouterr()
    assert set(plan(text, output, capsys).values()) == {"already there"}
    changed = plan(text, output, capsys, "--set", "pairs.window=2")
    assert changed["vocabulary"] == "already there"
    assert changed["pairs"] == "would run: pairs.window: 5 -> 2"
    assert changed["vectors"] == "would run: what it is made from is made anew"


def test_metrics_lie_beside_the_artifacts(run_stages, text, tmp_path) -> None:
    run_stages(tmp_path / "out", [text], overrides=SETTINGS[1::2])
    figures = json.loads((tmp_path / "out/_metrics.json").read_text())
    assert list(figures) == ["tokens", "vocabulary", "pairs", "pmi", "vectors"]
    families = text_string_to_metric_families((tmp_path / "out/_metrics.prom").read_text())
    seconds = next(family for family in families if family.name == "pmi_spark_stage_seconds")
    told = {sample.labels["stage"]: sample.value for sample in seconds.samples}
    assert told == {stage: figures[stage]["seconds"] for stage in figures}


def test_jobs_carry_the_name_of_their_stage(spark, run_stages, text, tmp_path) -> None:
    run_stages(tmp_path / "out", [text], overrides=SETTINGS[1::2])
    tracker = spark.sparkContext.statusTracker()
    assert all(tracker.getJobIdsForGroup(stage) for stage in ("tokens", "vocabulary", "pairs", "pmi", "vectors"))


def test_sigterm_ends_a_run_with_its_state_saved_and_no_secret_told(text, tmp_path) -> None:
    output = tmp_path / "out"
    # More sweeps than anyone would wait for.
    sweeps = ["--set", "vectors.sweeps=1000", "--set", "vectors.stop_below=0"]
    command = [sys.executable, "-m", "pmi_spark.cli", "run", "--input", str(text), "--output", str(output)]
    keys = f"--conf spark.hadoop.fs.s3a.secret.key={SECRET} --conf spark.hadoop.fs.s3a.access.key={SECRET}"
    environment = os.environ | {"PYSPARK_SUBMIT_ARGS": f"--master local[2] --driver-memory 1g {keys} pyspark-shell"}
    process = subprocess.Popen(
        [*command, *SETTINGS, *sweeps, "--log-format", "json"], stderr=subprocess.PIPE, text=True, env=environment
    )
    lines = []
    for line in process.stderr or ():
        lines.append(line)
        if "weighted sweep 2 " in line:
            process.send_signal(signal.SIGTERM)
    assert process.wait() == 143
    events = [json.loads(line) for line in lines if line.startswith("{")]
    assert events[-1]["event"] == "failed"
    assert events[-1]["status"] == 143
    assert events[-1]["message"].startswith("terminated; finished stages are kept")
    assert [event["stage"] for event in events if event["event"] == "finished"] == [
        "tokens",
        "vocabulary",
        "pairs",
        "pmi",
    ]
    assert not (output / "_lock.json").exists()
    assert len(json.loads((output / "vectors/_sweeps/state.json").read_text())["reports"]) >= 5
    written = [path for path in output.rglob("*") if path.is_file()]
    assert not [path for path in written if SECRET.encode() in path.read_bytes()]
    assert not [line for line in lines if SECRET in line]


def test_a_held_output_is_try_again(spark, text, tmp_path, capsys) -> None:
    from pmi_spark.output_lock import OutputLock
    from pmi_spark.storage import Storage

    with OutputLock(Storage(spark), f"{tmp_path}/out").held():
        status = main(["run", "--input", str(text), "--output", f"{tmp_path}/out", "--log-format=json"])
        assert main(["tokens", "--input", str(text), "--output", f"{tmp_path}/out"]) == 75
    assert status == 75
    as_json, as_text = capsys.readouterr().err.splitlines()
    assert json.loads(as_json)["status"] == 75
    assert "is being written by process" in as_text
