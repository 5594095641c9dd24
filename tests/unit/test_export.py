from __future__ import annotations

import json
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pmi_spark.cli import main
from pmi_spark.errors import InputError
from pmi_spark.export import text
from pmi_spark.export.export import FOLDERS, Format, export_vectors
from pmi_spark.export.source import Source, without_white_space
from pmi_spark.vectors import stream
from pmi_spark.vectors.query import similar_words
from pmi_spark.vectors.store import load_vectors
from pmi_spark.vectors.stream import StoredVectors

safetensors_numpy = pytest.importorskip("safetensors.numpy")


@pytest.fixture
def output(scored_run) -> str:
    return str(scored_run.output)


def numpy_export(folder: Path) -> tuple[np.ndarray, list[str], dict]:
    vectors = np.load(folder / "vectors.npy", allow_pickle=False)
    words = json.loads((folder / "words.json").read_text(encoding="utf-8"))
    return vectors, words, json.loads((folder / "metadata.json").read_text(encoding="utf-8"))


@pytest.fixture(params=[1 << 13, 64, 7], ids=["whole", "pieces", "small"])
def pieces(request, monkeypatch):
    """The file in one piece or many: what is written is the same."""
    monkeypatch.setattr(stream, "VECTORS_AT_ONCE", request.param)
    monkeypatch.setattr(text, "_LINES_AT_ONCE", 5)


def read_word2vec(path: Path, binary: bool) -> tuple[list[str], np.ndarray]:
    """The format as word2vec's own reader takes it."""
    heading, rest = path.read_bytes().split(b"\n", 1)
    words, dimensions = (int(number) for number in heading.split())
    names, rows = [], []
    if not binary:
        for line in rest.decode().splitlines():
            name, *numbers = line.split(" ")
            names.append(name)
            rows.append([np.float32(number) for number in numbers])
    while binary and rest:
        name, rest = rest.split(b" ", 1)
        names.append(name.decode())
        rows.append(np.frombuffer(rest[: 4 * dimensions], "<f4"))
        rest = rest[4 * dimensions :]
    matrix = np.array(rows, dtype=np.float32)
    assert matrix.shape == (words, dimensions)
    return names, matrix


@pytest.mark.parametrize("form", [Format.word2vec, Format.word2vec_binary])
def test_word2vec_files_hold_the_words_and_every_bit_of_the_rows(scored_run, output, tmp_path, pieces, form):
    done = export_vectors(output, form, str(tmp_path / "vectors"))
    names, matrix = read_word2vec(tmp_path / "vectors", form == Format.word2vec_binary)
    assert names == scored_run.words
    assert np.array_equal(matrix, scored_run.rows)
    assert done.describe().startswith(f"{tmp_path}/vectors: 300 words, 12 dimensions, 0.0 MB")


@given(arrays(np.float32, (3, 4), elements=st.floats(width=32, allow_nan=False, allow_infinity=False)))
def test_any_float32_is_the_same_after_its_decimals_are_read(rows):
    lines = text._lines(rows, " ").to_pylist()
    assert np.array_equal(np.array([line.split(" ") for line in lines], dtype=np.float32), rows)


@pytest.mark.parametrize("form", [Format.gensim, Format.word2vec, Format.word2vec_binary])
def test_gensim_loads_them_and_answers_the_same(scored_run, output, tmp_path, form):
    keyed_vectors = pytest.importorskip("gensim.models.keyedvectors").KeyedVectors
    export_vectors(output, form, str(tmp_path / "vectors"))
    if form == Format.gensim:
        loaded = keyed_vectors.load(str(tmp_path / "vectors" / "vectors.kv"), mmap="r")
        assert [loaded.get_vecattr(word, "count") for word in scored_run.words] == scored_run.word_counts.tolist()
        assert isinstance(loaded.vectors, np.memmap)
    else:
        loaded = keyed_vectors.load_word2vec_format(str(tmp_path / "vectors"), binary=form == Format.word2vec_binary)
    assert loaded.index_to_key == scored_run.words
    ours = load_vectors(output)
    for word in scored_run.words[::50]:
        answers = similar_words(ours, word, top=10)
        expected = loaded.most_similar(word, topn=10)
        assert [answer.word for answer in answers] == [answer for answer, _ in expected]
        np.testing.assert_allclose([answer.score for answer in answers], [score for _, score in expected], atol=1e-6)


