"""Runs on the object store of FolderStore.java, in a process and a JVM of their own; driven by test_object_store.py.

``runs.py hold OUTPUT`` takes the lock of an output directory and keeps it until it is killed. ``runs.py kill TEXT
PLACES`` publishes single files in some ways, makes a whole run, then one for each place that is killed there and run
again.
"""

from __future__ import annotations

import dataclasses
import json
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from pyspark.sql import SparkSession

from pmi_spark import output_lock
from pmi_spark.artifacts import CORE_STAGES, Artifacts, Manifest
from pmi_spark.config import build_config
from pmi_spark.errors import TryAgainError
from pmi_spark.output_lock import LOCK_NAME, Holder, OutputLock
from pmi_spark.pipeline import Pipeline
from pmi_spark.schemas import PAIRS
from pmi_spark.session import start_session
from pmi_spark.storage import Storage

OVERRIDES = [
    "vocabulary.minimum_count=1",
    "pairs.subsample=0",
    "pairs.files=2",
    "vectors.dimensions=2",
    "vectors.warm_sweeps=1",
    "vectors.sweeps=1",
    "vectors.held_out=0",
]
FOREVER = 2**31 - 1


class Silent:
    """A reporter that tells nobody."""

    def started(self, stage: str) -> None: ...
    def note(self, stage: str, text: str) -> None: ...
    def finished(self, stage: str, manifest: Manifest) -> None: ...
    def skipped(self, stage: str, manifest: Manifest) -> None: ...


def tell(**facts: Any) -> None:
    print(json.dumps(facts), flush=True)


@contextmanager
def as_a_process_that_ended() -> Iterator[None]:
    """A run in it has the number of a process that is gone, so that who comes after it finds its lock a dead one's."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    own = Holder.of_this_process
    with patch.object(Holder, "of_this_process", lambda: dataclasses.replace(own(), process=ended.pid)):
        yield


def hold(spark: SparkSession, output: str) -> None:
    with OutputLock(Storage(spark), output).held():
        tell(holding=output)
        time.sleep(600)


class Runs:
    """Runs over one text, each into a bucket of its own."""

    def __init__(self, spark: SparkSession, text: str) -> None:
        self._spark = spark
        self._text = text
        self._store = spark._jvm.pmi_spark_tests.FolderStore
        self._root = Path(spark.sparkContext._jsc.hadoopConfiguration().get("fs.store.root"))

    def run(self, output: str, changes: int = FOREVER) -> list[str]:
        """A run that the store leaves after so many changes; the changes made."""
        self._store.goAwayAfter(changes)
        try:
            Pipeline(self._spark, output, build_config({}, OVERRIDES), Silent()).run(CORE_STAGES, [self._text])
        finally:
            made = str(self._store.changesMade()).splitlines()
            self._store.goAwayAfter(FOREVER)
        return made

    def killed_and_again(self, changes: list[str], place: int) -> None:
        """A run that is killed before the change at ``place`` of a whole run, and one more.

        The stages before are taken from the whole run. What the killed run left is kept in the bucket dead-PLACE.
        """
        stage, start = next(stage_start(changes, k) for k in range(place, -1, -1) if stage_start(changes, k))
        output = f"store://killed-{place}/out"
        for earlier in CORE_STAGES[: CORE_STAGES.index(stage)]:
            shutil.copytree(self._root / "held/out" / earlier, self._root / f"killed-{place}/out" / earlier)
        with as_a_process_that_ended():
            try:
                # One more than from the stage's first change to the place, for the lock.
                self.run(output, changes=place - start + 1)
                died = ""
            except Exception as error:
                died = str(error)
        shutil.copytree(self._root / f"killed-{place}", self._root / f"dead-{place}")
        self.run(output)
        tell(place=place, died=died)


def stage_start(changes: list[str], place: int) -> tuple[str, int] | None:
    """The stage whose folder a change is in, and the place of the first change in it; None for the metrics."""
    for stage in CORE_STAGES:
        if f"/out/{stage}/" in changes[place]:
            return stage, next(k for k, line in enumerate(changes) if f"/out/{stage}/" in line)
    return None


def choose_places(changes: list[str], sampled: int) -> list[int]:
    """Before and after manifests, between a move's copy and its deletion, and some others, the same in every run."""

    def first(action: str, *parts: str) -> int:
        return next(k for k, line in enumerate(changes) if line.startswith(action) and all(p in line for p in parts))

    pairs, vectors = (first("put", f"/{stage}/_manifest.json") for stage in ("pairs", "vectors"))
    moved = first("copy", "/out/pairs/part-")
    chosen = {pairs, pairs + 1, vectors, vectors + 1, moved, moved + 1}
    others = sorted(set(range(len(changes))) - chosen)
    return sorted(chosen | set(random.Random(20).sample(others, sampled)))


def publish_in_some_ways(spark: SparkSession) -> None:
    """Single files: what was asked of the store, and what came of it."""
    store, storage = spark._jvm.pmi_spark_tests.FolderStore, Storage(spark)
    store.goAwayAfter(FOREVER)
    storage.write_text("store://files/replaced", "old")
    storage.write_text("store://files/replaced", "new")
    tell(put=str(store.changesMade()).splitlines(), text=storage.read_text("store://files/replaced"))
    for conditional in (True, False):
        store.setConditional(conditional)
        # A store is asked once what it can do.
        storage, path = Storage(spark), f"store://files/created-{conditional}"
        made = [storage.create(path, content) for content in (b"first", b"second", b"first")]
        tell(made=made, text=storage.read_text(path), admits_one=storage.admits_one(path))
    tell(holds=race(storage))
    store.setConditional(True)


def race(storage: Storage) -> str:
    """Two locks, both put by a store that could not refuse one of them: who holds it in the end."""
    first, second = (OutputLock(storage, "store://files/raced") for _ in range(2))

    def late_put(seconds: float) -> None:
        storage.write_text("store://files/raced/_lock.json", second._own.to_json())

    with patch.object(output_lock.time, "sleep", late_put):
        try:
            first._take()
        except TryAgainError:
            return "second" if second._is_own() else "none"
    return "first"


def kill(spark: SparkSession, text: str, sampled: int) -> None:
    publish_in_some_ways(spark)
    runs = Runs(spark, text)
    # A killed run takes the lock in another number of changes than one that finds a dead holder.
    changes = [line for line in runs.run("store://held/out") if LOCK_NAME not in line]
    rows = Artifacts(spark, Storage(spark), "store://held/out").read("pairs", PAIRS).count()
    tell(changes=changes, rows=rows)
    for place in choose_places(changes, sampled):
        runs.killed_and_again(changes, place)


def main() -> None:
    session = start_session("runs on an object store")
    what, where, *more = sys.argv[1:]
    if what == "hold":
        hold(session, where)
    else:
        kill(session, where, int(more[0]))


if __name__ == "__main__":
    main()
