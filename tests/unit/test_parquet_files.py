"""Parquet files as values: what is encoded comes back, and a damaged file says so by its name."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql.types import StructType

from pmi_spark import schemas
from pmi_spark.errors import RunError
from pmi_spark.parquet_files import (
    FILES_READ,
    MAGIC,
    ParquetEncoder,
    UnreadableFileError,
    arrow_schema,
    binary_value,
    decode_row_groups,
    file_contents,
)

SCHEMAS = {
    name: arrow_schema(getattr(schemas, name))
    for name in ("TOKENS", "VOCABULARY", "PAIRS", "MARGINALS", "PMI", "VECTORS")
}
EVERY_SCHEMA = pytest.mark.parametrize("name", SCHEMAS)
VALUES = {
    pa.int32(): st.integers(-(2**31), 2**31 - 1),
    pa.int64(): st.integers(-(2**63), 2**63 - 1),
    pa.float32(): st.floats(width=32, allow_nan=False),
    pa.float64(): st.floats(allow_nan=False),
    pa.string(): st.text(max_size=5),
}
STRINGS = {"TOKENS": ["words.list.element"], "VOCABULARY": ["word"], "VECTORS": ["word"]}


def values_of(kind: pa.DataType) -> st.SearchStrategy:
    return st.lists(VALUES[kind.value_type], max_size=4) if pa.types.is_list(kind) else VALUES[kind]


def tables_of(schema: pa.Schema) -> st.SearchStrategy[pa.Table]:
    rows = st.lists(st.tuples(*(values_of(field.type) for field in schema)), max_size=6)
    return rows.map(
        lambda rows: pa.Table.from_arrays(
            [pa.array([row[k] for row in rows], field.type) for k, field in enumerate(schema)], schema=schema
        )
    )


def whole_file(
    schema: pa.Schema, tables: list[pa.Table], dictionary: list[str] | None = None, deltas: list[str] | None = None
) -> bytes:
    """A file as Spark's text sink leaves it: closed by the magic number."""
    encoder = ParquetEncoder(schema, dictionary or (), deltas or ())
    for table in tables:
        encoder.add(table)
    assert encoder.row_count == sum(map(len, tables))
    return encoder.finish().to_pybytes() + MAGIC.encode()


def rows_of(table: pa.Table, names: list[str]) -> list[list[object]]:
    return [table.column(name).to_pylist() for name in names]


def integers_of(schema: pa.Schema) -> list[str]:
    return [field.name for field in schema if pa.types.is_integer(field.type)]


@EVERY_SCHEMA
def test_columns_keep_their_names_order_and_may_not_be_null(name):
    spark_schema: StructType = getattr(schemas, name)
    schema = SCHEMAS[name]
    assert schema.names == spark_schema.names
    assert not any(field.nullable for field in schema)
    assert not any(field.type.value_field.nullable for field in schema if pa.types.is_list(field.type))


def test_types_are_the_ones_spark_writes():
    kinds = {field.name: str(field.type) for schema in SCHEMAS.values() for field in schema}
    assert kinds == {
        "document_id": "int64",
        "words": "list<element: string not null>",
        "word_id": "int32",
        "word": "string",
        "word_count": "int64",
        "document_count": "int64",
        "context_id": "int32",
        "pair_count": "double",
        "marginal_count": "int64",
        "frequency": "double",
        "pmi": "float",
        "vector": "list<element: float not null>",
    }
    assert SCHEMAS["PAIRS"].field("pair_count").type == pa.int64()


@EVERY_SCHEMA
@pytest.mark.parametrize("encodings", ["plain", "dictionary and deltas"])
@given(st.data())
def test_every_table_comes_back_row_group_by_row_group(name, encodings, data):
    schema = SCHEMAS[name]
    tables = data.draw(st.lists(tables_of(schema), max_size=3))
    dictionary = STRINGS.get(name, []) if encodings != "plain" else []
    content = whole_file(schema, tables, dictionary, integers_of(schema) if encodings != "plain" else [])
    for read_as_dictionary in ([], STRINGS.get(name, [])):
        groups = decode_row_groups("here", content, schema, read_as_dictionary, sum(map(len, tables)))
        assert [rows_of(group, schema.names) for group in groups] == [rows_of(table, schema.names) for table in tables]
        if not read_as_dictionary:
            assert [group.schema for group in groups] == [schema] * len(tables)


