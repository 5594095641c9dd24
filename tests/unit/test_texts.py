"""Texts are cut as the run cut them: its settings, its files of words, its phrases."""

from __future__ import annotations

import dataclasses
import json
import pickle
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pmi_spark.config import Config, build_config
from pmi_spark.corpus.phrase_links import JoinRule
from pmi_spark.corpus.phrases import join_plain
from pmi_spark.errors import InputError, RunError
from pmi_spark.vectors.store import load_vectors
from pmi_spark.vectors.texts import TextCutter, load_cutter, phrase_table
from pmi_spark.vectors.words import Words


def cutter_of(output: Path, *settings: str) -> TextCutter:
    return load_cutter(str(output), build_config({}, settings).tokens)


def cut(cutter: TextCutter, *texts: str | None) -> list[list[str]]:
    return cutter.words(pa.array(texts, pa.string())).to_pylist()


def test_texts_are_cut_by_the_settings(tmp_path):
    assert cut(cutter_of(tmp_path), "The Castle, don’t!", None, "") == [["the", "castle", "don't"], [], []]
    assert cut(cutter_of(tmp_path, "tokens.lower=false"), "The Castle") == [["The", "Castle"]]
    assert cut(cutter_of(tmp_path, "tokens.tokenizer=whitespace"), "a, b") == [["a,", "b"]]
    assert cut(cutter_of(tmp_path, "tokens.digits=zero"), "in 1912") == [["in", "0000"]]
    assert cut(cutter_of(tmp_path, "tokens.tokenizer=shlex:split"), "'a b' c") == [["a b", "c"]]


def test_jieba_cuts_with_the_runs_dictionaries_and_stop_words(tmp_path):
    (tmp_path / "user.txt").write_text("来到北京 9999999 n\n", encoding="utf-8")
    (tmp_path / "stop.txt").write_text("我\n", encoding="utf-8")
    settings = (
        "tokens.tokenizer=jieba",
        f"tokens.jieba_user_dictionaries={tmp_path}/user.txt",
        f"tokens.stop_words={tmp_path}/stop.txt",
    )
    assert cut(cutter_of(tmp_path, settings[0]), "我来到北京") == [["我", "来到", "北京"]]
    assert cut(cutter_of(tmp_path, *settings), "我来到北京") == [["来到北京"]]


@pytest.mark.parametrize("key", ["stop_words", "jieba_dictionary", "jieba_user_dictionaries"])
def test_a_file_that_the_settings_name_and_that_is_gone_is_told(tmp_path, key):
    with pytest.raises(InputError, match=r"cannot read absent\.txt, which the run's \[tokens\] settings name"):
        cutter_of(tmp_path, "tokens.tokenizer=jieba", f"tokens.{key}=absent.txt")


def test_the_settings_are_those_of_the_tokens_not_of_the_vectors(tmp_path, write_vectors, write_artifact):
    write_vectors(tmp_path)
    assert load_vectors(str(tmp_path)).tokens.lower is True
    (tmp_path / "tokens").mkdir()
    manifest = json.loads((tmp_path / "vectors" / "_manifest.json").read_text())
    configuration = dataclasses.asdict(build_config({}, ["tokens.lower=false"]))
    # A setting of another version is passed over.
    configuration["tokens"]["of_another_version"] = 1
    (tmp_path / "tokens" / "_manifest.json").write_text(json.dumps(manifest | {"configuration": configuration}))
    assert load_vectors(str(tmp_path)).tokens == build_config({}, ["tokens.lower=false"]).tokens


PHRASES = (
    ("new_york", "new", "york", 1),
    ("out_of_africa", "out", "africa", 1),
    ("new_york_city", "new_york", "city", 2),
)


def write_phrases(output: Path, write_artifact, rows=PHRASES, joined: bool = True) -> None:
    """A run whose vocabulary was made from joined words."""
    columns = dict(zip(("phrase", "first", "second", "pass_number"), zip(*rows, strict=True), strict=True))
    nothing = pa.table({"document_id": pa.array([], pa.int64())})
    write_artifact(output, "phrases", [nothing], [pa.table(columns)])
    write_artifact(output, "vocabulary", [nothing])
    settings = dataclasses.asdict(build_config({}, ["phrases.passes=2", "phrases.connectors=the,of"]))
    for name, changes in (
        ("phrases", {"configuration": settings}),
        ("vocabulary", {"upstream": {"phrases" if joined else "tokens": "x"}}),
    ):
        path = output / name / "_manifest.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_phrases_are_joined_where_the_run_joined_them(tmp_path, write_artifact):
    write_phrases(tmp_path, write_artifact)
    text = "New York City is not out of Africa, out Africa, new york"
    expected = ["new_york_city", "is", "not", "out_of_africa", "out", "africa", "new_york"]
    assert cut(cutter_of(tmp_path), text, "", "york new") == [expected, [], ["york", "new"]]


def test_phrases_that_the_vocabulary_was_not_made_from_are_not_joined(tmp_path, write_artifact):
    write_phrases(tmp_path, write_artifact, joined=False)
    assert cut(cutter_of(tmp_path), "new york") == [["new", "york"]]


def test_phrases_that_are_gone_are_told(tmp_path, write_artifact):
    write_phrases(tmp_path, write_artifact)
    (tmp_path / "phrases" / "_manifest.json").unlink()
    with pytest.raises(InputError, match="words joined by phrases, and no phrases"):
        cutter_of(tmp_path)


@pytest.mark.parametrize("phrase", ["new_of", "new-york", "new_in_york", "old_york"])
def test_a_phrase_that_its_words_do_not_make_is_damage(phrase):
    rows = pa.table({"phrase": [phrase], "first": ["new"], "second": ["york"]})
    with pytest.raises(RunError, match="table of phrases is damaged"):
        phrase_table(rows, JoinRule("_", ("of",)))


words = st.lists(st.sampled_from(["new", "york", "city", "of", "the", "out"]), max_size=12)


@given(st.lists(words, max_size=4))
def test_joining_is_the_plain_twins(documents):
    rule = JoinRule("_", ("of", "the"))
    rows = {"phrase": ["new_york", "out_of_the_city"], "first": ["new", "out"], "second": ["york", "city"]}
    spans = {("new", "york"): 1, ("out", "of", "the", "city"): 1}
    tokenizer = load_cutter("/nowhere", Config().tokens).tokenizer
    cutter = TextCutter(tokenizer, (phrase_table(pa.table(rows), rule),), rule)
    expected = [join_plain(document, spans, rule) for document in documents]
    assert cut(cutter, *(" ".join(document) for document in documents)) == expected


@given(st.lists(st.lists(st.sampled_from(["a", "b", "c", "d"]), max_size=6), max_size=5))
def test_ids_are_those_of_the_words_and_unknown_ones_are_minus_1(documents):
    vocabulary = ["c", "a"]
    cutter = load_cutter("/nowhere", Config().tokens)
    found = cutter.ids(pa.array([" ".join(words) for words in documents], pa.string()), Words.of(vocabulary))
    flat = [word for words in documents for word in words]
    assert found.ids.tolist() == [vocabulary.index(word) if word in vocabulary else -1 for word in flat]
    assert np.diff(found.offsets).tolist() == [len(words) for words in documents]
    assert found.unknown_words() == [word for word in dict.fromkeys(flat) if word not in vocabulary]


def test_a_cutter_travels_to_workers(tmp_path, write_artifact):
    write_phrases(tmp_path, write_artifact)
    sent = pickle.loads(pickle.dumps(cutter_of(tmp_path)))
    assert cut(sent, "New York") == [["new_york"]]
