"""Where exports go: whole or not at all, over nothing that is not theirs; and what the command refuses."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from pmi_spark.cli import main
from pmi_spark.errors import EXIT_USAGE, InputError, RunError
from pmi_spark.export.export import Format, export_vectors
from pmi_spark.vectors.stream import StoredVectors


@pytest.fixture
def output(scored_run) -> str:
    return str(scored_run.output)


@pytest.mark.parametrize("form", list(Format))
class TestTargets:
    def test_what_is_there_is_not_overwritten_unless_told(self, output, tmp_path, form):
        to = tmp_path / "vectors"
        export_vectors(output, form, str(to))
        before = self.content(to)
        with pytest.raises(InputError, match="is there already; give another --to, or --force"):
            export_vectors(output, form, str(to), top_words=7)
        assert self.content(to) == before
        export_vectors(output, form, str(to), top_words=7, force=True)
        assert self.content(to) != before
        assert [path.name for path in tmp_path.iterdir()] == ["vectors"]

    @staticmethod
    def content(path: Path) -> dict[str, bytes]:
        files = path.iterdir() if path.is_dir() else [path]
        return {file.name: file.read_bytes() for file in files}

    @pytest.mark.parametrize("failure", [KeyboardInterrupt, OSError(28, "No space left on device")])
    @pytest.mark.parametrize("replaces", [False, True])
    def test_nothing_half_written_stays(self, output, tmp_path, monkeypatch, form, failure, replaces):
        to = tmp_path / "vectors"
        if replaces:
            export_vectors(output, form, str(to))
        before = self.content(to) if replaces else None
        slices = StoredVectors.slices

        def break_off(stored):
            rows = slices(stored)
            yield next(rows)
            raise failure

        monkeypatch.setattr(StoredVectors, "slices", break_off)
        with pytest.raises(KeyboardInterrupt if failure is KeyboardInterrupt else RunError):
            export_vectors(output, form, str(to), force=replaces)
        assert [path.name for path in tmp_path.iterdir()] == (["vectors"] if replaces else [])
        assert before is None or self.content(to) == before

    def test_force_removes_nothing_that_is_no_export(self, output, tmp_path, form):
        to = tmp_path / "documents"
        to.mkdir()
        (to / "thesis.txt").write_text("all of it", encoding="utf-8")
        with pytest.raises(InputError, match="so --force does not replace it"):
            export_vectors(output, form, str(to), force=True)
        assert (to / "thesis.txt").read_text(encoding="utf-8") == "all of it"

    def test_places_that_cannot_be_written_to_are_named(self, output, tmp_path, form):
        for to, message in (
            (f"{output}/vectors/export", "is inside the run's own folder"),
            (str(tmp_path / "absent" / "vectors"), "no folder .*absent; make it"),
            ("s3://bucket/vectors", "is no local path"),
        ):
            with pytest.raises(InputError, match=message):
                export_vectors(output, form, to)

    def test_a_damaged_artifact_leaves_nothing(self, tmp_path, write_vectors, form):
        write_vectors(tmp_path / "run")
        path = sorted((tmp_path / "run" / "vectors").glob("part-*"))[-1]
        # Its words can be read, its vectors cannot.
        table = pq.read_table(path)
        content = path.read_bytes()
        offset = pq.ParquetFile(path).metadata.row_group(0).column(3).data_page_offset
        path.write_bytes(content[:offset] + b"\xff" * 16 + content[offset + 16 :])
        assert len(table) == 3
        with pytest.raises(RunError, match="is damaged"):
            export_vectors(str(tmp_path / "run"), form, str(tmp_path / "new"))
        assert not (tmp_path / "new").exists()
        assert [entry.name for entry in tmp_path.iterdir()] == ["run"]


@pytest.mark.parametrize("form", [form for form in Format if form not in (Format.numpy, Format.safetensors)])
def test_formats_of_float32_take_no_other(capsys, output, tmp_path, form):
    command = ["export", "--output", output, "--to", str(tmp_path / "new"), "--format", form, "--dtype", "float16"]
    assert main(command) == EXIT_USAGE
    assert f"{form} holds float32, not float16; leave out --dtype" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--format", "csv"], "Invalid value for '--format'"),
        (["--format", "numpy", "--dtype", "float64"], "export.dtype = float64 is out of range"),
        (["--format", "numpy", "--top-words", "-1"], "export.top_words = -1 is out of range"),
    ],
)
def test_a_command_that_cannot_be_followed_is_one_line(capsys, output, tmp_path, options, message):
    assert main(["export", "--output", output, "--to", str(tmp_path / "new"), *options]) == EXIT_USAGE
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.err.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_without_gensim_its_format_tells_the_way(output, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "gensim.models", None)
    command = ["export", "--output", output, "--to", str(tmp_path / "new"), "--format", "gensim"]
    assert main(command) == EXIT_USAGE
    assert "pip install gensim, or export word2vec-binary" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_files_whose_words_are_in_no_order_are_refused(tmp_path, write_artifact, make_vectors_table):
    for number, ids in enumerate(([0, 2], [0, 1, 1], [1, 2])):
        tables = [make_vectors_table(ids, ["w"] * len(ids), [1] * len(ids), np.eye(len(ids), 2), None)]
        write_artifact(tmp_path / str(number), "vectors", tables)
        with pytest.raises(RunError, match="are not by word; run `pmi-spark vectors` again"):
            StoredVectors(str(tmp_path / str(number)))
