"""Paths with awkward names, and the marginals that lie beside the pairs."""

from __future__ import annotations

import os
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pmi_spark.artifacts import DRAFT, Artifacts, Manifest
from pmi_spark.errors import RunError
from pmi_spark.parquet_files import MAGIC
from pmi_spark.schemas import TOKENS
from pmi_spark.storage import Storage
from pmi_spark.vectors.store import load_vectors, read_artifact

OVERRIDES = ["vectors.dimensions=2", "pairs.subsample=0", "pairs.files=2", "vocabulary.minimum_count=1"]


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("a b c d e\nb a d e c x y\n" * 9)
    return path


def test_lost_marginals_are_noticed_and_the_pairs_made_again(run_stages, text, tmp_path):
    run_stages(tmp_path / "out", [text], overrides=OVERRIDES)
    shutil.rmtree(tmp_path / "out/pairs/_marginals")
    told = run_stages(tmp_path / "out", [text], overrides=[*OVERRIDES, "pmi.measures=npmi"])
    assert told.stages("finished") == ["pairs", "pmi", "vectors"]


def test_pairs_that_died_between_marginals_and_pairs_leave_no_mixture(run_stages, text, tmp_path, monkeypatch):
    out, commit = tmp_path / "out", Artifacts.commit
    run_stages(out, [text], overrides=OVERRIDES)
    before = read_artifact(str(out), "pmi")[0]

    def die(self, manifest, scratch):
        if manifest.artifact == "pairs":
            raise KeyboardInterrupt
        commit(self, manifest, scratch)

    monkeypatch.setattr(Artifacts, "commit", die)
    with pytest.raises(KeyboardInterrupt):
        run_stages(out, stages=["pairs"], overrides=[*OVERRIDES, "pairs.window=1"])
    monkeypatch.undo()
    # The pairs that are there are still the former ones: their PMI must be as before, or the stage refuse.
    run_stages(out, stages=["pmi"], overrides=[*OVERRIDES, "pmi.measures=npmi"])
    assert read_artifact(str(out), "pmi")[0].select(before.column_names).equals(before)


def test_a_least_pair_count_that_no_pair_reaches_is_told(run_stages, text, tmp_path):
    with pytest.raises(RunError, match="no pair met"):
        run_stages(tmp_path / "out", [text], overrides=[*OVERRIDES, "pairs.minimum_count=1000"])


@pytest.mark.parametrize("name", ["part[1].txt", "a{b}.txt", "what?.txt"])
def test_names_that_look_like_globs_are_read(run_stages, text, tmp_path, name):
    (tmp_path / "in").mkdir()
    text.rename(tmp_path / "in" / name)
    run_stages(tmp_path / "out", [tmp_path / "in"], ["tokens"], OVERRIDES)


def test_an_output_whose_name_looks_like_a_glob(run_stages, text, tmp_path):
    run_stages(tmp_path / "out[1]", [text], overrides=OVERRIDES)


def test_hidden_names_are_left_out_of_globs_too(spark, text, tmp_path):
    (tmp_path / "_h.txt").write_text("x")
    assert [f.name for f in Storage(spark).find_files(f"{tmp_path}/*.txt")] == ["a.txt"]


def test_hadoops_spelling_of_a_local_path_is_read(run_stages, text, tmp_path):
    run_stages(tmp_path / "out", [text], overrides=OVERRIDES)
    load_vectors(f"file:{tmp_path}/out")


def test_relative_paths_follow_the_python_process(run_stages, text, monkeypatch):
    monkeypatch.chdir(text.parent)
    run_stages("out", ["a.txt"], ["tokens"], OVERRIDES)


def manifest_of(name, files):
    return Manifest(name, "0123456789abcdef", sum(part.row_count for part in files), files, {}, {})


def names_in(folder):
    return {path.name for path in folder.glob("part-*")}


def documents_of(content):
    return pq.read_table(pa.BufferReader(content))["document_id"].to_pylist()


@pytest.fixture
def encoded(spark, token_files):
    """``encoded(partitions)``: a frame of files less their magic number: a partition of a file a document each."""

    def frame(*partitions):
        ends = [
            [(content.removesuffix(MAGIC.encode()),) for _, content in token_files(documents, len(documents))]
            for documents in partitions
        ]
        rows = spark.sparkContext.parallelize(ends, len(ends)).flatMap(lambda files: files)
        return spark.createDataFrame(rows, "file binary")

    return frame


A, B, C = (["a", "x"], ["b", "x"], ["c", "x"])


