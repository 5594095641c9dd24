from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from pmi_spark.errors import EXIT_USAGE, InputError, RunError
from pmi_spark.vectors.store import OutputFiles, load_vectors, observed_pairs, read_artifact

UNSTRETCHED = {
    "frequency_exponent": 0.0,
    "frequency_reference": 1.0,
    "slope": 1.0,
    "fitted_shift": -0.5,
    "regularization": 0.0,
}


def test_vectors_are_loaded_by_id_whatever_the_order_of_files_and_rows(finished_run):
    vectors = load_vectors(str(finished_run))
    assert vectors.words == ["king", "queen", "castle", "crown", "river", "boat"]
    assert vectors.word_counts.tolist() == [900, 500, 300, 200, 100, 50]
    assert vectors.matrix.shape == (6, 3)
    assert vectors.matrix.dtype == np.float32
    assert [vectors.ids[word] for word in vectors.words] == list(range(6))


def test_the_gauge_is_read_from_sparks_metadata(finished_run):
    vectors = load_vectors(str(finished_run))
    assert (vectors.eigenvalues.tolist(), vectors.exponent, vectors.shift) == ([9, -4, 1], 0.5, -0.5)


@pytest.mark.parametrize("exponent", [0.0, 0.5, 1.0])
def test_by_the_metric_vectors_give_the_estimated_table(tmp_path, write_vectors, estimated_table, exponent):
    write_vectors(tmp_path, exponent)
    vectors = load_vectors(str(tmp_path))
    estimated = vectors.shift + vectors.matrix @ vectors.pmi_metric @ vectors.matrix.T
    np.testing.assert_allclose(estimated, estimated_table, atol=1e-5)


def test_at_a_half_the_metric_is_the_signs(finished_run):
    np.testing.assert_array_equal(load_vectors(str(finished_run)).pmi_metric, np.diag([1, -1, 1]))


@pytest.mark.parametrize("exponent", [0.0, 0.5])
def test_turned_vectors_are_read_by_the_rotation_beside_them(tmp_path, write_vectors, estimated_table, exponent):
    """The axes of the side table come in any order; cosines stay, and so do the estimates."""
    rotation, _ = np.linalg.qr(np.random.default_rng(4).normal(size=(3, 3)))
    for name, turn in (("plain", None), ("turned", rotation)):
        write_vectors(tmp_path / name, exponent, turn)
    plain, turned = (load_vectors(str(tmp_path / name)) for name in ("plain", "turned"))
    assert plain.rotation is None
    np.testing.assert_allclose(turned.rotation, rotation, atol=1e-6)
    np.testing.assert_allclose(turned.matrix, plain.matrix @ rotation, atol=1e-6)
    estimated = turned.shift + turned.matrix @ turned.pmi_metric @ turned.matrix.T
    np.testing.assert_allclose(estimated, estimated_table, atol=1e-5)
    np.testing.assert_allclose(
        turned.unit_matrix @ turned.unit_matrix.T, plain.unit_matrix @ plain.unit_matrix.T, atol=1e-6
    )


def test_the_side_table_is_read_when_it_is_asked_for(tmp_path, write_vectors):
    write_vectors(tmp_path, rotation=np.eye(3))
    rows, _ = read_artifact(str(tmp_path), "vectors")
    side, manifest = read_artifact(str(tmp_path), "vectors", side=True)
    assert rows.column_names == ["word_id", "word", "word_count", "vector"]
    assert side.column_names == ["axis", "row"]
    assert (len(rows), len(side), manifest.row_count) == (6, 3, 6)


def test_unit_vectors_have_length_1_or_0(tmp_path, write_artifact, make_vectors_table):
    gauge = {"eigenvalues": [1.0, 0.0], "exponent": 0.0, "shift": 0.0, **UNSTRETCHED}
    write_artifact(tmp_path, "vectors", [make_vectors_table([0, 1], ["a", "b"], [2, 1], [[3, 4], [0, 0]], gauge)])
    vectors = load_vectors(str(tmp_path))
    np.testing.assert_allclose(np.linalg.norm(vectors.unit_matrix, axis=1), [1, 0], atol=1e-6)
    np.testing.assert_array_equal(vectors.pmi_metric, np.diag([1, 0]))


def test_files_that_the_manifest_does_not_name_are_not_read(tmp_path, write_vectors, make_vectors_table):
    """They are left by a run that died, or belong to one under way."""
    write_vectors(tmp_path)
    gauge = {"eigenvalues": [1.0, 1.0, 1.0], "exponent": 0.5, "shift": 0.0, **UNSTRETCHED}
    pq.write_table(
        make_vectors_table([9], ["stray"], [1], [[1, 1, 1]], gauge), tmp_path / "vectors" / "part-99999.parquet"
    )
    assert "stray" not in load_vectors(str(tmp_path)).words


def test_a_uri_and_a_trailing_slash_name_the_same_artifact(finished_run):
    by_path = load_vectors(str(finished_run))
    for output in (f"{finished_run}/", finished_run.as_uri(), f"{finished_run.as_uri()}/"):
        np.testing.assert_array_equal(load_vectors(output).matrix, by_path.matrix)


