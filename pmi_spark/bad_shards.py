"""Files that cannot be read: stop at the first and name it, or leave them out and say which."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException

from pmi_spark.errors import RunError, name_in_failure
from pmi_spark.session import innermost_cause, own_error

T = TypeVar("T")


@dataclass(frozen=True)
class BadShards:
    """What a stage does with them; ``cure`` is what else helps. ``note`` is told (stage, text) of each one left out."""

    stage: str
    cure: str
    skip: bool
    note: Callable[[str, str], None]

    def leave_out(self, paths: Sequence[str], build: Callable[[list[str]], T]) -> tuple[T, list[str]]:
        """``build`` from the files that can be read, and the paths of those that cannot.

        Spark stops at the first file it cannot read to its end, so each one left out costs a start from the beginning.
        Raises RunError, which names the file, unless ``skip``.
        """
        skipped: list[str] = []
        while True:
            left = [path for path in paths if path not in skipped]
            try:
                return build(left), skipped
            except (Py4JJavaError, PySparkException) as error:
                bad = name_in_failure(error, left)
                if bad is None:
                    raise
                own = own_error(str(error))
                why = own.found.removeprefix(f"cannot read {bad}: ") if own else innermost_cause(str(error))
                if not self.skip:
                    cure = f"{self.cure}, or leave it out with --set {self.stage}.on_bad_shard=skip"
                    raise RunError(f"cannot read {bad}: {why}", cure) from error
                self.note(self.stage, f"left out {bad}: {why}")
                skipped.append(bad)
