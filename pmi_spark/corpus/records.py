"""Records of JSON Lines, WikiExtractor and Common Crawl WET files -> documents, a record at a time; no Spark.

A record is the bytes between two separators. Each parser gives a :class:`Record`, or None for what is no document
(a blank line, the header record of a WET file), and raises nothing whatever the bytes are.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import pyarrow as pa

# Why a record is no document: a closed list, in the order of the checks.
TOO_LONG = "too_long"
BINARY = "binary"
NOT_JSON = "not_json"
NOT_AN_OBJECT = "not_an_object"
MISSING_COLUMN = "missing_column"
WRONG_TYPE = "wrong_type"
BAD_CSV = "bad_csv"
BAD_RECORD = "bad_record"
REASONS = (TOO_LONG, BINARY, NOT_JSON, NOT_AN_OBJECT, MISSING_COLUMN, WRONG_TYPE, BAD_CSV, BAD_RECORD)

# What is kept of a rejected record. A character has at most four bytes, so so many bytes hold it.
EXCERPT_CHARACTERS = 1000
EXCERPT_BYTES = 4 * EXCERPT_CHARACTERS

# What parts two records in a file. "\r\n" before the next record's version: a page's own lines end in "\n".
SEPARATORS = {"json": None, "wiki": "</doc>", "wet": "\r\nWARC/1."}

PARSED = pa.schema(
    [
        pa.field("id", pa.string()),
        pa.field("text", pa.string(), nullable=False),
        pa.field("shard", pa.string(), nullable=False),
        pa.field("bytes", pa.int64(), nullable=False),
        pa.field("replaced_bytes", pa.int64(), nullable=False),
        pa.field("reject", pa.string()),
    ]
)

_REPLACEMENT = "\ufffd".encode()
_DOC = re.compile(rb"\s*<doc\b([^>\n]*)>")
_LOST_END = re.compile(rb"^<doc id=", re.MULTILINE)
_VERSION = re.compile(rb"(WARC/1\.)?\d")
_LENGTH = re.compile(rb"\d{1,12}")


class Record(NamedTuple):
    """One record: ``id`` names the document where the format has a name for it.

    ``replaced`` counts the U+FFFD put in for invalid UTF-8; ``reject`` is one of REASONS, and ``text`` then the
    beginning of the record.
    """

    id: str | None
    text: str
    replaced: int = 0
    reject: str | None = None


Parser = Callable[[bytes], Record | None]


def choose_parser(format: str, text_column: str, id_column: str) -> Parser:
    """The parser of ``json``, ``wiki`` or ``wet``; the columns are JSON's alone."""
    if format == "json":
        return partial(parse_json, text_column=text_column, id_column=id_column)
    return {"wiki": parse_wiki, "wet": parse_wet}[format]


def decode(raw: bytes) -> tuple[str, int]:
    r"""Text, and how many U+FFFD stand in it for invalid bytes: one for each maximal part of a character.

    >>> decode(b"caf\xc3 \xff")
    ('caf� �', 2)
    """
    try:
        return raw.decode("utf-8"), 0
    except UnicodeDecodeError:
        text = raw.decode("utf-8", "replace")
        return text, text.count("\ufffd") - raw.count(_REPLACEMENT)


def rejected(raw: bytes, reason: str) -> Record:
    """A record that is no document, with its beginning."""
    return Record(None, raw[:EXCERPT_BYTES].decode("utf-8", "replace")[:EXCERPT_CHARACTERS], 0, reason)


def parse_json(raw: bytes, text_column: str, id_column: str) -> Record | None:
    r"""A line of JSON Lines. null counts as missing; an id that is no string is named by its JSON.

    >>> parse_json(b'{"text": "a b", "n": 7}', "text", "n")
    Record(id='7', text='a b', replaced=0, reject=None)
    >>> parse_json(b'{"body": "a b"}', "text", "").reject
    'missing_column'
    """
    if not raw.strip():
        return None
    if b"\0" in raw:
        return rejected(raw, BINARY)
    line, replaced = decode(raw)
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return rejected(raw, NOT_JSON)
    if not isinstance(found, dict):
        return rejected(raw, NOT_AN_OBJECT)
    text = found.get(text_column)
    if not isinstance(text, str):
        return rejected(raw, MISSING_COLUMN if text is None else WRONG_TYPE)
    if "\0" in text:
        return rejected(raw, BINARY)
    name = _json_name(found.get(id_column)) if id_column else None
    text, surrogates = _without_surrogates(text)
    return Record(name, text, replaced + surrogates)