def test_numpy_files_are_rows_by_word_with_what_turns_them_into_pmi(scored_run, output, tmp_path, pieces):
    export_vectors(output, Format.numpy, str(tmp_path / "vectors"))
    rows, words, facts = numpy_export(tmp_path / "vectors")
    assert words == scored_run.words
    assert np.array_equal(rows, scored_run.rows)
    assert np.array_equal(np.load(tmp_path / "vectors" / "word_counts.npy"), scored_run.word_counts)
    values = np.load(tmp_path / "vectors" / "eigenvalues.npy")
    metric = np.sign(values) * np.abs(values) ** (1 - 2 * facts["exponent"])
    estimated = facts["shift"] + (rows[:9] * metric) @ rows[20]
    np.testing.assert_allclose(
        estimated, load_vectors(output).estimated_pmi(np.arange(9), np.full(9, 20)), rtol=1e-4, atol=1e-5
    )
    assert "M = D" in facts["formula"]
    assert "R" not in facts["formula"]
    assert not (tmp_path / "vectors" / "rotation.npy").exists()
    assert {path.name for path in (tmp_path / "vectors").iterdir()} <= set(FOLDERS[Format.numpy])


@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_safetensors_are_read_by_their_own_library(tmp_path, write_vectors, estimated_table, dtype, normalize):
    rotation, _ = np.linalg.qr(np.random.default_rng(2).normal(size=(3, 3)))
    write_vectors(tmp_path / "run", 0.25, rotation)
    path = tmp_path / "vectors.safetensors"
    export_vectors(str(tmp_path / "run"), Format.safetensors, str(path), dtype=dtype, normalize=normalize)
    found = safetensors_numpy.load_file(path)
    assert found["vectors"].dtype == dtype
    assert json.loads(found["words"].tobytes()) == ["king", "queen", "castle", "crown", "river", "boat"]
    assert found["word_counts"].tolist() == [900, 500, 300, 200, 100, 50]
    head = json.loads(path.read_bytes()[8 : 8 + struct.unpack("<Q", path.read_bytes()[:8])[0]])
    facts = head.pop("__metadata__")
    rows = found["vectors"].astype(np.float64) * (found["lengths"][:, None] if normalize else 1)
    values, axes = found["eigenvalues"], found["rotation"]
    assert "M = R' D R" in facts["formula"]
    metric = axes.T @ np.diag(np.sign(values) * np.abs(values) ** (1 - 2 * float(facts["exponent"]))) @ axes
    tolerance = 1e-5 if dtype == "float32" else 0.02
    np.testing.assert_allclose(float(facts["shift"]) + rows @ metric @ rows.T, estimated_table, atol=tolerance)
    assert ("lengths" in found) == normalize == (facts["normalized"] == "True")
    if normalize:
        np.testing.assert_allclose(np.linalg.norm(found["vectors"].astype(float), axis=1), 1, atol=1e-3)
    # The library reads files whose tensors lie anyhow; others map them and need numbers at multiples of their size.
    for name, entry in head.items():
        assert entry["data_offsets"][0] % found[name].dtype.itemsize == 0
    assert struct.unpack("<Q", path.read_bytes()[:8])[0] % 8 == 0


def test_the_projector_gets_rows_and_a_heading_over_words_and_counts(scored_run, output, tmp_path, pieces):
    export_vectors(output, Format.projector, str(tmp_path / "projector"), top_words=50)
    rows = np.loadtxt(tmp_path / "projector" / "vectors.tsv", delimiter="\t", dtype=np.float32)
    assert np.array_equal(rows, scored_run.rows[:50])
    lines = (tmp_path / "projector" / "metadata.tsv").read_text(encoding="utf-8").splitlines()
    assert lines[:2] == ["word\tcount", "word0\t20000"]
    assert len(lines) == 51


