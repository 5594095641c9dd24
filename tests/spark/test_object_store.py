"""Runs on an object store: nothing is renamed to be published, and a run may be killed between any two changes.

The store is a Hadoop file system of our own, ``object_store/FolderStore.java``, over a local folder.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from pmi_spark.artifacts import CORE_STAGES, MANIFEST_NAME, Manifest
from pmi_spark.output_lock import LOCK_NAME, Holder
from pmi_spark.vectors.store import load_vectors, read_artifact

HERE = Path(__file__).parent / "object_store"
SAMPLED = 2
# Lines of runs.py before those of killed runs.
FILES_TOLD = 5
OUTPUT = "store://held/out"


def compile_to_jar(spark: SparkSession, source: Path, jar: Path) -> None:
    """By the compiler that Spark has for its own generated code: no JDK is needed."""
    jvm: Any = spark._jvm
    compiler = jvm.org.codehaus.janino.SimpleCompiler()
    compiler.setParentClassLoader(jvm.java.lang.Thread.currentThread().getContextClassLoader())
    compiler.cook(source.read_text(encoding="utf-8"))
    with zipfile.ZipFile(jar, "w") as archive:
        for name, code in compiler.getBytecodes().items():
            archive.writestr(f"{name.replace('.', '/')}.class", bytes(code))


class Store(NamedTuple):
    """Where the buckets lie, and the environment of a process that reaches them as store://BUCKET."""

    root: Path
    environment: dict[str, str]

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, *arguments],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


