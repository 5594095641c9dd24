"""Labels that come and go: what is refused, what the difference is, and that accounts add up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pmi_spark.artifacts import Manifest, PartFile
from pmi_spark.errors import InputError
from pmi_spark.increments import (
    Increment,
    check_label,
    counted_fact,
    difference,
    increments_of,
    parts_of,
    sum_facts,
    tokens_facts,
    upstream_of,
    with_added,
    without,
)

NAMES = st.sampled_from([f"day{number}" for number in range(6)])


def increment(label: str, version: int = 0) -> Increment:
    """A label with two input files and a part of its own; another version holds other tokens of the same files."""
    return Increment(
        label,
        ((f"{label}/0.txt", 10, 5), (f"{label}/1.txt", 20, 5)),
        (f"part-{label}-{version}",),
        (f"_rejects/part-{label}",),
        {"words": len(label), "dropped": {"empty": 1}, "skipped_shards": [label]},
    )


CORPORA = st.lists(NAMES, unique=True, max_size=6).map(lambda names: [increment(name) for name in names])


@given(CORPORA.filter(len), NAMES)
def test_what_is_added_and_taken_out_again_leaves_what_was(corpus: list[Increment], label: str) -> None:
    corpus = [entry for entry in corpus if entry.label != label] or [increment("other")]
    assert without(with_added(corpus, increment(label)), label) == tuple(corpus)


@given(CORPORA, CORPORA.filter(len))
def test_the_difference_leads_from_what_was_counted_to_what_is_wanted(
    before: list[Increment], wanted: list[Increment]
) -> None:
    found = difference(counted_fact(before), wanted, [*before, *wanted])
    common = [entry for entry in wanted if entry in before]
    assert (found is None) == (not common)
    if found is not None:
        there = {entry.label for entry in before} - {entry.label for entry in found.removed}
        assert there == {entry.label for entry in found.kept}
        assert there | {entry.label for entry in found.added} == {entry.label for entry in wanted}


def test_tokens_that_were_cut_again_are_no_basis_nor_those_that_are_gone() -> None:
    first, second = increment("first"), increment("second")
    again = increment("second", version=1)
    assert difference(counted_fact([first, second]), [first, again], [first, again]) is None
    assert difference(counted_fact([first, second]), [first], [first]) is None


@given(CORPORA)
def test_a_manifest_gives_the_increments_back(corpus: list[Increment]) -> None:
    parts = tuple(PartFile(name, 1, 1) for entry in corpus for name in entry.parts)
    written = Manifest("tokens", "f", 1, parts, {}, {}, facts=tokens_facts(corpus, [], []))
    assert increments_of(Manifest.from_json(written.to_json(), "here")) == tuple(corpus)
    assert parts_of(written, corpus[:1])[0] == parts[:1]


def test_the_labels_taken_out_are_remembered_until_they_come_back() -> None:
    first, second = increment("first"), increment("second")
    assert tokens_facts([first], [first, second], ["zero"])["retired"] == ["zero", "second"]
    assert tokens_facts([first, second], [first], ["zero", "second"])["retired"] == ["zero"]
    assert without([first], "second", retired=["second"]) == (first,)


def test_order_and_labels_tell_a_corpus_of_several_but_not_of_one() -> None:
    first, second = increment("first"), increment("second")
    assert upstream_of([first, second]) != upstream_of([second, first])
    one = increment("first")
    assert upstream_of([one]) == upstream_of([Increment("other", one.inputs)])


@given(st.lists(st.integers(0, 9), min_size=1, max_size=5))
def test_accounts_add_up(numbers: list[int]) -> None:
    total: dict[str, object] = {}
    for number in numbers:
        total = sum_facts(total, {"words": number, "dropped": {"empty": number}, "engine": "rjieba", "list": [number]})
    assert total == {"words": sum(numbers), "dropped": {"empty": sum(numbers)}, "engine": "rjieba", "list": numbers}


@pytest.mark.parametrize("label", ["", " ", "two\nlines", "x" * 101, "\x1b[31m", "day "])
def test_what_is_no_label(label: str) -> None:
    with pytest.raises(InputError, match="is no label"):
        check_label(label)


@pytest.mark.parametrize("label", ["2026-11-25", "周一", "a b", "../x"])
def test_what_is_a_label(label: str) -> None:
    check_label(label)


def test_the_only_label_stays() -> None:
    with pytest.raises(InputError, match="first is the only label there"):
        without([increment("first")], "first")