@EVERY_SCHEMA
def test_a_file_without_rows_comes_back_without_rows(name):
    schema = SCHEMAS[name]
    assert decode_row_groups("here", whole_file(schema, []), schema, row_count=0) == []
    groups = decode_row_groups("here", whole_file(schema, [schema.empty_table()] * 2), schema, row_count=0)
    assert [(len(group), group.schema) for group in groups] == [(0, schema)] * 2


@pytest.mark.parametrize("sizes", [[1], [3, 1, 2], [70_000, 5]])
def test_each_table_added_is_one_row_group(sizes):
    schema = SCHEMAS["MARGINALS"]
    tables = [pa.table({"word_id": range(size), "marginal_count": range(size)}, schema=schema) for size in sizes]
    content = whole_file(schema, tables, deltas=schema.names)
    assert [len(group) for group in decode_row_groups("here", content, schema)] == sizes
    metadata = pq.read_metadata(pa.BufferReader(content))
    assert [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)] == sizes


def test_only_the_columns_asked_for_are_read():
    schema = SCHEMAS["PAIRS"]
    content = whole_file(schema, [pa.table([[1], [2], [3]], schema=schema)])
    wanted = pa.schema([schema.field("context_id")])
    assert decode_row_groups("here", content, wanted)[0].to_pydict() == {"context_id": [2]}


def test_a_file_lacks_its_closing_magic_number_and_nothing_else():
    schema = SCHEMAS["MARGINALS"]
    encoder = ParquetEncoder(schema)
    encoder.add(pa.table([[1], [2]], schema=schema))
    content = encoder.finish().to_pybytes()
    assert content.startswith(MAGIC.encode())
    assert pq.read_table(pa.BufferReader(content + MAGIC.encode())).to_pydict() == {
        "word_id": [1],
        "marginal_count": [2],
    }


def encodings_of(content: bytes, column: int) -> tuple[str, ...]:
    return pq.read_metadata(pa.BufferReader(content)).row_group(0).column(column).encodings


def test_repeated_words_are_stored_once_and_come_back_as_a_dictionary():
    schema = SCHEMAS["TOKENS"]
    words = [f"word-{number}" for number in range(3000)]
    tables = [pa.table({"document_id": [1, 2], "words": [words, words[::-1]]}, schema=schema)] * 2
    content = whole_file(schema, tables, dictionary=["words.list.element"])
    assert "RLE_DICTIONARY" in encodings_of(content, 1)
    assert "RLE_DICTIONARY" not in encodings_of(content, 0)
    for group in decode_row_groups("here", content, schema, dictionary=["words.list.element"]):
        lists = group.column("words").combine_chunks()
        assert lists.to_pylist() == [words, words[::-1]]
        assert sorted(lists.flatten().dictionary.to_pylist()) == sorted(words)


def test_a_dictionary_beyond_the_usual_megabyte_stays_one():
    """Else pages fall back to plain strings, and readers look every word up."""
    schema, elements = SCHEMAS["TOKENS"], ["words.list.element"]
    words = [f"a rather long word that stands for many {number}" for number in range(60_000)]
    table = pa.table({"document_id": [1, 2, 3], "words": [words] * 3}, schema=schema)
    content = whole_file(schema, [table], dictionary=elements)
    chunk = pq.read_metadata(pa.BufferReader(content)).row_group(0).column(1)
    assert chunk.total_uncompressed_size < 1.5 * sum(len(word) + 4 for word in words)
    lists = decode_row_groups("here", content, schema, elements)[0].column("words").combine_chunks()
    assert len(lists.flatten().dictionary) == len(words)


def test_sorted_pairs_take_fewer_bytes_as_deltas():
    schema = SCHEMAS["PAIRS"]
    numbers = list(range(20_000))
    table = pa.table([[7] * 20_000, numbers, [1] * 20_000], schema=schema)
    plain, deltas = whole_file(schema, [table]), whole_file(schema, [table], deltas=schema.names)
    assert all("DELTA_BINARY_PACKED" in encodings_of(deltas, column) for column in range(3))
    assert len(deltas) < len(plain) / 4
    assert decode_row_groups("here", deltas, schema)[0] == table