def test_the_most_frequent_words_alone_wherever_their_ids_are(tmp_path, write_artifact, make_vectors_table):
    table = make_vectors_table(range(4), list("abcd"), [9, 1, 5, 5], np.eye(4), plain_gauge(4))
    write_artifact(tmp_path / "run", "vectors", [table])
    export_vectors(str(tmp_path / "run"), Format.word2vec, str(tmp_path / "two"), top_words=2)
    names, matrix = read_word2vec(tmp_path / "two", binary=False)
    assert names == ["a", "c"]
    assert np.array_equal(matrix, np.eye(4)[[0, 2]])


def test_normalized_rows_have_length_1_and_tell_their_own(scored_run, output):
    source = Source(output, normalize=True)
    expected = scored_run.rows / np.linalg.norm(scored_run.rows, axis=1, keepdims=True)
    # Whoever goes through the rows twice has their lengths once.
    for _ in range(2):
        rows = np.concatenate([part for _, part in source.slices()])
        np.testing.assert_allclose(rows, expected, rtol=1e-6)
        np.testing.assert_allclose(rows * source.lengths[:, None], scored_run.rows, rtol=1e-6)


def plain_gauge(dimensions: int) -> dict[str, object]:
    values = dict.fromkeys(("exponent", "shift", "frequency_exponent", "slope", "fitted_shift"), 0.0)
    return values | {"frequency_reference": 1.0, "regularization": 0.1, "eigenvalues": [1.0] * dimensions}


def test_a_row_of_zeros_stays_one(tmp_path, write_artifact, make_vectors_table):
    table = make_vectors_table([0, 1], ["a", "b"], [2, 1], [[0.0, 0.0], [3.0, 4.0]], plain_gauge(2))
    write_artifact(tmp_path / "run", "vectors", [table])
    source = Source(str(tmp_path / "run"), normalize=True)
    ((_, rows),) = source.slices()
    np.testing.assert_allclose(rows, [[0, 0], [0.6, 0.8]], rtol=1e-6)
    assert source.lengths.tolist() == [0, 5]


class TestWhiteSpace:
    @pytest.mark.parametrize("word", ["a b", "a\tb", "a\nb", "a\x0bb", "a\u00a0b", "a\u3000b", "a\u2028b", "a\x85b"])
    def test_white_space_of_any_kind_becomes_an_underscore(self, word):
        safe, count = without_white_space(pa.array([word, "c"]))
        assert (safe.to_pylist(), count) == (["a_b", "c"], 1)

    def test_every_character_that_python_splits_at_is_replaced(self):
        spaces = [chr(code) for code in range(0x10000) if chr(code).isspace()]
        assert without_white_space(pa.array([f"{number}{space}" for number, space in enumerate(spaces)]))[1] == len(
            spaces
        )

    def test_an_empty_word_is_one_underscore(self):
        assert without_white_space(pa.array(["", "c"]))[0].to_pylist() == ["_", "c"]

    def test_two_words_do_not_become_one(self):
        with pytest.raises(InputError, match="without white space a_b would stand for two words; export as numpy"):
            without_white_space(pa.array(["a b", "c", "a_b"]))

    @pytest.fixture
    def spaced(self, tmp_path, write_artifact, make_vectors_table) -> str:
        table = make_vectors_table([0, 1], ["new\nyork", 'say "so"'], [2, 1], np.eye(2), plain_gauge(2))
        write_artifact(tmp_path / "run", "vectors", [table])
        return str(tmp_path / "run")

    @pytest.mark.parametrize("form", ["word2vec", "word2vec-binary", "projector"])
    def test_formats_in_which_it_parts_fields_tell_how_many_words_changed(self, spaced, tmp_path, capsys, form):
        assert main(["export", "--output", spaced, "--to", str(tmp_path / "new"), "--format", form]) == 0
        assert capsys.readouterr().out.endswith("; white space became _ in 2 words\n")
        if form == "projector":
            metadata = (tmp_path / "new" / "metadata.tsv").read_text(encoding="utf-8").splitlines()
            names = [line.split("\t")[0] for line in metadata[1:]]
        else:
            names = read_word2vec(tmp_path / "new", binary=form == "word2vec-binary")[0]
        assert names == ["new_york", 'say_"so"']

    def test_formats_that_hold_any_word_leave_it(self, spaced, tmp_path):
        export_vectors(spaced, Format.numpy, str(tmp_path / "new"))
        assert numpy_export(tmp_path / "new")[1] == ["new\nyork", 'say "so"']


