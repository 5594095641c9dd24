"""The columns of every artifact: the contract between stages, in Spark's types.

Stages select these columns in this order at both ends; ``artifacts`` refuses a frame that has others.
"""

from __future__ import annotations

from pyspark.sql.types import (
    ArrayType,
    DoubleType,
    FloatType,
    IntegerType,
    LongType,
    StringType,
    StructField,
    StructType,
)


def _struct(**columns: object) -> StructType:
    return StructType([StructField(name, kind, nullable=False) for name, kind in columns.items()])  # type: ignore[arg-type]


# One row is a document; document_id is the xxhash64 of its text, so it does not depend on how shards are split.
TOKENS = _struct(document_id=LongType(), words=ArrayType(StringType(), containsNull=False))

# Beside ``phrases``, which has the columns of ``tokens``: one row is a phrase of the pass that joins first and second
# (connectors between them stand in its spelling); phrase_count is how often they were linked before the joining.
PHRASES = _struct(
    phrase=StringType(),
    first=StringType(),
    second=StringType(),
    pass_number=IntegerType(),
    phrase_count=LongType(),
    npmi=DoubleType(),
)

# Beside the tokens: the first records of each reason that were rejected for a fault of the input.
REJECTS = _struct(reason=StringType(), shard=StringType(), text=StringType())

# One row is a kept word; word_id 0 is the most frequent, ties go by the word's code points. Words of later increments
# stand behind. frequency is the word's share of all kept words when it came in: subsampling goes by it ever after.
VOCABULARY = _struct(
    word_id=IntegerType(),
    word=StringType(),
    word_count=LongType(),
    document_count=LongType(),
    frequency=DoubleType(),
)

# Saved beside the vocabulary: the words that occur and are not in it.
DROPPED_WORDS = _struct(word=StringType(), word_count=LongType(), document_count=LongType())

# One row is an unordered pair that met: word_id < context_id, pair_count in units of 1 / denominator.
PAIRS = _struct(word_id=IntegerType(), context_id=IntegerType(), pair_count=LongType())

# Saved beside the pairs: marginal_count of a word is the sum over all its partners, same units.
MARGINALS = _struct(word_id=IntegerType(), marginal_count=LongType())

# The same pairs: pair_count in weighted occurrences, pmi in nats. Further measures follow as double columns.
PMI = _struct(word_id=IntegerType(), context_id=IntegerType(), pair_count=DoubleType(), pmi=FloatType())

# One row is a word; the signs of the dimensions are in the vector column's metadata.
VECTORS = _struct(
    word_id=IntegerType(),
    word=StringType(),
    word_count=LongType(),
    vector=ArrayType(FloatType(), containsNull=False),
)

# Beside vectors that were turned to earlier ones: row k of the rotation from canonical axes to those written.
ROTATION = _struct(axis=IntegerType(), row=ArrayType(FloatType(), containsNull=False))
