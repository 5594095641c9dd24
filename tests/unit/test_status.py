"""How far a run is, from files alone."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest

from pmi_spark.cli import main
from pmi_spark.errors import InputError
from pmi_spark.output_lock import Holder
from pmi_spark.status import read_status, status_rows

ROWS = pa.table({"word_id": pa.array([0, 1, 2], pa.int32())})


@pytest.fixture
def output(tmp_path: Path, write_artifact) -> Path:
    write_artifact(tmp_path, "pairs", [ROWS, ROWS])
    write_artifact(tmp_path, "pmi", [ROWS])
    return tmp_path


def write_sweep(output: Path, report: list, identity: str = "x") -> None:
    folder = output / "vectors" / "_sweeps"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "state.json").write_text(json.dumps({"identity": identity, "files": {}, "reports": [report]}))


def test_what_is_done_has_its_rows_and_size(output: Path) -> None:
    pairs, pmi = status_rows(read_status(str(output)))
    assert (pairs["stage"], pairs["rows"], pairs["state"]) == ("pairs", 6, "done")
    assert pairs["bytes"] == sum(path.stat().st_size for path in (output / "pairs").glob("part-*"))
    assert (pmi["stage"], pmi["rows"], pmi["state"]) == ("pmi", 3, "done")


def test_what_was_made_from_other_artifacts_says_so(output: Path, write_artifact) -> None:
    write_artifact(output, "vocabulary", [ROWS])
    assert status_rows(read_status(str(output)))[-1]["state"] == "made from other vocabulary"


@pytest.mark.parametrize(
    ("report", "told"),
    [
        (["warm", 2, float("nan"), float("nan"), 3.25], "under way: warm sweep 2 done, 3.2 s"),
        (
            ["weighted", 1, 1234.5, 0.75, 9.0],
            "under way: weighted sweep 1 done, loss 1,234, held-out error 0.750 nats, 9.0 s",
        ),
    ],
)
def test_the_current_sweep_is_told(output: Path, report: list, told: str) -> None:
    write_sweep(output, report)
    assert status_rows(read_status(str(output)))[-1]["state"] == told


def test_a_state_on_the_way_to_what_is_there_is_past(output: Path, write_artifact) -> None:
    write_artifact(output, "vectors", [ROWS])
    write_sweep(output, ["warm", 2, float("nan"), float("nan"), 3.25], identity="0123456789abcdef")
    assert status_rows(read_status(str(output)))[-1]["state"] == "done"
    write_sweep(output, ["warm", 2, float("nan"), float("nan"), 3.25])
    assert status_rows(read_status(str(output)))[-1]["state"].startswith("under way")


def test_a_state_that_is_damaged_is_under_way(output: Path) -> None:
    write_sweep(output, ["warm"])
    assert status_rows(read_status(str(output)))[-1]["state"] == "under way"


def test_who_writes_is_told(output: Path, capsys: pytest.CaptureFixture[str]) -> None:
    holder = Holder.of_this_process()
    (output / "_lock.json").write_text(holder.to_json())
    assert main(["status", "--output", str(output)]) == 0
    shown = capsys.readouterr().out
    assert f"held by process {holder.process} on {holder.host}, since {holder.since}" in shown
    assert main(["status", "--json", "--output", str(output)]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["holder"]["token"] == holder.token
    assert [row["stage"] for row in told["stages"]] == ["pairs", "pmi"]


def test_a_folder_that_no_run_wrote_to_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no run wrote to"):
        read_status(str(tmp_path))
    with pytest.raises(InputError, match="no run wrote to"):
        read_status(f"{tmp_path}/nothing")
