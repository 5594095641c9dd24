"""A file's format from its name and first bytes."""

from __future__ import annotations

import bz2
import gzip
import random
from functools import partial

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pmi_spark.config import InputConfig
from pmi_spark.corpus.formats import Layout, recognise, sort_files
from pmi_spark.errors import InputError

WIKI = b'<doc id="1" url="http://a" title="A">\nA\n'
WET = b"WARC/1.0\r\nWARC-Type: warcinfo\r\n"
JSON = b'{"url": "a", "text": "b"}\n'
# Without the time of day, which would stand in the tests' names.
gzipped = partial(gzip.compress, mtime=0)
ZSTD = pa.compress(b'{"text": "a"}\n', codec="zstd", asbytes=True)


@pytest.mark.parametrize(
    ("name", "raw", "format"),
    [
        ("a.txt", b"words\n", "text"),
        ("README", b"words, text\n", "text"),
        ("a.txt", b"id,text\n", "text"),
        ("part-0", b"id,text\n", "csv"),
        ("part-0", b"text\n", "text"),
        ("a.CSV", b"id,text\n", "csv"),
        ("wiki_00", WIKI, "wiki"),
        ("wiki_00.bz2", bz2.compress(WIKI), "wiki"),
        ("wiki_00", JSON, "json"),
        ("a.txt", b"\xef\xbb\xbf\n" + JSON, "json"),
        ("a.jsonl", b'{"body": 1}\n', "json"),
        ("a.txt", b'{"body": 1}\n', "text"),
        ("a.txt", b"{text}\n", "text"),
        ("a", b'{"text": "' + b"x" * 70_000, "json"),
        ("a.zst", ZSTD, "json"),
        ("a.wet.gz", gzipped(WET) + gzipped(WET), "wet"),
        ("a.csv.gz", gzipped(b"id,text\n" + b"1,a\n" * 99)[:-9], "csv"),
        ("a.GZ", gzipped(b"")[:12], "text"),
    ],
)
def test_formats_are_told_apart(name, raw, format):
    assert recognise(name, raw, InputConfig()).format == format


def test_the_beginning_of_a_large_compressed_file_is_enough():
    letters = random.Random(1).choices(b"abcdefgh \n", k=900_000)
    for pack, name, size in ((gzipped, "a.gz", 1 << 16), (bz2.compress, "a.bz2", 1 << 20)):
        packed = pack(b'{"text": "a"}\n' + bytes(letters))
        assert len(packed) > 1 << 17
        assert recognise(name, packed[:size], InputConfig()).format == "json"


@pytest.mark.parametrize("format", ["text", "wiki", "wet", "json"])
def test_a_format_that_is_set_is_taken_at_its_word(format):
    assert recognise("a.csv", JSON, InputConfig(format=format)).format == format


def test_a_csv_layout_has_its_header_and_separator():
    assert recognise("a.tsv", b'id\t"text"\r\n1\ta', InputConfig()) == Layout("csv", ("id", "text"), "\t")
    assert recognise("a.csv", b"id;text\n", InputConfig()) == Layout("csv", ("id", "text"), ";")


def test_paragraphs_are_cut_at_the_blank_lines_the_file_has():
    settings = InputConfig(document="paragraph")
    assert recognise("a.txt", b"a\n\nb", settings).separator == "\n\n"
    assert recognise("a.txt", b"a\r\n\r\nb", settings).separator == "\n\r\n"


@pytest.mark.parametrize(
    ("name", "raw", "line"),
    [
        ("a.xz", b"\xfd7zXZ\0...", "cannot read a.xz: it is xz; give UTF-8 text, plain or .gz, .bz2, .zst"),
        ("a.txt", "a b".encode("utf-16"), "cannot read a.txt: it is UTF-16 text; give UTF-8 text"),
        ("a.txt", ("a" * 20).encode("utf-16-be"), "cannot read a.txt: it is binary; give text"),
        ("a.docx", b"PK\x03\x04", "cannot read a.docx: it is a zip archive;"),
        ("a.txt", gzipped(b"a"), "cannot read a.txt: it is gzip, which its name does not say;"),
        ("a.gz", b"plain\n", "cannot read a.gz: it is not gzip;"),
        ("a.tar.gz", gzipped(b"name" + bytes(500)), "cannot read a.tar.gz: it is binary;"),
        ("a.csv.gz", gzipped(b"id,text\n")[:9], "cannot read a.csv.gz: it has no header; check the file"),
        ("a.csv", b"id,body\n", "cannot read a.csv: no column text; there are id, body; set input.text_column"),
        (
            "a.json",
            b'[{"text": "a"}]',
            "cannot read a.json: it is one JSON value, not JSON Lines; write one object a line",
        ),
        ("a.json", b'{\n "text": "a"}', "cannot read a.json: it is one JSON value"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_cure(name, raw, line):
    with pytest.raises(InputError) as caught:
        recognise(name, raw, InputConfig())
    assert str(caught.value).startswith(line)


def test_text_with_stray_nuls_is_text():
    assert recognise("a.txt", b"words \0\n" * 9 + b"words\n" * 2000, InputConfig()).format == "text"


@given(raw=st.binary(min_size=1, max_size=200), name=st.sampled_from(["a", "a.gz", "a.json", "a.csv.zst", "a.bz2"]))
def test_any_bytes_are_a_layout_or_an_input_error_that_names_the_file(raw, name):
    for content in (raw, gzipped(b"")[:10] + raw):
        layouts, unreadable = sort_files([name], lambda path, size: content, dict, InputConfig())  # noqa: B023
        told = [str(error).startswith(f"cannot read {name}: ") for error in unreadable.values()]
        assert [*layouts.values()] == [[name]] if layouts else told == [True]


def test_files_are_sorted_by_layout_and_the_unreadable_ones_kept_apart():
    files = {
        "a.txt": b"a",
        "b": JSON,
        "c.gz": b"no",
        "d.parquet": b"PAR1",
        "e.parquet": b"PAR1",
        "f.csv": b"",
        "g.txt": b"g",
    }
    columns = {"d.parquet": {"text": "string", "id": "int64"}, "e.parquet": {"text": "int64", "id": "int64"}}

    def read_head(path, size):
        return files[path][:size]

    settings = InputConfig(id_column="id")
    layouts, unreadable = sort_files([*files], read_head, columns.__getitem__, settings)
    assert layouts == {
        Layout("json"): ["b"],
        Layout("parquet", ("int64",)): ["d.parquet"],
        Layout("text"): ["a.txt", "g.txt"],
    }
    assert [*unreadable] == ["c.gz", "e.parquet"]
    assert "there are text int64, id int64" in str(unreadable["e.parquet"])
    for format in ("text", "json"):
        found = sort_files(["d.parquet"], read_head, columns.__getitem__, InputConfig(format=format))
        assert "it is Parquet" in str(found.unreadable["d.parquet"])
    assert "it is not Parquet" in str(
        sort_files(["a.txt"], read_head, columns.__getitem__, InputConfig(format="parquet")).unreadable["a.txt"]
    )
