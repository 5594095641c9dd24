"""The account of a corpus: sums that depend on no order, samples with a bound."""

from __future__ import annotations

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from pmi_spark.corpus.account import MOST_REPLACED, SAMPLE_CHARACTERS, Account, account_lines, sum_accounts

REASONS = [None, "empty", "too_short", "duplicate", "binary", "not_json", "undecodable"]
ROWS = st.lists(
    st.tuples(
        st.sampled_from("abc"),
        st.integers(0, 2**40),
        st.integers(0, 9),
        st.sampled_from(REASONS),
        st.text(max_size=300),
    ),
    max_size=25,
)


def account_of(rows: list[tuple], samples_each: int = 3) -> Account:
    shards, sizes, replaced, reasons, texts = ([row[place] for row in rows] for place in range(5))
    batch = pa.RecordBatch.from_pydict(
        {
            "text": pa.array(texts, pa.string()),
            "shard": pa.array(shards, pa.string()),
            "bytes": pa.array(sizes, pa.int64()),
            "replaced_bytes": pa.array(replaced, pa.int64()),
        }
    )
    account = Account(samples_each=samples_each)
    account.add(batch, pa.array(reasons, pa.string()), len(rows))
    return account


@given(st.lists(ROWS, min_size=1, max_size=4), st.randoms())
def test_parts_in_any_order_sum_to_the_whole(parts, random):
    together = sum_accounts([account_of([row for part in parts for row in part]).to_json()])
    texts = [account_of(part).to_json() for part in parts]
    random.shuffle(texts)
    summed = sum_accounts(texts)
    assert summed.shards == together.shards
    assert summed.dropped == together.dropped
    assert summed.long_tokens == together.long_tokens == sum(map(len, parts))


@given(ROWS)
def test_every_document_is_kept_or_dropped_for_one_reason(rows):
    account = account_of(rows)
    assert sum(row[0] for row in account.shards.values()) == len(rows)
    assert dict(account.dropped) == {
        reason: count for reason in REASONS[1:] if (count := sum(row[3] == reason for row in rows))
    }
    for shard in account.shards:
        own = [row for row in rows if row[0] == shard]
        assert account.shards[shard] == [len(own), sum(row[1] for row in own), sum(row[2] for row in own)]


@given(ROWS, st.integers(0, 4))
def test_samples_are_the_first_of_each_fault_cut_short(rows, samples_each):
    account = account_of(rows, samples_each)
    for reason in ("binary", "not_json", "undecodable"):
        expected = [(row[0], row[4][:SAMPLE_CHARACTERS]) for row in rows if row[3] == reason][:samples_each]
        assert account.samples.get(reason, []) == expected
    assert not set(account.samples) & {"empty", "too_short", "duplicate"}


def test_the_shards_with_most_replaced_bytes_come_first():
    account = Account({f"s{number:02d}": [1, 100, number % 13] for number in range(40)})
    worst = account.facts()["most_replaced"]
    assert len(worst) == MOST_REPLACED
    assert [count for _, count in worst] == sorted((number % 13 for number in range(40)), reverse=True)[:MOST_REPLACED]
    assert worst[0][0] == "s12"


def test_what_a_person_reads():
    facts = Account({"a": [1200, 5_000_000, 3]}, long_tokens=2).facts() | {"documents": 1190, "words": 9}
    facts["dropped"] = {"too_short": 10}
    assert [line.split("  ")[0].strip() or line.split("  ")[1] for line in account_lines(facts)] == [
        "documents read",
        "dropped: too short",
        "documents kept",
        "words",
        "words too long",
        "invalid UTF-8 replaced",
        "in a",
    ]
    assert account_lines(facts)[0].split() == ["documents", "read", "1,200", "5.0", "MB"]
