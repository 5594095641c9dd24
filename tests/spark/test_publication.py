"""Single files published on a local disk, by HDFS's way of renaming, and behind a viewfs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from pmi_spark.publication import AtomicRename, ObjectStore, choose_publisher, resolve_mounts
from pmi_spark.storage import Storage


@pytest.fixture
def hadoop(spark: SparkSession) -> tuple[Any, Any]:
    """The JVM's package, and a configuration of our own."""
    package = spark.sparkContext._jvm.org.apache.hadoop
    return package, package.conf.Configuration(spark.sparkContext._jsc.hadoopConfiguration())


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if not path.name.endswith(".crc"))


class TestAtomicRename:
    """Tried on the local disk, which has a FileContext too."""

    @pytest.fixture
    def publisher(self, spark: SparkSession, hadoop: tuple[Any, Any]) -> AtomicRename:
        return AtomicRename(*hadoop, spark.sparkContext._gateway.new_array)

    def test_a_file_is_replaced(self, publisher: AtomicRename, tmp_path: Path) -> None:
        for text in (b"old", b"new"):
            publisher.replace(f"file:{tmp_path}/file", text)
            assert (tmp_path / "file").read_bytes() == text
        assert names(tmp_path) == ["file"]

    def test_a_file_is_created_where_there_is_none(self, publisher: AtomicRename, tmp_path: Path) -> None:
        assert publisher.create(f"file:{tmp_path}/file", b"first")
        assert not publisher.create(f"file:{tmp_path}/file", b"second")
        assert (tmp_path / "file").read_bytes() == b"first"
        assert names(tmp_path) == ["file"]


class TestLocalDisk:
    def test_what_hadoop_wrote_is_replaced_with_its_checksum(self, spark: SparkSession, tmp_path: Path) -> None:
        storage, path = Storage(spark), f"{tmp_path}/file"
        storage.write_bytes(path, b"of Hadoop")
        assert (tmp_path / ".file.crc").exists()
        storage.write_text(path, "ours")
        assert storage.read_text(path) == "ours"
        assert [entry.name for entry in tmp_path.iterdir()] == ["file"]

    def test_a_folder_that_is_not_there_is_made(self, spark: SparkSession, tmp_path: Path) -> None:
        Storage(spark).write_text(f"file:{tmp_path}/new/of two/file", "text")
        assert (tmp_path / "new/of two/file").read_text() == "text"


def test_a_mount_of_a_viewfs_is_what_lies_behind_it(
    spark: SparkSession, hadoop: tuple[Any, Any], tmp_path: Path
) -> None:
    package, configuration = hadoop
    configuration.set("fs.viewfs.mounttable.table.link./data", f"file:{tmp_path}")
    for below in ("", "/new", "/new/folder"):
        assert resolve_mounts(package, configuration, f"viewfs://table/data{below}") == f"file:{tmp_path}{below}"


def test_a_scheme_that_is_not_known_to_rename_in_one_step_is_an_object_store(
    spark: SparkSession, hadoop: tuple[Any, Any]
) -> None:
    package, configuration = hadoop
    new_array = spark.sparkContext._gateway.new_array
    assert isinstance(choose_publisher(package, configuration, new_array, "hdfs://host/data"), AtomicRename)
    other = choose_publisher(package, configuration, new_array, "http://localhost/data")
    assert isinstance(other, ObjectStore)
    assert not other.admits_one
