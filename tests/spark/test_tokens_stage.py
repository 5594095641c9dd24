"""Files of any kind through the tokens stage: what is cut, what is dropped, and what the manifest says of it."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pmi_spark.artifacts import Artifacts
from pmi_spark.cli import main
from pmi_spark.errors import InputError, PmiSparkError
from pmi_spark.schemas import REJECTS, TOKENS

WIKI = '<doc id="1" url="http://w/1" title="Cats">\nCats\n\nCats sleep &amp; purr\n</doc>\n'
WET = (
    "WARC/1.0\r\nWARC-Type: warcinfo\r\nContent-Length: 4\r\n\r\na: b\r\n\r\n"
    "WARC/1.0\r\nWARC-Type: conversion\r\nWARC-Target-URI: http://p/\r\nContent-Length: 9\r\n\r\ndogs bark\r\n\r\n"
)


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """A file of each format, among them records that are none."""
    folder = tmp_path / "corpus"
    (folder / "hub").mkdir(parents=True)
    (folder / "a.txt").write_bytes(b"one two\n\nbad \xff byte\nnul \0 here\nOne  TWO\n")
    (folder / "b.jsonl").write_text('{"text": "three four"}\n{"text": 5}\nnot json\n{"body": "x"}\n', encoding="utf-8")
    (folder / "wiki_00").write_text(WIKI, encoding="utf-8")
    (folder / "c.warc.wet.gz").write_bytes(gzip.compress(WET.encode()))
    (folder / "d.csv").write_text('id,text\n1,"five\nsix"\n', encoding="utf-8")
    table = pa.table({"url": ["u"], "text": ["seven eight"]})
    pq.write_table(table, folder / "hub" / "train-00000-of-00001.parquet")
    return folder


@pytest.fixture
def tokenized(run_stages: Callable, artifacts: Callable[[Path], Artifacts], tmp_path: Path) -> Callable:
    """``tokenized(inputs, *overrides)``: (lists of words, sorted; facts; what was told; the artifacts)."""

    def run(inputs: Path, *overrides: str, name: str = "out") -> tuple[list[list[str]], dict[str, Any], list[str], Any]:
        recorder = run_stages(tmp_path / name, [inputs], ["tokens"], overrides)
        store = artifacts(tmp_path / name)
        words = sorted(list(row["words"]) for row in store.read("tokens", TOKENS).collect())
        return words, store.require("tokens").facts, recorder.notes, store

    return run


def test_every_format_in_one_run_and_every_record_accounted(corpus: Path, tokenized: Callable) -> None:
    words, facts, notes, store = tokenized(corpus)
    assert words == sorted(
        [
            ["one", "two"],
            ["bad", "byte"],
            ["one", "two"],
            ["three", "four"],
            ["cats", "cats", "sleep", "purr"],
            ["dogs", "bark"],
            ["five", "six"],
            ["seven", "eight"],
        ]
    )
    assert facts["formats"] == {"csv": 1, "json": 1, "parquet": 1, "text": 1, "wet": 1, "wiki": 1}
    assert facts["dropped"] == {"binary": 1, "empty": 1, "missing_column": 1, "not_json": 1, "wrong_type": 1}
    assert facts["documents_read"] == facts["documents"] + sum(facts["dropped"].values()) == 13
    assert (facts["replaced_bytes"], facts["words"]) == (1, 18)
    rejects = store.read_table("tokens", REJECTS, side=True).to_pylist()
    assert [(row["reason"], row["shard"].rpartition("/")[2]) for row in rejects] == [
        ("binary", "a.txt"),
        ("missing_column", "b.jsonl"),
        ("not_json", "b.jsonl"),
        ("wrong_type", "b.jsonl"),
    ]
    assert rejects[2]["text"] == "not json"
    told = [note.split() for note in notes]
    assert ["tokens:", "documents", "read", "13", "0.0", "MB"] in told
    assert ["tokens:", "dropped:", "not", "json", "1"] in told


def test_copies_and_repeated_lines_can_be_dropped(corpus: Path, tokenized: Callable) -> None:
    words, facts, _, _ = tokenized(corpus, "input.duplicates=drop")
    assert words.count(["one", "two"]) == 1
    assert (facts["dropped"]["duplicate"], facts["documents_read"]) == (1, 13)
    (corpus / "a.txt").write_text("all rights reserved\nall rights reserved\nunlike the others\n", encoding="utf-8")
    words, facts, notes, _ = tokenized(corpus / "a.txt", "input.maximum_line_count=1", name="lines")
    assert words == [["unlike", "the", "others"]]
    assert facts["dropped"] == {"empty": 2}
    assert any("repeat too often" in note for note in notes)


def test_documents_that_are_too_short_or_mostly_undecodable(tmp_path: Path, tokenized: Callable) -> None:
    (tmp_path / "a.txt").write_bytes(b"one\none two three\nab \xff\xfe\xff\xfe\n")
    words, facts, _, store = tokenized(tmp_path / "a.txt", "input.minimum_words=2")
    assert (words, facts["dropped"]) == ([["one", "two", "three"]], {"too_short": 1, "undecodable": 1})
    (reject,) = store.read_table("tokens", REJECTS, side=True).to_pylist()
    assert reject["reason"] == "undecodable"


@pytest.mark.parametrize(
    ("content", "name", "reason"),
    [(b"fine\nnul \0 here\n", "a.txt", "binary"), (b'{"text": "a"}\n[1]\n', "a.jsonl", "not an object")],
)
def test_strict_stops_at_the_first_bad_record(
    tmp_path: Path, tokenized: Callable, capsys: pytest.CaptureFixture[str], content: bytes, name: str, reason: str
) -> None:
    (tmp_path / name).write_bytes(content)
    arguments = ["tokens", "--input", f"{tmp_path}/{name}", "--output", f"{tmp_path}/out", "--set", "input.strict=true"]
    status = main(arguments)
    line = capsys.readouterr().err.strip().splitlines()[-1]
    assert status == 1
    assert name in line
    assert reason in line
    assert main(arguments[:-2]) == 0


def test_a_file_that_cannot_be_read_is_named_or_left_out(corpus: Path, tokenized: Callable) -> None:
    (corpus / "bad.xz").write_bytes(b"\xfd7zXZ\0....")
    with pytest.raises(InputError, match=r"bad\.xz: it is xz"):
        tokenized(corpus)
    (corpus / "cut.jsonl.gz").write_bytes(gzip.compress(b'{"text": "x y"}\n' * 500)[:-20])
    words, facts, notes, _ = tokenized(corpus, "tokens.on_bad_shard=skip")
    assert len(words) == 8
    assert [path.rpartition("/")[2] for path in facts["skipped_shards"]] == ["bad.xz", "cut.jsonl.gz"]
    assert sum("left out" in note for note in notes) == 2


def test_strict_leaves_no_file_out(corpus: Path, tokenized: Callable) -> None:
    (corpus / "bad.xz").write_bytes(b"\xfd7zXZ\0....")
    with pytest.raises(PmiSparkError, match=r"bad\.xz"):
        tokenized(corpus, "tokens.on_bad_shard=skip", "input.strict=true")


def test_a_line_over_the_limit_is_rejected_and_the_rest_is_cut(tmp_path: Path, tokenized: Callable) -> None:
    with gzip.open(tmp_path / "a.txt.gz", "wb", compresslevel=1) as file:
        file.write(b"before it\n")
        for _ in range(30):
            file.write(b"word " * 200_000)
        file.write(b"\nafter it\n")
    words, facts, _, _ = tokenized(tmp_path / "a.txt.gz")
    assert words == [["after", "it"], ["before", "it"]]
    assert (facts["dropped"], facts["bytes_read"]) == ({"too_long": 1}, 30_000_017)


class TestFilesThatSettingsName:
    """What stands in them is part of the run's identity, not their names."""

    def test_stop_words(self, corpus: Path, tokenized: Callable, tmp_path: Path, run_stages: Callable) -> None:
        (tmp_path / "stop.txt").write_text("Two\n", encoding="utf-8")
        setting = f"tokens.stop_words={tmp_path}/stop.txt"
        words, _, _, _ = tokenized(corpus, setting)
        assert ["one"] in words
        assert run_stages(tmp_path / "out", [corpus], ["tokens"], [setting]).stages("skipped") == ["tokens"]
        (tmp_path / "stop.txt").write_text("One\n", encoding="utf-8")
        words, _, _, _ = tokenized(corpus, setting)
        assert ["two"] in words

    def test_user_dictionaries(self, tmp_path: Path, tokenized: Callable) -> None:
        (tmp_path / "zh.txt").write_text("他来到了网易杭研大厦\n", encoding="utf-8")
        before, _, _, _ = tokenized(tmp_path / "zh.txt", "tokens.tokenizer=jieba")
        (tmp_path / "user.txt").write_text("杭研 10 nz\n", encoding="utf-8")
        setting = f"tokens.jieba_user_dictionaries={tmp_path}/user.txt"
        after, _, _, _ = tokenized(tmp_path / "zh.txt", "tokens.tokenizer=jieba", setting)
        assert "杭研" not in before[0]
        assert "杭研" in after[0]

    def test_one_that_is_not_there(self, corpus: Path, tokenized: Callable) -> None:
        with pytest.raises(InputError, match=r"tokens\.stop_words names /nowhere, which is no file"):
            tokenized(corpus, "tokens.stop_words=/nowhere")


