"""What is done to a stream, without a JVM."""

from __future__ import annotations

import pytest

from pmi_spark.publication import write_whole


class Stream:
    """A stream that may fail to write; its close is what publishes."""

    def __init__(self, fails: bool) -> None:
        self._fails = fails
        self.calls: list[str] = []

    def write(self, content: bytearray) -> None:
        self.calls.append("write")
        if self._fails:
            raise OSError("no room")

    def close(self) -> None:
        self.calls.append("close")

    def abort(self) -> None:
        self.calls.append("abort")
        raise NotImplementedError


def test_a_stream_is_closed_when_all_is_written() -> None:
    stream = Stream(fails=False)
    write_whole(stream, b"text")
    assert stream.calls == ["write", "close"]


def test_a_stream_that_failed_publishes_nothing() -> None:
    stream = Stream(fails=True)
    with pytest.raises(OSError, match="no room"):
        write_whole(stream, b"text")
    assert stream.calls == ["write", "abort"]
