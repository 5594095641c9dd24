"""The whole pipeline on a cluster that has Spark and what spark-submit ships, and nothing else of this project."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from deploy.standalone import LOG, PROJECT, Submission, submit
from pmi_spark.vectors.store import load_vectors, read_artifact

SETTINGS = ["--set", "vectors.dimensions=8", "--set", "vocabulary.minimum_count=2", "--set", "pairs.subsample=0.01"]
SETTINGS += ["--set", "vectors.warm_sweeps=1", "--set", "vectors.sweeps=1"]
REPORT_PATHS = """
import json, sys
from pyspark.sql import SparkSession
spark = SparkSession.builder.getOrCreate()
def look(rows):
    import sys, numpy, jieba, pmi_spark
    yield json.dumps([sys.executable, sys.path, numpy.__file__, jieba.__file__, pmi_spark.__file__])
import json
found = spark.sparkContext.parallelize(range(8), 8).mapPartitions(look).collect()
print("FOUND", json.dumps([json.loads(text) for text in found]))
"""


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three shards of 400 documents over 200 words, from fixed random numbers."""
    folder = tmp_path_factory.mktemp("text")
    generator = np.random.default_rng(7)
    for shard in range(3):
        ids = (200 * generator.random((400, 30)) ** 2).astype(int)
        lines = [" ".join(f"word{number}" for number in line) for line in ids]
        (folder / f"part-{shard}.txt").write_text("\n".join(lines), encoding="utf-8")
    return folder


def test_the_workers_see_what_was_shipped_and_no_developers_files(cluster, shipped, tmp_path) -> None:
    script = tmp_path / "report_paths.py"
    script.write_text(REPORT_PATHS, encoding="utf-8")
    process = submit(tmp_path, cluster.master, Submission.of_shipped(shipped), script, [])
    status = process.wait(timeout=300)
    output = (tmp_path / LOG).read_text(encoding="utf-8")
    assert status == 0, output
    found = json.loads(next(line for line in output.splitlines() if line.startswith("FOUND")).removeprefix("FOUND"))
    for executable, path, *modules in found:
        assert "worker-" in executable
        assert executable.endswith("environment/bin/python")
        of_project = [entry for entry in [*path, *modules] if entry.startswith(str(PROJECT))]
        # Spark itself, which the workers were started from, lies in this environment.
        assert [entry for entry in of_project if "/pyspark/" not in entry] == []
        assert modules[2] == "./pmi_spark.zip/pmi_spark/__init__.py"


def test_a_run_on_the_cluster_gives_what_local_mode_gives(cluster, shipped, text, tmp_path) -> None:
    script = Path(shutil.copy(PROJECT / "jobs/run_pipeline.py", tmp_path))
    arguments = ["--input", str(text), "--output", f"{tmp_path}/cluster", *SETTINGS]
    process = submit(tmp_path, cluster.master, Submission.of_shipped(shipped), script, arguments)
    status = process.wait(timeout=600)
    assert status == 0, (tmp_path / LOG).read_text(encoding="utf-8")
    local = [sys.executable, "-m", "pmi_spark.cli", "run", "--input", str(text), "--output", f"{tmp_path}/local"]
    subprocess.run([*local, *SETTINGS], check=True, capture_output=True)
    for name, key in (("vocabulary", ["word_id"]), ("pairs", ["word_id", "context_id"])):
        order = [(column, "ascending") for column in key]
        tables = [read_artifact(f"{tmp_path}/{place}", name)[0].sort_by(order) for place in ("cluster", "local")]
        assert tables[0].equals(tables[1])
    own, other = (load_vectors(f"{tmp_path}/{place}") for place in ("cluster", "local"))
    assert own.words == other.words
    np.testing.assert_allclose(own.matrix, other.matrix, atol=1e-4)
