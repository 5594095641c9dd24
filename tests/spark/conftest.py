"""What the Spark tests share: a pipeline with a reporter that remembers, small frames, digests of artifacts."""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark import RDD
from pyspark.sql import DataFrame, SparkSession

from pmi_spark.artifacts import CORE_STAGES, STAGES, Artifacts, Manifest
from pmi_spark.config import build_config
from pmi_spark.increments import Change
from pmi_spark.parquet_files import MAGIC, ParquetEncoder, arrow_schema
from pmi_spark.pipeline import Pipeline
from pmi_spark.schemas import TOKENS
from pmi_spark.storage import Storage

STOP_WORDS = [f"the{number}" for number in range(8)]
TOPICS = {name: [f"{name}{number}" for number in range(30)] for name in ("sea", "law")}


@dataclass
class Recorder:
    """A reporter that keeps what it is told, and passes notes on."""

    on_note: Callable[[str], None] = lambda text: None
    events: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def started(self, stage: str) -> None:
        self.events.append(("started", stage))

    def note(self, stage: str, text: str) -> None:
        self.notes.append(f"{stage}: {text}")
        self.on_note(text)

    def finished(self, stage: str, manifest: Manifest) -> None:
        self.events.append(("finished", stage))

    def skipped(self, stage: str, manifest: Manifest) -> None:
        self.events.append(("skipped", stage))

    def stages(self, outcome: str) -> list[str]:
        return [stage for kind, stage in self.events if kind == outcome]


RunStages = Callable[..., Recorder]
Documents = Sequence[Sequence[str]]
TokenShard = tuple[str, bytes]
TokenFilesFrame = Callable[..., DataFrame]
TokenFilesRdd = Callable[..., tuple[RDD[TokenShard], list[str]]]


@pytest.fixture(scope="session")
def run_stages(spark: SparkSession) -> RunStages:
    """``run_stages(output, inputs, stages, overrides, on_note, change)``: run them, and what the reporter was told."""

    def run(
        output: Path,
        inputs: Sequence[Path | str] = (),
        stages: Sequence[str] = STAGES,
        overrides: Sequence[str] = (),
        on_note: Callable[[str], None] = lambda text: None,
        change: Change | None = None,
    ) -> Recorder:
        recorder = Recorder(on_note)
        config = build_config({}, overrides)
        Pipeline(spark, str(output), config, recorder).run(stages, [str(path) for path in inputs], change)
        return recorder

    return run


@pytest.fixture(scope="session")
def plan_stages(spark: SparkSession) -> Callable[..., list[tuple[str, str]]]:
    """``plan_stages(output, inputs, overrides, change)``: what a run would do, (stage, why) each."""

    def plan(
        output: Path, inputs: Sequence[Path], overrides: Sequence[str], change: Change | None = None
    ) -> list[tuple[str, str]]:
        pipeline = Pipeline(spark, str(output), build_config({}, overrides), Recorder())
        return [tuple(entry) for entry in pipeline.plan(CORE_STAGES, [str(path) for path in inputs], change)]

    return plan


@pytest.fixture(scope="session")
def artifacts(spark: SparkSession) -> Callable[[Path], Artifacts]:
    return lambda output: Artifacts(spark, Storage(spark), str(output))


def encode_token_files(documents: Documents, files: int = 2, order: Sequence[int] | None = None) -> list[TokenShard]:
    """Documents as lists of words -> whole files of ``tokens``, (path, bytes) each, documents dealt out in turn.

    document_id is the place in the list, whatever the ``order`` they are dealt in.
    """
    numbers = range(len(documents)) if order is None else order
    return [(f"token-file-{k}", _encode_documents(documents, numbers[k::files])) for k in range(files)]


def _encode_documents(documents: Documents, numbers: Sequence[int]) -> bytes:
    schema = arrow_schema(TOKENS)
    encoder = ParquetEncoder(schema, dictionary=["words.list.element"])
    if numbers:
        columns = {"document_id": list(numbers), "words": [list(documents[number]) for number in numbers]}
        encoder.add(pa.table(columns, schema=schema))
    return encoder.finish().to_pybytes() + MAGIC.encode()


@pytest.fixture(scope="session")
def token_files() -> Callable[..., list[TokenShard]]:
    """``token_files(documents, files, order)``: whole files of tokens as (path, bytes)."""
    return encode_token_files


@pytest.fixture(scope="session")
def token_files_frame(spark: SparkSession) -> TokenFilesFrame:
    """Documents -> a frame of token files (path, content), each in a partition of its own."""

    def frame(documents: Documents, files: int = 2) -> DataFrame:
        rows = spark.sparkContext.parallelize(encode_token_files(documents, files), files)
        return spark.createDataFrame(rows, "path string, content binary")

    return frame


@pytest.fixture(scope="session")
def token_files_rdd(spark: SparkSession) -> TokenFilesRdd:
    """Documents -> an RDD of token files (path, bytes) and the number of documents of each path.

    A file is a partition, unless ``tasks`` asks for that many partitions.
    """

    def rdd(
        documents: Documents, files: int = 2, order: Sequence[int] | None = None, tasks: int = 0
    ) -> tuple[RDD[TokenShard], dict[str, int]]:
        encoded = encode_token_files(documents, files, order)
        return spark.sparkContext.parallelize(encoded, tasks or files), {
            path: pq.read_metadata(pa.BufferReader(content)).num_rows for path, content in encoded
        }

    return rdd


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
