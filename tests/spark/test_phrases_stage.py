"""The phrases stage in a run: off, on, off again, alone, and what the later stages read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from pmi_spark.artifacts import CORE_STAGES, STAGES
from pmi_spark.errors import ConfigurationError, InputError
from pmi_spark.vectors.store import read_artifact

TEXT = ["we saw new york today", "new york never sleeps", "they love new york now", "a new day", "old york stands"]
OFF = ["vocabulary.minimum_count=1", "pairs.subsample=0", "pairs.files=2"]
ON = [*OFF, "phrases.passes=1", "phrases.minimum_count=3", "phrases.threshold=0.3"]
COUNTED = STAGES[: STAGES.index("pairs") + 1]
NUMBERED = COUNTED[:-1]


class Joined(NamedTuple):
    output: Path
    text: Path


@pytest.fixture(scope="module")
def joined(run_stages: Callable, tmp_path_factory: pytest.TempPathFactory) -> Joined:
    folder = tmp_path_factory.mktemp("phrases")
    (folder / "text.txt").write_text("\n".join(TEXT), encoding="utf-8")
    told = run_stages(folder / "out", [folder / "text.txt"], COUNTED, ON)
    assert told.stages("finished") == list(COUNTED)
    return Joined(folder / "out", folder / "text.txt")


def words_of(output: Path) -> list[str]:
    return read_artifact(str(output), "vocabulary")[0]["word"].to_pylist()


def test_the_later_stages_read_the_joined_words(joined: Joined) -> None:
    words = words_of(joined.output)
    assert words[0] == "new_york"
    assert {"new", "york", "saw"} < set(words)
    upstream = {stage: set(read_artifact(str(joined.output), stage)[1].upstream) for stage in COUNTED[1:]}
    assert upstream == {"phrases": {"tokens"}, "vocabulary": {"phrases"}, "pairs": {"phrases", "vocabulary"}}
    pairs = read_artifact(str(joined.output), "pairs")[0].select(["word_id", "context_id"]).to_pylist()
    assert {"word_id": 0, "context_id": words.index("saw")} in pairs
    meets = {row["word_id"] + row["context_id"] for row in pairs if 0 in row.values()}
    assert {words[place] for place in meets} == {"we", "saw", "today", "never", "sleeps", "they", "love", "now"}


def test_the_artifact_has_the_rows_of_tokens_and_a_table_of_phrases(joined: Joined) -> None:
    tokens, before = read_artifact(str(joined.output), "tokens")
    phrases, manifest = read_artifact(str(joined.output), "phrases")
    assert phrases.schema.equals(tokens.schema)
    assert phrases["document_id"].equals(tokens["document_id"])
    assert ["we", "saw", "new_york", "today"] in phrases["words"].to_pylist()
    table, _ = read_artifact(str(joined.output), "phrases", side=True)
    assert [list(row.values())[:5] for row in table.to_pylist()] == [["new_york", "new", "york", 1, 3]]
    assert manifest.facts == {
        "documents": 5,
        "words": before.facts["words"] - 3,
        "phrases": 1,
        "passes": [{"words": before.facts["words"], "phrases": 1, "joined": 3}],
        "most_frequent": {"new_york": 3},
    }
    _, vocabulary = read_artifact(str(joined.output), "vocabulary")
    assert vocabulary.facts["all_words"] == manifest.facts["words"]


def test_off_by_default_it_is_neither_run_nor_mentioned_nor_written(
    joined: Joined, run_stages: Callable, tmp_path: Path
) -> None:
    told = run_stages(tmp_path / "out", [joined.text], NUMBERED, OFF)
    assert told.events == [(event, stage) for stage in CORE_STAGES[:2] for event in ("started", "finished")]
    assert not any("phrase" in note for note in told.notes)
    written = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert [name for name in written if not name.startswith(("_", "."))] == ["tokens", "vocabulary"]
    assert set(read_artifact(str(tmp_path / "out"), "vocabulary")[1].upstream) == {"tokens"}


def test_turned_off_its_artifact_is_passed_over_and_turned_on_again_it_is_still_good(
    joined: Joined, run_stages: Callable
) -> None:
    off = run_stages(joined.output, [joined.text], NUMBERED, OFF)
    assert (off.stages("skipped"), off.stages("finished")) == (["tokens"], ["vocabulary"])
    assert "new_york" not in words_of(joined.output)
    # What was made from the tokens does not go with the phrases, nor the other way round.
    with pytest.raises(InputError, match=r"vocabulary was not made from phrases, which phrases\.passes asks for; run"):
        run_stages(joined.output, [], ["pairs"], ON)
    on = run_stages(joined.output, [joined.text], NUMBERED, ON)
    assert (on.stages("skipped"), on.stages("finished")) == (["tokens", "phrases"], ["vocabulary"])
    with pytest.raises(InputError, match="vocabulary was not made from tokens"):
        run_stages(joined.output, [], ["pairs"], OFF)


def test_asked_for_by_name_while_off_it_says_so(run_stages: Callable, tmp_path: Path) -> None:
    told = run_stages(tmp_path / "out", stages=["phrases"])
    assert (told.events, told.notes) == ([], ["phrases: left out: phrases.passes is 0"])
    assert not (tmp_path / "out").exists()


def test_it_waits_for_tokens_and_the_vocabulary_waits_for_it(
    joined: Joined, run_stages: Callable, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=r"no tokens in .*run `pmi-spark tokens` first"):
        run_stages(tmp_path / "out", stages=["phrases"], overrides=ON)
    run_stages(tmp_path / "out", [joined.text], ["tokens"])
    with pytest.raises(InputError, match=r"no phrases in .*run `pmi-spark phrases` first"):
        run_stages(tmp_path / "out", stages=["vocabulary"], overrides=ON)


def test_a_wrong_delimiter_is_refused_before_any_work(run_stages: Callable, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"phrases\.delimiter"):
        run_stages(tmp_path / "out", [tmp_path], overrides=['phrases.delimiter=" "'])


def test_other_settings_make_it_anew_and_finding_none_leaves_the_tokens_as_they_are(
    joined: Joined, run_stages: Callable
) -> None:
    told = run_stages(joined.output, [joined.text], NUMBERED[:2], [*ON, "phrases.threshold=1"])
    assert (told.stages("skipped"), told.stages("finished")) == (["tokens"], ["phrases"])
    assert told.notes == ["phrases: found none: lower phrases.threshold or phrases.minimum_count"]
    tokens, phrases = (read_artifact(str(joined.output), name) for name in ("tokens", "phrases"))
    assert phrases[0].equals(tokens[0])
    assert len(read_artifact(str(joined.output), "phrases", side=True)[0]) == 0
    assert phrases[1].facts["most_frequent"] == {}
