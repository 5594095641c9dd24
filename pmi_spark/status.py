"""How far is a run? Told from the output directory's files alone: no Spark, no Java."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from pmi_spark.artifacts import MANIFEST_NAME, STAGES, Manifest
from pmi_spark.errors import InputError
from pmi_spark.output_lock import LOCK_NAME, Holder
from pmi_spark.sweep_states import FOLDER as SWEEPS
from pmi_spark.sweep_states import NOTE as SWEEPS_NOTE
from pmi_spark.vectors.store import OutputFiles


@dataclass(frozen=True)
class StageStatus:
    """One stage: its manifest where it is done, and what is to be said of it."""

    stage: str
    manifest: Manifest | None
    remark: str = ""


@dataclass(frozen=True)
class RunStatus:
    """The stages in the order of the data, those alone of which there is something, and who writes to them."""

    stages: list[StageStatus]
    holder: Holder | None


def read_status(output: str) -> RunStatus:
    """Look at an output directory. Raises InputError when no stage left anything in it."""
    files = OutputFiles(output)
    manifests = {
        stage: Manifest.from_json(text, where=f"{output}/{stage}/{MANIFEST_NAME}")
        for stage in STAGES
        if (text := files.read_text(f"{stage}/{MANIFEST_NAME}")) is not None
    }
    note = files.read_text(f"vectors/{SWEEPS}/{SWEEPS_NOTE}")
    lock = files.read_text(LOCK_NAME)
    stages = [
        StageStatus(stage, manifest, _remark(manifest, manifests))
        for stage in STAGES
        if (manifest := manifests.get(stage)) is not None
    ]
    if note is not None:
        stages = [entry for entry in stages if entry.stage != "vectors"]
        stages.append(StageStatus("vectors", None, _sweep(note)))
    if not stages and lock is None:
        raise InputError(f"no run wrote to {output}", cure="name the --output directory of `pmi-spark run`")
    return RunStatus(stages, None if lock is None else Holder.from_json(lock))


def _remark(manifest: Manifest, manifests: dict[str, Manifest]) -> str:
    """Which of the artifacts it was made from are others now."""
    changed = [
        source
        for source, was in manifest.upstream.items()
        if source in manifests and manifests[source].fingerprint != was
    ]
    return f"made from other {' and '.join(changed)}" if changed else ""


def _sweep(note: str) -> str:
    """The last sweep whose state was saved."""
    try:
        phase, number, loss, held_out, seconds = json.loads(note)["reports"][-1]
    except (ValueError, LookupError, TypeError):
        return "under way"
    parts = [f"under way: {phase} sweep {number} done"]
    # What is not a number is unequal to itself.
    parts += [f"loss {loss:,.0f}"] if loss == loss else []
    parts += [f"held-out error {held_out:.3f} nats"] if held_out == held_out else []
    return ", ".join([*parts, f"{seconds:.1f} s"])


def status_rows(status: RunStatus) -> list[dict[str, Any]]:
    """A row a stage, for a table or as JSON: sizes in bytes."""
    return [
        {
            "stage": entry.stage,
            "state": entry.remark or "done",
            "rows": None if entry.manifest is None else entry.manifest.row_count,
            "bytes": None if entry.manifest is None else sum(part.size_bytes for part in entry.manifest.files),
            "seconds": None if entry.manifest is None else entry.manifest.seconds,
            "written_at": None if entry.manifest is None else entry.manifest.written_at,
        }
        for entry in status.stages
    ]
