"""Made-up shards of every format, as the bytes a file of it holds."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

# Invalid UTF-8, a NUL, four-byte characters, a control character, a quote, a line break, nothing at all.
TEXTS = [
    b"The cat's whiskers",
    b"bad \xff\xfe byte, cut \xe6\x9d",
    b"nul \0 here",
    "Äpfel 東京 \U00010400 \ufffd".encode(),
    b"bell \x07 tab\tend",
    b'a "quoted" word, & <more>',
    b"",
    b"last",
]


def text_shard() -> bytes:
    return (
        b"\xef\xbb\xbf"
        + b"".join(text + end for text, end in zip(TEXTS, [b"\n", b"\r\n"] * 4, strict=True))
        + b"x" * 300
    )


def paragraph_shard() -> bytes:
    unix = b"one\nstill one\n\n\n\ntwo \xff\n \t \nthree\n"
    return unix + b"\r\n" + unix.replace(b"\n", b"\r\n") + b"\r\n\r\n" + b"x" * 300 + b"\n\n\n"


def wiki_shard() -> bytes:
    pages = [
        b'<doc id="%d" url="https://en.wikipedia.org/wiki?curid=%d" title="T%d">\nT%d\n\n%s\n</doc>\n'
        % (k, k, k, k, text)
        for k, text in enumerate(TEXTS)
    ]
    stray = b"stray words\n</doc>\n"
    lost_end = b'<doc id="90" url="" title="">\na\n<doc id="91" url="" title="">\nb &amp;amp; c\n</doc>\n'
    return b"".join([*pages, stray, lost_end, b'<doc id="92" url="" title="">\nA &lt;b&gt; &#x4e2d;\n</doc>\n'])


def wet_record(kind: bytes, body: bytes, uri: bytes = b"", length: int | None = None, version: bytes = b"1.0") -> bytes:
    size = len(body) if length is None else length
    fields = b"WARC-Type: %s\r\nWARC-Target-URI: %s\r\nContent-Type: text/plain\r\nContent-Length: %d" % (
        kind,
        uri,
        size,
    )
    return b"WARC/" + version + b"\r\n" + fields + b"\r\n\r\n" + body + b"\r\n\r\n"


def wet_shard() -> bytes:
    pages = [wet_record(b"conversion", text, b"http://example.org/%d" % k) for k, text in enumerate(TEXTS)]
    others = [
        wet_record(b"conversion", b"ends in line ends\r\n\r\n\r\n", version=b"1.1"),
        wet_record(b"conversion", b"speaks of WARC/1.0\nand goes on", b"http://example.org/w"),
        wet_record(b"response", b"HTTP/1.1 200 OK"),
        wet_record(b"conversion", b"cut off", length=5000),
        wet_record(b"conversion", b"longer than it says", length=3),
    ]
    return b"".join([wet_record(b"warcinfo", b"Software-Info: x\r\n"), *pages, *others])


def json_shard() -> bytes:
    lines = [b'{"text": %s, "id": %d}' % (_json_string(text), k) for k, text in enumerate(TEXTS)]
    others = [
        b'{"text": null}',
        b'{"body": "x"}',
        b'{"text": ["x"]}',
        b'["text"]',
        b'{"text": "cut',
        b"[" * 5000,
        b" ",
        b'{"text": "half a \\ud83d character", "id": {"b": 1, "a": "\\udc00"}}',
        b'{"text": "twice", "text": "last wins", "id": ""}',
    ]
    return b"\r\n".join([*lines, *others]) + b"\n"


def _json_string(text: bytes) -> bytes:
    """JSON of bytes, those that are no UTF-8 left as they are."""
    return json.dumps(text.decode("utf-8", "surrogateescape"), ensure_ascii=False).encode("utf-8", "surrogateescape")


def csv_shard(separator: str = ",", separate_lines: str = "\n") -> bytes:
    sink = io.StringIO(newline="")
    writer = csv.writer(sink, delimiter=separator, lineterminator=separate_lines)
    writer.writerow(["Text", "id", "text"])
    for k, text in enumerate([*TEXTS, b"two\nlines, of one"]):
        writer.writerow(["other", f"é{k}" if k % 2 else "", text.decode("latin-1")])
    body = sink.getvalue().encode("latin-1")
    return body.replace("é".encode("latin-1"), "é".encode()) + b"too,few\n\n" + separator.join("many").encode() + b"\n"


def parquet_shard() -> bytes:
    texts = [text.decode("utf-8", "replace") for text in TEXTS]
    table = pa.table(
        {"id": pa.array(range(len(texts) + 1)), "text": [*texts, None], "meta": [{"x": 1}] * (len(texts) + 1)}
    )
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    return sink.getvalue().to_pybytes()


SHARDS: dict[str, Callable[[], bytes]] = {
    "text": text_shard,
    "wiki": wiki_shard,
    "wet": wet_shard,
    "json": json_shard,
    "csv": csv_shard,
    "parquet": parquet_shard,
}


@pytest.fixture(scope="session")
def make_shard() -> Callable[[str], bytes]:
    """``make_shard(format)``: a file with good and bad records; ``paragraph`` is text in paragraphs."""
    return lambda format: (SHARDS | {"paragraph": paragraph_shard})[format]()
