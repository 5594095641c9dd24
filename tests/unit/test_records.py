"""Records of JSON Lines, wiki and WET: what they hold, what is wrong with them, and nothing is ever raised."""

from __future__ import annotations

import json
import re

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pmi_spark.config import InputConfig
from pmi_spark.corpus.plain_documents import read_documents_plain
from pmi_spark.corpus.records import (
    PARSED,
    REASONS,
    choose_parser,
    decode,
    parse_batch,
    parse_json,
    parse_wet,
    parse_wiki,
)

SETTINGS = InputConfig(id_column="id")
SEPARATOR = {"json": rb"\r\n|\r|\n", "wiki": rb"</doc>", "wet": rb"\r\nWARC/1\."}
PIECES = {
    "json": [
        '{"text": ',
        '"a b"',
        '"id": 7',
        '"\\ud800"',
        '"\\u0000"',
        "{",
        "}",
        "[",
        "]",
        ", ",
        "null",
        "NaN",
        "\n",
        "\r",
    ],
    "wiki": [
        '<doc id="1" url="http://a" title="A">',
        "<doc",
        "</doc>",
        "\n",
        "<doc id=",
        ">",
        '"',
        "&amp;",
        "&#0;",
        "a b",
    ],
    "wet": [
        "WARC/1.0\r\n",
        "WARC-Type: conversion\r\n",
        "WARC-Type:warcinfo\r\n",
        "Content-Length: 3\r\n",
        "\r\n",
        "a b",
    ],
}


def shards(format: str) -> st.SearchStrategy[bytes]:
    """What a format is made of in any order, with any bytes between."""
    piece = st.sampled_from([piece.encode() for piece in PIECES[format]]) | st.binary(max_size=3)
    good = {
        "json": b'{"text": "good", "id": "g"}\n',
        "wiki": b'<doc id="g" url="" title="">\ngood\n</doc>\n',
        "wet": b"WARC/1.0\r\nWARC-Type: conversion\r\nContent-Length: 4\r\n\r\ngood\r\n\r\n",
    }[format]
    return st.lists(piece | st.just(good), max_size=20).map(b"".join)


@pytest.mark.parametrize("format", PIECES)
@given(data=st.data())
def test_any_bytes_give_what_the_plain_twin_gives(format, data):
    content = data.draw(shards(format)).removeprefix(b"\xef\xbb\xbf")
    parse = choose_parser(format, "text", "id")
    records = [parse(record) for record in re.split(SEPARATOR[format], content)]
    assert [
        (found.id or found.text, found.text, found.replaced, found.reject) for found in records if found is not None
    ] == [
        (twin.identity, twin.text, twin.replaced_bytes, twin.reject)
        for twin in read_documents_plain(format, content, SETTINGS)
    ]


@given(text=st.text().filter(lambda text: "\0" not in text), number=st.integers())
def test_json_as_python_writes_it_comes_back(text, number):
    line = json.dumps({"id": number, "text": text})
    whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    found = parse_json(line.encode(), "text", "id")
    assert (found.id, found.text, found.reject) == (str(number), whole, None)


@given(body=st.binary(max_size=40).filter(lambda body: b"\0" not in body), uri=st.text("ab:/%", max_size=9))
def test_a_page_of_a_wet_file_comes_back(body, uri):
    fields = f"WARC-Type: conversion\r\nWARC-Target-URI: {uri}\r\nContent-Length: {len(body)}\r\n\r\n"
    found = parse_wet(b"1\r\n" + fields.encode() + body + b"\r\n")
    assert found == (uri or None, *decode(body), None)


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (parse_json(b'{"text": "a', "text", ""), "not_json"),
        (parse_json(b"[" * 100_000, "text", ""), "not_json"),
        (parse_json(b'{"text": "a", "n": ' + b"9" * 5000 + b"}", "text", ""), "not_json"),
        (parse_json(b"3", "text", ""), "not_an_object"),
        (parse_json(b'{"text": null}', "text", ""), "missing_column"),
        (parse_json(b'{"text": 3}', "text", ""), "wrong_type"),
        (parse_json(b'{"text": "\\u0000"}', "text", ""), "binary"),
        (parse_wiki(b"words\n"), "bad_record"),
        (parse_wiki(b'<doc id="1">\na\n<doc id="2">\nb\n'), "bad_record"),
        (parse_wiki(b'<doc id="1">\n\0\n'), "binary"),
        (parse_wet(b"0\r\nWARC-Type: response\r\nContent-Length: 0\r\n\r\n"), "bad_record"),
        (parse_wet(b"0\r\nWARC-Type: conversion\r\nContent-Length: 4\r\n\r\nabc"), "bad_record"),
        (parse_wet(b"0\r\nWARC-Type: conversion\r\nContent-Length: 2\r\n\r\nabc"), "bad_record"),
        (parse_wet(b"0\r\nWARC-Type: conversion\r\nContent-Length: -1\r\n\r\n"), "bad_record"),
    ],
)
def test_what_is_wrong_is_named(found, reason):
    assert found.reject == reason
    assert reason in REASONS


def test_what_wikiextractor_escaped_is_put_back():
    found = parse_wiki(b'<doc id="1" url="http://a/?x&amp;y" title="">\nA &lt;b&gt; &amp;amp; &#x4e2d;\n')
    assert (found.id, found.text) == ("http://a/?x&y", "A <b> &amp; \u4e2d")


@pytest.mark.parametrize("found", [parse_json(b" \t", "text", ""), parse_wiki(b"\n\n"), parse_wet(b"\r\n")])
def test_nothing_is_no_record(found):
    assert found is None


def test_an_id_that_is_null_or_empty_is_none():
    assert [parse_json(line, "text", "id").id for line in (b'{"text": "", "id": ""}', b'{"text": "", "id": null}')] == [
        None,
        None,
    ]


@pytest.mark.parametrize(
    ("raw", "replaced"),
    [
        (b"fine \xef\xbf\xbd", 0),
        (b"\xff\xfe", 2),
        (b"\xe6\x9d", 1),
        (b"\xe0\xef\xbf\xbd", 1),
        (b"\xf0\x9f\x98 \xc0\xaf", 3),
    ],
)
def test_replaced_characters_are_counted_apart_from_those_that_stood_there(raw, replaced):
    assert decode(raw)[1] == replaced


def test_a_batch_keeps_shards_and_rejects_what_is_too_long():
    records = [b'{"text": "a"}', b" ", "中".encode() * 1001, b"7"]
    columns = [pa.array(records, pa.binary()), pa.array(["s", "s", "t", "u"]), pa.array([13, 1, 3003, 1])]
    batch = pa.RecordBatch.from_arrays(columns, names=["record", "shard", "bytes"])
    found = parse_batch(batch, choose_parser("json", "text", ""), maximum_bytes=3000)
    assert found.schema.equals(PARSED)
    assert [tuple(row.values()) for row in found.to_pylist()] == [
        (None, "a", "s", 13, 0, None),
        (None, "中" * 1000, "t", 3003, 0, "too_long"),
        (None, "7", "u", 1, 0, "not_an_object"),
    ]
    assert parse_batch(batch.slice(1, 1), choose_parser("json", "text", ""), 9).num_rows == 0
