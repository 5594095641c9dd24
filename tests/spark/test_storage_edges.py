"""Paths with awkward names, and the marginals that lie beside the pairs."""

from __future__ import annotations

import shutil

import pytest

from pmi_spark.artifacts import Artifacts
from pmi_spark.errors import RunError
from pmi_spark.storage import Storage
from pmi_spark.vectors.store import load_vectors, read_artifact

OVERRIDES = ["vectors.dimensions=2", "pairs.subsample=0", "pairs.blocks=2", "vocabulary.minimum_count=1"]


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("a b c d e\nb a d e c x y\n" * 9)
    return path


def test_lost_marginals_are_noticed_and_the_pairs_made_again(run_stages, text, tmp_path):
    run_stages(tmp_path / "out", [text], overrides=OVERRIDES)
    shutil.rmtree(tmp_path / "out/pairs/_marginals")
    told = run_stages(tmp_path / "out", [text], overrides=[*OVERRIDES, "pmi.measures=npmi"])
    assert told.stages("finished") == ["pairs", "pmi", "vectors"]


def test_pairs_that_died_between_marginals_and_pairs_leave_no_mixture(run_stages, text, tmp_path, monkeypatch):
    out, commit = tmp_path / "out", Artifacts.commit
    run_stages(out, [text], overrides=OVERRIDES)
    before = read_artifact(str(out), "pmi")[0]

    def die(self, manifest):
        if manifest.artifact == "pairs":
            raise KeyboardInterrupt
        commit(self, manifest)

    monkeypatch.setattr(Artifacts, "commit", die)
    with pytest.raises(KeyboardInterrupt):
        run_stages(out, stages=["pairs"], overrides=[*OVERRIDES, "pairs.window=1"])
    monkeypatch.undo()
    # The pairs that are there are still the former ones: their PMI must be as before, or the stage refuse.
    run_stages(out, stages=["pmi"], overrides=[*OVERRIDES, "pmi.measures=npmi"])
    assert read_artifact(str(out), "pmi")[0].select(before.column_names).equals(before)


def test_a_least_pair_count_that_no_pair_reaches_is_told(run_stages, text, tmp_path):
    with pytest.raises(RunError, match="no pair met"):
        run_stages(tmp_path / "out", [text], overrides=[*OVERRIDES, "pairs.minimum_count=1000"])


@pytest.mark.parametrize("name", ["part[1].txt", "a{b}.txt", "what?.txt"])
def test_names_that_look_like_globs_are_read(run_stages, text, tmp_path, name):
    (tmp_path / "in").mkdir()
    text.rename(tmp_path / "in" / name)
    run_stages(tmp_path / "out", [tmp_path / "in"], ["tokens"], OVERRIDES)


def test_an_output_whose_name_looks_like_a_glob(run_stages, text, tmp_path):
    run_stages(tmp_path / "out[1]", [text], overrides=OVERRIDES)


def test_hidden_names_are_left_out_of_globs_too(spark, text, tmp_path):
    (tmp_path / "_h.txt").write_text("x")
    assert [f.name for f in Storage(spark).find_files(f"{tmp_path}/*.txt")] == ["a.txt"]


def test_hadoops_spelling_of_a_local_path_is_read(run_stages, text, tmp_path):
    run_stages(tmp_path / "out", [text], overrides=OVERRIDES)
    load_vectors(f"file:{tmp_path}/out")


def test_relative_paths_follow_the_python_process(run_stages, text, monkeypatch):
    monkeypatch.chdir(text.parent)
    run_stages("out", ["a.txt"], ["tokens"], OVERRIDES)
