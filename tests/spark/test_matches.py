"""Every word's best mutual partner, on Spark, against the plain twin."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from pmi_spark import matches
from pmi_spark.artifacts import MANIFEST_NAME, Manifest, PartFile
from pmi_spark.cli import main
from pmi_spark.errors import EXIT_USAGE, InputError
from pmi_spark.factorization.calibration import LengthScale
from pmi_spark.factorization.earlier import Gauged
from pmi_spark.factorization.vector_tables import vector_slices
from pmi_spark.matches import MatchLimits, chosen_words, matched
from pmi_spark.vectors.partners import best_mutual_plain
from pmi_spark.vectors.store import WordVectors

WORDS = 90
TOPICS = {name: [f"{name}{number}" for number in range(30)] for name in ("sea", "law")}


@pytest.fixture(scope="module")
def vectors() -> WordVectors:
    """Counts that do not fall with the ids, as after an increment."""
    generator = np.random.default_rng(5)
    matrix = generator.normal(size=(WORDS, 5)).astype(np.float32)
    counts = generator.permutation(WORDS) + 1
    eigenvalues = np.array([4.0, -3.0, 2.0, 1.0, -0.5])
    return WordVectors([f"w{k}" for k in range(WORDS)], counts, matrix, eigenvalues, 0.35, -1.5, fingerprint="f")


def products_of(vectors: WordVectors, ids: np.ndarray) -> np.ndarray:
    return vectors.matrix[ids].astype(np.float64) @ vectors.pmi_metric @ vectors.matrix[ids].T


@pytest.mark.parametrize(("limits", "rows_per_task"), [(MatchLimits(0, 0, 3), 4096), (MatchLimits(40, 20, 10), 7)])
def test_the_job_gives_the_plain_twins_matches(spark, monkeypatch, vectors, limits, rows_per_task):
    monkeypatch.setattr(matches, "ROWS_PER_TASK", rows_per_task)
    ids = chosen_words(vectors, limits)
    products = products_of(vectors, ids)
    rows = matched(spark, vectors, ids, limits.depth).collect()
    assert [row.word_id for row in rows] == sorted(row.word_id for row in rows)
    plain = {int(ids[i]): int(ids[j]) for i, j in best_mutual_plain(products, limits.depth).items()}
    assert {row.word_id: row.partner_id for row in rows} == plain
    np.fill_diagonal(products, -np.inf)
    ranks = (-products).argsort(axis=1).argsort(axis=1) + 1
    place = {int(word): k for k, word in enumerate(ids)}
    for row in rows:
        i, j = place[row.word_id], place[row.partner_id]
        assert (row.word, row.partner) == (f"w{row.word_id}", f"w{row.partner_id}")
        assert (row.rank, row.rank_back) == (ranks[i, j], ranks[j, i])
        assert row.pmi == pytest.approx(products[i, j] - 1.5, abs=1e-4)


def test_the_most_frequent_words_are_chosen(vectors):
    counts = np.asarray(vectors.word_counts)
    assert set(chosen_words(vectors, MatchLimits(10, 0, 1))) == set(np.argsort(-counts)[:10])
    assert set(chosen_words(vectors, MatchLimits(0, 80, 1))) == set(np.flatnonzero(counts >= 80))
    with pytest.raises(InputError, match="1 words to match"):
        chosen_words(vectors, MatchLimits(1, 0, 1))


@pytest.fixture(scope="module")
def small_run(tmp_path_factory) -> Path:
    """The vectors of the two topics' words, alike within a topic, as a run leaves them."""
    output = tmp_path_factory.mktemp("run")
    words = [word for pair in zip(*TOPICS.values(), strict=True) for word in pair]
    generator = np.random.default_rng(6)
    matrix = np.tile(np.eye(2, 6), (30, 1)) + generator.normal(scale=0.5, size=(60, 6))
    gauged = Gauged(
        words=words,
        word_counts=np.arange(60, 0, -1),
        matrix=matrix.astype(np.float32),
        eigenvalues=np.array([3.0, 3.0, -2.0, 1.0, -1.0, 0.5]),
        exponent=0.35,
        shift=-0.5,
        lengths=LengthScale(0.0, 1.0),
        rotation=None,
        fitted_shift=-0.5,
        regularization=0.0,
    )
    (output / "vectors").mkdir()
    (table,) = vector_slices(gauged)
    path = output / "vectors" / "part-0.parquet"
    pq.write_table(table, path)
    part = PartFile(path.name, path.stat().st_size, len(table))
    manifest = Manifest("vectors", "0123456789abcdef", len(table), (part,), {}, {"vocabulary": "fedcba9876543210"})
    (output / "vectors" / MANIFEST_NAME).write_text(manifest.to_json(), encoding="utf-8")
    return output


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def read(folder: Path) -> list[dict]:
    """Whatever Parquet lies in a folder, as any reader sees it."""
    return ds.dataset(str(folder), format="parquet").to_table().to_pylist()


