"""The doctor's own Spark job, and its trial of a file system."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pmi_spark.doctor import check_output, check_spark


def test_a_session_of_ours_is_well(spark) -> None:
    found = list(check_spark())
    assert [cure for _, cure in found] == [None] * 5
    assert "(1,000 rows through Arrow)" in found[0][0]


def test_an_output_is_tried_and_left_as_it_was(spark, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    for name in ("there", "new"):
        (writes, cure), (promise, _), (one, _) = check_output(f"{tmp_path}/{name}")
        assert cure is None
        assert writes.endswith(f"/{name} can be written to")
        assert promise == "file: a file is replaced in one step"
        assert one == "of two runs that start in the same second one goes on"
    assert [path.name for path in tmp_path.rglob("*")] == ["there"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_is_told(spark, tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    ((found, cure),) = check_output(f"{tmp_path}/out")
    tmp_path.chmod(0o700)
    assert "cannot write to" in found
    assert cure is not None


def test_a_file_in_the_way_is_told(spark, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    ((found, cure),) = check_output(f"{tmp_path}/out")
    assert "cannot write to" in found
    assert cure is not None
