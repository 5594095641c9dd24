"""Shards of text -> documents. In a text file a line is a document."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from pmi_spark.errors import InputError

COMPRESSED = (".gz", ".bz2", ".zst")
UNREADABLE = (".xz", ".7z", ".zip", ".rar", ".tar", ".tgz", ".lzma", ".parquet", ".pdf")


def check_readable(paths: Sequence[str]) -> None:
    """InputError for files that Spark's text reader would take for garbage."""
    for path in paths:
        if path.lower().endswith(UNREADABLE):
            raise InputError(f"cannot read {path}", cure=f"give text, plain or {', '.join(COMPRESSED)}")


def read_lines(spark: SparkSession, paths: Sequence[str]) -> DataFrame:
    """Documents of text shards: ``document_id long, text string, is_valid_utf8 boolean``.

    ``paths`` are globs, as Spark reads them; compressed shards are one task each. Invalid UTF-8 becomes U+FFFD.
    document_id is the xxhash64 of the text, hence the same whatever the order, the names or the splits of the shards;
    two documents of the same text share it.
    """
    return (
        spark.read.text(list(paths))
        .select(F.is_valid_utf8("value").alias("is_valid_utf8"), F.make_valid_utf8("value").alias("text"))
        .select(F.xxhash64("text").alias("document_id"), "text", "is_valid_utf8")
    )
