"""What was read: records counted, the rejected ones by reason with a sample of each, and the first ones shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pyspark.sql import Column, DataFrame, Row
from pyspark.sql import functions as F

from pmi_spark.corpus.records import REASONS

PREVIEW_CHARACTERS = 200


def account() -> list[Column]:
    """Aggregates over documents for an Observation; :func:`read_account` reads what comes of them.

    Of each reason one record is kept, the least by shard and text, so it is the same on every run.
    """
    totals = [
        F.count(F.lit(1)).alias("records"),
        F.coalesce(F.sum("bytes"), F.lit(0)).alias("bytes"),
        F.coalesce(F.sum("replaced_bytes"), F.lit(0)).alias("replaced_bytes"),
        F.count_if(F.col("replaced_bytes") > 0).alias("repaired"),
    ]
    for reason in REASONS:
        is_reason = F.col("reject") == reason
        totals.append(F.count_if(is_reason).alias(reason))
        totals.append(F.min(F.when(is_reason, F.struct("shard", "text"))).alias(f"sample_{reason}"))
    return totals


def read_account(observed: Mapping[str, Any]) -> dict[str, Any]:
    """Facts for the manifest: totals, ``rejected`` {reason: records}, ``samples`` {reason: [shard, beginning]}."""
    facts = {name: observed[name] for name in ("records", "bytes", "replaced_bytes", "repaired")}
    rejected = {reason: observed[reason] for reason in REASONS if observed[reason]}
    samples = {reason: list(observed[f"sample_{reason}"]) for reason in rejected}
    return {**facts, "rejected": rejected, "samples": samples}


def preview(documents: DataFrame, count: int = 10) -> list[Row]:
    """The first documents, ``text`` cut to 200 characters of one line: what a dry run shows.

    Spark starts with one partition and stops reading when it has enough.
    """
    printable = F.regexp_replace(F.left("text", F.lit(PREVIEW_CHARACTERS)), r"[\x00-\x20\x7f]+", " ")
    return documents.limit(count).withColumn("text", F.trim(printable)).collect()
