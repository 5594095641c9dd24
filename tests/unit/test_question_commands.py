"""Questions on the command line: what they print and, as JSON, under which keys, without Spark and Java."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pmi_spark.cli import main
from pmi_spark.errors import EXIT_USAGE
from pmi_spark.export.formats import Format

CANDIDATES = "the king and queen\nboat on a river\nnothing known\nCastle\n"


@pytest.fixture(autouse=True)
def width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    path = tmp_path / "candidates.txt"
    path.write_text(CANDIDATES, encoding="utf-8")
    return path


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str], finished_run: Path):
    """``ask(*arguments)``: what is printed, as lines of columns."""

    def run(*arguments: str) -> list[list[str]]:
        assert main([*arguments, "--output", str(finished_run)]) == 0
        captured = capsys.readouterr()
        assert captured.err == ""
        return [re.split(r"\s{2,}", line.strip()) for line in captured.out.splitlines()]

    return run


@pytest.fixture
def ask_json(capsys: pytest.CaptureFixture[str], finished_run: Path):
    def run(*arguments: str) -> dict[str, Any]:
        assert main([*arguments, "--json", "--output", str(finished_run)]) == 0
        captured = capsys.readouterr()
        (line,) = captured.out.splitlines()
        return json.loads(line)

    return run


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str], finished_run: Path):
    """The one line that a usage failure leaves."""

    def run(*arguments: str) -> str:
        assert main([*arguments, "--output", str(finished_run)]) == EXIT_USAGE
        captured = capsys.readouterr()
        assert captured.out == ""
        (line,) = captured.err.splitlines()
        return line

    return run


@pytest.mark.parametrize("question", [["similar"], ["similar", "--context", "3"], ["related"], ["related", "--mutual"]])
def test_several_words_are_asked_at_once(ask, question):
    rows = ask(*question, "king", "Boat", "--top", "2")
    assert rows[0][:2] == ["asked", "word"]
    assert [row[0] for row in rows[1:]] == ["king", "king", "Boat", "Boat"]
    for word in ("king", "Boat"):
        alone = ask(*question, word, "--top", "2")
        assert [row[1:] for row in rows[1:] if row[0] == word] == alone[1:]
        assert alone[0] == rows[0][1:]


def test_similar_as_json(ask_json, finished_run):
    found = ask_json("similar", "king", "boat", "--top", "1")
    assert found["question"] == "similar"
    assert [answer["asked"] for answer in found["answers"]] == ["king", "boat"]
    assert [set(entry) for entry in found["answers"][0]["found"]] == [{"word", "cosine", "word_count"}]
    through = ask_json("similar", "king", "--context", "4")
    assert through["contexts"] == 4
    assert set(through["answers"][0]["found"][0]) == {"word", "correlation", "word_count"}


def test_related_by_both_marks_unseen_pairs(ask, ask_json, estimated_table):
    rows = ask("related", "crown", "--both")
    assert rows[0] == ["word", "PMI, estimated (nats)", "PMI, observed (nats)", "weighted pairs", "occurrences"]
    by_word = {row[0]: row[1:] for row in rows[1:]}
    assert by_word["queen"] == [f"{estimated_table[3, 1]:.3f}", "1.500", "9.0", "500"]
    assert by_word["river"] == [f"{estimated_table[3, 4]:.3f}", "unseen", "0.0", "100"]
    entries = {entry["word"]: entry for entry in ask_json("related", "crown", "--both")["answers"][0]["found"]}
    assert set(entries["river"]) == {"word", "estimated_pmi_nats", "observed_pmi_nats", "pair_count", "word_count"}
    assert (entries["river"]["observed_pmi_nats"], entries["queen"]["observed_pmi_nats"]) == (None, 1.5)


def test_related_mutual_tells_ranks(ask, ask_json):
    rows = ask("related", "king", "--mutual", "--depth", "2")
    assert rows[0] == ["word", "PMI, estimated (nats)", "rank", "rank back", "occurrences"]
    found = ask_json("related", "king", "--mutual", "--depth", "2")
    assert (found["by"], found["depth"]) == ("mutual", 2)
    assert set(found["answers"][0]["found"][0]) == {"word", "pmi_nats", "rank", "rank_back", "word_count"}


@pytest.mark.parametrize("by", [(), ("--observed",)])
def test_related_as_json(ask_json, by):
    found = ask_json("related", "king", *by)
    assert found["by"] == ("observed" if by else "estimated")
    assert set(found["answers"][0]["found"][0]) == {"word", "pmi_nats", "word_count"}


def test_ways_to_be_related_do_not_go_together(refused):
    assert "do not go together" in refused("related", "king", "--both", "--mutual")


def test_an_analogy_prints_both_scores(ask, ask_json):
    for method in ("add", "mul"):
        rows = ask("analogy", "king", "queen", "castle", "--method", method)
        assert rows[0] == ["word", "3CosAdd", "3CosMul", "occurrences"]
        assert {row[0] for row in rows[1:]} == {"crown", "river", "boat"}
        scores = [float(row[1 if method == "add" else 2]) for row in rows[1:]]
        assert scores == sorted(scores, reverse=True)
    found = ask_json("analogy", "king", "queen", "castle")
    assert (found["method"], found["answers"][0]["asked"]) == ("add", "king queen castle")
    assert set(found["answers"][0]["found"][0]) == {"word", "cos_add", "cos_mul", "word_count"}


def test_a_score_is_the_sum_of_the_pairs_printed(ask, ask_json, estimated_table):
    rows = ask("score", "King, queen & stranger!", "castle river")
    assert rows[0] == ["first", "second", "PMI (nats)", "times"]
    total = estimated_table[np.ix_([0, 1], [2, 4])].sum()
    assert ["king", "castle", f"{estimated_table[0, 2]:.3f}", "1"] in rows
    assert [f"sum {total:.3f} nats over 4 pairs, mean {total / 4:.3f}"] in rows
    assert ["unknown and left out: stranger"] in rows
    found = ask_json("score", "King, queen & stranger!", "castle river")
    assert found["sum_pmi_nats"] == pytest.approx(total, abs=1e-5)
    assert found["mean_pmi_nats"] == pytest.approx(total / 4, abs=1e-5)
    assert (found["pairs"], found["unknown"]) == (4, {"first": ["stranger"], "second": []})
    assert sum(pair["pmi_nats"] * pair["times"] for pair in found["table"]) == pytest.approx(total, abs=1e-5)


def test_a_text_without_a_known_word_is_refused_with_near_spellings(refused):
    assert refused("score", "castel", "king").endswith("no known word in 'castel', unknown word 'castel'; near: castle")
    assert "no word in '!'" in refused("keywords", "!")


def test_keywords_of_a_text_and_of_a_file(ask, ask_json, tmp_path):
    text = "King and queen, king and castle, and a boat"
    (tmp_path / "text.txt").write_text(text, encoding="utf-8")
    rows = ask("keywords", text, "--top", "3")
    assert rows[0] == ["word", "PMI, sum (nats)", "mean (nats)", "in the text", "occurrences"]
    assert ask("keywords", str(tmp_path / "text.txt"), "--top", "3") == rows
    assert rows[-1] == ["unknown and left out: and, a"]
    found = ask_json("keywords", text)
    assert (found["known_words"], found["unknown_words"], found["unknown"]) == (5, 4, ["and", "a"])
    assert {entry["word"] for entry in found["keywords"]} == {"king", "queen", "castle", "boat"}
    anywhere = ask_json("keywords", text, "--anywhere")
    assert {entry["word"] for entry in anywhere["keywords"]} == {"king", "queen", "castle", "crown", "river", "boat"}


def test_a_text_longer_than_a_name_is_a_text(ask):
    assert ask("keywords", "king queen " * 1000, "--top", "1")[1][0] in ("king", "queen")


def test_candidates_are_ranked_by_the_mean_of_a_pair_or_by_the_sum(ask, ask_json, lines, estimated_table):
    by_sum = estimated_table[3][[0, 1]].sum(), estimated_table[3][[5, 4]].sum(), estimated_table[3][2]
    found = ask_json("rank", "crown", "--candidates", str(lines))
    assert (found["by"], found["candidates"], found["unknown"]) == ("mean_pmi", 4, [])
    keys = {"candidate", "text", "sum_pmi_nats", "mean_pmi_nats", "known_words", "unknown_words"}
    assert [set(row) for row in found["best"]] == [keys] * 4
    by_candidate = {row["candidate"]: row for row in found["best"]}
    assert [by_candidate[k]["sum_pmi_nats"] for k in (0, 1, 3)] == pytest.approx(by_sum, abs=1e-5)
    assert by_candidate[0]["mean_pmi_nats"] == pytest.approx(by_sum[0] / 2, abs=1e-5)
    assert (by_candidate[2]["sum_pmi_nats"], by_candidate[2]["unknown_words"]) == (None, 2)
    means = [row["mean_pmi_nats"] for row in found["best"][:3]]
    assert means == sorted(means, reverse=True)
    assert found["best"][-1]["text"] == "nothing known"
    summed = ask_json("rank", "crown", "--candidates", str(lines), "--by", "sum", "--top", "1")
    assert [row["candidate"] for row in summed["best"]] == [(0, 1, 3)[int(np.argmax(by_sum))]]
    rows = ask("rank", "crown", "--candidates", str(lines), "--top", "4")
    assert rows[0] == ["mean PMI (nats)", "sum (nats)", "words", "unknown", "text"]
    assert rows[4] == ["-", "-", "0", "2", "nothing known"]


def test_all_candidates_go_to_parquet(ask, ask_json, lines, tmp_path):
    to = tmp_path / "ranked.parquet"
    assert ask("rank", "crown", "--candidates", str(lines), "--to", str(to), "--top", "1")[-1] == [
        f"4 candidates in {to}"
    ]
    assert pq.read_table(to).column("candidate").to_pylist()[-1] == 2
    pq.write_table(pa.table({"id": ["x"], "body": ["king"]}), tmp_path / "one.parquet")
    found = ask_json("rank", "crown", "--candidates", str(tmp_path / "one.parquet"), "--column", "body")
    assert (found["best"][0]["id"], found["best"][0]["body"]) == ("x", "king")


def test_candidates_that_are_not_there_are_told(refused, tmp_path):
    assert "cannot read" in refused("rank", "king", "--candidates", str(tmp_path / "absent"))
    assert "query.rank_by" in refused("rank", "king", "--candidates", str(tmp_path / "absent"), "--by", "luck")


@pytest.mark.parametrize(
    ("question", "key"),
    [
        (["similar", "king", "--context", "-1"], "query.context"),
        (["related", "king", "--mutual", "--depth", "0"], "query.depth"),
        (["analogy", "king", "queen", "boat", "--method", "divide"], "query.method"),
        (["keywords", "king", "--top", "0"], "query.top"),
        (["matches", "--to", "x", "--words", "-1"], "query.words"),
    ],
)
def test_limits_have_ranges(refused, question, key):
    assert f"{key} = " in refused(*question)


@pytest.mark.parametrize("question", [["similar"], ["related"], ["related", "--both"], ["related", "--mutual"]])
def test_an_unknown_word_among_several_is_told(refused, question):
    assert refused(*question, "king", "rivr") == "pmi-spark: unknown word 'rivr'; near: river"


QUESTIONS = (
    ("similar", "king", "queen"),
    ("similar", "king", "--context", "3"),
    ("related", "king", "--both"),
    ("related", "king", "--observed"),
    ("related", "king", "--mutual"),
    ("analogy", "king", "queen", "castle"),
    ("score", "king queen", "castle"),
    ("keywords", "king queen castle"),
    ("rank", "king", "--candidates", "candidates.txt", "--to", "ranked.parquet"),
    ("status",),
    ("evaluate", "--similarity", "judged.tsv", "--analogies", "analogies.txt"),
)
EXPORTS = tuple(("export", "--format", name, "--to", name) for name in Format)
# Every command in one process that cannot import pyspark and finds no Java.
WITHOUT_SPARK = """
import json, sys
for name in ("pyspark", "py4j"):
    sys.modules[name] = None
