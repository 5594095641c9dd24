"""A matrix in pickle's form, as a broadcast leaves it on a worker's disk, read without unpickling."""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from pyspark import Broadcast

from pmi_spark.factorization.shared_matrix import MatrixBuffer, SharedMatrix

SHAPES = [(0, 3), (1, 1), (5, 3), (1000, 7), (40_000, 3)]


class DrivingContext:
    """The one method of a SparkContext that sharing takes: ``deliver`` makes a worker's broadcast of the value."""

    def __init__(self, deliver: Callable[[object], object]) -> None:
        self.broadcast = deliver


@pytest.fixture
def as_file(tmp_path: Path) -> DrivingContext:
    """The value in a file, where the worker finds it."""

    def deliver(value: object) -> Broadcast:
        path = tmp_path / f"broadcast-{len(list(tmp_path.iterdir()))}"
        with path.open("wb") as file:
            Broadcast.dump(None, value, file)
        return Broadcast(path=str(path))

    return DrivingContext(deliver)


def deliver_encrypted(value: object) -> Broadcast:
    """The value alone, unpickled: so Spark hands it to a worker where files are encrypted."""
    return Broadcast(sock_file=io.BytesIO(pickle.dumps(value, pickle.HIGHEST_PROTOCOL)))


@pytest.fixture(params=["file", "encrypted", "value"])
def context(request: pytest.FixtureRequest, as_file: DrivingContext) -> DrivingContext:
    if request.param == "file":
        return as_file
    return DrivingContext(
        deliver_encrypted if request.param == "encrypted" else lambda value: SimpleNamespace(value=value)
    )


def filled(shape: tuple[int, int]) -> tuple[MatrixBuffer, np.ndarray]:
    buffer = MatrixBuffer(*shape)
    numbers = np.random.default_rng(shape[0]).normal(size=shape).astype(np.float32)
    buffer.rows[:] = numbers
    return buffer, numbers


@pytest.mark.parametrize("shape", SHAPES)
def test_a_worker_reads_the_numbers_that_were_shared(context: DrivingContext, shape: tuple[int, int]) -> None:
    buffer, numbers = filled(shape)
    shared = buffer.share(context)
    assert shared.shape == shape
    found = shared.slice(0, shape[0])
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, numbers)


@pytest.mark.parametrize("shape", SHAPES[2:])
def test_a_slice_is_those_rows(context: DrivingContext, shape: tuple[int, int]) -> None:
    buffer, numbers = filled(shape)
    shared, last = buffer.share(context), shape[0]
    for first, end in ((0, 1), (1, 4), (2, 2), (last - 1, last), (last, last), (0, last)):
        np.testing.assert_array_equal(shared.slice(first, end), numbers[first:end])


@pytest.mark.parametrize("shape", SHAPES)
def test_a_file_is_mapped_where_it_is_aligned_and_cannot_be_written(
    as_file: DrivingContext, shape: tuple[int, int]
) -> None:
    found = filled(shape)[0].share(as_file).slice(0, shape[0])
    assert isinstance(found, np.memmap)
    assert found.ctypes.data % 64 == 0
    assert not found.flags.writeable


def test_a_mapped_slice_holds_its_own_pages_alone(as_file: DrivingContext) -> None:
    buffer, _ = filled((40_000, 3))
    part = buffer.share(as_file).slice(30_000, 30_010)
    assert len(part._mmap) < 2 * 4096 + part.nbytes


@pytest.mark.parametrize("shape", SHAPES)
def test_the_buffer_is_aligned_and_empty_at_first(shape: tuple[int, int]) -> None:
    buffer = MatrixBuffer(*shape)
    assert buffer.rows.shape == shape
    assert buffer.rows.size == 0 or buffer.rows.ctypes.data % 64 == 0
    assert not buffer.rows.any()


def test_nothing_is_copied_before_it_is_sent() -> None:
    sent = []
    buffer, _ = filled((50, 4))
    buffer.share(DrivingContext(lambda value: sent.append(value)))
    assert np.shares_memory(sent[0], buffer.rows)


def test_a_buffer_can_be_filled_and_shared_again(as_file: DrivingContext) -> None:
    buffer, numbers = filled((50, 4))
    first = buffer.share(as_file)
    buffer.rows[:] = 7
    second = buffer.share(as_file)
    np.testing.assert_array_equal(first.slice(0, 50), numbers)
    np.testing.assert_array_equal(second.slice(0, 50), np.full((50, 4), 7))


def test_numbers_that_an_unpickled_copy_holds_askew_are_copied() -> None:
    raw = MatrixBuffer(20, 3)
    raw.rows[:] = np.arange(60).reshape(20, 3)
    sent = []
    raw.share(DrivingContext(lambda value: sent.append(value)))
    for askew in range(1, 4):
        room = np.zeros(len(sent[0]) + 8, np.uint8)
        start = -room.ctypes.data % 4 + askew
        room[start : start + len(sent[0])] = sent[0]
        shared = SharedMatrix(SimpleNamespace(value=room[start : start + len(sent[0])]), 20, 3)
        found = shared.slice(5, 9)
        np.testing.assert_array_equal(found, raw.rows[5:9])
        assert found.ctypes.data % 4 == 0


def test_freeing_it_frees_the_broadcast() -> None:
    destroyed = []
    SharedMatrix(SimpleNamespace(destroy=lambda: destroyed.append(True)), 1, 1).destroy()
    assert destroyed == [True]