def test_a_dry_run_shows_ten_documents_and_writes_nothing(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (corpus / "a.txt").write_text("\n".join(f"Line number {number}" for number in range(50)), encoding="utf-8")
    arguments = ["tokens", "--dry-run", "--input", str(corpus / "a.txt"), "--output", f"{tmp_path}/out"]
    assert main(arguments) == 0
    assert capsys.readouterr().out.splitlines() == [f"a.txt: line | number | {number}" for number in range(10)]
    assert not (tmp_path / "out").exists()
    assert main([*arguments[:3], str(corpus / "b.jsonl"), *arguments[4:]]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown == [
        "b.jsonl: three | four",
        "b.jsonl: (dropped: wrong type)",
        "b.jsonl: (dropped: not json)",
        "b.jsonl: (dropped: missing column)",
    ]


def test_a_dry_run_shows_a_long_document_by_its_beginning_and_drops_what_a_run_would(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = tmp_path / "a.txt"
    texts.write_bytes(b"\n".join([b"one " * 3000, b"\x1b[31mred \x07", b"", b"\xff\xfe\xfd one", b"one"]))
    settings = ["--set", "tokens.tokenizer=whitespace", "--set", "input.minimum_words=2"]
    assert main(["tokens", "--dry-run", "--input", str(texts), "--output", f"{tmp_path}/out", *settings]) == 0
    first, *others = capsys.readouterr().out.splitlines()
    assert first.startswith("a.txt: one | one | ")
    assert first.endswith(" ... 3,000 words")
    assert len(first) < 500
    assert others == [
        "a.txt: \\x1b[31mred | \\x07",
        "a.txt: (dropped: empty)",
        "a.txt: (dropped: undecodable)",
        "a.txt: (dropped: too short)",
    ]


def test_a_dry_run_of_nothing_shows_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.jsonl").write_text("\n\n", encoding="utf-8")
    assert main(["tokens", "--dry-run", "--input", f"{tmp_path}/a.jsonl", "--output", f"{tmp_path}/out"]) == 0
    assert capsys.readouterr().out == ""


def test_a_function_of_ones_own_cuts(corpus: Path, tokenized: Callable) -> None:
    words, _, _, _ = tokenized(corpus / "b.jsonl", "tokens.tokenizer=shlex:split", "tokens.lower=false")
    assert words == [["three", "four"]]


def test_the_manifest_is_json_with_all_of_it(corpus: Path, tokenized: Callable, tmp_path: Path) -> None:
    tokenized(corpus)
    facts = json.loads((tmp_path / "out/tokens/_manifest.json").read_text())["facts"]
    for key in ("documents_read", "bytes_read", "documents", "dropped", "words", "long_tokens", "replaced_bytes"):
        assert key in facts
