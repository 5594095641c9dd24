from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from pmi_spark.cli import main
from pmi_spark.errors import InputError, RunError
from pmi_spark.storage import FileStatus
from pmi_spark.vectors.evaluation_record import (
    HELD_OUT,
    Asked,
    evaluate_vectors,
    length_fits,
    save_record,
)
from pmi_spark.vectors.files import RECORD_NAME
from pmi_spark.vectors.stream import StoredVectors


@pytest.fixture
def files(tmp_path) -> tuple[str, str]:
    judged, asked = tmp_path / "judged.tsv", tmp_path / "questions.txt"
    judged.write_text("word0\tword1\t3\nword2\tword3\t1\nword4\tword5\t2\nword6\tstranger\t1\n", encoding="utf-8")
    asked.write_text(": one\nword0 word1 word2 word3\n: two\nword0 word1 word2 stranger\n", encoding="utf-8")
    return str(judged), str(asked)


def test_the_record_has_every_score_with_its_coverage(scored_run, files):
    record = evaluate_vectors(str(scored_run.output), Asked([files[0]], [files[1]], [files[0], HELD_OUT]))
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    (similarity,) = record["similarity"]
    assert {key: similarity[key] for key in ("file", "known", "pairs")} == {
        "file": "judged.tsv",
        "known": 3,
        "pairs": 4,
    }
    assert -1 <= similarity["pearson"] <= 1
    assert [row["method"] for row in record["analogies"]] == ["3CosAdd", "3CosMul"]
    one, two = record["analogies"][0]["sections"]
    assert (one["name"], one["known"], one["questions"]) == ("one", 1, 1)
    # What is not a number is null.
    assert two == {"name": "two", "accuracy": None, "right": 0, "known": 0, "questions": 1}
    assert record["analogies"][0]["total"]["questions"] == 2
    (pairs,) = record["pairs"]
    assert (pairs["pairs_ranked"], pairs["pairs"]) == (3, 4)
    held = record["held_out"]
    assert 0.5 < held["auc"] <= 1
    assert held["pairs"] == held["pairs_met"] > held["pairs_ranked"] > 0
    assert "note" not in held
    assert {row["vectors"] for row in record["squared_length"]} == {"as written", "of PMI"}


def test_with_no_files_it_is_the_held_out_pairs_and_the_lengths(scored_run, files):
    output = str(scored_run.output)
    assert evaluate_vectors(output, Asked())["held_out"]["auc"] > 0.5
    assert "held_out" not in evaluate_vectors(output, Asked(similarity=[files[0]]))


def test_held_out_pairs_that_are_not_there_fail_alone_who_asked_for_them(tmp_path, scored_run, write_vectors):
    write_vectors(tmp_path)
    assert evaluate_vectors(str(tmp_path), Asked())["held_out"] == {"note": f"no pmi in {tmp_path}"}
    with pytest.raises(InputError, match="no pmi in"):
        evaluate_vectors(str(tmp_path), Asked(pairs=[HELD_OUT]))


@pytest.mark.parametrize("exponent", [0.5, 0.25])
def test_lengths_of_pmi_are_the_same_whatever_exponent_and_axes(tmp_path, write_vectors, exponent):
    rotation, _ = np.linalg.qr(np.random.default_rng(2).normal(size=(3, 3)))
    write_vectors(tmp_path, exponent, rotation)
    write_vectors(tmp_path / "plain")
    turned, plain = (length_fits(StoredVectors(str(path))) for path in (tmp_path, tmp_path / "plain"))
    assert turned["of PMI"] == pytest.approx(plain["of PMI"], abs=1e-3)
    assert plain["as written"] == plain["of PMI"]
    if exponent != 0.5:
        assert turned["as written"].slope != pytest.approx(plain["as written"].slope, abs=1e-3)


