"""Why a stage would run: what has changed since its artifact was made."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple

from pmi_spark.artifacts import Manifest
from pmi_spark.config import Config, stage_sections
from pmi_spark.settings import toml_value


class Planned(NamedTuple):
    """A stage, and why it would run; empty when its artifact is there already."""

    stage: str
    reason: str


def reason_to_run(
    stage: str, found: Manifest | None, identity: str, upstream: Mapping[str, Any], config: Config
) -> str:
    """What differs between the artifact that is there, if any, and the one that the stage would make."""
    if found is None:
        return "there is none yet"
    if found.fingerprint == identity:
        return "files that its manifest names are gone or of another size"
    changes = _changed_files(found.upstream, upstream) if stage == "tokens" else changed_sources(found, upstream)
    changes += _changed_settings(stage, found.configuration, dataclasses.asdict(config))
    return ", ".join(changes) or "a file that its settings name has changed, or it was made by another version"


def _changed_files(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Input files added, gone and changed, by number.

    >>> _changed_files({"files": [["a", 1, 5], ["b", 1, 5]]}, {"files": [["b", 2, 6], ["c", 1, 5], ["d", 1, 5]]})
    ['input files: 2 new, 1 gone, 1 changed']
    """
    old, new = ({path: rest for path, *rest in entry["files"]} for entry in (before, now))
    counts = {
        "new": len(new.keys() - old.keys()),
        "gone": len(old.keys() - new.keys()),
        "changed": sum(new[path] != old[path] for path in new.keys() & old.keys()),
    }
    told = [f"{count} {name}" for name, count in counts.items() if count]
    return [f"input files: {', '.join(told)}"] if told else []


def changed_sources(found: Manifest, upstream: Mapping[str, Any]) -> list[str]:
    """Which artifacts, {name: fingerprint}, are others than those an artifact was made from; one text or none."""
    changed = [source for source, fingerprint in upstream.items() if found.upstream.get(source) != fingerprint]
    return [f"made from other {' and '.join(changed)}"] if changed else []


def _changed_settings(stage: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    changes = []
    for section in stage_sections(stage):
        old, new = before.get(section, {}), now[section]
        changes += [
            f"{section}.{key}: {toml_value(old[key]) if key in old else 'not there'} -> {toml_value(value)}"
            for key, value in new.items()
            if old.get(key) != value
        ]
    return changes
