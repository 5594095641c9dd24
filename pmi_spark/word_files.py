"""Files that a setting names, read on the driver."""

from __future__ import annotations

from pmi_spark.errors import InputError
from pmi_spark.storage import Storage


def read_word_file(storage: Storage, path: str, key: str) -> str:
    """The text of a file that the setting ``key`` names; InputError when it is not there or not UTF-8."""
    return decode_named(read_named_file(storage, path, key), path)


def read_named_file(storage: Storage, path: str, key: str) -> bytes:
    """The bytes of a file that the setting ``key`` names; InputError when it is not there."""
    place = storage.resolve(path)
    if not storage.exists(place) or storage.is_directory(place):
        raise InputError(f"{key} names {path}, which is no file", cure="check the path")
    return storage.read_bytes(place)


def decode_named(content: bytes, path: str) -> str:
    """Text of a file; InputError when it is not UTF-8."""
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path} is not UTF-8: {error.reason} at byte {error.start}", cure="save it as UTF-8"
        ) from error
