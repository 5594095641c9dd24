"""The plain twin of ``corpus.sources``: a whole file's bytes -> its documents, one way a format, no Spark, no Arrow.

What the tests compare Spark's documents with. Nothing here is shared with ``corpus.records`` but the names of reasons.
"""

from __future__ import annotations

import csv
import html
import io
import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from pmi_spark.config import InputConfig


class PlainDocument(NamedTuple):
    """A row of ``corpus.sources.DOCUMENTS``, with what its document_id is the hash of, and without its shard."""

    identity: str
    text: str
    bytes: int
    replaced_bytes: int = 0
    reject: str | None = None


def read_documents_plain(format: str, content: bytes, settings: InputConfig) -> list[PlainDocument]:
    r"""The documents of one file that is not compressed, in its order.

    >>> from pmi_spark.config import InputConfig
    >>> read_documents_plain("json", b'{"text": "a"}\n7\n', InputConfig())[1].reject
    'not_an_object'
    """
    if format != "parquet":
        content = content.removeprefix(b"\xef\xbb\xbf")
    readers = {"text": _text, "wiki": _wiki, "wet": _wet, "json": _json, "csv": _csv, "parquet": _parquet}
    return list(readers[format](content, settings))


def _judge(raw: bytes, settings: InputConfig, flaw: str | None = None) -> PlainDocument:
    """A document of its own bytes, unless something is wrong with them."""
    if len(raw) > settings.maximum_bytes:
        flaw = "too_long"
    elif b"\0" in raw:
        flaw = "binary"
    text = raw.decode("utf-8", "replace")
    if flaw:
        return PlainDocument(text[:1000], text[:1000], len(raw), 0, flaw)
    return PlainDocument(text, text, len(raw), text.count("\ufffd") - raw.count("\ufffd".encode()))


def _lines(content: bytes) -> list[bytes]:
    lines = re.split(rb"\r\n|\r|\n", content)
    return lines if lines[-1] else lines[:-1]


def _text(content: bytes, settings: InputConfig) -> Iterator[PlainDocument]:
    if settings.document == "file":
        records = [content]
    elif settings.document == "line":
        records = _lines(content)
    else:
        records, paragraph = [], b""
        for line in [*content.split(b"\n"), b""]:
            if line.strip():
                paragraph += line + b"\n"
            elif paragraph:
                records.append(paragraph.strip())
                paragraph = b""
    for record in records:
        yield _judge(record, settings)


def _records(content: bytes, separator: bytes, settings: InputConfig) -> Iterator[tuple[bytes, PlainDocument]]:
    for record in re.split(separator, content):
        if record.strip() or len(record) > settings.maximum_bytes:
            yield record, _judge(record, settings)


def _named(found: PlainDocument, identity: str | None, text: str, replaced: int) -> PlainDocument:
    return found._replace(identity=identity or text, text=text, replaced_bytes=replaced)


def _wiki(content: bytes, settings: InputConfig) -> Iterator[PlainDocument]:
    for record, judged in _records(content, b"</doc>", settings):
        tag, end, body = record.strip().partition(b">")
        is_tag = re.match(rb"<doc(?!\w)", tag) and end and b"\n" not in tag
        if judged.reject or not is_tag or b"\n<doc id=" in body:
            yield _judge(record, settings, judged.reject or "bad_record")
            continue
        names = [re.search(rb"\s%s=\"([^\"]+)\"" % key, tag) for key in (b"url", b"id")]
        name = next((html.unescape(found[1].decode("utf-8", "replace")) for found in names if found), None)
        page = _judge(body.strip(), settings)
        yield _named(judged, name, html.unescape(page.text), page.replaced_bytes)


def _wet(content: bytes, settings: InputConfig) -> Iterator[PlainDocument]:
    for record, judged in _records(content, rb"\r\nWARC/1\.", settings):
        header, _, body = record.removeprefix(b"WARC/1.").partition(b"\r\n\r\n")
        named = (re.fullmatch(rb"([^:]*):?(.*)", line, re.DOTALL) for line in header.split(b"\r\n")[1:])
        fields = {found[1].strip().lower(): found[2].strip() for found in named if found}
        kind, length = fields.get(b"warc-type"), fields.get(b"content-length", b"")
        whole = length.isdigit() and len(body) >= int(length) and set(body[int(length) :]) <= set(b"\r\n")
        is_known = kind in (b"conversion", b"warcinfo") and re.match(rb"\d(\r\n|$)", header)
        if judged.reject or not whole or not is_known:
            yield _judge(record, settings, judged.reject or "bad_record")
        elif kind == b"conversion":
            page = _judge(body[: int(length)], settings)
            name = fields.get(b"warc-target-uri", b"").decode("utf-8", "replace")
            yield _named(judged, name, page.text, page.replaced_bytes)


def _json(content: bytes, settings: InputConfig) -> Iterator[PlainDocument]:
    for line, judged in _records(content, rb"\r\n|\r|\n", settings):
        found: Any = None
        try:
            found = json.loads(judged.text) if judged.reject is None else None
        except (ValueError, RecursionError):
            yield _judge(line, settings, "not_json")
            continue
        text: Any = found.get(settings.text_column) if isinstance(found, dict) else None
        flaw = _json_flaw(found, text)
        if judged.reject or flaw:
            yield _judge(line, settings, judged.reject or flaw)
            continue
        whole = _whole_characters(text)
        replaced = judged.replaced_bytes + whole.count("\ufffd") - text.count("\ufffd")
        yield _named(judged, _json_name(found.get(settings.id_column)), whole, replaced)


def _json_flaw(found: Any, text: Any) -> str | None:
    if not isinstance(found, dict):
        return "not_an_object"
    if not isinstance(text, str):
        return "missing_column" if text is None else "wrong_type"
    return "binary" if "\0" in text else None


def _json_name(value: Any) -> str | None:
    if value is None:
        return None
    return _whole_characters(value if isinstance(value, str) else json.dumps(value, sort_keys=True))


def _whole_characters(text: str) -> str:
    return re.sub("[\ud800-\udfff]", "\ufffd", text)


def _csv(content: bytes, settings: InputConfig) -> Iterator[PlainDocument]:
    # Latin-1 gives a character a byte and back, so that invalid UTF-8 can be counted afterwards.
    text = io.StringIO(content.decode("latin-1"), newline="")
    header, *rows = csv.reader(text, delimiter="\t" if b"\t" in content.partition(b"\n")[0] else ",")
    for row in rows:
        if not row:
            continue
        if len(row) != len(header):
            yield _judge(",".join(row).encode("latin-1"), settings, "bad_csv")
            continue
        fields = {name: field.encode("latin-1") for name, field in zip(header, row, strict=True)}
        found = _judge(fields[settings.text_column], settings)
        name = fields.get(settings.id_column, b"").decode("utf-8", "replace")
        yield found if found.reject else _named(found, name, found.text, found.replaced_bytes)


def _parquet(content: bytes, settings: InputConfig) -> Iterator[PlainDocument]:
    for row in pq.read_table(pa.BufferReader(content)).to_pylist():
        text = row[settings.text_column]
        found = _judge((text or "").encode(), settings, "missing_column" if text is None else None)
        name = row.get(settings.id_column)
        identity = None if name is None else str(name)
        yield found if found.reject else _named(found, identity, found.text, found.replaced_bytes)
