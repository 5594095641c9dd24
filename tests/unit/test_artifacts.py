from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pmi_spark.artifacts import Manifest, PartFile, fingerprint
from pmi_spark.errors import RunError

SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
VALUES = st.dictionaries(st.text(max_size=5), SCALARS | st.lists(SCALARS, max_size=3), max_size=5)


@given(VALUES, VALUES, st.text(max_size=10), st.lists(st.integers(0, 2**62), max_size=3))
def test_a_manifest_survives_its_json(configuration, facts, name, sizes):
    manifest = Manifest(
        artifact=name,
        fingerprint="abc",
        row_count=sum(sizes),
        files=tuple(PartFile(f"part-{place}-é.parquet", size, size) for place, size in enumerate(sizes)),
        configuration=configuration,
        upstream={"tokens": "def"},
        facts=facts,
        versions={"numpy": "2"},
        seconds=1.5,
        written_at="2025-01-01T00:00:00+00:00",
    )
    assert Manifest.from_json(manifest.to_json(), where="here") == manifest


@pytest.mark.parametrize("change", [{"row_count": None}, {"unknown": 1}, {"files": 3}, {"files": [{"name": "x"}]}])
def test_a_manifest_with_a_field_missing_or_unknown_is_refused(change):
    values = json.loads(Manifest("pmi", "abc", 0, (), {}, {}).to_json())
    if change == {"row_count": None}:
        del values["row_count"]
    else:
        values.update(change)
    with pytest.raises(RunError, match=r"run/pmi/_manifest\.json is not a manifest: .*; delete its folder"):
        Manifest.from_json(json.dumps(values), where="run/pmi/_manifest.json")


@given(VALUES, st.randoms(use_true_random=False))
def test_a_fingerprint_does_not_depend_on_the_order_of_keys(values, random):
    items = list(values.items())
    random.shuffle(items)
    assert fingerprint("stage", dict(items)) == fingerprint("stage", values)


@given(VALUES, VALUES)
def test_equal_fingerprints_mean_equal_settings(one, other):
    def canonical(values):
        return json.dumps(values, sort_keys=True)

    assert (fingerprint(one) == fingerprint(other)) == (canonical(one) == canonical(other))


def test_a_fingerprint_is_16_hex_digits_and_the_same_in_every_process():
    assert fingerprint(1, "pairs", {"window": 5}) == fingerprint(1, "pairs", {"window": 5})
    # Written down once: were it to change, every finished run would be made anew.
    assert fingerprint(1, "pairs", {"window": 5, "weighting": "linear"}) == "3584ddeab4d5cfeb"
    assert fingerprint("a", "b") != fingerprint("ab")