def small_files() -> dict[str, tuple[bytes, pa.Schema, list[str]]]:
    """{name: (file, schema, dictionary columns)}, three rows in two row groups each."""
    tokens, pairs = SCHEMAS["TOKENS"], SCHEMAS["PAIRS"]
    words = [
        pa.table({"document_id": [1, -5], "words": [["a", "b", "a"], []]}, schema=tokens),
        pa.table({"document_id": [7], "words": [["c"] * 40]}, schema=tokens),
    ]
    counts = [pa.table([[1, 5], [2, 7], [9, 2**40]], schema=pairs), pa.table([[6], [8], [1]], schema=pairs)]
    elements = ["words.list.element"]
    return {
        "TOKENS": (whole_file(tokens, words, dictionary=elements), tokens, elements),
        "PAIRS": (whole_file(pairs, counts, deltas=pairs.names), pairs, []),
    }


@pytest.mark.parametrize("name", ["TOKENS", "PAIRS"])
def test_a_file_cut_anywhere_is_unreadable(name):
    content, schema, dictionary = small_files()[name]
    assert len(decode_row_groups("part-7", content, schema, dictionary)) == 2
    for length in range(len(content)):
        with pytest.raises(UnreadableFileError, match=r"cannot read part-7: "):
            decode_row_groups("part-7", content[:length], schema, dictionary)


@pytest.mark.parametrize(
    "content", [b"", b"PAR1", b"PAR1PAR1", b"not a Parquet file at all", bytes(1000)], ids=lambda content: content[:8]
)
def test_what_is_no_parquet_file_is_unreadable(content):
    with pytest.raises(UnreadableFileError, match=r"cannot read part-7: "):
        decode_row_groups("part-7", content, SCHEMAS["MARGINALS"])


def page_bytes(content: bytes) -> list[tuple[int, int, int]]:
    """(row group, first byte, byte past the last) of every column's pages."""
    metadata = pq.read_metadata(pa.BufferReader(content))
    chunks = [
        (group, metadata.row_group(group).column(column))
        for group in range(metadata.num_row_groups)
        for column in range(metadata.num_columns)
    ]
    firsts = [
        chunk.dictionary_page_offset if chunk.has_dictionary_page else chunk.data_page_offset for _, chunk in chunks
    ]
    return [
        (group, first, first + chunk.total_compressed_size)
        for (group, chunk), first in zip(chunks, firsts, strict=True)
    ]


def flipped(content: bytes, place: int, bit: int) -> bytes:
    damaged = bytearray(content)
    damaged[place] ^= bit
    return bytes(damaged)


@pytest.mark.parametrize("name", ["TOKENS", "PAIRS"])
@pytest.mark.parametrize("bit", [0x01, 0x80, 0xFF])
def test_a_flipped_byte_in_a_data_page_is_noticed_by_its_checksum(name, bit):
    """A column chunk ends with the bytes of its last page; its headers, before them, have no checksum."""
    content, schema, dictionary = small_files()[name]
    for _, first, last in page_bytes(content):
        for place in range(last - 9, last):
            assert place > first
            with pytest.raises(UnreadableFileError, match=r"cannot read part-7: .*[Cc][Rr][Cc]"):
                decode_row_groups("part-7", flipped(content, place, bit), schema, dictionary)


LONG_SCHEMA = pa.schema([("value", pa.int64())])
# Multiples of an odd number: no two alike, and zstd finds nothing to shorten.
LONG_FILE = whole_file(
    LONG_SCHEMA, [pa.table([[k * 0x1E3779B97F4A7C15 % 2**63 for k in range(1200)]], schema=LONG_SCHEMA)]
)


@given(st.integers(0, 8000), st.integers(1, 255))
def test_a_flipped_byte_anywhere_in_long_pages_is_noticed(place, bits):
    """Plain numbers would come back as other numbers."""
    ((_, first, last),) = page_bytes(LONG_FILE)
    assert last - first > 8200
    with pytest.raises(UnreadableFileError, match="cannot read part-7"):
        decode_row_groups("part-7", flipped(LONG_FILE, last - 1 - place, bits), LONG_SCHEMA)


@pytest.mark.parametrize("name", ["TOKENS", "PAIRS"])
@pytest.mark.parametrize("bit", [0x01, 0x40, 0xFF])
def test_a_flipped_byte_in_the_footer_is_noticed_or_changes_nothing(name, bit):
    """The footer has no checksum: it must agree with the schema and the number of rows."""
    content, schema, dictionary = small_files()[name]
    expected = [rows_of(group, schema.names) for group in decode_row_groups("part-7", content, schema, dictionary, 3)]
    end_of_pages = max(last for _, _, last in page_bytes(content))
    noticed = 0
    for place in range(end_of_pages, len(content)):
        try:
            groups = decode_row_groups("part-7", flipped(content, place, bit), schema, dictionary, row_count=3)
        except UnreadableFileError:
            noticed += 1
        else:
            assert [rows_of(group, schema.names) for group in groups] == expected, place
    assert noticed > (len(content) - end_of_pages) / 3


