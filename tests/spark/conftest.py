"""What the Spark tests share: a pipeline with a reporter that remembers, small frames, digests of artifacts."""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pytest
from pyspark.sql import DataFrame, SparkSession

from pmi_spark.artifacts import STAGES, Artifacts, Manifest
from pmi_spark.config import build_config
from pmi_spark.pipeline import Pipeline
from pmi_spark.storage import Storage

STOP_WORDS = [f"the{number}" for number in range(8)]
TOPICS = {name: [f"{name}{number}" for number in range(30)] for name in ("sea", "law")}


@dataclass
class Recorder:
    """A reporter that keeps what it is told."""

    events: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def started(self, stage: str) -> None:
        self.events.append(("started", stage))

    def note(self, stage: str, text: str) -> None:
        self.notes.append(f"{stage}: {text}")

    def finished(self, stage: str, manifest: Manifest) -> None:
        self.events.append(("finished", stage))

    def skipped(self, stage: str, manifest: Manifest) -> None:
        self.events.append(("skipped", stage))

    def stages(self, outcome: str) -> list[str]:
        return [stage for kind, stage in self.events if kind == outcome]


RunStages = Callable[..., Recorder]
TokensFrame = Callable[..., DataFrame]


@pytest.fixture(scope="session")
def run_stages(spark: SparkSession) -> RunStages:
    """``run_stages(output, inputs, stages, overrides)``: run them, and what the reporter was told."""

    def run(
        output: Path, inputs: Sequence[Path | str] = (), stages: Sequence[str] = STAGES, overrides: Sequence[str] = ()
    ) -> Recorder:
        recorder = Recorder()
        config = build_config({}, overrides)
        Pipeline(spark, str(output), config, recorder).run(stages, [str(path) for path in inputs])
        return recorder

    return run


@pytest.fixture(scope="session")
def artifacts(spark: SparkSession) -> Callable[[Path], Artifacts]:
    return lambda output: Artifacts(spark, Storage(spark), str(output))


@pytest.fixture(scope="session")
def tokens_frame(spark: SparkSession) -> TokensFrame:
    """Documents as lists of words -> a ``tokens`` frame; document_id is the place in the list."""

    def frame(documents: Sequence[Sequence[str]], partitions: int = 2) -> DataFrame:
        columns = {
            "document_id": pa.array(range(len(documents)), pa.int64()),
            "words": pa.array([list(words) for words in documents], pa.list_(pa.string())),
        }
        return spark.createDataFrame(pa.table(columns)).repartition(partitions)

    return frame


def _digests(folder: Path) -> list[str]:
    def partition(path: Path) -> int:
        return int(re.match(r"part-(\d+)-", path.name).group(1))  # type: ignore[union-attr]

    parts = sorted(folder.glob("part-*.parquet"), key=partition)
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in parts]


@pytest.fixture(scope="session")
def digests() -> Callable[[Path], list[str]]:
    """SHA-256 of each part file of an artifact, by partition number."""
    return _digests


@pytest.fixture(scope="session")
def two_topics() -> list[str]:
    """Short documents, each about one of two topics that share nothing but stop words."""
    generator = random.Random(20)
    documents = []
    for number in range(1600):
        topic = TOPICS["sea" if number % 2 else "law"]
        words = [generator.choice(STOP_WORDS if generator.random() < 0.3 else topic) for _ in range(12)]
        documents.append(" ".join(words))
    return documents
