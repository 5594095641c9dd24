"""What every stage took and made, for machines that watch: as JSON and in Prometheus' text format."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from pmi_spark.artifacts import Manifest

JSON_NAME = "_metrics.json"
PROMETHEUS_NAME = "_metrics.prom"

_STAGE_GAUGES = {
    "seconds": "Wall seconds of the stage's last run",
    "rows": "Rows of the artifact",
    "bytes": "Bytes of the artifact's files",
    "files": "Files of the artifact",
    "written_timestamp_seconds": "When the artifact was published, seconds since 1970",
}


def stage_metrics(manifest: Manifest) -> dict[str, Any]:
    """The figures of one stage: those of every stage, the facts that are numbers, and what was dropped by reason."""
    files = manifest.files + manifest.side_files
    facts = {key: value for key, value in manifest.facts.items() if type(value) in (int, float)}
    return {
        "seconds": manifest.seconds,
        "rows": manifest.row_count,
        "bytes": sum(part.size_bytes for part in files),
        "files": len(files),
        "written_timestamp_seconds": datetime.fromisoformat(manifest.written_at).timestamp()
        if manifest.written_at
        else 0.0,
        "facts": facts,
        "dropped": manifest.facts.get("dropped", {}),
        "sweeps": manifest.facts.get("sweeps", []),
    }


def render_json(manifests: Iterable[Manifest]) -> str:
    """{stage: its figures}."""
    return json.dumps({manifest.artifact: stage_metrics(manifest) for manifest in manifests}, indent=1) + "\n"


def render_prometheus(manifests: Iterable[Manifest]) -> str:
    """Gauges in Prometheus' text format, for a node exporter's folder of text files or a push gateway."""
    registry = CollectorRegistry()
    stages = {
        name: Gauge(f"pmi_spark_stage_{name}", text, ["stage"], registry=registry)
        for name, text in _STAGE_GAUGES.items()
    }
    fact = Gauge("pmi_spark_fact", "A number that the stage's manifest holds", ["stage", "name"], registry=registry)
    dropped = Gauge("pmi_spark_dropped", "Documents or words left out", ["stage", "reason"], registry=registry)
    labels = ["phase", "sweep"]
    sweep_seconds = Gauge("pmi_spark_sweep_seconds", "Wall seconds of a sweep", labels, registry=registry)
    sweep_loss = Gauge("pmi_spark_sweep_loss", "Loss after a weighted sweep", labels, registry=registry)
    for manifest in manifests:
        figures = stage_metrics(manifest)
        for name, gauge in stages.items():
            gauge.labels(manifest.artifact).set(figures[name])
        for name, value in figures["facts"].items():
            fact.labels(manifest.artifact, name).set(value)
        for reason, count in figures["dropped"].items():
            # The vocabulary says words and occurrences of each rule; words are what is left out.
            dropped.labels(manifest.artifact, reason).set(count["words"] if isinstance(count, dict) else count)
        for sweep in figures["sweeps"]:
            sweep_seconds.labels(sweep["phase"], sweep["sweep"]).set(sweep["seconds"])
            if sweep["loss"] is not None:
                sweep_loss.labels(sweep["phase"], sweep["sweep"]).set(sweep["loss"])
    return generate_latest(registry).decode("utf-8")
