"""A small run with every artifact, words that would be markup if they were let, and its page."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from pmi_spark.artifacts import MANIFEST_NAME, Manifest
from pmi_spark.report.build import write_report
from pmi_spark.report.run_files import RunFiles
from pmi_spark.report.word_space import Space, read_space

HOSTILE = [
    "<script>alert(1)</script>",
    "\"quoted\"'word'",
    "</script>",
    "<!--",
    "a&amp;b",
    "ünï",
    "漢字",
    "100%",
    "עברית",
]
WORD_COUNT = 240
DIMENSIONS = 12
GAUGE = {
    "eigenvalues": [9.0, -6.0, 5.0, 4.0, -3.0, 2.5, 2.0, 1.5, -1.0, 0.8, 0.6, 0.4],
    "exponent": 0.35,
    "shift": -0.5,
    "frequency_exponent": 0.2,
    "frequency_reference": 50.0,
    "slope": 0.5,
    "fitted_shift": -2.0,
    "regularization": 1.0,
}
FACTS: dict[str, dict[str, Any]] = {
    "tokens": {
        "documents": 11,
        "words": 20_000,
        "documents_read": 13,
        "bytes_read": 120_000,
        "dropped": {"binary": 1, "too_long": 1},
        "long_tokens": 0,
        "replaced_bytes": 3,
        "most_replaced": [["file:/texts/<b>.txt", 3]],
        "input_files": 2,
        "formats": {"text": 2},
        "increments": [
            {"label": "<i>first</i>", "inputs": [["a", 1, 1]], "facts": {"documents": 6, "words": 12_000}},
            {"label": "second", "inputs": [["b", 1, 1]], "facts": {"documents": 5, "words": 8_000}},
        ],
    },
    "vocabulary": {"all_words": 20_000, "dropped": {"minimum_count": {"words": 7, "occurrences": 12}}},
    "pairs": {},
    "pmi": {},
    "vectors": {
        "sweeps": [
            {"phase": "warm", "sweep": 1, "loss": None, "held_out_error": None, "seconds": 1.0},
            {"phase": "weighted", "sweep": 1, "loss": 900.0, "held_out_error": 2.5, "seconds": 2.0},
            {"phase": "weighted", "sweep": 2, "loss": 800.0, "held_out_error": 2.25, "seconds": 2.0},
        ]
    },
}


def words_of_run() -> list[str]:
    return HOSTILE + [f"word{number}" for number in range(WORD_COUNT - len(HOSTILE))]


def rows_of_run() -> np.ndarray:
    """Vectors around six directions, so that words have neighbours."""
    random = np.random.default_rng(3)
    centres = random.normal(size=(6, DIMENSIONS))
    return (centres[np.arange(WORD_COUNT) % 6] + 0.6 * random.normal(size=(WORD_COUNT, DIMENSIONS))).astype(np.float32)


def counts_of_run() -> np.ndarray:
    return (9_000 / np.arange(1, WORD_COUNT + 1) + 5).astype(np.int64)


@pytest.fixture(scope="session")
def write_run(write_artifact: Callable[..., None], make_vectors_table: Callable[..., pa.Table]) -> Callable[..., None]:
    """``write(output, stages)``: the artifacts of some stages, with facts."""

    def table_of(stage: str) -> pa.Table:
        ids = list(range(WORD_COUNT))
        counts = counts_of_run()
        if stage == "vectors":
            return make_vectors_table(ids, words_of_run(), counts.tolist(), rows_of_run(), GAUGE)
        if stage == "vocabulary":
            return pa.table({"word_id": pa.array(ids, pa.int32()), "word": words_of_run(), "word_count": counts})
        if stage == "pmi":
            random = np.random.default_rng(5)
            values = random.normal(1.0, 2.0, 5_000).astype(np.float32)
            return pa.table({"pmi": values, "pair_count": random.integers(1, 9, 5_000).astype(np.float64)})
        return pa.table({"document_id": pa.array([1, 2], pa.int64())})

    def write(output: Path, stages: tuple[str, ...] = tuple(FACTS)) -> None:
        for stage in stages:
            table = table_of(stage)
            middle = len(table) // 2
            # Not in the order of the words, as after an increment.
            write_artifact(output, stage, [table.slice(middle), table.slice(0, middle)])
            path = output / stage / MANIFEST_NAME
            manifest = Manifest.from_json(path.read_text(encoding="utf-8"), str(path))
            settings = {"vocabulary": {"minimum_count": 5}}
            told = replace(manifest, facts=FACTS[stage], configuration=settings, written_at="2026-11-25T10:00:00+00:00")
            path.write_text(told.to_json(), encoding="utf-8")

    return write


EVALUATION = {
    "vectors": "0123456789abcdef",
    "similarity": [{"file": "<u>judged</u>.tsv", "spearman": 0.5, "pearson": 0.25, "known": 9, "pairs": 10}],
    "analogies": [
        {
            "file": "asked.txt",
            "method": "3CosAdd",
            "sections": [{"name": "capitals", "accuracy": None, "right": 0, "known": 0, "questions": 4}],
            "total": {"name": "all", "accuracy": None, "right": 0, "known": 0, "questions": 4},
        }
    ],
    "held_out": {"auc": 0.75, "pairs": 1234},
    "squared_length": [{"vectors": "of PMI", "spearman": -0.5, "slope": -1.5, "intercept": 3.0, "words": 240}],
}


@pytest.fixture(scope="session")
def report_run(tmp_path_factory: pytest.TempPathFactory, write_run: Callable[..., None]) -> Path:
    """An output directory with every stage and an evaluation."""
    output = tmp_path_factory.mktemp("report") / "out"
    write_run(output)
    (output / "_evaluation.json").write_text(json.dumps(EVALUATION), encoding="utf-8")
    return output


@pytest.fixture(scope="session")
def space(report_run: Path) -> Space:
    return read_space(RunFiles(str(report_run)), 1_000)


@pytest.fixture(scope="session")
def page(report_run: Path) -> Path:
    path, _ = write_report(str(report_run))
    return Path(path)
