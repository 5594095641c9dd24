from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pmi_spark.config import Config
from pmi_spark.errors import InputError
from pmi_spark.vectors import candidates
from pmi_spark.vectors.candidates import TextScorer, rank_candidates, rank_file, read_candidates
from pmi_spark.vectors.texts import load_cutter
from pmi_spark.vectors.words import Words

VOCABULARY = ("a", "b", "c", "d")
SCORES = np.float32([2.0, -1.0, 0.5, 0.25])
QUERY_WORDS = 3
SCORER = TextScorer(load_cutter("/nowhere", Config().tokens), Words.of(VOCABULARY), SCORES, QUERY_WORDS)

texts = st.lists(st.lists(st.sampled_from(["a", "b", "c", "d", "unknown"]), max_size=5).map(" ".join), max_size=20)


def plain_score(text: str) -> tuple[float | None, float | None, int, int]:
    known = [float(SCORES[VOCABULARY.index(word)]) for word in text.split() if word in VOCABULARY]
    unknown = len(text.split()) - len(known)
    total = sum(known) if known else None
    return total, None if total is None else total / (len(known) * QUERY_WORDS), len(known), unknown


def rows(table: pa.Table | pa.RecordBatch, *names: str) -> list[tuple]:
    return list(zip(*(table.column(name).to_pylist() for name in names), strict=True))


@given(texts)
def test_a_text_scores_the_sum_over_its_known_words_and_the_mean_of_a_pair(batch):
    found = rows(SCORER.score(pa.array(batch, pa.string())), *candidates.SCORE_COLUMNS)
    assert found == [pytest.approx(plain_score(text)) for text in batch]


@given(texts, st.sampled_from(["sum_pmi", "mean_pmi"]), st.integers(1, 25), st.integers(1, 7))
def test_batches_give_the_best_of_all_in_order(batch, by, top, size):
    place = 0 if by == "sum_pmi" else 1
    scores = [plain_score(text)[place] for text in batch]
    order = sorted(range(len(batch)), key=lambda k: (scores[k] is None, -(scores[k] or 0), k))[:top]
    pieces = (
        pa.RecordBatch.from_arrays([pa.array(batch[start : start + size], pa.string())], ["text"])
        for start in range(0, len(batch), size)
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(candidates, "LINES_AT_ONCE", 4)
        ranked = rank_candidates(SCORER, pieces, "text", by, top)
    found = ranked.column("candidate").to_pylist() if len(ranked) else []
    assert [scores[k] for k in found] == pytest.approx([scores[k] for k in order])
    exact = [k for k in order if scores[k] is None]
    assert [k for k in found if scores[k] is None] == exact


def test_of_equal_texts_the_earlier_comes_first(tmp_path):
    (tmp_path / "lines.txt").write_text("b\na\nunknown\na\n\n", encoding="utf-8")
    count, best = rank_file(SCORER, str(tmp_path / "lines.txt"), "text", "mean_pmi", 10)
    assert count == 5
    assert best.column("candidate").to_pylist() == [1, 3, 0, 2, 4]


def test_lines_are_candidates_as_they_stand(tmp_path):
    path = tmp_path / "lines.txt"
    path.write_bytes(
        "a b\r\nx\ry\nc\u2028d\n\nlast \xff".encode("utf-8", "surrogateescape").replace(b"\xc3\xbf", b"\xff")
    )
    found = [text for batch in read_candidates(str(path), "text") for text in batch.column("text").to_pylist()]
    assert found == ["a b", "x\ry", "c\u2028d", "", "last \ufffd"]


def test_parquet_keeps_its_columns_and_may_be_a_folder(tmp_path):
    folder = tmp_path / "texts"
    folder.mkdir()
    for number, body in enumerate((["b", "a"], ["c", None])):
        pq.write_table(pa.table({"key": [f"{number}.0", f"{number}.1"], "body": body}), folder / f"{number}.parquet")
    for path, count in ((folder, 4), (folder / "0.parquet", 2)):
        found, best = rank_file(SCORER, str(path), "body", "sum_pmi", 1)
        assert found == count
        assert rows(best, "key", "body", "sum_pmi", "candidate") == [("0.1", "a", 2.0, 1)]


def test_all_candidates_are_written_in_order_and_whole(tmp_path):
    lines = ["b", "a", "unknown", "c a"]
    (tmp_path / "lines.txt").write_text("\n".join(lines), encoding="utf-8")
    to = tmp_path / "ranked.parquet"
    for _ in range(2):
        count, best = rank_file(SCORER, str(tmp_path / "lines.txt"), "text", "sum_pmi", 1, str(to))
        assert (count, len(best)) == (4, 1)
    written = pq.read_table(to)
    assert rows(written, "candidate", "text", "sum_pmi", "known_words", "unknown_words") == [
        (3, "c a", 2.5, 2, 0),
        (1, "a", 2.0, 1, 0),
        (0, "b", -1.0, 1, 0),
        (2, "unknown", None, 0, 1),
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lines.txt", "ranked.parquet"]


def test_what_cannot_be_written_leaves_nothing(tmp_path):
    (tmp_path / "lines.txt").write_text("a\n", encoding="utf-8")
    (tmp_path / "folder").mkdir()
    for to in (tmp_path / "folder", tmp_path / "absent" / "ranked.parquet"):
        with pytest.raises(InputError, match=f"cannot write {to}"):
            rank_file(SCORER, str(tmp_path / "lines.txt"), "text", "sum_pmi", 1, str(to))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "lines.txt"]


def test_a_disk_that_fills_up_leaves_nothing(monkeypatch, tmp_path):
    def full(table: pa.Table, path: Path, **_: object) -> None:
        path.write_bytes(b"half of it")
        raise OSError(28, "No space left on device")

    (tmp_path / "lines.txt").write_text("a\n", encoding="utf-8")
    monkeypatch.setattr(candidates.pq, "write_table", full)
    with pytest.raises(InputError, match=r"cannot write .*: No space left on device"):
        rank_file(SCORER, str(tmp_path / "lines.txt"), "text", "sum_pmi", 1, str(tmp_path / "ranked.parquet"))
    assert [path.name for path in tmp_path.iterdir()] == ["lines.txt"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (pa.table({"body": ["a"]}), r"no column text of text; name one with --column; it has body \(string\)"),
        (pa.table({"text": [1]}), "no column text of text"),
        (pa.table({"text": ["a"], "sum_pmi": [1.0]}), "has a column sum_pmi already"),
        (b"PAR1 and nothing else", "cannot read"),
        (b"", "no candidates in"),
        (None, "cannot read .*No such file"),
    ],
    ids=["no such column", "a number", "a score already", "damaged", "empty", "absent"],
)
def test_candidates_that_are_none_are_told(tmp_path: Path, content, message):
    path = tmp_path / "candidates"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        pq.write_table(content, path)
    with pytest.raises(InputError, match=message):
        rank_file(SCORER, str(path), "text", "mean_pmi", 5)