def ask(capsys, *arguments: str) -> tuple[str, str]:
    assert main(list(arguments)) == 0
    return capsys.readouterr()


def test_matches_are_written_once_and_again_when_the_limits_change(spark, small_run, tmp_path, capsys):
    to = tmp_path / "matches"
    command = ("matches", "--output", str(small_run), "--to", str(to), "--depth", "10")
    out, err = ask(capsys, *command)
    rows = read(to)
    assert f"{len(rows)} of 60 words have a mutual partner" in out
    assert "matching 60 words: 4.3e+04 flops" in err
    best = {row["word"]: row["partner"] for row in rows}
    asked = [f"{topic}{number}" for topic in TOPICS for number in range(30)]
    mutual = json.loads(
        ask(capsys, "related", *asked, *["--mutual", "--depth", "10", "--json", "--output"], str(small_run))[0]
    )
    firsts = {answer["asked"]: answer["found"][0]["word"] for answer in mutual["answers"] if answer["found"]}
    assert firsts == best
    files = names(to)
    assert "already there" in ask(capsys, *command)[1]
    assert names(to) == files
    found = json.loads(ask(capsys, *command[:-1], "1", "--json")[0])
    assert (found["question"], found["words"], found["matched"]) == ("matches", 60, len(read(to)))
    assert len(read(to)) < len(rows)
    assert not set(files) & {name for name in names(to) if name.startswith("part-")}


def test_a_folder_with_something_else_is_refused_and_left_alone(spark, small_run, tmp_path, capsys):
    (tmp_path / "notes.txt").write_text("mine")
    assert main(["matches", "--output", str(small_run), "--to", str(tmp_path)]) == EXIT_USAGE
    assert "holds something else" in capsys.readouterr().err
    assert main(["matches", "--output", str(small_run), "--to", str(tmp_path / "notes.txt")]) == EXIT_USAGE
    assert names(tmp_path) == ["notes.txt"]


@pytest.fixture
def candidates(tmp_path: Path, two_topics: list[str]) -> Path:
    path = tmp_path / "candidates.txt"
    path.write_text("\n".join([*two_topics[400:600], "", "nothing known", two_topics[400]]), encoding="utf-8")
    return path


@pytest.mark.parametrize("by", ["mean", "sum"])
def test_spark_ranks_as_one_process_does(spark, small_run, tmp_path, candidates, capsys, by):
    command = ("rank", "sea1 sea2 stranger", "--candidates", str(candidates), "--by", by, "--json", "--top", "5")
    here = json.loads(ask(capsys, *command, "--to", str(tmp_path / "here.parquet"), "--output", str(small_run))[0])
    for to in ((), ("--to", str(tmp_path / "there"))):
        there = json.loads(ask(capsys, *command, "--spark", *to, "--output", str(small_run))[0])
        assert (there["candidates"], there["by"], there["unknown"]) == (203, f"{by}_pmi", ["stranger"])
        key = f"{by}_pmi_nats"
        assert [row[key] for row in there["best"]] == pytest.approx([row[key] for row in here["best"]])
    left, right = (read(tmp_path / name) for name in ("here.parquet", "there"))
    assert len(left) == len(right) == 203
    assert [row[f"{by}_pmi"] for row in left] == pytest.approx([row[f"{by}_pmi"] for row in right])
    assert {(row["text"], row["known_words"], row["unknown_words"]) for row in left} == {
        (row["text"], row["known_words"], row["unknown_words"]) for row in right
    }
    assert left[-1][f"{by}_pmi"] is None


def test_parquet_candidates_keep_their_columns_on_spark(spark, small_run, tmp_path, capsys):
    frame = spark.createDataFrame([(7, "sea1 sea3"), (8, "law1 law2"), (9, None)], "key long, body string")
    frame.write.parquet(str(tmp_path / "in"))
    command = ("rank", "sea2", "--candidates", str(tmp_path / "in"), "--spark", "--json", "--output", str(small_run))
    found = json.loads(ask(capsys, *command, "--column", "body")[0])
    assert [row["key"] for row in found["best"]] == [7, 8, 9]
    assert main(list(command)) == EXIT_USAGE
    assert "no column text of text" in capsys.readouterr().err
    shutil.rmtree(tmp_path / "in")
    assert main(list(command)) == EXIT_USAGE
    assert "no such input" in capsys.readouterr().err
