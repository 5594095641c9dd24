"""Files of any format -> documents: text, WikiExtractor, WET, JSON Lines, CSV and Parquet, in one frame."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import reduce
from typing import TYPE_CHECKING

import pyarrow as pa
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import to_arrow_schema

from pmi_spark.corpus.formats import Layout
from pmi_spark.corpus.records import (
    BAD_CSV,
    BINARY,
    EXCERPT_BYTES,
    EXCERPT_CHARACTERS,
    MISSING_COLUMN,
    SEPARATORS,
    TOO_LONG,
    choose_parser,
    parse_batch,
)
from pmi_spark.errors import InputError
from pmi_spark.storage import escape_glob

if TYPE_CHECKING:
    from pmi_spark.config import InputConfig

# Space that holds a blank line (of spaces, tabs or "\r", too), or stands at an end. Linear in the space's length, as
# each alternative starts where space starts; in Java's regular expressions, over bytes as Latin-1.
_SPACE = r"[ \t\r\n\f\x0b]"
_AT_SPACE = rf"(?={_SPACE})(?<!{_SPACE})"
_BETWEEN_PARAGRAPHS = rf"{_AT_SPACE}(?:{_SPACE}*?\n[ \t\r\f\x0b]*+\n{_SPACE}*+|{_SPACE}++\z|\A{_SPACE}++)"
# Latin-1 gives each byte a character and back: Java's text functions then see every byte of invalid UTF-8 as it is.
_BYTE_PER_CHARACTER = "ISO-8859-1"
_PARSED = "id string, text string, shard string, bytes bigint, replaced_bytes bigint, reject string"
_SHARD = "_metadata.file_path"


def read_documents(
    spark: SparkSession, paths_by_layout: Mapping[Layout, Sequence[str]], settings: InputConfig
) -> DataFrame:
    """Documents: ``document_id long, text string, shard string, bytes long, replaced_bytes long, reject string``.

    ``paths_by_layout`` comes from :func:`pmi_spark.corpus.formats.sort_files`; paths are taken literally. ``bytes`` is
    the record as read (of CSV and Parquet its text), ``replaced_bytes`` the U+FFFD put in for invalid UTF-8, ``reject``
    null or one of ``records.REASONS``; ``text`` is then the record's first 1,000 characters.

    document_id is the xxhash64 of the id column, of a wiki article's or a web page's address, else of the text: the
    same whatever the order, the names or the splits of the shards. Control characters other than NUL stay as they are:
    `words` and `jieba` part words at them as at spaces, so they are not looked for.

    Lazy, one pass, nothing is shuffled. Text and Parquet never leave the JVM; JSON, wiki and WET go through a Python
    worker. Plain files of lines, paragraphs, JSON, wiki and WET are split; compressed ones, CSV (its quoted line
    breaks) and documents that are files are one task each. A record is held whole in the JVM, three times over.
    """
    readers = {"text": _read_text, "csv": _read_csv, "parquet": _read_parquet}
    frames = [
        readers.get(layout.format, _read_parsed)(spark, [escape_glob(path) for path in paths], layout, settings)
        for layout, paths in paths_by_layout.items()
        if paths
    ]
    if not frames:
        raise InputError("not one input file with anything in it", cure="check the input")
    return reduce(DataFrame.unionByName, frames).select(
        F.xxhash64(F.coalesce(F.nullif("id", F.lit("")), "text")).alias("document_id"),
        *("text", "shard", "bytes", "replaced_bytes", "reject"),
    )


def _read_text(spark: SparkSession, paths: list[str], layout: Layout, settings: InputConfig) -> DataFrame:
    """The file formats' own readers take a byte order mark away, but not from a whole file."""
    if settings.document == "file":
        value = F.col("value")
        marked = F.startswith(value, F.lit("\ufeff"))
        whole = F.when(marked, F.substring(value.cast("binary"), 4, 2**31 - 1).cast("string")).otherwise(value)
        records = spark.read.text(paths, wholetext=True).select(whole.alias("record"), _SHARD)
    elif settings.document == "paragraph":
        # The separator only cuts a large file at some blank lines; the others are found within what is between.
        between = _characters(F.col("value"))
        records = (
            spark.read.text(paths, lineSep=layout.separator)
            .select(F.explode(F.split(between, _BETWEEN_PARAGRAPHS, -1)).alias("paragraph"), _SHARD)
            .where("paragraph != ''")
            .select(_bytes_of(F.col("paragraph")).alias("record"), "file_path")
        )
    else:
        records = spark.read.text(paths).select(F.col("value").alias("record"), _SHARD)
    return _judge(records, settings, flaw=F.lit(None).cast("string"), name=F.lit(None).cast("string"))


def _characters(value: Column) -> Column:
    return F.decode(value.cast("binary"), _BYTE_PER_CHARACTER)


def _bytes_of(characters: Column) -> Column:
    return F.encode(characters, _BYTE_PER_CHARACTER).cast("string")