@pytest.mark.parametrize("form", [Format.numpy, Format.safetensors])
def test_numbers_too_large_for_float16_are_refused(tmp_path, write_artifact, make_vectors_table, form):
    for largest in (65504.0, 1e6):
        table = make_vectors_table([0], ["a"], [2], [[largest]], plain_gauge(1))
        write_artifact(tmp_path / f"run-{largest}", "vectors", [table])
    export_vectors(str(tmp_path / "run-65504.0"), form, str(tmp_path / "fits"), dtype="float16")
    with pytest.raises(InputError, match=r"too large for float16; export float32"):
        export_vectors(str(tmp_path / "run-1000000.0"), form, str(tmp_path / "new"), dtype="float16")
    assert not (tmp_path / "new").exists()


@pytest.fixture(scope="module")
def large_run(tmp_path_factory, write_artifact) -> Path:
    """100,000 words in 100 dimensions: 40 MB of numbers, in files of 2^16 as the vectors stage writes them."""
    output = tmp_path_factory.mktemp("large")
    gauge = dict.fromkeys(("exponent", "shift", "frequency_exponent", "slope", "fitted_shift"), 0.5)
    gauge |= {"frequency_reference": 1.0, "regularization": 0.1, "eigenvalues": [1.0] * 100}
    fields = [{"name": "vector", "type": "x", "nullable": True, "metadata": gauge}]
    metadata = {"org.apache.spark.sql.parquet.row.metadata": json.dumps({"type": "struct", "fields": fields})}
    generator = np.random.default_rng(1)
    tables = []
    for start, stop in ((0, 1 << 16), (1 << 16, 100_000)):
        numbers = pa.array(generator.normal(size=(stop - start) * 100).astype(np.float32))
        offsets = pa.array(np.arange(stop - start + 1, dtype=np.int32) * 100)
        columns = {
            "word_id": pa.array(np.arange(start, stop, dtype=np.int32)),
            "word": pa.array([f"word{number}" for number in range(start, stop)]),
            "word_count": pa.array(np.arange(200_000 - start, 200_000 - stop, -1)),
            "vector": pa.ListArray.from_arrays(offsets, numbers),
        }
        tables.append(pa.table(columns).replace_schema_metadata(metadata))
    write_artifact(output, "vectors", tables)
    return output


@pytest.mark.parametrize("form", list(Format))
def test_memory_is_bounded_by_words_not_by_vectors(large_run, tmp_path, form):
    arrow_before = pa.total_allocated_bytes()
    peak_of_arrow = 0
    slices = StoredVectors.slices

    def watched(stored):
        nonlocal peak_of_arrow
        for rows in slices(stored):
            peak_of_arrow = max(peak_of_arrow, pa.total_allocated_bytes() - arrow_before)
            yield rows

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(StoredVectors, "slices", watched)
        tracemalloc.start()
        try:
            done = export_vectors(str(large_run), form, str(tmp_path / "vectors"))
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert done.words == 100_000
    assert done.size_bytes > 40_000_000
    # Of 40 MB; gensim's words are Python strings in a list and a dictionary.
    assert peak < (35_000_000 if form == Format.gensim else 25_000_000)
    assert peak_of_arrow < 25_000_000
