"""What became of every document: read, kept, or dropped and why. Gathered where they are cut, summed on the driver."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

# Reasons that are no fault of the input; documents dropped for them are counted, but not sampled.
BLAMELESS = ("empty", "too_short", "duplicate")
UNDECODABLE = "undecodable"
# Of each reason so many are shown. The driver holds a sample of each task at first: 0.2 kB a record.
SAMPLES = 100
SAMPLE_CHARACTERS = 200
MOST_REPLACED = 10
# Of a document in a dry run.
LINE_CHARACTERS = 400


@dataclass
class Account:
    """Sums over documents. ``shards`` has documents, bytes and replaced bytes of each input file.

    ``samples`` holds (shard, beginning of the record) of the first ``samples_each`` dropped for each reason that is
    the input's fault.
    """

    shards: dict[str, list[int]] = field(default_factory=dict)
    dropped: Counter[str] = field(default_factory=Counter)
    long_tokens: int = 0
    samples: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    samples_each: int = SAMPLES

    def add(self, documents: pa.RecordBatch, reasons: pa.Array, long_tokens: int) -> None:
        """Documents (text, shard, bytes, replaced_bytes), why each is dropped (null: it is kept), and words too long.

        >>> rows = {"text": ["a b", ""], "shard": ["s", "s"], "bytes": [3, 1], "replaced_bytes": [0, 1]}
        >>> account = Account()
        >>> account.add(pa.RecordBatch.from_pydict(rows), pa.array([None, "empty"]), 2)
        >>> account.shards, account.dropped, account.long_tokens
        ({'s': [2, 4, 1]}, Counter({'empty': 1}), 2)
        """
        self.long_tokens += long_tokens
        shards = documents.column("shard").dictionary_encode()
        codes, count = np.asarray(shards.indices), len(shards.dictionary)
        # Doubles count exactly to 2^53 bytes, 9 PB, a batch at a time.
        sums = [np.bincount(codes, minlength=count)]
        sums += [np.bincount(codes, np.asarray(documents.column(name)), count) for name in ("bytes", "replaced_bytes")]
        for shard, *own in zip(shards.dictionary.to_pylist(), *(column.tolist() for column in sums), strict=True):
            have = self.shards.get(shard, [0, 0, 0])
            self.shards[shard] = [int(old + new) for old, new in zip(have, own, strict=True)]
        if reasons.null_count < len(reasons):
            self._drop(documents, reasons)

    def _drop(self, documents: pa.RecordBatch, reasons: pa.Array) -> None:
        gone = pc.drop_null(reasons)
        self.dropped.update({entry["values"]: entry["counts"] for entry in pc.value_counts(gone).to_pylist()})
        for reason in pc.unique(gone).to_pylist():
            own = self.samples.setdefault(reason, []) if reason not in BLAMELESS else []
            room = self.samples_each - len(own) if reason not in BLAMELESS else 0
            if room > 0:
                rows = documents.filter(pc.fill_null(pc.equal(reasons, reason), False)).slice(0, room)
                texts = pc.utf8_slice_codeunits(rows.column("text"), 0, SAMPLE_CHARACTERS)
                own += zip(rows.column("shard").to_pylist(), texts.to_pylist(), strict=True)

    def to_json(self) -> str:
        """For its way to the driver."""
        return json.dumps([self.shards, self.dropped, self.long_tokens, self.samples], ensure_ascii=False)

    def facts(self) -> dict[str, Any]:
        """For the manifest."""
        documents, size, replaced = (sum(column) for column in zip(*self.shards.values(), strict=True))
        worst = sorted((-row[2], shard) for shard, row in self.shards.items() if row[2])[:MOST_REPLACED]
        return {
            "documents_read": documents,
            "bytes_read": size,
            "dropped": dict(sorted(self.dropped.items())),
            "long_tokens": self.long_tokens,
            "replaced_bytes": replaced,
            "most_replaced": [[shard, -negative] for negative, shard in worst],
        }

    def rejects(self) -> list[tuple[str, str, str]]:
        """(reason, shard, beginning of the record), the first SAMPLES of each reason by shard."""
        return [(reason, *sample) for reason, samples in sorted(self.samples.items()) for sample in samples[:SAMPLES]]


def sum_accounts(texts: Iterable[str]) -> Account:
    """Accounts as JSON, in any order -> their sum.

    >>> one = Account({"s": [2, 9, 0]}, Counter(empty=1), 1, {"binary": [("s", "b"), ("s", "a")]}).to_json()
    >>> sum_accounts([one, one]).facts()["dropped"], sum_accounts([one]).rejects()
    ({'empty': 2}, [('binary', 's', 'a'), ('binary', 's', 'b')])
    """
    total = Account()
    samples: dict[str, list[tuple[str, str]]] = {}
    for text in texts:
        shards, dropped, long_tokens, own = json.loads(text)
        for shard, row in shards.items():
            have = total.shards.get(shard, [0, 0, 0])
            total.shards[shard] = [old + new for old, new in zip(have, row, strict=True)]
        total.dropped.update(dropped)
        total.long_tokens += long_tokens
        for reason, found in own.items():
            samples.setdefault(reason, []).extend((shard, beginning) for shard, beginning in found)
    total.samples = {reason: sorted(found) for reason, found in samples.items()}
    return total


def account_rows(facts: Mapping[str, Any]) -> list[tuple[str, int, str]]:
    """The account as a table: what, how many, and what else is to be said of it. Parts of a row above are indented."""
    rows = [("documents read", facts["documents_read"], f"{facts['bytes_read'] / 1e6:,.1f} MB")]
    rows += [(f"  dropped: {reason.replace('_', ' ')}", count, "") for reason, count in facts["dropped"].items()]
    rows += [("documents kept", facts["documents"], ""), ("words", facts["words"], "")]
    if facts["long_tokens"]:
        rows.append(("words too long", facts["long_tokens"], ""))
    if facts["replaced_bytes"]:
        rows.append(("invalid UTF-8 replaced", facts["replaced_bytes"], ""))
        rows += [(f"  in {shard}", count, "") for shard, count in facts["most_replaced"]]
    return rows


def account_lines(facts: Mapping[str, Any]) -> list[str]:
    """The account as a person reads it: a line a row."""
    return [f"{name:<28} {count:>15,}  {note}".rstrip() for name, count, note in account_rows(facts)]


def preview_line(shard: str, reason: str, words: Sequence[str]) -> str:
    r"""A document as a dry run shows it: at most LINE_CHARACTERS, what a terminal would act upon spelled out.

    >>> preview_line("file:/texts/a.txt", "", ["two", "wor\x1bds"])
    'a.txt: two | wor\\x1bds'
    >>> preview_line("file:/texts/a.txt", "too_long", [])
    'a.txt: (dropped: too long)'
    """
    line = f"{shard.rpartition('/')[2]}: " + (f"(dropped: {reason.replace('_', ' ')})" if reason else " | ".join(words))
    shown = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in line[:LINE_CHARACTERS])
    return shown if len(line) <= LINE_CHARACTERS else f"{shown} ... {len(words):,} words"