def _json_name(value: Any) -> str | None:
    if value is None or value == "":
        return None
    return _without_surrogates(value if isinstance(value, str) else json.dumps(value, sort_keys=True))[0]


def _without_surrogates(text: str) -> tuple[str, int]:
    r"""JSON can escape half a character, "\ud83d", which no UTF-8 can hold."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        whole = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        return whole, whole.count("\ufffd") - text.count("\ufffd")
    return text, 0


def parse_wiki(raw: bytes) -> Record | None:
    r"""What stands before a ``</doc>`` in WikiExtractor's output: a start tag and the article, its title first.

    The document is named by its address, which holds across languages, else by its number. WikiExtractor escapes <, >
    and & in the text; they are put back, or ``amp`` would be a frequent word.

    >>> parse_wiki(b'\n<doc id="12" url="https://en.wikipedia.org/wiki?curid=12" title="A">\nA\n\nx &amp; y\n')
    Record(id='https://en.wikipedia.org/wiki?curid=12', text='A\n\nx & y', replaced=0, reject=None)
    """
    if not raw.strip():
        return None
    if b"\0" in raw:
        return rejected(raw, BINARY)
    start = _DOC.match(raw)
    if start is None or _LOST_END.search(raw, start.end()):
        return rejected(raw, BAD_RECORD)
    text, replaced = decode(raw[start.end() :].strip())
    return Record(_attribute(start[1], b"url") or _attribute(start[1], b"id"), html.unescape(text), replaced)


def _attribute(tag: bytes, name: bytes) -> str | None:
    found = re.search(rb"\s" + name + rb'="([^"]+)"', tag)
    return html.unescape(decode(found[1])[0]) if found else None


def parse_wet(raw: bytes) -> Record | None:
    r"""A record of a WET file without the ``WARC/1.`` that opens it: header lines, an empty line, a page's text.

    The document is named by its WARC-Target-URI. Content-Length tells what was cut off; records that are neither
    pages nor the file's own ``warcinfo`` are of another kind of WARC file.

    >>> parse_wet(b"0\r\nWARC-Type: conversion\r\nWARC-Target-URI: http://a/\r\nContent-Length: 3\r\n\r\na b\r\n")
    Record(id='http://a/', text='a b', replaced=0, reject=None)
    """
    if not raw.strip():
        return None
    if b"\0" in raw:
        return rejected(raw, BINARY)
    head, _, body = raw.partition(b"\r\n\r\n")
    version, *lines = head.split(b"\r\n")
    fields = {name.strip().lower(): value.strip() for name, _, value in (line.partition(b":") for line in lines)}
    kind, length = fields.get(b"warc-type"), fields.get(b"content-length", b"")
    if not _VERSION.fullmatch(version) or kind not in (b"conversion", b"warcinfo") or not _LENGTH.fullmatch(length):
        return rejected(raw, BAD_RECORD)
    size = int(length)
    if len(body) < size or body[size:].strip(b"\r\n"):
        return rejected(raw, BAD_RECORD)
    if kind == b"warcinfo":
        return None
    text, replaced = decode(body[:size])
    return Record(decode(fields.get(b"warc-target-uri", b""))[0] or None, text, replaced)


def parse_batch(batch: pa.RecordBatch, parse: Parser, maximum_bytes: int) -> pa.RecordBatch:
    """``record binary, shard string, bytes long`` -> PARSED; records that are no documents are dropped.

    ``bytes`` is the record's length as read: above ``maximum_bytes`` it is rejected, and ``record`` need hold no more
    than its beginning.
    """
    rows = []
    for raw, shard, size in zip(*(batch.column(name) for name in ("record", "shard", "bytes")), strict=True):
        content = raw.as_py()
        found = rejected(content, TOO_LONG) if size.as_py() > maximum_bytes else parse(content)
        if found is not None:
            rows.append((found.id, found.text, shard.as_py(), size.as_py(), found.replaced, found.reject))
    columns = zip(*rows, strict=True) if rows else [()] * len(PARSED)
    arrays = [pa.array(values, entry.type) for values, entry in zip(columns, PARSED, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=PARSED)
