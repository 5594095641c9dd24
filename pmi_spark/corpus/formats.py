"""What kind of file is this? Told from its name and its first bytes, before Spark reads a line."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa

from pmi_spark.errors import InputError

if TYPE_CHECKING:
    from pmi_spark.config import InputConfig

# Files looked at at the same time: each is one round trip, 5 ms on a local disk, 50 ms on an object store.
AT_ONCE = 8
HEAD_BYTES = 1 << 16
# bzip2 gives nothing before its first block, of up to 900 kB of text, is whole.
BZIP2_HEAD_BYTES = 1 << 20
# A text may hold a stray NUL; of an image's or a program's first bytes at least one in 300 is.
NULS = (8, 1000)

# Spark decompresses by the name's end alone.
COMPRESSED = {".gz": ("gzip", b"\x1f\x8b"), ".bz2": ("bz2", b"BZh"), ".zst": ("zstd", b"\x28\xb5\x2f\xfd")}
_PARQUET = b"PAR1"
_FOREIGN = {
    b"\xfd7zXZ\0": "xz",
    b"PK\x03\x04": "a zip archive",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive",
    b"Rar!": "a rar archive",
    b"%PDF": "PDF",
    b"ORC": "ORC",
    b"Obj\x01": "Avro",
    b"\xff\xfe": "UTF-16 text",
    b"\xfe\xff": "UTF-16 text",
}
_JSON_NAMES = (".json", ".jsonl", ".ndjson")
_CSV_NAMES = (".csv", ".tsv", ".tab")
_CSV_SEPARATORS = (",", "\t", ";", "|")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"

ReadHead = Callable[[str, int], bytes]
ReadColumns = Callable[[str], Mapping[str, str]]


@dataclass(frozen=True, order=True)
class Layout:
    r"""How a file is to be read: its format, and what else differs from file to file.

    ``columns`` are a CSV file's header, or the type of a Parquet file's id column; ``separator`` stands between a CSV
    file's fields, and is the likely blank line of a text in paragraphs ("\n\n", "\n\r\n").
    """

    format: str
    columns: tuple[str, ...] = ()
    separator: str = ""


class Sorted(NamedTuple):
    """Files by layout, and what is wrong with those that cannot be read. Files of no bytes are in neither."""

    layouts: dict[Layout, list[str]]
    unreadable: dict[str, InputError]


def sort_files(paths: Sequence[str], read_head: ReadHead, read_columns: ReadColumns, settings: InputConfig) -> Sorted:
    """Look at the first bytes of every file, several at a time, and sort the files by layout.

    ``read_head(path, size)`` gives at most ``size`` bytes as stored; ``read_columns(path)`` a Parquet file's columns
    and their types, from its footer. An InputError of either goes to ``unreadable``.
    """

    def look(path: str) -> Layout | InputError | None:
        try:
            raw = read_head(path, BZIP2_HEAD_BYTES if path.lower().endswith(".bz2") else HEAD_BYTES)
            if not raw:
                return None
            is_parquet = raw.startswith(_PARQUET)
            return _parquet(path, read_columns(path), settings) if is_parquet else recognise(path, raw, settings)
        except InputError as error:
            return error

    layouts: dict[Layout, list[str]] = {}
    unreadable: dict[str, InputError] = {}
    with ThreadPoolExecutor(AT_ONCE) as threads:
        for path, found in zip(paths, threads.map(look, paths), strict=True):
            if isinstance(found, Layout):
                layouts.setdefault(found, []).append(path)
            elif found is not None:
                unreadable[path] = found
    return Sorted(dict(sorted(layouts.items())), unreadable)


def recognise(path: str, raw: bytes, settings: InputConfig) -> Layout:
    r"""The layout of a file that is not Parquet, from its name and its first bytes as stored.

    Raises InputError for what Spark's text reader would take for garbage.

    >>> from pmi_spark.config import InputConfig
    >>> recognise("AA/wiki_00", b'<doc id="1" url="" title="A">\nA\n', InputConfig())
    Layout(format='wiki', columns=(), separator='')
    """
    if settings.format == "parquet":
        raise _unreadable(path, "it is not Parquet", "set input.format to auto")
    name, head = _decompress(path, raw)
    for magic, kind in _FOREIGN.items():
        if head.startswith(magic):
            raise _unreadable(path, f"it is {kind}", f"give UTF-8 text, plain or {', '.join(COMPRESSED)}")
    if (nuls := head.count(0)) >= NULS[0] and nuls * NULS[1] > len(head):
        raise _unreadable(path, "it is binary", "give text, or leave it out")
    head = head.removeprefix(_BYTE_ORDER_MARK)
    format = _format_of(path, name, head, settings) if settings.format == "auto" else settings.format
    if format == "csv":
        return _csv_layout(path, name, head, settings)
    in_paragraphs = format == "text" and settings.document == "paragraph"
    windows = in_paragraphs and b"\n\r\n" in head
    return Layout(format, separator="\n\r\n" if windows else "\n\n" if in_paragraphs else "")


def _unreadable(path: str, why: str, cure: str) -> InputError:
    return InputError(f"cannot read {path}: {why}", cure)


def _decompress(path: str, raw: bytes) -> tuple[str, bytes]:
    """A file's name without its compression's, and its first bytes decompressed."""
    name = path.lower()
    for ending, (codec, magic) in COMPRESSED.items():
        if name.endswith(ending) != raw.startswith(magic):
            wrong = f"it is not {codec}" if name.endswith(ending) else f"it is {codec}, which its name does not say"
            raise _unreadable(path, wrong, f"give only {codec} files names that end in {ending}")
        if raw.startswith(magic):
            return name.removesuffix(ending), _first_bytes(raw, codec)
    return name, raw


def _first_bytes(raw: bytes, codec: str) -> bytes:
    """What the beginning of a compressed file holds, in small pieces: the one that meets the cut is lost."""
    stream, head = pa.CompressedInputStream(pa.BufferReader(raw), codec), b""
    try:
        while len(head) < HEAD_BYTES and (piece := stream.read(1 << 6)):
            head += piece
    except OSError:
        # The head ends within the stream, or the file is damaged, which Spark will tell.
        pass
    return head


def _format_of(path: str, name: str, head: bytes, settings: InputConfig) -> str:
    start = head.lstrip()
    if start.startswith(b"WARC/1."):
        return "wet"
    if re.match(rb"<doc\s+id=", start):
        return "wiki"
    if name.endswith(_CSV_NAMES):
        return "csv"
    if name.endswith(_JSON_NAMES):
        if start.startswith(b"[") or start.partition(b"\n")[0].strip() == b"{":
            raise _unreadable(path, "it is one JSON value, not JSON Lines", "write one object a line")
        return "json"
    if start.startswith(b"{") and _is_json_line(start.partition(b"\n")[0], settings.text_column):
        return "json"
    named_text = name.rpartition("/")[2].endswith(".txt")
    return "text" if named_text or _csv_separator(_first_row(head), settings.text_column) is None else "csv"


def _is_json_line(line: bytes, text_column: str) -> bool:
    """Is it an object with the column? Of a line longer than the head only its beginning is there."""
    try:
        return text_column in json.loads(line.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return len(line) > HEAD_BYTES // 2 and json.dumps(text_column).encode() in line


def _first_row(head: bytes) -> str:
    return re.split(r"[\r\n]", head.decode("utf-8", "replace"), maxsplit=1)[0]


def _csv_separator(header: str, text_column: str) -> str | None:
    """What parts the fields of a header, when two or more are there and one is the text column."""
    for separator in _CSV_SEPARATORS:
        fields = next(csv.reader([header], delimiter=separator), [])
        if len(fields) > 1 and text_column in fields:
            return separator
    return None


def _csv_layout(path: str, name: str, head: bytes, settings: InputConfig) -> Layout:
    header = _first_row(head)
    if not header:
        raise _unreadable(path, "it has no header", "check the file, or set input.format")
    usual = "\t" if name.endswith((".tsv", ".tab")) else ","
    separator = _csv_separator(header, settings.text_column) or usual
    columns = tuple(next(csv.reader([header], delimiter=separator), []))
    _require_columns(path, columns, settings)
    return Layout("csv", columns, separator)


def _require_columns(path: str, columns: Sequence[str], settings: InputConfig) -> None:
    for setting in ("text_column", "id_column"):
        wanted = getattr(settings, setting)
        # No id column is fine, no text column is not.
        if wanted not in columns and (wanted or setting == "text_column"):
            raise _unreadable(
                path, f"no column {wanted}; there are {', '.join(columns) or 'none'}", f"set input.{setting}"
            )


def _parquet(path: str, columns: Mapping[str, str], settings: InputConfig) -> Layout:
    if settings.format not in ("auto", "parquet"):
        raise _unreadable(path, "it is Parquet", "set input.format to auto")
    _require_columns(path, list(columns), settings)
    kind = columns[settings.text_column]
    if kind != "string":
        there = ", ".join(f"{name} {of_name}" for name, of_name in columns.items())
        raise _unreadable(
            path, f"its column {settings.text_column} is {kind}, not string; there are {there}", "set input.text_column"
        )
    return Layout("parquet", (columns[settings.id_column],) if settings.id_column else ())
