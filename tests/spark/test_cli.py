"""Failures of the command line: the exit status, and one line that names what was found."""

from __future__ import annotations

import bz2
import lzma
import re
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from pmi_spark.artifacts import CORE_STAGES as STAGES
from pmi_spark.cli import main

PROGRESS = re.compile(rf"({'|'.join(STAGES)}) +\S")
TEXT = "the cat sat on the mat\nthe dog sat on the cat\n" * 6
SMALL = ("--set", "vocabulary.minimum_count=1", "--set", "vectors.dimensions=3", "--set", "pairs.subsample=0")


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    path = tmp_path / "text.txt"
    path.write_text(TEXT, encoding="utf-8")
    return path


def failure(capsys: pytest.CaptureFixture[str]) -> str:
    """The one line beside the progress lines, without the program's name."""
    captured = capsys.readouterr()
    assert captured.out == ""
    lines = captured.err.splitlines()
    assert [line for line in lines if not PROGRESS.match(line)] == lines[-1:]
    assert lines[-1].startswith("pmi-spark: ")
    assert "Traceback" not in captured.err
    return lines[-1].removeprefix("pmi-spark: ")


@pytest.mark.usefixtures("spark")
class TestFailures:
    def test_a_missing_path(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        status = main(["run", "--input", f"{tmp_path}/nowhere.txt", "--output", f"{tmp_path}/out"])
        assert (status, failure(capsys).startswith(f"no such input: {tmp_path}/nowhere.txt; ")) == (2, True)

    def test_a_directory_with_no_files(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (tmp_path / "empty" / "deeper").mkdir(parents=True)
        status = main(["run", "--input", f"{tmp_path}/empty", "--output", f"{tmp_path}/out"])
        assert (status, failure(capsys).startswith(f"no files in {tmp_path}/empty; ")) == (2, True)

    @pytest.mark.parametrize("text", ["... ---\n\n!!!\n", ""])
    def test_a_corpus_with_no_words(self, corpus: Path, capsys: pytest.CaptureFixture[str], text: str) -> None:
        corpus.write_text(text, encoding="utf-8")
        status = main(["run", "--input", str(corpus), "--output", f"{corpus.parent}/out"])
        assert (status, failure(capsys).startswith("no words in the 1 input files; ")) == (2, True)

    def test_a_minimum_count_no_word_reaches(self, corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
        arguments = ["--input", str(corpus), "--output", f"{corpus.parent}/out"]
        status = main(["run", *arguments, "--set", "vocabulary.minimum_count=1000"])
        line = failure(capsys)
        assert (status, line.startswith("no word occurs 1000 times; lower vocabulary.minimum_count")) == (1, True)

    @pytest.mark.parametrize("foreign", ["thesis.doc", "tokens/notes.txt", "photos/"])
    def test_an_output_directory_that_holds_something_else(
        self, corpus: Path, capsys: pytest.CaptureFixture[str], foreign: str
    ) -> None:
        path = corpus.parent / "out" / foreign
        path.parent.mkdir(parents=True)
        if foreign.endswith("/"):
            path.mkdir()
        else:
            path.write_text("mine", encoding="utf-8")
        status = main(["run", "--input", str(corpus), "--output", f"{corpus.parent}/out"])
        line = failure(capsys)
        assert (status, "holds something else: " + path.name in line) == (2, True)
        assert path.exists()

    def test_a_compression_that_is_not_read(self, corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
        packed = corpus.with_suffix(".xz")
        packed.write_bytes(lzma.compress(TEXT.encode()))
        status = main(["run", "--input", str(packed), "--output", f"{corpus.parent}/out"])
        line = failure(capsys)
        assert (status, "text.xz: it is xz; give UTF-8 text, plain or .gz, .bz2, .zst" in line) == (2, True)
        assert not (corpus.parent / "out").exists()

    def test_more_dimensions_than_words(self, corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
        arguments = ["--input", str(corpus), "--output", f"{corpus.parent}/out", *SMALL]
        status = main(["run", *arguments, "--set", "vectors.dimensions=8"])
        line = failure(capsys)
        assert (status, line.startswith("the vocabulary has 6 words, fewer than vectors.dimensions = 8; ")) == (1, True)
        # What was finished is kept: with fewer dimensions the same command goes on from there.
        assert main(["run", *arguments]) == 0
        lines = capsys.readouterr().err.splitlines()
        assert [line.split()[0] for line in lines if " skipped: " in line] == list(STAGES[:-1])

    def test_documents_of_one_word_each(self, corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
        corpus.write_text("cat\ndog\n" * 9, encoding="utf-8")
        status = main(["run", "--input", str(corpus), "--output", f"{corpus.parent}/out", *SMALL])
        assert (status, failure(capsys).startswith("no two different words ever met; ")) == (1, True)

    def test_a_stage_before_its_time(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        status = main(["pairs", "--output", f"{tmp_path}/out"])
        assert (status, "run `pmi-spark tokens` first" in failure(capsys)) == (2, True)

    def test_a_broken_shard_is_told_in_one_line_that_names_it_the_cause_and_the_cure(
        self, corpus: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        packed = corpus.with_suffix(".bz2")
        packed.write_bytes(bz2.compress(TEXT.encode())[:-20])
        status = main(["run", "--input", str(packed), "--output", f"{corpus.parent}/out"])
        line = failure(capsys)
        assert (status, line.startswith(f"cannot read file:{packed}: ")) == (1, True)
        assert line.endswith("; replace it, or leave it out with --set tokens.on_bad_shard=skip")


def test_a_run_tells_each_stage_on_standard_error_and_nothing_on_standard_output(
    spark: SparkSession, corpus: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # Settings and inputs as a person types them: several inputs, the later ones bare.
    more = corpus.with_name("more.txt")
    more.write_text(TEXT, encoding="utf-8")
    output = f"{corpus.parent}/out"
    assert main(["run", *SMALL, "--output", output, "--input", str(corpus), str(more)]) == 0
    captured = capsys.readouterr()
    assert captured.out == ""
    finished = [line.split()[0] for line in captured.err.splitlines() if re.search(r"\d s  \d", line)]
    assert finished == list(STAGES)
    assert main(["related", "cat", "--output", output, "--observed", "--top", "2"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 3
