"""Files of every format -> documents: as the plain twin reads them, however they are packed, split or damaged."""

from __future__ import annotations

import bz2
import gzip
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import DataFrame, SparkSession

from pmi_spark.bad_shards import BadShards
from pmi_spark.config import InputConfig
from pmi_spark.corpus.formats import Layout, Sorted, sort_files
from pmi_spark.corpus.plain_documents import PlainDocument, read_documents_plain
from pmi_spark.corpus.sources import preview, read_documents
from pmi_spark.errors import InputError, RunError
from pmi_spark.storage import Storage

FORMATS = ("text", "wiki", "wet", "json", "csv", "parquet")
PACKERS: dict[str, Callable[[bytes], bytes]] = {"": bytes, ".gz": gzip.compress, ".bz2": bz2.compress}
ENDINGS = {"text": ".txt", "wiki": "", "wet": ".wet", "json": ".jsonl", "csv": ".csv", "parquet": ".parquet"}
# Parquet compresses itself.
PACKED = [*((format, "") for format in FORMATS), *((format, ".gz") for format in FORMATS[:-1]), ("wiki", ".bz2")]
Rows = Counter[tuple[int, str, int, int, str | None]]


def sort(spark: SparkSession, paths: Sequence[Path | str], settings: InputConfig) -> Sorted:
    storage = Storage(spark)
    found = [entry.path for path in paths for entry in storage.find_files(str(path))]
    return sort_files(found, storage.read_head, storage.parquet_columns, settings)


def read(spark: SparkSession, paths: Sequence[Path | str], settings: InputConfig | None = None) -> DataFrame:
    settings = settings or InputConfig()
    layouts, unreadable = sort(spark, paths, settings)
    assert unreadable == {}
    return read_documents(spark, layouts, settings)


def rows_of(documents: DataFrame) -> Rows:
    columns = ("document_id", "text", "bytes", "replaced_bytes", "reject")
    return Counter(tuple(row) for row in documents.select(*columns).collect())


def expected(spark: SparkSession, documents: Sequence[PlainDocument]) -> Rows:
    columns = "identity string, text string, bytes long, replaced_bytes long, reject string"
    frame = spark.createDataFrame([tuple(document) for document in documents], columns)
    return rows_of(frame.selectExpr("xxhash64(identity) document_id", "*"))


