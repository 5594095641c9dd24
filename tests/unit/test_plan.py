"""Why a stage would run: every difference has its words."""

from __future__ import annotations

import dataclasses

import pytest

from pmi_spark.artifacts import Manifest
from pmi_spark.config import build_config
from pmi_spark.plan import reason_to_run

CONFIG = build_config({}, [])
FILES = {"files": [["a.txt", 5, 1], ["b.txt", 6, 1]]}


def made(stage: str, upstream: dict, fingerprint: str = "old", settings: tuple[str, ...] = ()) -> Manifest:
    return Manifest(stage, fingerprint, 0, (), dataclasses.asdict(build_config({}, settings)), upstream)


@pytest.mark.parametrize(
    ("stage", "found", "upstream", "reason"),
    [
        ("pmi", None, {}, "there is none yet"),
        ("pmi", made("pmi", {}, "new"), {}, "files that its manifest names are gone or of another size"),
        (
            "tokens",
            made("tokens", {"files": [["a.txt", 5, 1], ["b.txt", 7, 1], ["c.txt", 1, 1]]}),
            FILES,
            "input files: 1 gone, 1 changed",
        ),
        (
            "pmi",
            made("pmi", {"pairs": "x", "vocabulary": "y"}),
            {"pairs": "z", "vocabulary": "y"},
            "made from other pairs",
        ),
        ("pairs", made("pairs", {}, settings=("pairs.window=10",)), {}, "pairs.window: 10 -> 5"),
        ("tokens", made("tokens", FILES, settings=("input.document=file",)), FILES, 'input.document: "file" -> "line"'),
        ("pmi", made("pmi", {}, settings=("pairs.window=10",)), {}, "a file that its settings name has changed"),
    ],
)
def test_it_says_what_differs(stage: str, found: Manifest | None, upstream: dict, reason: str) -> None:
    assert reason_to_run(stage, found, "new", upstream, CONFIG).startswith(reason)


def test_a_setting_that_an_older_version_did_not_have() -> None:
    found = made("pairs", {})
    del found.configuration["pairs"]["window"]
    assert reason_to_run("pairs", found, "new", {}, CONFIG) == "pairs.window: not there -> 5"
