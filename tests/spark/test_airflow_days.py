"""What the Airflow DAG submits, run: two days, each stage by its own command, and a day submitted twice."""

from __future__ import annotations

import json
from pathlib import Path

from pmi_spark.cli import main
from pmi_spark.vectors.store import load_vectors

PROJECT = Path(__file__).parents[2]
# The command lines of 2026-11-25, to which tests/airflow holds the DAG.
COMMANDS = json.loads((PROJECT / "tests/airflow/commands.json").read_text(encoding="utf-8"))
SETTINGS = "[vectors]\ndimensions = 4\n[vocabulary]\nminimum_count = 1\n"


def submit_day(day: str, folder: Path) -> list[int]:
    """Every task's arguments for a day, with local places; the exit status of each."""
    places = {
        "2026-11-25": day,
        "s3a://corpora/web": str(folder / "texts"),
        "s3a://tables/web": str(folder / "out"),
        "/opt/pmi_spark/conf/pipeline.toml": str(folder / "pipeline.toml"),
    }
    found = []
    for stage, line in COMMANDS.items():
        arguments = line[line.index("--output") :]
        for before, after in places.items():
            arguments = [word.replace(before, after) for word in arguments]
        found.append(main([stage, *arguments]))
    return found


def manifest(folder: Path, stage: str) -> dict:
    return json.loads((folder / "out" / stage / "_manifest.json").read_text(encoding="utf-8"))


def test_days_are_added_one_after_another_and_a_day_once(spark, tmp_path: Path, two_topics: list[str]) -> None:
    (tmp_path / "pipeline.toml").write_text(SETTINGS, encoding="utf-8")
    for day, lines in (("2026-11-24", two_topics[:60]), ("2026-11-25", two_topics[60:120])):
        (tmp_path / "texts" / f"dt={day}").mkdir(parents=True)
        (tmp_path / "texts" / f"dt={day}" / "part-0.txt").write_text("\n".join(lines), encoding="utf-8")
        assert submit_day(day, tmp_path) == [0] * len(COMMANDS)
    assert manifest(tmp_path, "tokens")["row_count"] == 120
    assert len(load_vectors(str(tmp_path / "out")).words) == manifest(tmp_path, "vocabulary")["row_count"]
    before = [manifest(tmp_path, stage) for stage in COMMANDS]
    # A task that was cleared, or whose worker was lost after the program had done its work.
    assert submit_day("2026-11-25", tmp_path) == [0] * len(COMMANDS)
    assert [manifest(tmp_path, stage) for stage in COMMANDS] == before