def write(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


@pytest.fixture
def small_splits(spark: SparkSession):
    key = "spark.sql.files.maxPartitionBytes"
    before = spark.conf.get(key)
    yield lambda size: spark.conf.set(key, str(size))
    spark.conf.set(key, before)


class TestEveryFormatEqualsItsPlainTwin:
    @pytest.mark.parametrize(("format", "packing"), PACKED)
    def test_told_by_its_looks(
        self, spark: SparkSession, tmp_path: Path, make_shard: Callable, format: str, packing: str
    ) -> None:
        content = make_shard(format)
        path = write(tmp_path / f"s{ENDINGS[format]}{packing}", PACKERS[packing](content))
        settings = InputConfig(maximum_bytes=250)
        (layout,) = sort(spark, [path], settings).layouts
        assert layout.format == format
        assert rows_of(read(spark, [path], settings)) == expected(
            spark, read_documents_plain(format, content, settings)
        )

    @pytest.mark.parametrize("format", ["json", "csv", "parquet"])
    def test_ids_come_from_the_named_column(
        self, spark: SparkSession, tmp_path: Path, make_shard: Callable, format: str
    ) -> None:
        content, settings = make_shard(format), InputConfig(id_column="id")
        path = write(tmp_path / f"s{ENDINGS[format]}", content)
        found = rows_of(read(spark, [path], settings))
        assert found == expected(spark, read_documents_plain(format, content, settings))
        assert found != expected(spark, read_documents_plain(format, content, InputConfig()))

    @pytest.mark.parametrize("document", ["paragraph", "file"])
    def test_text_in_paragraphs_and_whole_files(
        self, spark: SparkSession, tmp_path: Path, make_shard: Callable, document: str
    ) -> None:
        settings = InputConfig(document=document, maximum_bytes=290 if document == "paragraph" else 10**6)
        contents = [make_shard("text").replace(b"\0", b""), make_shard("paragraph"), make_shard("paragraph")[41:]]
        for number, content in enumerate(contents):
            write(tmp_path / "in" / f"{number}.txt", content)
        found = rows_of(read(spark, [tmp_path / "in"], settings))
        assert found == expected(
            spark, [one for content in contents for one in read_documents_plain("text", content, settings)]
        )

    @pytest.mark.parametrize("format", ["text", "paragraph", "wiki", "wet", "json"])
    def test_plain_files_are_split_without_loss(
        self, spark: SparkSession, tmp_path: Path, make_shard: Callable, small_splits: Callable, format: str
    ) -> None:
        content = make_shard(format) * 3
        settings = InputConfig(document="paragraph" if format == "paragraph" else "line")
        path = write(tmp_path / "s", content)
        small_splits(211)
        documents = read(spark, [path], settings)
        assert documents.rdd.getNumPartitions() > 5
        twin = read_documents_plain("text" if format == "paragraph" else format, content, settings)
        assert rows_of(documents) == expected(spark, twin)

    def test_csv_in_its_dialects(self, spark: SparkSession, tmp_path: Path) -> None:
        tabs = write(tmp_path / "a.tsv", b'id\ttext\r\n1\t"a\tb"\r\n2\t""\r\n')
        nameless = write(tmp_path / "part-0", b"text;id\na, b;1\n")
        assert {row["text"] for row in read(spark, [tabs, nameless]).collect()} == {"a\tb", "", "a, b"}

    def test_several_formats_in_one_run_are_united_with_their_shards(
        self, spark: SparkSession, tmp_path: Path, make_shard: Callable
    ) -> None:
        for format in FORMATS:
            write(tmp_path / "in" / f"{format} [1]%{ENDINGS[format]}", make_shard(format))
        write(tmp_path / "in" / "empty.csv", b"")
        write(tmp_path / "in" / "empty.gz", b"")
        documents = read(spark, [tmp_path / "in"])
        twin = [one for format in FORMATS for one in read_documents_plain(format, make_shard(format), InputConfig())]
        assert rows_of(documents) == expected(spark, twin)
        assert len({row["shard"] for row in documents.select("shard").collect()}) == len(FORMATS)

    def test_a_published_dataset_of_parquet_files(self, spark: SparkSession, tmp_path: Path) -> None:
        for number in range(2):
            table = pa.table({"url": [f"u{number}"], "text": [f"words {number}"], "n": [[1, 2]]})
            (tmp_path / "data").mkdir(exist_ok=True)
            pq.write_table(table, tmp_path / "data" / f"train-0000{number}-of-00002.parquet")
        documents = read(spark, [tmp_path / "data"], InputConfig(id_column="url"))
        assert sorted(row["text"] for row in documents.collect()) == ["words 0", "words 1"]


class TestTooLong:
    def test_a_long_record_is_rejected_with_its_beginning(self, spark: SparkSession, tmp_path: Path) -> None:
        long = "中".encode() * (7 << 20)
        write(tmp_path / "in/a.txt", b"one\n" + long + b"\ntwo\n")
        write(tmp_path / "in/a.json", b'{"text": "three"}\n' + long + b"\n")
        documents = read(spark, [tmp_path / "in"])
        assert (
            sorted((row["bytes"], row["reject"], row["text"]) for row in documents.where("bytes > 100").collect())
            == [(len(long), "too_long", "中" * 1000)] * 2
        )
        assert documents.where("reject is null").count() == 3


class TestBadShards:
    def leave_out(self, spark: SparkSession, paths: Sequence[Path], skip: bool) -> tuple[int, list[str], list[str]]:
        notes: list[str] = []
        guard = BadShards("tokens", "replace it", skip, lambda stage, text: notes.append(text))
        settings = InputConfig()
        layouts = sort(spark, paths, settings).layouts

        def build(left: list[str]) -> int:
            kept = {layout: [path for path in given if path in left] for layout, given in layouts.items()}
            return read_documents(spark, kept, settings).count()

        rows, skipped = guard.leave_out([path for given in layouts.values() for path in given], build)
        return rows, skipped, notes

    @pytest.mark.parametrize("format", ["text", "wiki", "json", "csv"])
    def test_a_cut_off_gzip_is_named_or_left_out(
        self, spark: SparkSession, tmp_path: Path, make_shard: Callable, format: str
    ) -> None:
        good = write(tmp_path / "a good.txt", b"one\n")
        bad = write(tmp_path / f"b bad{ENDINGS[format]}.gz", gzip.compress(make_shard(format) * 9)[:-30])
        with pytest.raises(RunError, match=r"cannot read file:.*/b bad.*gz: "):
            self.leave_out(spark, [good, bad], skip=False)
        assert self.leave_out(spark, [good, bad], skip=True)[:2] == (1, [f"file:{bad}"])

    def test_a_file_that_vanishes_is_named(self, spark: SparkSession, tmp_path: Path) -> None:
        paths = [write(tmp_path / name, b"one\n") for name in ("a.txt", "b.txt")]
        guard = BadShards("tokens", "replace it", False, lambda stage, text: None)
        documents = read(spark, paths)
        paths[1].unlink()
        with pytest.raises(RunError, match=r"cannot read file:.*/b.txt: "):
            guard.leave_out([f"file:{path}" for path in paths], lambda left: documents.count())

    def test_files_that_are_no_text_are_named(self, spark: SparkSession, tmp_path: Path) -> None:
        write(tmp_path / "in/a.txt", bytes(range(256)) * 64)
        write(tmp_path / "in/b.parquet", b"PAR1 and no footer")
        pq.write_table(pa.table({"text": [1], "body": ["x"]}), tmp_path / "in/c.parquet")
        pq.write_table(pa.table({"body": ["x"], "group": [[1]]}), tmp_path / "in/d.parquet")
        found = sort(spark, [tmp_path / "in"], InputConfig())
        assert found.layouts == {}
        texts = [str(error).replace(f"file:{tmp_path}/in/", "") for error in found.unreadable.values()]
        assert texts[0].startswith("cannot read a.txt: it is binary; ")
        assert texts[1].startswith("cannot read b.parquet: java.lang.RuntimeException: ")
        assert texts[2].startswith(
            "cannot read c.parquet: its column text is int64, not string; there are text int64, "
        )
        assert texts[3].startswith(
            "cannot read d.parquet: no column text; there are body, group; set input.text_column"
        )

    def test_nothing_to_read_is_told(self, spark: SparkSession) -> None:
        with pytest.raises(InputError, match="not one input file"):
            read_documents(spark, {Layout("text"): []}, InputConfig())


def test_a_preview_is_of_the_first_documents_and_reads_no_more(spark: SparkSession, tmp_path: Path) -> None:
    write(tmp_path / "in/a.txt", b"line\n" * 50)
    bad = write(tmp_path / "in/b.txt.gz", gzip.compress(b"x\n" * 9)[:-12])
    documents = read(spark, [tmp_path / "in"])
    bad.unlink()
    assert preview(documents, 3).column("text").to_pylist() == ["line"] * 3


def mutate(content: bytes, generator: random.Random) -> bytes:
    """A shard with some bytes changed, a stretch lost, doubled or put elsewhere."""
    shard = bytearray(content)
    for _ in range(generator.randrange(1, 5)):
        first, last = sorted(generator.randrange(len(shard) + 1) for _ in range(2))
        stretch = bytes(shard[first : min(last, first + 40)])
        kind = generator.randrange(4)
        if kind == 0:
            del shard[first : first + len(stretch)]
        elif kind == 1:
            shard[last:last] = stretch
        elif kind == 2:
            shard[first : first + 1] = bytes([generator.choice(b'\0\r\n\xff\xc3<>{}"\\:1W ')])
        else:
            shard[first : first + 1] = generator.randbytes(1)
    return bytes(shard)


def test_a_thousand_damaged_shards_are_read_as_their_twins_say(
    spark: SparkSession, tmp_path: Path, make_shard: Callable
) -> None:
    """250 shards a format, each damaged in its own way; every record is there, kept or rejected."""
    generator, settings = random.Random(4), InputConfig(maximum_bytes=250)
    paths: dict[Layout, list[str]] = {}
    twin: list[PlainDocument] = []
    for format in ("text", "wiki", "wet", "json"):
        for number in range(250):
            content = mutate(make_shard(format), generator)
            write(tmp_path / format / f"{number}", content)
            twin += read_documents_plain(format, content, settings)
        paths[Layout(format)] = [f"file:{tmp_path / format}"]
    assert rows_of(read_documents(spark, paths, settings)) == expected(spark, twin)
    assert {one.reject for one in twin} >= {"bad_record", "binary", "not_json", "too_long"}


def test_damaged_csv_loses_no_row_silently(spark: SparkSession, tmp_path: Path) -> None:
    """Readers of CSV differ in what they make of stray quotes, so rows are compared where there are none."""
    generator, settings = random.Random(5), replace(InputConfig(), maximum_bytes=250)
    layout, twin = Layout("csv", ("id", "text"), ","), []
    for number in range(60):
        body = mutate(b"".join(b"%d,some text %d\n" % (k, k) for k in range(20)), generator).replace(b'"', b"")
        content = b"id,text\n" + body.replace(b"\r", b"")
        write(tmp_path / str(number), content)
        twin += read_documents_plain("csv", content, settings)
    assert rows_of(read_documents(spark, {layout: [f"file:{tmp_path}"]}, settings)) == expected(spark, twin)