class TestWriteEncoded:
    def test_files_come_back_as_they_were_given(self, encoded, artifacts, tmp_path):
        files = encoded([A, B], [C])
        written = artifacts(tmp_path).write_encoded("tokens", files)
        assert [part.row_count for part in written] == [1, 1, 1]
        assert all(part.name.startswith("part-") and part.name.endswith(".parquet") for part in written)
        given = [bytes(row["file"]) + MAGIC.encode() for row in files.collect()]
        assert [(tmp_path / "tokens" / part.name).read_bytes() for part in written] == given
        assert [part.size_bytes for part in written] == [len(content) for content in given]

    def test_they_are_a_table_for_spark_and_for_pyarrow(self, encoded, artifacts, tmp_path):
        files = artifacts(tmp_path).write_encoded("tokens", encoded([A], [B, C]))
        artifacts(tmp_path).commit(manifest_of("tokens", files))
        words = sorted(list(row["words"]) for row in artifacts(tmp_path).read("tokens", TOKENS).collect())
        assert words == [A, B, C]
        assert sorted(read_artifact(str(tmp_path), "tokens")[0]["words"].to_pylist()) == [A, B, C]

    @pytest.mark.parametrize("partitions", [([], [A, B]), ([], [], [A, B], []), ([A, B], []), ([A], [], [B])])
    def test_partitions_without_a_row_leave_no_file(self, encoded, artifacts, tmp_path, partitions):
        written = artifacts(tmp_path).write_encoded("tokens", encoded(*partitions))
        assert [part.row_count for part in written] == [1, 1]
        assert names_in(tmp_path / "tokens") == {part.name for part in written}

    def test_no_row_at_all_leaves_no_file(self, encoded, artifacts, tmp_path):
        assert artifacts(tmp_path).write_encoded("tokens", encoded([], [])) == ()
        assert names_in(tmp_path / "tokens") == set()

    def test_what_a_dead_writer_left_is_not_taken_for_a_result_and_is_swept_away(self, encoded, artifacts, tmp_path):
        folder = tmp_path / "tokens"
        artifacts(tmp_path).write_encoded("tokens", encoded([A]))
        (died,) = folder.glob("part-*.parquet")
        draft = folder / f"{DRAFT}dead"
        (draft / "_temporary" / "0").mkdir(parents=True)
        (draft / "part-00000-dead-c000.txt").write_bytes(died.read_bytes())
        (draft / "part-00001-dead-c000.txt").write_bytes(died.read_bytes()[:-30])
        written = artifacts(tmp_path).write_encoded("tokens", encoded([B], [C]))
        assert [part.row_count for part in written] == [1, 1]
        assert names_in(folder) == {died.name, *(part.name for part in written)}
        artifacts(tmp_path).commit(manifest_of("tokens", written))
        assert names_in(folder) == {part.name for part in written}
        assert not draft.exists()

    def test_leftovers_beside_a_finished_artifact_are_swept_away_by_the_next_commit(self, encoded, artifacts, tmp_path):
        written = artifacts(tmp_path).write_encoded("tokens", encoded([A]))
        (tmp_path / "tokens" / "part-00000-dead-c000.txt").write_bytes(b"half")
        artifacts(tmp_path).commit(manifest_of("tokens", written))
        assert names_in(tmp_path / "tokens") == {part.name for part in written}


class TestLateCommits:
    """A task of a job that was given up may commit while the next one runs."""

    def test_the_file_of_another_job_is_not_named(self, encoded, artifacts, tmp_path, monkeypatch):
        (stray,) = artifacts(tmp_path / "other").write_encoded("tokens", encoded([C]))
        rename = Storage.rename

        def late(self, targets):
            shutil.copy(tmp_path / "other/tokens" / stray.name, tmp_path / "tokens" / stray.name)
            rename(self, targets)

        monkeypatch.setattr(Storage, "rename", late)
        written = artifacts(tmp_path).write_encoded("tokens", encoded([A], [B]))
        assert len(written) == 2
        assert stray.name not in {part.name for part in written}
        artifacts(tmp_path).commit(manifest_of("tokens", written))
        assert names_in(tmp_path / "tokens") == {part.name for part in written}

    @pytest.mark.parametrize("lost", ["from the listing", "in its move"])
    def test_a_file_that_is_lost_is_missed(self, encoded, artifacts, tmp_path, monkeypatch, lost):
        rename, children = Storage.rename, Storage.children

        def moves_nothing(self, targets):
            rename(self, dict(list(targets.items())[1:]))

        def lists_too_few(self, path):
            return [entry for entry in children(self, path) if not entry.name.startswith("part-00001")]

        if lost == "in its move":
            monkeypatch.setattr(Storage, "rename", moves_nothing)
        else:
            monkeypatch.setattr(Storage, "children", lists_too_few)
        with pytest.raises(RunError, match="run the same command again"):
            artifacts(tmp_path).write_encoded("tokens", encoded([A], [B]))


def test_an_empty_manifest_is_none(artifacts, tmp_path):
    (tmp_path / "tokens").mkdir()
    (tmp_path / "tokens" / "_manifest.json").touch()
    assert artifacts(tmp_path).manifest("tokens") is None


AWKWARD_NAMES = ["a,b", "a b", "a[1]", "a{b,c}", "a{b", "a*", "what?", "50%", "a%20b", "a%2Cb", "\u00e4\u4eac"]


