"""How far is a run? Told from the output directory's files alone: no Spark, no Java."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from pmi_spark.artifacts import Manifest
from pmi_spark.errors import InputError
from pmi_spark.factorization.state import SweepReport
from pmi_spark.output_lock import LOCK_NAME, Holder
from pmi_spark.plan import changed_sources
from pmi_spark.sweep_states import FOLDER as SWEEPS
from pmi_spark.sweep_states import NOTE as SWEEPS_NOTE
from pmi_spark.vectors.files import ArtifactFiles, OutputFiles


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
    manifests = {stage: found.manifest for stage, found in ArtifactFiles.all_of(files).items()}
    note = files.read_text(f"vectors/{SWEEPS}/{SWEEPS_NOTE}")
    lock = files.read_text(LOCK_NAME)
    stages = [StageStatus(stage, found, _remark(found, manifests)) for stage, found in manifests.items()]
    if note is not None and not _is_of(note, manifests.get("vectors")):
        # The vectors are the last stage; what a former run left of them is on its way out.
        stages = [entry for entry in stages if entry.stage != "vectors"] + [StageStatus("vectors", None, _sweep(note))]
    if not stages and lock is None:
        raise InputError(f"no run wrote to {output}", cure="name the --output directory of `pmi-spark run`")
    return RunStatus(stages, None if lock is None else Holder.from_json(lock))


def _remark(manifest: Manifest, manifests: dict[str, Manifest]) -> str:
    """Which of the artifacts it was made from are others now."""
    now = {source: manifests[source].fingerprint for source in manifest.upstream if source in manifests}
    return ", ".join(changed_sources(manifest, now))


def _is_of(note: str, manifest: Manifest | None) -> bool:
    """Is it a state on the way to the artifact that is there? A run may be killed before it removes it."""
    with suppress(ValueError, LookupError, TypeError):
        return manifest is not None and json.loads(note)["identity"] == manifest.fingerprint
    return False


def _sweep(note: str) -> str:
    """The last sweep whose state was saved."""
    try:
        report = SweepReport(*json.loads(note)["reports"][-1])
    except (ValueError, LookupError, TypeError):
        return "under way"
    return f"under way: {report.describe('done')}"


def status_rows(status: RunStatus) -> list[dict[str, Any]]:
    """A row a stage, for a table or as JSON: sizes in bytes."""
    return [
        {"stage": entry.stage, "state": entry.remark or "done"} | _figures(entry.manifest) for entry in status.stages
    ]


def _figures(manifest: Manifest | None) -> dict[str, Any]:
    if manifest is None:
        return dict.fromkeys(("rows", "bytes", "seconds", "written_at"))
    return {
        "rows": manifest.row_count,
        "bytes": sum(part.size_bytes for part in manifest.files),
        "seconds": manifest.seconds,
        "written_at": manifest.written_at,
    }