@pytest.fixture(scope="module")
def store(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Store:
    folder = tmp_path_factory.mktemp("store")
    jar = folder / "store.jar"
    compile_to_jar(spark, HERE / "FolderStore.java", jar)
    settings = {key: spark.conf.get(key) for key in ("spark.master", "spark.driver.memory", "spark.driver.host")} | {
        "spark.driver.extraJavaOptions": spark.conf.get("spark.driver.extraJavaOptions"),
        "spark.driver.bindAddress": spark.conf.get("spark.driver.bindAddress"),
        "spark.driver.extraClassPath": str(jar),
        "spark.sql.shuffle.partitions": "2",
        "spark.hadoop.fs.store.impl": "pmi_spark_tests.FolderStore",
        "spark.hadoop.fs.store.root": str(folder / "buckets"),
    }
    lines = "".join(f"{key} {value}\n" for key, value in settings.items())
    (folder / "spark-defaults.conf").write_text(lines, encoding="utf-8")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYSPARK_", "SPARK_"))}
    return Store(folder / "buckets", kept | {"SPARK_CONF_DIR": str(folder)})


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("text") / "text.txt"
    path.write_text("a b c d e\nb a d e c x y\n" * 9, encoding="utf-8")
    return path


class Refused(NamedTuple):
    """Who held the output, and what the second run came to."""

    holder: Holder
    exit_status: int
    told: str


@pytest.fixture(scope="module")
def refused(store: Store, text: Path) -> Refused:
    """A run while another process holds its output, which is then killed: its lock stays."""
    holding = store.start(str(HERE / "runs.py"), "hold", OUTPUT)
    try:
        assert json.loads(holding.stdout.readline())["holding"] == OUTPUT
        holder = Holder.from_json((store.root / "held/out" / LOCK_NAME).read_text(encoding="utf-8"))
        second = store.start("-m", "pmi_spark.cli", "run", "--input", str(text), "--output", OUTPUT)
        _, told = second.communicate(timeout=300)
    finally:
        holding.kill()
        holding.communicate()
    assert holder is not None
    return Refused(holder, second.returncode, told)


class Killed(NamedTuple):
    """What runs.py told.

    Of single files; the changes of a whole run and the rows that Spark read back; the place and end of each killed run.
    """

    files: list[dict[str, Any]]
    changes: list[str]
    rows: int
    places: dict[int, str]


@pytest.fixture(scope="module")
def killed(refused: Refused, store: Store, text: Path) -> Killed:
    process = store.start(str(HERE / "runs.py"), "kill", str(text), str(SAMPLED))
    out, errors = process.communicate(timeout=900)
    assert process.returncode == 0, errors
    *files, whole = (json.loads(line) for line in out.splitlines()[:FILES_TOLD])
    places = [json.loads(line) for line in out.splitlines()[FILES_TOLD:]]
    return Killed(files, whole["changes"], whole["rows"], {entry["place"]: entry["died"] for entry in places})


def manifests(output: Path) -> Iterator[tuple[Path, Manifest]]:
    for path in sorted(output.glob(f"*/{MANIFEST_NAME}")):
        yield path.parent, Manifest.from_json(path.read_text(encoding="utf-8"), str(path))


def assert_whole(output: Path) -> None:
    """Every manifest there names files that are there, of the size and the rows it says."""
    for folder, manifest in manifests(output):
        for part in manifest.files + manifest.side_files:
            assert (folder / part.name).stat().st_size == part.size_bytes
            assert pq.read_metadata(folder / part.name).num_rows == part.row_count


def assert_tidy(output: Path) -> None:
    """Manifests, what they name and the run's metrics are there, and nothing else."""
    named = {f"{folder.name}/{p.name}" for folder, found in manifests(output) for p in found.files + found.side_files}
    there = {path.relative_to(output).as_posix() for path in output.rglob("*") if path.is_file()}
    others = {f"{stage}/{MANIFEST_NAME}" for stage in CORE_STAGES} | {"_metrics.json", "_metrics.prom"}
    assert there == named | others


def assert_same(output: Path, other: Path) -> None:
    for stage in CORE_STAGES[:-1]:
        found, expected = (read_artifact(str(place), stage)[0] for place in (output, other))
        assert found.equals(expected), stage
    np.testing.assert_allclose(load_vectors(str(output)).matrix, load_vectors(str(other)).matrix, atol=1e-6)


def test_the_second_run_is_told_who_holds_the_output_since_when(refused: Refused) -> None:
    assert refused.exit_status == 75, refused.told
    holder = refused.holder
    assert f"process {holder.process} on {holder.host}, since {holder.since}" in refused.told


def test_a_text_is_replaced_by_one_put(killed: Killed) -> None:
    assert killed.files[0] == {"put": ["put store://files/replaced"] * 2, "text": "new"}


def test_a_file_is_created_where_there_is_none_whoever_decides(killed: Killed) -> None:
    # What is there already is taken for one's own: a put whose answer was lost is sent again, and refused.
    for told, one in zip(killed.files[1:3], (True, False), strict=True):
        assert told == {"made": [True, False, True], "text": "first", "admits_one": one}


def test_of_two_whose_locks_were_both_put_the_last_goes_on(killed: Killed) -> None:
    assert killed.files[3] == {"holds": "second"}


def test_a_whole_run_in_a_dead_ones_place_is_read_back(killed: Killed, store: Store) -> None:
    output = store.root / "held/out"
    assert_whole(output)
    assert_tidy(output)
    assert len(read_artifact(str(output), "pairs")[0]) == killed.rows > 0


def test_a_manifest_is_one_put_after_all_of_its_files(killed: Killed, store: Store) -> None:
    for folder, manifest in manifests(store.root / "held/out"):
        place = f"store://held/out/{folder.name}"
        (published,) = (k for k, line in enumerate(killed.changes) if line.endswith(f"{place}/{MANIFEST_NAME}"))
        assert killed.changes[published].startswith("put ")
        for part in manifest.files + manifest.side_files:
            made = max(k for k, line in enumerate(killed.changes) if line.endswith(f" {place}/{part.name}"))
            assert made < published


def test_killed_anywhere_no_manifest_names_what_is_not_whole_and_the_next_run_repairs(
    killed: Killed, store: Store
) -> None:
    assert len(killed.places) == 6 + SAMPLED
    for place, died in killed.places.items():
        assert "the store is away" in died
        if MANIFEST_NAME in killed.changes[place]:
            assert killed.changes[place].replace("held/", f"killed-{place}/") in died
        assert_whole(store.root / f"dead-{place}/out")
        again = store.root / f"killed-{place}/out"
        assert_whole(again)
        assert_tidy(again)
        assert_same(again, store.root / "held/out")