def _judge(records: DataFrame, settings: InputConfig, flaw: Column, name: Column) -> DataFrame:
    """``record string`` of any bytes -> parsed columns. ``flaw`` is the reader's own reason to reject it, or null."""
    record = F.col("record")
    reason = (
        F.when(F.octet_length(record) > settings.maximum_bytes, TOO_LONG)
        .when(F.contains(record, F.lit("\0")), BINARY)
        .otherwise(flaw)
    )
    known = records.select(
        name.alias("id"),
        record,
        F.col("file_path").alias("shard"),
        F.octet_length(record).cast("bigint").alias("bytes"),
        reason.alias("reject"),
    )
    is_fine = F.isnull("reject")
    repair = is_fine & ~F.is_valid_utf8(record)
    beginning = F.substring(record.cast("binary"), 1, EXCERPT_BYTES).cast("string")
    excerpt = F.left(F.make_valid_utf8(beginning), F.lit(EXCERPT_CHARACTERS))
    valid = F.make_valid_utf8(record)
    return known.select(
        F.when(is_fine, F.make_valid_utf8("id")).alias("id"),
        F.when(is_fine, valid).otherwise(excerpt).alias("text"),
        "shard",
        "bytes",
        F.when(repair, _replacements(valid) - _replacements(record))
        .otherwise(0)
        .cast("bigint")
        .alias("replaced_bytes"),
        "reject",
    )


def _replacements(value: Column) -> Column:
    """How many U+FFFD, of three bytes each, stand in a text."""
    return (F.octet_length(value) - F.octet_length(F.replace(value, F.lit("\ufffd"), F.lit("")))) / 3


def _read_parsed(spark: SparkSession, paths: list[str], layout: Layout, settings: InputConfig) -> DataFrame:
    """JSON Lines, wiki, WET. Of a record that is too long the beginning alone is sent to the Python worker."""
    value, size = F.col("value"), F.octet_length("value")
    raw = value.cast("binary")
    records = spark.read.text(paths, lineSep=SEPARATORS[layout.format]).select(
        F.when(size > settings.maximum_bytes, F.substring(raw, 1, EXCERPT_BYTES)).otherwise(raw).alias("record"),
        F.col(_SHARD).alias("shard"),
        size.cast("bigint").alias("bytes"),
    )
    return records.mapInArrow(_mapper(layout.format, settings), _PARSED)


Batches = Iterator[pa.RecordBatch]


def _mapper(format: str, settings: InputConfig) -> Callable[[Batches], Batches]:
    def run(batches: Batches) -> Batches:
        parse = choose_parser(format, settings.text_column, settings.id_column)
        for batch in batches:
            yield parse_batch(batch, parse, settings.maximum_bytes)

    return run


def _read_csv(spark: SparkSession, paths: list[str], layout: Layout, settings: InputConfig) -> DataFrame:
    """Spark's own reader; the header is known, so columns go by their place, whatever case or repeats are in it."""
    places = [f"c{place} string" for place in range(len(layout.columns))]
    rows = spark.read.schema(", ".join([*places, "bad string"])).csv(
        paths,
        sep=layout.separator,
        header=True,
        multiLine=True,
        escape='"',
        encoding=_BYTE_PER_CHARACTER,
        columnNameOfCorruptRecord="bad",
    )

    def field(column: str) -> Column:
        return _bytes_of(F.col(f"c{layout.columns.index(column)}"))

    is_bad = F.isnotnull("bad")
    name = field(settings.id_column) if settings.id_column else F.lit(None).cast("string")
    # An empty field is read as null.
    text = F.coalesce(field(settings.text_column), F.lit(""))
    record = F.when(is_bad, _bytes_of(F.col("bad"))).otherwise(text)
    records = rows.select(record.alias("record"), name.alias("id"), is_bad.alias("is_bad"), _SHARD)
    return _judge(records, settings, flaw=F.when(F.col("is_bad"), BAD_CSV), name=F.col("id"))


def _read_parquet(spark: SparkSession, paths: list[str], layout: Layout, settings: InputConfig) -> DataFrame:
    """Other columns are not read."""

    def column(name: str) -> Column:
        return F.col("`" + name.replace("`", "``") + "`")

    text = column(settings.text_column)
    name = column(settings.id_column) if settings.id_column else F.lit(None)
    records = spark.read.parquet(*paths).select(
        F.coalesce(text, F.lit("")).alias("record"),
        name.cast("string").alias("id"),
        F.isnull(text).alias("is_missing"),
        _SHARD,
    )
    return _judge(records, settings, flaw=F.when(F.col("is_missing"), MISSING_COLUMN), name=F.col("id"))


def preview(documents: DataFrame, count: int = 10) -> pa.RecordBatch:
    """The first documents: what a dry run shows. Spark starts with one partition and stops when it has enough."""
    # Dataset.toArrow would run every partition.
    rows = [row.asDict() for row in documents.take(count)]
    return pa.RecordBatch.from_pylist(rows, to_arrow_schema(documents.schema))
