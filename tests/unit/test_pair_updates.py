"""What tasks add and take off when text and vocabulary change: the old table and the changes make the new one."""

from __future__ import annotations

from collections.abc import Iterable
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pmi_spark.cooccurrence.counting import CountingPlan, PairAccumulator, Words, encode_documents
from pmi_spark.cooccurrence.pair_block import BlockLayout, PairBlock, merge_blocks
from pmi_spark.cooccurrence.pair_updates import Growing, Role, TokenShard, changes_of, pairs_there
from pmi_spark.cooccurrence.pairs import SCHEMA, rows_of_block
from pmi_spark.cooccurrence.windows import distance_weights
from pmi_spark.errors import RunError
from pmi_spark.parquet_files import MAGIC, ParquetEncoder, arrow_schema
from pmi_spark.schemas import TOKENS

OLD_WORDS, NEW_WORDS = ["the", "a", "cat"], ["mat", "dog"]
ALL_WORDS = [*OLD_WORDS, *NEW_WORDS]
THRESHOLDS = np.array([2**62, 2**63, 2**64 - 1, 2**63, 2**64 - 1], dtype=np.uint64)
DOCUMENTS = st.lists(
    st.tuples(st.integers(0, 2**40), st.lists(st.sampled_from([*ALL_WORDS, "unseen"]), max_size=9)), max_size=6
)

Documents = list[tuple[int, list[str]]]
Blocks = Iterable[tuple[int, tuple[PairBlock, ...]]]


def plan_of(unknown_leaves_gap: bool, words: int = len(ALL_WORDS)) -> CountingPlan:
    return CountingPlan(
        layout=BlockLayout(words, 4),
        files=2,
        window=3,
        weights=distance_weights("linear", 3),
        unknown_leaves_gap=unknown_leaves_gap,
        memory_bytes=1 << 20,
    )


def token_file(documents: Documents) -> bytes:
    encoder = ParquetEncoder(arrow_schema(TOKENS), dictionary=["words.list.element"])
    if documents:
        numbers, words = zip(*documents, strict=True)
        encoder.add(pa.table([list(numbers), list(words)], schema=arrow_schema(TOKENS)))
    return encoder.finish().to_pybytes() + MAGIC.encode()


def summed(blocks: Blocks) -> dict[int, PairBlock]:
    """Blocks by number, as the reducers merge them."""
    runs: dict[int, list[PairBlock]] = {}
    for block, cells in blocks:
        runs.setdefault(block, []).extend(cells)
    return {block: merge_blocks(found) for block, found in runs.items()}


def table_of(blocks: dict[int, PairBlock], plan: CountingPlan) -> dict[tuple[int, int], int]:
    """{(word id, context id): units} of pairs, and {(-1, word id): units} of marginals, without zeros."""
    table = {}
    first = plan.layout.blocks
    for block, cells in blocks.items():
        if block < first:
            ids, contexts = plan.layout.decode(block, cells)
        elif block < plan.shard_block:
            ids, contexts = np.full(len(cells), -1), cells.columns * plan.marginal_layout.blocks + (block - first)
        else:
            continue
        table |= dict(zip(zip(ids.tolist(), contexts.tolist(), strict=True), cells.counts.tolist(), strict=True))
    return {cell: count for cell, count in table.items() if count}


def counted(documents: Documents, words: Words, plan: CountingPlan) -> dict[int, PairBlock]:
    """From scratch."""
    accumulator = PairAccumulator(plan)
    numbers, texts = [number for number, _ in documents], [text for _, text in documents]
    rows = pa.table([numbers, texts], schema=arrow_schema(TOKENS))
    streams = [*accumulator.add(*encode_documents(rows, words, plan.unknown_leaves_gap)), *accumulator.finish()]
    return summed((block, (cells,)) for block, cells in streams)


def pair_file(blocks: dict[int, PairBlock], plan: CountingPlan) -> tuple[bytes, int]:
    encoder = ParquetEncoder(SCHEMA)
    for block, cells in sorted(blocks.items()):
        if block < plan.layout.blocks:
            ids, contexts = plan.layout.decode(block, cells)
            encoder.add(pa.table([ids, contexts, cells.counts.astype(np.int64)], schema=SCHEMA))
    return encoder.finish().to_pybytes() + MAGIC.encode(), encoder.row_count


@pytest.mark.parametrize("unknown_leaves_gap", [False, True], ids=["drop", "gap"])
@pytest.mark.parametrize("thresholds", [None, THRESHOLDS], ids=["all", "subsampled"])
@given(kept=DOCUMENTS, added=DOCUMENTS, removed=DOCUMENTS)
def test_the_old_table_and_the_changes_make_the_new_one(unknown_leaves_gap, thresholds, kept, added, removed):
    plan, old_plan = plan_of(unknown_leaves_gap), plan_of(unknown_leaves_gap, len(OLD_WORDS))
    words = Growing(Words(pa.array(ALL_WORDS), thresholds), len(OLD_WORDS))
    before = counted([*kept, *removed], words.before, old_plan)
    after = table_of(counted([*kept, *added], words.now, plan), plan)
    shards = {
        "kept": TokenShard(len(kept), Role.KEPT),
        "added": TokenShard(len(added), Role.ADDED),
        "removed": TokenShard(len(removed), Role.REMOVED),
    }
    content, rows = pair_file(before, old_plan)
    shared = SimpleNamespace(value=(words, shards, {"pairs": rows}, {"kept": 0, "added": 1, "removed": 2, "pairs": 3}))
    files = [("kept", token_file(kept)), ("added", token_file(added)), ("removed", token_file(removed))]
    changes = changes_of(shared, plan)([*files, ("another", b"")])
    found = summed([*changes, *pairs_there(shared, plan)([("pairs", content), ("stray", b"")])])
    assert found[plan.shard_block].columns.tolist() == [0, 1, 2, 3]
    marginals = {cell: count for cell, count in table_of(before, old_plan).items() if cell[0] == -1}
    table = table_of(found, plan)
    for cell, count in marginals.items():
        table[cell] = table.get(cell, 0) + count
    assert {cell: count for cell, count in table.items() if count} == after


def test_documents_without_a_new_word_are_not_counted_again():
    plan = plan_of(unknown_leaves_gap=False)
    words = Growing(Words(pa.array(ALL_WORDS), None), len(OLD_WORDS))
    shared = SimpleNamespace(value=(words, {"kept": TokenShard(1, Role.KEPT)}, {}, {"kept": 0}))
    blocks = list(changes_of(shared, plan)([("kept", token_file([(1, ["the", "a", "cat", "the"])]))]))
    assert [block for block, _ in blocks] == [plan.shard_block]


def test_more_taken_out_than_there_is_is_refused():
    plan = plan_of(unknown_leaves_gap=False)
    with pytest.raises(RunError, match="hold less than was to be taken out"):
        rows_of_block(0, -PairBlock.of({(0, 1): 1}), plan, 1)
    assert len(rows_of_block(0, PairBlock.of({(0, 1): 0, (0, 2): 3}), plan, 1)) == 1