def test_observed_pairs_are_the_words_own(finished_run):
    partners, counts, values = observed_pairs(str(finished_run), 3, "fedcba9876543210")
    rows = sorted(zip(partners.tolist(), counts.tolist(), values.tolist(), strict=True))
    assert rows == [(0, 10.0, 1.0), (1, 9.0, 1.5)]
    assert len(observed_pairs(str(finished_run), 5, "fedcba9876543210")[0]) == 0


def test_a_directory_without_the_artifact_is_an_input_error(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("text", encoding="utf-8")
    for name in ("empty", "absent", "file"):
        with pytest.raises(InputError, match=f"no vectors in .*{name}; name the --output directory") as caught:
            load_vectors(str(tmp_path / name))
        assert caught.value.exit_status == EXIT_USAGE


def test_part_files_without_a_manifest_are_no_artifact(tmp_path, write_vectors):
    write_vectors(tmp_path)
    (tmp_path / "vectors" / "_manifest.json").unlink()
    with pytest.raises(InputError, match="no vectors in"):
        load_vectors(str(tmp_path))


def test_an_empty_manifest_is_about_to_be_written(tmp_path, write_vectors):
    write_vectors(tmp_path)
    (tmp_path / "vectors" / "_manifest.json").write_text("")
    with pytest.raises(InputError, match="no vectors in"):
        load_vectors(str(tmp_path))


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"files": []}', '{"files": [{"name": "x"}]}'])
def test_a_broken_manifest_is_named(tmp_path, write_vectors, text):
    write_vectors(tmp_path)
    path = tmp_path / "vectors" / "_manifest.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(RunError, match=r"_manifest\.json is not a manifest"):
        read_artifact(str(tmp_path), "vectors")


def test_an_unknown_file_system_is_an_input_error():
    with pytest.raises(InputError, match="cannot read nonsense://bucket/run"):
        read_artifact("nonsense://bucket/run", "vectors")


@pytest.mark.parametrize(
    "gauge",
    [None, {}, {"signs": [1]}, {"signs": [1], "eigenvalues": [1.0], "exponent": 0.5, "shift": 0.0}],
    ids=["no metadata", "no gauge", "signs alone", "an earlier version's"],
)
def test_vectors_without_their_gauge_are_refused(tmp_path, write_artifact, make_vectors_table, gauge):
    write_artifact(tmp_path, "vectors", [make_vectors_table([0], ["a"], [1], [[1.0]], gauge)])
    with pytest.raises(RunError, match="carry no signs"):
        load_vectors(str(tmp_path))


@pytest.mark.parametrize(
    "module", ["pmi_spark.vectors.query", "pmi_spark.vectors.store", "pmi_spark.status", "pmi_spark.cli"]
)
def test_questions_need_neither_spark_nor_java(module):
    program = f"import sys, {module}; print(sorted(m for m in sys.modules if m in ('pyspark', 'py4j')))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "module",
    [
        "pmi_spark.cooccurrence.windows",
        "pmi_spark.cooccurrence.pair_block",
        "pmi_spark.association.measures",
        "pmi_spark.factorization.row_blocks",
        "pmi_spark.factorization.loss",
        "pmi_spark.factorization.cell_passes",
        "pmi_spark.factorization.solver",
        "pmi_spark.factorization.earlier",
        "pmi_spark.factorization.canonical",
        "pmi_spark.corpus.tokenizers",
    ],
)
def test_kernels_do_not_import_spark(module):
    program = f"import sys, {module}; print('pyspark' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_pairs_of_another_vocabulary_are_refused(finished_run):
    with pytest.raises(InputError, match="different vocabularies"):
        observed_pairs(str(finished_run), 3, "another")


@pytest.mark.parametrize("damage", [Path.unlink, lambda part: part.write_bytes(b"PAR1")], ids=["missing", "cut short"])
def test_a_damaged_file_is_one_line_with_its_cure(finished_run, tmp_path, damage):
    copy = tmp_path / "run"
    shutil.copytree(finished_run, copy)
    damage(next((copy / "vectors").glob("part-*")))
    with pytest.raises(RunError, match=r"damaged.*run `pmi-spark vectors` again"):
        load_vectors(str(copy))


def test_a_reader_of_what_was_replaced_meanwhile_gets_the_successor(tmp_path, write_vectors, monkeypatch):
    """It has read a manifest whose files are gone when it opens them."""
    rotation, _ = np.linalg.qr(np.random.default_rng(4).normal(size=(3, 3)))
    write_vectors(tmp_path, rotation=rotation)
    text = (tmp_path / "vectors" / "_manifest.json").read_text(encoding="utf-8")
    former = [text.replace("part-0000", "part-former-0000"), text.replace("cba98", "other")]
    read_text = OutputFiles.read_text
    monkeypatch.setattr(OutputFiles, "read_text", lambda *given: former.pop(0) if former else read_text(*given))
    vectors = load_vectors(str(tmp_path))
    assert former == []
    assert vectors.words[0] == "king"
    assert vectors.vocabulary_fingerprint == "fedcba9876543210"
