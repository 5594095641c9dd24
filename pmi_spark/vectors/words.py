"""A vocabulary's words as an Arrow array that behaves like a list of strings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, overload

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

# Words that become Python strings at once where all are gone through.
_PIECE = 1 << 16
# So few are compared with every word in turn, 15 ns each, where hashing takes 50.
_FEW = 3


class Words(Sequence[str]):
    """Words by id. A million of them are mapped from a file in no time, where a list of strings takes a second.

    >>> words = Words(pa.array(["the", "of", "and"]))
    >>> words[1], words[-2:], len(words), "and" in words
    ('of', ['of', 'and'], 3, True)
    >>> words == ["the", "of", "and"]
    True
    """

    def __init__(self, array: pa.Array) -> None:
        self.array = array

    @classmethod
    def of(cls, words: Sequence[str]) -> Words:
        """Any sequence of strings; nothing is copied where it is one of these."""
        return words if isinstance(words, Words) else cls(pa.array(words, pa.string()))

    def __len__(self) -> int:
        return len(self.array)

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> list[str]: ...
    def __getitem__(self, place: int | slice) -> str | list[str]:
        if isinstance(place, slice):
            start, stop, step = place.indices(len(self))
            return self.take(np.arange(start, stop, step))
        return str(self.array[place].as_py())

    def __iter__(self) -> Iterator[str]:
        for start in range(0, len(self), _PIECE):
            yield from self.array.slice(start, _PIECE).to_pylist()

    def __contains__(self, word: object) -> bool:
        return isinstance(word, str) and pc.index(self.array, word).as_py() >= 0

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Words):
            return bool(self.array.equals(other.array))
        return isinstance(other, Sequence) and len(other) == len(self) and all(map(str.__eq__, self, other))

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Words({len(self)}: {', '.join(self[:3])}, ...)"

    def __arrow_array__(self, type: pa.DataType | None = None) -> Any:
        return self.array if type is None else self.array.cast(type)

    def take(self, ids: npt.NDArray[np.integer]) -> list[str]:
        """The words of some ids."""
        return self.array.take(pa.array(ids, pa.int64())).to_pylist()  # type: ignore[no-any-return]

    def find(self, wanted: pa.Array) -> npt.NDArray[np.int64]:
        """The id of each of some distinct words, -1 for those that are not there: 50 ns a word of the vocabulary.

        >>> Words(pa.array(["the", "of", "and"])).find(pa.array(["and", "or"]))
        array([ 2, -1])
        """
        if len(wanted) <= _FEW:
            return np.array([pc.index(self.array, word).as_py() for word in wanted], np.int64)
        # The table of hashes is built of the fewer words, and the vocabulary is looked up in it.
        places = pc.index_in(self.array, value_set=wanted)
        ids = np.full(len(wanted), -1, np.int64)
        met = np.flatnonzero(np.asarray(places.is_valid()))
        ids[np.asarray(places.drop_null())] = met
        return ids