def test_lengths_of_pmi_are_those_before_the_stretch_by_frequency(scored_run):
    found = length_fits(StoredVectors(str(scored_run.output)))
    counts = scored_run.word_counts
    rarity = -np.log(counts / counts.sum())
    written = (scored_run.rows.astype(np.float64) ** 2).sum(axis=1)
    own = written / (1.5 * (counts / 100.0) ** -0.2)
    for fit, squares in ((found["as written"], written), (found["of PMI"], own)):
        assert fit.spearman == pytest.approx(stats.spearmanr(squares, rarity).statistic, abs=1e-4)
        assert fit.pearson == pytest.approx(stats.pearsonr(squares, rarity).statistic, abs=1e-4)
        assert fit.slope == pytest.approx(stats.linregress(rarity, squares).slope, abs=1e-4)


def test_a_saved_record_replaces_the_earlier_one_and_nothing_lies_beside_it(tmp_path):
    for number in (1, 2):
        assert save_record(str(tmp_path), {"number": number}) == f"{tmp_path}/{RECORD_NAME}"
    assert [path.name for path in tmp_path.iterdir()] == [RECORD_NAME]
    assert json.loads((tmp_path / RECORD_NAME).read_text(encoding="utf-8")) == {"number": 2}
    # A run passes over what is hidden in its output directory.
    assert FileStatus(f"{tmp_path}/{RECORD_NAME}", 1, 0, False).is_hidden


def test_a_record_that_cannot_be_written_leaves_the_earlier_one(tmp_path):
    save_record(str(tmp_path), {"number": 1})
    (tmp_path / "target").mkdir()
    with pytest.raises(RunError, match=r"cannot write .*_evaluation\.json"):
        save_record(str(tmp_path / "absent"), {"number": 2})
    with pytest.raises(TypeError):
        save_record(str(tmp_path), {"number": object()})
    assert json.loads((tmp_path / RECORD_NAME).read_text(encoding="utf-8")) == {"number": 1}
    assert sorted(path.name for path in tmp_path.iterdir()) == [RECORD_NAME, "target"]


def test_the_command_prints_tables_with_coverage(capsys, monkeypatch, scored_run, files):
    monkeypatch.setenv("COLUMNS", "120")
    command = ["evaluate", "--output", str(scored_run.output), "--similarity", files[0], "--analogies", files[1]]
    assert main([*command, "--pairs", files[0], "--pairs", "held-out", "--restrict", "100"]) == 0
    out = capsys.readouterr().out
    for text in ("Spearman", "Pearson", "pairs known", "3 of 4 (75.0%)", "questions.txt, 3CosMul", "1 of 2 (50.0%)"):
        assert text in out
    for text in ("held-out pairs", "P(i) P(j) alone", "|v|^2 against -log p", "as written", "never met"):
        assert text in out


def test_the_command_gives_one_json_object_and_saves_it(capsys, tmp_path, scored_run):
    output = tmp_path / "run"
    output.mkdir()
    for name in ("vectors", "pmi", "pairs"):
        (output / name).symlink_to(scored_run.output / name)
    assert main(["evaluate", "--output", str(output), "--json", "--save"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert json.loads((output / RECORD_NAME).read_text(encoding="utf-8")) == printed
    assert printed["words"] == 300
    assert sorted(path.name for path in output.iterdir()) == [RECORD_NAME, "pairs", "pmi", "vectors"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--similarity", "absent.tsv"], "cannot read absent.tsv: No such file or directory; check the path"),
        (["--restrict", "-1"], "evaluation.restrict = -1 is out of range"),
        (["--held-pairs", "0"], "evaluation.held_pairs = 0 is out of range"),
        (["--minimum-expected", "-1"], "evaluation.minimum_expected = -1.0 is out of range"),
        (
            ["--analogies", str(Path(__file__))],
            "test_evaluation_record.py line 3 is 'import json'; write four words a line",
        ),
    ],
)
def test_what_cannot_be_evaluated_is_one_line(capsys, scored_run, options, message):
    assert main(["evaluate", "--output", str(scored_run.output), *options]) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.err.count("\n") == 1
    assert captured.out == ""
