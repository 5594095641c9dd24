"""A run's figures for machines, compared with what the manifests say."""

from __future__ import annotations

import json

from prometheus_client.parser import text_string_to_metric_families

from pmi_spark.artifacts import Manifest, PartFile
from pmi_spark.metrics import render_json, render_prometheus

TOKENS = Manifest(
    "tokens",
    "abc",
    7,
    (PartFile("part-0.parquet", 100, 4), PartFile("part-1.parquet", 50, 3)),
    {},
    {},
    side_files=(PartFile("_rejects/part-0.parquet", 5, 1),),
    facts={"words": 20, "dropped": {"empty": 2, "not_json": 1}, "formats": {"text": 2}, "jieba_engine": "none"},
    seconds=1.5,
    written_at="2026-01-01T00:00:00+00:00",
)
VOCABULARY = Manifest("vocabulary", "d", 3, (), {}, {}, facts={"dropped": {"drop": {"words": 4, "occurrences": 9}}})
SWEEPS = [
    {"phase": "warm", "sweep": 1, "loss": None, "held_out_error": None, "seconds": 3.0},
    {"phase": "weighted", "sweep": 1, "loss": 12.5, "held_out_error": 1.0, "seconds": 9.0},
]
VECTORS = Manifest("vectors", "e", 3, (), {}, {}, facts={"sweeps": SWEEPS, "cells": 6, "calibration": {"shift": 1.0}})
ALL = [TOKENS, VOCABULARY, VECTORS]


def samples(text: str) -> dict[tuple[str, ...], float]:
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found[sample.name.removeprefix("pmi_spark_"), *sorted(sample.labels.values())] = sample.value
    return found


def test_prometheus_reads_what_the_manifests_say() -> None:
    found = samples(render_prometheus(ALL))
    assert found["stage_seconds", "tokens"] == 1.5
    assert found["stage_rows", "tokens"] == 7
    assert found["stage_bytes", "tokens"] == 155
    assert found["stage_files", "tokens"] == 3
    assert found["stage_written_timestamp_seconds", "tokens"] == 1767225600
    assert found["fact", "tokens", "words"] == 20
    assert found["dropped", "not_json", "tokens"] == 1
    assert found["dropped", "drop", "vocabulary"] == 4
    assert found["sweep_seconds", "1", "warm"] == 3.0
    assert found["sweep_loss", "1", "weighted"] == 12.5
    assert ("sweep_loss", "1", "warm") not in found
    assert ("fact", "calibration", "vectors") not in found


def test_json_holds_the_same() -> None:
    found = json.loads(render_json(ALL))
    assert list(found) == ["tokens", "vocabulary", "vectors"]
    assert found["tokens"]["bytes"] == 155
    assert found["tokens"]["facts"] == {"words": 20}
    assert found["vectors"]["sweeps"] == SWEEPS