class TestReadingFilesWhole:
    @pytest.mark.parametrize("name", AWKWARD_NAMES)
    def test_in_folders_with_awkward_names(self, encoded, artifacts, tmp_path, name):
        there = artifacts(tmp_path / name)
        files = there.write_encoded("tokens", encoded([A], [B, C]))
        there.commit(manifest_of("tokens", files))
        contents = dict(there.stream_files("tokens").collect())
        assert sorted(contents) == sorted(there.paths("tokens"))
        assert sorted(documents_of(content) for content in contents.values()) == [[0], [0], [1]]
        framed = {row["path"]: bytes(row["content"]) for row in there.read_files("tokens").collect()}
        assert sorted(framed.values()) == sorted(contents.values())

    @pytest.mark.parametrize("name", AWKWARD_NAMES)
    def test_some_of_them_left_out(self, encoded, artifacts, tmp_path, name):
        there = artifacts(tmp_path / name)
        files = there.write_encoded("tokens", encoded([A], [B, C]))
        there.commit(manifest_of("tokens", files))
        _, *others = there.paths("tokens")
        assert sorted(there.stream_files("tokens", only=others).keys().collect()) == sorted(others)
        assert there.stream_files("tokens", only=[]).collect() == []

    def test_paths_are_those_the_manifest_names_in_its_order(self, encoded, artifacts, tmp_path):
        there = artifacts(tmp_path)
        files = there.write_encoded("tokens", encoded([A], [B, C]))
        there.commit(manifest_of("tokens", files))
        there.write_encoded("tokens", encoded([A]))
        assert list(there.paths("tokens").items()) == [
            (f"file:{tmp_path}/tokens/{part.name}", part.row_count) for part in files
        ]
        assert there.read_files("tokens").count() == 3

    def test_the_counts_are_of_the_files_the_manifest_names(self, run_stages, text, tmp_path):
        out = tmp_path / "out"
        run_stages(out, [text], ["tokens", "vocabulary", "pairs"], OVERRIDES)
        before = read_artifact(str(out), "pairs")[0]
        (part,) = names_in(out / "tokens")
        shutil.copy(out / "tokens" / part, out / "tokens" / "part-00009-stray-c000.parquet")
        (out / "tokens" / "part-00010-stray-c000.txt").write_bytes(b"half")
        shutil.rmtree(out / "pairs")
        run_stages(out, [], ["pairs"], OVERRIDES)
        assert read_artifact(str(out), "pairs")[0].equals(before)


def turn_a_bit(path):
    content = path.read_bytes()
    chunk = pq.ParquetFile(pa.BufferReader(content)).metadata.row_group(0).column(1)
    place = chunk.dictionary_page_offset + chunk.total_compressed_size - 1
    path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])


def turn_a_bit_unseen_by_the_file_system(path):
    turn_a_bit(path)
    path.with_name(f".{path.name}.crc").unlink()


class TestBadTokenFiles:
    """Two files of tokens of five lines each; something befalls the second."""

    @pytest.fixture
    def second(self, run_stages, tmp_path):
        for number in range(2):
            (tmp_path / f"{number}.txt").write_text(f"a b c d{number}\n" * 5)
        run_stages(tmp_path / "out", [f"{tmp_path}/*.txt"], ["tokens", "vocabulary"], OVERRIDES)
        parts = sorted((tmp_path / "out" / "tokens").glob("part-*"))
        assert len(parts) == 2
        return parts[1]

    HARMS = (turn_a_bit, turn_a_bit_unseen_by_the_file_system, os.unlink)

    @pytest.mark.parametrize("harm", HARMS)
    def test_the_vocabulary_stage_names_it(self, run_stages, tmp_path, second, harm):
        harm(second)
        with pytest.raises(Exception, match=second.name):
            run_stages(tmp_path / "out", [], ["vocabulary"], [*OVERRIDES, "vocabulary.maximum_size=3"])

    @pytest.mark.parametrize("harm", HARMS)
    def test_the_pairs_stage_alone_names_it(self, run_stages, tmp_path, second, harm):
        harm(second)
        with pytest.raises(RunError, match=second.name):
            run_stages(tmp_path / "out", [], ["pairs"], OVERRIDES)

    @pytest.mark.parametrize("harm", HARMS)
    def test_the_pairs_stage_leaves_it_out_on_demand_and_says_so(self, run_stages, tmp_path, second, harm):
        harm(second)
        told = run_stages(tmp_path / "out", [], ["pairs"], [*OVERRIDES, "pairs.on_bad_shard=skip"])
        assert any(second.name in note for note in told.notes)
        pairs = read_artifact(str(tmp_path / "out"), "pairs")[0]
        # The default window of 5 gives words 1, 2 and 3 apart 5, 4 and 3 units.
        assert sorted(pairs["pair_count"].to_pylist()) == [15, 20, 20, 25, 25, 25]
