"""Copies and boilerplate on the cluster: the plain twins' rows, whatever the order and the partitions."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Sequence

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from pmi_spark.corpus import duplicates
from pmi_spark.corpus.duplicates import (
    SHORTEST_LINE,
    Document,
    drop_duplicates,
    drop_duplicates_plain,
    limit_repeated_lines,
    limit_repeated_lines_plain,
    normal_form,
    normal_form_plain,
)
from pmi_spark.errors import RunError

SCHEMA = "document_id long, text string, shard string, bytes long, replaced_bytes long, reject string"
LINES = [
    "All rights reserved",
    "all RIGHTS\u00a0 reserved ",
    "Straße und Ähre",
    "STRASSE UND ÄHRE",
    "short",
    "",
    "一二三",
]


def random_documents(seed: int) -> list[Document]:
    """Sixty documents of a few lines, a quarter of them rejected; many are copies, some alike in every column."""
    draw = random.Random(seed)
    return [
        Document(
            document_id=draw.randrange(-2, 3),
            text="\n".join(draw.choices(LINES, k=draw.randint(1, 2))),
            shard=draw.choice("st"),
            bytes=draw.randrange(2),
            replaced_bytes=draw.randrange(2),
            reject=draw.choice([None, None, None, "invalid"]),
        )
        for _ in range(60)
    ]


def frame_of(spark: SparkSession, documents: Sequence[Document], partitions: int = 2) -> DataFrame:
    rows = spark.sparkContext.parallelize([tuple(document) for document in documents], partitions)
    return spark.createDataFrame(rows, SCHEMA)


def rows_of(documents: DataFrame) -> list[Document]:
    assert documents.columns == list(Document._fields)
    return in_order(Document(*row) for row in documents.collect())


def in_order(documents: Iterable[Document]) -> list[Document]:
    return sorted(documents, key=str)


def test_texts_have_the_normal_form_of_python(spark: SparkSession) -> None:
    white = [chr(code) for code in range(0x3001) if not chr(code).strip()]
    texts = ["", *white, "ΑΣ ΌΣΟΣ", "İI", "ẞß", "ǅ", " \u200ba\u200b ", "a" + "".join(white) + "B", "x\ty\r\nZ  "]
    frame = spark.createDataFrame([(text,) for text in texts], "text string").select(normal_form(F.col("text")))
    assert [row[0] for row in frame.collect()] == [normal_form_plain(text) for text in texts]


@pytest.mark.parametrize("seed", [1, 2])
def test_dropped_copies_are_those_of_the_plain_twin(spark: SparkSession, seed: int) -> None:
    documents = random_documents(seed)
    expected = in_order(drop_duplicates_plain(documents))
    assert {row.reject for row in expected} == {None, "duplicate", "invalid"}
    assert rows_of(drop_duplicates(frame_of(spark, documents))) == expected


def test_removed_lines_are_those_of_the_plain_twin(spark: SparkSession) -> None:
    documents = random_documents(3)
    lines = (normal_form_plain(line) for row in documents if not row.reject for line in row.text.split("\n"))
    counts = sorted(Counter(line for line in lines if len(line) >= SHORTEST_LINE).values())
    # A line that comes exactly so often stays.
    for most in (0, counts[-1] - 1, counts[-1]):
        limited = limit_repeated_lines(frame_of(spark, documents), most)
        assert rows_of(limited.documents) == in_order(limit_repeated_lines_plain(documents, most))
        assert limited.occurrences == sum(count for count in counts if count > most)


@pytest.fixture
def corpus() -> list[Document]:
    """Forty texts with one to five copies, a footer under most of them."""
    texts = [f"Text number {k % 40}\n{'ALL rights  reserved' if k % 3 else 'x'}" for k in range(120)]
    return [Document(k * 7 % 31, text, f"s{k % 4}", len(text), 0, None) for k, text in enumerate(texts)]


def test_order_and_partitions_change_nothing(spark: SparkSession, corpus: list[Document]) -> None:
    expected = in_order(drop_duplicates_plain(corpus))
    limited = in_order(limit_repeated_lines_plain(corpus, 50))
    assert limited != in_order(corpus)
    for seed, partitions in enumerate((1, 5)):
        frame = frame_of(spark, random.Random(seed).sample(corpus, len(corpus)), partitions)
        assert rows_of(drop_duplicates(frame)) == expected
        assert rows_of(limit_repeated_lines(frame, 50).documents) == limited


def test_one_after_the_other_every_document_is_accounted_for(spark: SparkSession, corpus: list[Document]) -> None:
    corpus = [*corpus, Document(99, "all rights reserved", "s9", 19, 0, None), Document(98, "", "s9", 0, 0, "invalid")]
    unique = drop_duplicates(frame_of(spark, corpus))
    limited = limit_repeated_lines(unique, 10)
    counts = {row["reject"]: row["count"] for row in limited.documents.groupBy("reject").count().collect()}
    left = [row for row in drop_duplicates_plain(corpus) if row.reject is None]
    footers = sum("rights" in row.text.lower() for row in left)
    assert (limited.lines, limited.occurrences) == (1, footers)
    assert counts == {None: len(left) - 1, "duplicate": len(corpus) - 1 - len(left), "empty": 1, "invalid": 1}


def test_a_corpus_without_repeated_lines_stays_as_it_is(spark: SparkSession, corpus: list[Document]) -> None:
    limited = limit_repeated_lines(frame_of(spark, corpus), 1000)
    assert (limited.lines, limited.occurrences) == (0, 0)
    assert rows_of(limited.documents) == in_order(corpus)


def test_more_repeated_lines_than_workers_can_hold_are_refused(
    spark: SparkSession, corpus: list[Document], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(duplicates, "MOST_REPEATED_LINES", 5)
    with pytest.raises(RunError, match=r"more than 5 lines occur more than 2 times; raise input\.maximum_line_count"):
        limit_repeated_lines(frame_of(spark, corpus), 2)