from pmi_spark.cli import main
print(json.dumps([main([*command, "--output", sys.argv[1]]) for command in json.loads(sys.argv[2])]))
"""


@pytest.fixture
def without_spark(finished_run: Path, lines: Path):
    """``without_spark(commands)``: what each prints, a line each, and their exit statuses last."""
    (lines.parent / "judged.tsv").write_text("king\tqueen\t9\nking\tcastle\t5\nqueen\tboat\t1\n", encoding="utf-8")
    (lines.parent / "analogies.txt").write_text(": few\nking queen castle boat\n", encoding="utf-8")
    environment = {key: value for key, value in os.environ.items() if key != "JAVA_HOME"} | {"PATH": str(lines.parent)}

    def run(commands: Sequence[tuple[str, ...]]) -> list[str]:
        done = subprocess.run(
            [sys.executable, "-c", WITHOUT_SPARK, str(finished_run), json.dumps(commands)],
            cwd=lines.parent,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        *answers, statuses = done.stdout.splitlines()
        assert json.loads(statuses) == [0] * len(commands), done.stderr
        return answers

    return run


def test_questions_are_answered_where_there_is_neither_spark_nor_java(without_spark):
    answers = [json.loads(line) for line in without_spark([(*question, "--json") for question in QUESTIONS])]
    others = {"status": "stages", "evaluate": "similarity"}
    for (command, *_), answer in zip(QUESTIONS, answers, strict=True):
        assert answer["question"] == command if command not in others else others[command] in answer


def test_vectors_are_exported_and_reported_where_there_is_neither_spark_nor_java(without_spark, lines):
    without_spark([*EXPORTS, ("report", "--to", "page.html")])
    written = {path.name for path in lines.parent.iterdir()}
    assert written >= {*Format, "page.html"}


def test_where_there_is_no_spark_a_job_says_so_and_fails():
    """The other commands above do not pass because the blocking fails."""
    program = WITHOUT_SPARK.rsplit("print", 1)[0] + "import pmi_spark.matches"
    done = subprocess.run([sys.executable, "-c", program, "x", "[]"], capture_output=True, text=True, check=False)
    assert re.search(r"ModuleNotFoundError.*pyspark", done.stderr)
