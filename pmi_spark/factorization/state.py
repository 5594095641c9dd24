"""What the sweeps go on from, and what each of them reported. Pure numpy."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import NamedTuple

from pmi_spark.factorization.row_blocks import Floats


class SweepReport(NamedTuple):
    """One finished sweep. ``loss`` is NaN after a warm one, which minimizes another loss; ``held_out_error`` (root mean
    square, nats) where no cells were held out.
    """

    phase: str
    sweep: int
    loss: float
    held_out_error: float
    seconds: float

    def describe(self, of: str) -> str:
        """As a person reads it; ``of`` stands behind the sweep's number.

        >>> SweepReport("weighted", 1, 1234.5, math.nan, 9.0).describe("of 2")
        'weighted sweep 1 of 2, loss 1,234, 9.0 s'
        """
        parts = [f"{self.phase} sweep {self.sweep} {of}"]
        if not math.isnan(self.loss):
            parts.append(f"loss {self.loss:,.0f}")
        if not math.isnan(self.held_out_error):
            parts.append(f"held-out error {self.held_out_error:.3f} nats")
        return ", ".join([*parts, f"{self.seconds:.1f} s"])


@dataclass
class State:
    """Both sides' factors (words x d) after so many sweeps, warm and weighted counted alike, and what each reported."""

    left: Floats
    right: Floats
    reports: list[SweepReport] = field(default_factory=list)
