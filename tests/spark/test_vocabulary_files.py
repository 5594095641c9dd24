"""Vocabularies that a person has a hand in: lists of words to keep and drop, and vocabularies given whole."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pmi_spark.artifacts import Manifest
from pmi_spark.errors import ConfigurationError, InputError, RunError
from pmi_spark.vectors.query import related_words, similar_words
from pmi_spark.vectors.store import load_vectors, read_artifact

SMALL = ["vectors.dimensions=4", "pairs.subsample=0.01", "pairs.files=2", "vocabulary.minimum_count=2"]
UNTIL_VOCABULARY = ("tokens", "vocabulary")


@pytest.fixture
def corpus(tmp_path: Path, two_topics: list[str]) -> Path:
    path = tmp_path / "text.txt"
    path.write_text("\n".join([*two_topics[:120], "once rarely"]), encoding="utf-8")
    return path


def write(path: Path, *lines: str) -> Path:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def vocabulary_of(output: Path) -> tuple[list[str], list[int], Manifest]:
    table, manifest = read_artifact(str(output), "vocabulary")
    table = table.sort_by("word_id")
    assert table["word_id"].to_pylist() == list(range(len(table)))
    return table["word"].to_pylist(), table["word_count"].to_pylist(), manifest


class TestLists:
    def test_words_are_kept_and_dropped_and_every_rule_accounts_for_its_own(
        self, run_stages: Callable, corpus: Path, tmp_path: Path
    ) -> None:
        keep = write(tmp_path / "keep.txt", "once", "never")
        drop = write(tmp_path / "drop.txt", "the0")
        lists = [f"vocabulary.keep={keep}", f"vocabulary.drop={drop}", "vocabulary.maximum_document_share=0.4"]
        told = run_stages(tmp_path / "out", [corpus], UNTIL_VOCABULARY, [*SMALL, *lists, "vocabulary.maximum_size=50"])
        words, counts, manifest = vocabulary_of(tmp_path / "out")
        assert len(words) == 50
        assert words[-1] == "once"
        assert not {"the0", "rarely", "never"} & set(words)
        assert "vocabulary: 1 words of vocabulary.keep do not occur" in told.notes
        facts = manifest.facts
        assert facts["dropped"]["drop"]["words"] == facts["dropped"]["minimum_count"]["words"] == 1
        assert facts["kept_words"] == sum(counts)
        assert facts["all_words"] == sum(share["occurrences"] for share in facts["dropped"].values()) + sum(counts)
        assert facts["distinct_words"] == sum(share["words"] for share in facts["dropped"].values()) + 50
        assert facts["coverage"] == pytest.approx(sum(counts) / facts["all_words"], abs=1e-6)

    def test_what_a_list_holds_is_what_counts(self, run_stages: Callable, corpus: Path, tmp_path: Path) -> None:
        drop = write(tmp_path / "drop.txt", "the0")

        def run(path: Path) -> list[str]:
            overrides = [*SMALL, f"vocabulary.drop={path}"]
            return run_stages(tmp_path / "out", [corpus], UNTIL_VOCABULARY, overrides).stages("finished")

        assert run(drop) == ["tokens", "vocabulary"]
        assert run(drop) == []
        assert run(write(tmp_path / "other.txt", "the0")) == []
        assert run(write(drop, "the1")) == ["vocabulary"]
        assert "the0" in vocabulary_of(tmp_path / "out")[0]

    @pytest.mark.parametrize(
        ("settings", "error", "message"),
        [
            (["keep=a.txt", "drop=a.txt"], ConfigurationError, "the0 stands in both"),
            (["keep=absent.txt"], InputError, "names absent.txt, which is no file"),
            (["drop=out"], InputError, "names out, which is no file"),
            (["drop=latin.txt"], InputError, "latin.txt is not UTF-8"),
            (["given=a.txt", "drop=a.txt"], ConfigurationError, "vocabulary.given is set, and so is"),
            (["given=out"], ConfigurationError, "names the output directory"),
            (["given=tokens"], InputError, "no vocabulary in"),
            (["given=none.txt"], RunError, "no word of none.txt occurs"),
            (["maximum_document_share=0.0"], RunError, "no word is left: .* by vocabulary.maximum_document_share"),
        ],
    )
    def test_what_cannot_be_meant_is_refused(
        self,
        run_stages: Callable,
        corpus: Path,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        settings: list[str],
        error: type[Exception],
        message: str,
    ) -> None:
        monkeypatch.chdir(tmp_path)
        write(tmp_path / "a.txt", "the0")
        write(tmp_path / "none.txt", "nowhere")
        (tmp_path / "latin.txt").write_bytes(b"caf\xe9\n")
        (tmp_path / "tokens").mkdir()
        with pytest.raises(error, match=message):
            run_stages(tmp_path / "out", [corpus], UNTIL_VOCABULARY, [f"vocabulary.{setting}" for setting in settings])


class TestGiven:
    def test_words_that_do_not_occur_go_through_every_stage(
        self, run_stages: Callable, corpus: Path, tmp_path: Path
    ) -> None:
        given = write(tmp_path / "words.tsv", "absent\t9", *(f"sea{k}\t3" for k in range(30)), "the1", "gone", "law0")
        settings = [*SMALL, f"vocabulary.given={given}", "vectors.target=-0.5"]
        told = run_stages(tmp_path / "out", [corpus], overrides=settings)
        words, counts, manifest = vocabulary_of(tmp_path / "out")
        assert words == ["absent", *(f"sea{k}" for k in range(30)), "the1", "gone", "law0"]
        assert [word for word, count in zip(words, counts, strict=True) if count == 0] == ["absent", "gone"]
        assert "vocabulary: 2 words of vocabulary.given do not occur" in told.notes
        assert manifest.facts["absent_words"] == 2
        vectors = load_vectors(str(tmp_path / "out"))
        assert vectors.words == words
        assert np.isfinite(vectors.matrix).all()
        fit: dict[str, Any] = read_artifact(str(tmp_path / "out"), "vectors")[1].facts["squared_length"]
        assert np.isfinite(list(fit.values())).all()
        for ask in (similar_words, related_words):
            assert len(ask(vectors, "sea1", top=5)) == 5
            ask(vectors, "absent", top=5)

    def test_so_they_do_under_other_settings(self, run_stages: Callable, corpus: Path, tmp_path: Path) -> None:
        given = write(tmp_path / "words.txt", "absent", *(f"sea{k}" for k in range(10)), "gone")
        pairs = ["pairs.unknown=gap", "pmi.marginals=unigram", "pmi.context_smoothing=0.75", "pmi.measures=npmi"]
        vectors = ["vectors.cells=positive", "vectors.solver=cholesky", "vectors.warm_words=3"]
        run_stages(tmp_path / "out", [corpus], overrides=[*SMALL, f"vocabulary.given={given}", *pairs, *vectors])
        pmi, _ = read_artifact(str(tmp_path / "out"), "pmi")
        assert all(np.isfinite(np.asarray(column)).all() for column in pmi.columns)
        assert not {0, 11} & {*pmi["word_id"].to_pylist(), *pmi["context_id"].to_pylist()}
        assert np.isfinite(load_vectors(str(tmp_path / "out")).matrix).all()

    def test_an_earlier_run_gives_its_words_and_vectors_go_on_from_there(
        self, run_stages: Callable, corpus: Path, two_topics: list[str], tmp_path: Path
    ) -> None:
        earlier, output = tmp_path / "earlier", tmp_path / "out"
        run_stages(earlier, [corpus], overrides=SMALL)
        more = write(tmp_path / "more.txt", *(text for text in two_topics[200:260] if "sea" in text))
        settings = [*SMALL, f"vocabulary.given={earlier}", f"vectors.init={earlier}"]
        told = run_stages(output, [more], overrides=settings)
        words, counts, _ = vocabulary_of(output)
        assert words == vocabulary_of(earlier)[0]
        assert all((count == 0) == word.startswith("law") for word, count in zip(words, counts, strict=True))
        assert any(note.endswith("words of vocabulary.given do not occur") for note in told.notes)
        assert np.isfinite(load_vectors(str(output)).matrix).all()
        assert run_stages(output, [more], overrides=settings).stages("finished") == []
