"""Tokens -> phrases: the plain twin pass by pass, and the same bytes however the text is dealt out."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import pyarrow as pa
import pytest
from pyspark.errors import PythonException
from pyspark.sql import Row, SparkSession

from pmi_spark.config import PhrasesConfig
from pmi_spark.corpus import phrases
from pmi_spark.corpus.phrases import find_phrases, join_files, make_rule, phrases_plain
from pmi_spark.corpus.token_files import decode_tokens
from pmi_spark.parquet_files import MAGIC

Documents = list[list[str]]


def rows_plain(
    documents: Documents, settings: PhrasesConfig
) -> tuple[Documents, list[list[tuple[str, str, str, int, int, float]]]]:
    """The documents after every pass, and each pass's rows of PHRASES in their order."""
    rule = make_rule(settings)
    passes = []
    for number in range(1, settings.passes + 1):
        documents, found = phrases_plain(documents, settings.minimum_count, settings.threshold, rule)
        rows = [(rule.delimiter.join(span), span[0], span[-1], number, *scored) for span, scored in found.items()]
        passes.append(sorted(rows, key=lambda row: (-row[4], row[:3])))
        if not found:
            break
    return documents, passes


def rows_of(found: Sequence[phrases.PhrasePass]) -> list[list[tuple]]:
    return [[tuple(row.values()) for row in entry.rows.to_pylist()] for entry in found]


def decoded(files: Sequence[Row]) -> dict[int, list[str]]:
    """{document_id: words} of files of phrases."""
    documents = {}
    for row in files:
        for group in decode_tokens("joined", bytes(row["file"]) + MAGIC.encode(), -1):
            documents |= dict(zip(group["document_id"].to_pylist(), group["words"].to_pylist(), strict=True))
    return documents


@pytest.mark.parametrize(("connectors", "threshold"), [("", -1.0), ("of", 0.01234567)])
def test_it_equals_its_plain_twin(token_files_frame: Callable, connectors: str, threshold: float) -> None:
    generator = random.Random(7)
    documents = [[generator.choice(["a", "b", "c", "of", "a_b"]) for _ in range(number % 12)] for number in range(40)]
    config = PhrasesConfig(2, 2, threshold, connectors=connectors)
    frame = token_files_frame(documents)
    found = find_phrases(frame, config, make_rule(config))
    joined, expected = rows_plain(documents, config)
    assert rows_of(found) == expected
    assert all(expected)
    files = join_files(frame, found, make_rule(config)).collect()
    assert decoded(files) == dict(enumerate(joined))
    assert sum(row["documents"] for row in files) == len(joined)
    assert sum(row["words"] for row in files) == sum(map(len, joined))


@pytest.fixture(scope="module")
def chains() -> Documents:
    """Documents in which new york city and the bank of england stand among other words."""
    generator = random.Random(3)
    documents = []
    for _ in range(60):
        words = [f"w{generator.randrange(30)}" for _ in range(8)]
        for chunk in (["new", "york", "city"], ["bank", "of", "the", "west"]):
            if generator.random() < 0.5:
                place = generator.randrange(len(words))
                words[place:place] = chunk
        documents.append(words)
    return documents


def test_passes_build_longer_phrases_and_stop_when_one_finds_none(
    token_files_frame: Callable, chains: Documents
) -> None:
    config = PhrasesConfig(passes=5, minimum_count=10, threshold=0.9, connectors="of,the")
    frame = token_files_frame(chains)
    found = find_phrases(frame, config, make_rule(config))
    names = [[row[0] for row in rows] for rows in rows_of(found)]
    assert names == [sorted(names[0], key=names[0].index), ["new_york_city"], []]
    assert sorted(names[0]) == ["bank_of_the_west", "new_york", "york_city"]
    files = join_files(frame, found, make_rule(config)).collect()
    joined = [word for words in decoded(files).values() for word in words]
    made = sum(row["joined"][1] for row in files)
    assert made == joined.count("new_york_city") == found[1].words - found[2].words > 0


def test_the_same_phrases_and_documents_from_any_files_and_any_length_of_runs(
    token_files_frame: Callable, chains: Documents, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = PhrasesConfig(passes=2, minimum_count=2, threshold=0.1)
    rule = make_rule(config)
    results = []
    for files, run in ((1, 1 << 22), (5, 7)):
        monkeypatch.setattr(phrases, "LINKS_PER_RUN", run)
        monkeypatch.setattr(phrases, "ROWS_PER_BATCH", 3 if run == 7 else 1 << 18)
        frame = token_files_frame(chains, files)
        found = find_phrases(frame, config, rule)
        results.append(([entry.rows for entry in found], decoded(join_files(frame, found, rule).collect())))
    assert results[0][1] == results[1][1]
    assert all(one.equals(other) for one, other in zip(results[0][0], results[1][0], strict=True))


def test_a_files_bytes_are_those_of_its_documents_tokenized_so(
    token_files_frame: Callable, token_files: Callable, chains: Documents
) -> None:
    config = PhrasesConfig(passes=2, minimum_count=10, threshold=0.5)
    frame = token_files_frame(chains, 2)
    joined = join_files(frame, find_phrases(frame, config, make_rule(config)), make_rule(config))
    files = [bytes(row["file"]) + MAGIC.encode() for row in joined.collect()]
    assert sorted(files) == sorted(content for _, content in token_files(rows_plain(chains, config)[0], 2))


def test_the_rows_have_the_declared_types_and_a_file_without_rows_stays_one(token_files_frame: Callable) -> None:
    config = PhrasesConfig(passes=1, minimum_count=1, threshold=0.9)
    frame = token_files_frame([["a", "b"]], 3)
    (found,) = find_phrases(frame, config, make_rule(config))
    assert found.rows.to_pylist() == [
        {"phrase": "a_b", "first": "a", "second": "b", "pass_number": 1, "phrase_count": 1, "npmi": 1.0}
    ]
    assert found.rows.schema.types == [*[pa.string()] * 3, pa.int32(), pa.int64(), pa.float64()]
    files = join_files(frame, [found], make_rule(config)).collect()
    assert len(files) == 3
    assert decoded(files) == {0: ["a_b"]}


def test_a_damaged_or_shortened_file_is_named(
    spark: SparkSession, token_files: Callable, token_files_frame: Callable
) -> None:
    ((path, content),) = token_files([["a", "b"]], 1)
    frame = spark.createDataFrame([(path, content[:-9])], "path string, content binary")
    config = PhrasesConfig(passes=1)
    with pytest.raises(PythonException, match=f"cannot read {path}: "):
        find_phrases(frame, config, make_rule(config))
    with pytest.raises(PythonException, match="it has 1 rows, not 2"):
        join_files(token_files_frame([["a", "b"]], 1), [], make_rule(config), {"token-file-0": 2}).collect()
