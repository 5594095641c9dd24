"""The jobs as a cluster's user starts them: through spark-submit, in a process of their own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pyspark
import pytest

from pmi_spark.artifacts import CORE_STAGES as STAGES
from pmi_spark.java import java_problem
from pmi_spark.vectors.store import load_vectors

PROJECT = Path(__file__).parents[2]
SPARK_SUBMIT = Path(pyspark.__file__).parent / "bin" / "spark-submit"


def clean_environment() -> dict[str, str]:
    """The environment of the tests without what a Spark session in it may have set."""
    spark_variables = ("SPARK_", "PYSPARK_")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(spark_variables)}
    return kept | {"PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1"}


@pytest.mark.skipif(java_problem() is not None, reason="spark-submit needs Java")
def test_the_whole_pipeline_runs_under_spark_submit(tmp_path: Path, two_topics: list[str]) -> None:
    (tmp_path / "text.txt").write_text("\n".join(two_topics[:300]), encoding="utf-8")
    settings = ["spark.ui.enabled=false", "spark.app.name=custom", "spark.driver.memory=1g"]
    conf = [word for setting in settings for word in ("--conf", setting)]
    options = [
        "vectors.dimensions=8",
        "pairs.subsample=0",
        "vocabulary.minimum_count=2",
        "pairs.files=2",
        "vectors.warm_sweeps=1",
    ]
    done = subprocess.run(
        [
            *(str(SPARK_SUBMIT), "--master", "local[1]", *conf),
            *(str(PROJECT / "jobs" / "run_pipeline.py"), "--input", str(tmp_path / "text.txt")),
            *("--output", str(tmp_path / "out"), *(word for option in options for word in ("--set", option))),
        ],
        cwd=tmp_path,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    # spark-submit shows a Python program's standard error on its own standard output.
    finished = [line.split()[0] for line in done.stdout.splitlines() if re.search(r"\d s  \d", line)]
    assert finished == list(STAGES)
    assert load_vectors(str(tmp_path / "out")).matrix.shape == (68, 8)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "text.txt"]