@pytest.mark.parametrize("bit", [0x01, 0x40, 0xFF])
def test_whatever_byte_of_a_page_is_flipped_no_word_is_left_without_its_dictionary_entry(bit):
    """Page headers have no checksum; a page of no words would make every code point nowhere."""
    content, schema, dictionary = small_files()["TOKENS"]
    for place in range(max(last for _, _, last in page_bytes(content))):
        try:
            groups = decode_row_groups("part-7", flipped(content, place, bit), schema, dictionary, row_count=3)
        except UnreadableFileError:
            continue
        for group in groups:
            group.validate(full=True)


@pytest.mark.parametrize("wanted", ["TOKENS", "VOCABULARY", "PMI", "MARGINALS"])
def test_a_file_of_other_columns_is_unreadable(wanted):
    """PMI's columns have the names of PAIRS' and other types."""
    content, _, _ = small_files()["PAIRS"]
    for read_as_dictionary in ([], STRINGS.get(wanted, [])):
        with pytest.raises(UnreadableFileError, match=r"cannot read part-7: "):
            decode_row_groups("part-7", content, SCHEMAS[wanted], read_as_dictionary)


@pytest.mark.parametrize("rows", [0, 2, 4])
def test_a_file_of_another_number_of_rows_than_known_is_unreadable(rows):
    content, schema, dictionary = small_files()["TOKENS"]
    with pytest.raises(UnreadableFileError, match=f"cannot read part-7: it has 3 rows, not {rows}"):
        decode_row_groups("part-7", content, schema, dictionary, row_count=rows)
    for known in (-1, 3):
        assert sum(map(len, decode_row_groups("part-7", content, schema, dictionary, row_count=known))) == 3


def test_an_unreadable_file_is_a_run_error_that_says_what_to_do():
    with pytest.raises(RunError, match="part-7") as raised:
        decode_row_groups("s3://bucket/tokens/part-7", b"", SCHEMAS["TOKENS"])
    assert "run that stage again" in raised.value.cure
    assert raised.value.__cause__ is not None


@given(st.binary(max_size=100))
def test_a_binary_value_is_one_row_and_not_a_copy(content):
    buffer = pa.py_buffer(content)
    array = binary_value(buffer)
    array.validate(full=True)
    assert array.type == pa.binary()
    assert array.to_pylist() == [content]
    assert array.buffers()[2].address == buffer.address


def test_a_slice_of_a_buffer_is_a_binary_value_of_its_own():
    assert binary_value(pa.py_buffer(b"abcdef").slice(2, 3)).to_pylist() == [b"cde"]


@given(st.lists(st.lists(st.tuples(st.text(max_size=5), st.binary(max_size=30)), max_size=4), max_size=4), st.data())
def test_file_contents_are_the_paths_and_whole_files_of_every_batch(batches, data):
    kinds = [pa.string(), pa.binary()]
    made = []
    expected = []
    for files in batches:
        columns = [pa.array([file[k] for file in files], kinds[k]) for k in range(2)]
        start = data.draw(st.integers(0, len(files)))
        made.append(pa.RecordBatch.from_arrays(columns, names=list(FILES_READ)).slice(start))
        expected += files[start:]
    assert [(path, content.to_pybytes()) for path, content in file_contents(made)] == expected


def test_a_file_goes_through_binary_values_and_comes_back():
    content, schema, dictionary = small_files()["TOKENS"]
    batch = pa.RecordBatch.from_arrays(
        [pa.array(["part-7"]), binary_value(pa.py_buffer(content))], names=list(FILES_READ)
    )
    ((path, file),) = file_contents([batch])
    groups = decode_row_groups(path, file, schema, dictionary)
    assert [group.column("words").to_pylist() for group in groups] == [[["a", "b", "a"], []], [["c"] * 40]]


def test_contents_are_views_of_the_batch():
    whole = binary_value(pa.py_buffer(b"x" * 1000))
    batch = pa.RecordBatch.from_arrays([pa.array(["here"]), whole], names=["path", "content"])
    ((_, content),) = file_contents([batch])
    assert content.address == whole.buffers()[2].address
