"""One run of the vectors stage: PMI -> factors, sweep by sweep, -> vectors."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyspark.sql import SparkSession

from pmi_spark import schemas
from pmi_spark.artifacts import Artifacts
from pmi_spark.config import VectorsConfig
from pmi_spark.errors import ConfigurationError, InputError, RunError
from pmi_spark.factorization.als import SweepSettings, fold_in, initial_factors, sweep
from pmi_spark.factorization.calibration import FEWEST_PAIRS, LengthScale, PairSample, calibrate
from pmi_spark.factorization.canonical import Canonical, canonical_form
from pmi_spark.factorization.earlier import Gauged, Match, align, fill_in, match_words, start_from
from pmi_spark.factorization.held_pairs import Independence, sample_held_pairs
from pmi_spark.factorization.lengths import fit_lengths, typical_count
from pmi_spark.factorization.loss import LossSettings
from pmi_spark.factorization.mllib import mllib_factors
from pmi_spark.factorization.row_blocks import Ids
from pmi_spark.factorization.state import State, SweepReport
from pmi_spark.factorization.table import CellSettings, Table, build_table, default_blocks
from pmi_spark.stage import Built, Reporter
from pmi_spark.sweep_states import FOLDER, SweepStates
from pmi_spark.vector_artifact import read_vectors, write_vectors

Floats = npt.NDArray[np.float32]


class VectorsStage:
    """PMI -> word vectors, for one output directory and configuration.

    ``independence`` is what the table's PMI compares counts with, ``identity`` the stage's fingerprint, ``start`` the
    output directory whose vectors are the start; empty: none.
    """

    def __init__(
        self,
        spark: SparkSession,
        artifacts: Artifacts,
        settings: VectorsConfig,
        reporter: Reporter,
        independence: Independence,
        identity: str,
        start: str,
    ) -> None:
        self._spark = spark
        self._artifacts = artifacts
        self._settings = settings
        self._reporter = reporter
        self._independence = independence
        self._start = start
        self._states = SweepStates(artifacts.storage, f"{artifacts.folder('vectors')}/{FOLDER}", identity)

    def build(self, vocabulary: pa.Table) -> Built:
        """The artifact's files; RunError when there are fewer words than dimensions, or the sweeps fail."""
        words = vocabulary["word"].to_pylist()
        if self._settings.dimensions > len(words):
            raise RunError(
                f"the vocabulary has {len(words)} words, fewer than vectors.dimensions = {self._settings.dimensions}",
                cure=f"set vectors.dimensions to at most {len(words)}, or lower vocabulary.minimum_count",
            )
        facts: dict[str, Any] = {"dimensions": self._settings.dimensions}
        earlier = self._earlier()
        if earlier is None:
            vectors = self._trained(vocabulary, self._random_start(len(words)), facts)
        else:
            match = match_words(words, earlier.words)
            if not len(match.here):
                raise InputError(
                    f"the vectors in {self._start} share no word with this vocabulary",
                    cure="name a run over text of the same language and tokenizer, or leave vectors.init empty",
                )
            facts["words_kept"] = len(match.here)
            if self._settings.freeze:
                vectors = self._folded_in(earlier, match, vocabulary)
            else:
                left, right = start_from(earlier, match, len(words))
                vectors = align(self._trained(vocabulary, right, facts, left), earlier, match)
        files, side_files = write_vectors(self._artifacts, vectors)
        return Built(files, facts, side_files, scratch=(FOLDER,))

    def _random_start(self, word_count: int) -> Floats:
        settings = self._settings
        head = settings.warm_words if settings.warm_sweeps else 0
        return initial_factors(word_count, settings.dimensions, settings.seed, head)

    def _earlier(self) -> Gauged | None:
        """The vectors to start from."""
        if not self._start:
            return None
        earlier = read_vectors(self._artifacts.beside(self._start))
        dimensions = earlier.matrix.shape[1]
        if dimensions != self._settings.dimensions:
            raise ConfigurationError(
                f"vectors.init has {dimensions} dimensions, vectors.dimensions is {self._settings.dimensions}",
                cure=f"set vectors.dimensions to {dimensions}",
            )
        return earlier

    def _trained(
        self, vocabulary: pa.Table, right: Floats, facts: dict[str, Any], left: Floats | None = None
    ) -> Gauged:
        """All words' vectors, in canonical form; from ``left`` and ``right``, without a warm start, where given."""
        settings = self._settings
        words = vocabulary["word"].to_pylist()
        sample = None
        if settings.solver == "mllib":
            factors = mllib_factors(
                self._artifacts.read("pmi", schemas.PMI),
                len(words),
                settings.dimensions,
                settings.sweeps,
                settings.regularization,
                settings.seed,
                settings.shift,
            )
        else:
            state = self._states.load()
            if state is not None:
                self._reporter.note("vectors", f"going on after {len(state.reports)} sweeps that were saved")
            state = state or State(np.zeros_like(right) if left is None else left, right)
            warm_sweeps = 0 if left is not None else settings.warm_sweeps
            left_side, right_side, sample = self._swept(words, state, facts, warm_sweeps)
            factors = left_side, right_side
        # Both sides are saved, or not wanted any more: what follows has room in 12 n d bytes, as the sweeps had.
        canonical = canonical_form(*factors, overwrite_left=True)
        word_counts = np.asarray(vocabulary["word_count"])
        fit = fit_lengths(*canonical, word_counts)
        facts["squared_length"] = fit._asdict()
        if settings.background == 0:
            line = f"|v|^2 = {fit.intercept:.2f} - {fit.slope:.3f} log p, rank correlation {fit.spearman:.3f}"
            self._reporter.note("vectors", line)
        shift, lengths = self._calibrated(canonical, word_counts, sample, facts)
        matrix = canonical.vectors(settings.exponent)
        matrix *= lengths.of(word_counts)
        return Gauged(
            words=words,
            word_counts=word_counts,
            matrix=matrix,
            eigenvalues=canonical.eigenvalues,
            exponent=settings.exponent,
            shift=shift,
            lengths=lengths,
            rotation=None,
            fitted_shift=settings.shift,
            regularization=facts.get("regularization", 0.0),
        )

    def _calibrated(
        self, canonical: Canonical, word_counts: npt.NDArray[np.int64], sample: PairSample | None, facts: dict[str, Any]
    ) -> tuple[float, LengthScale]:
        """What an estimate adds (nats) and the rows' stretch; as fitted where too few pairs were kept to say better."""
        reference = typical_count(word_counts)
        as_fitted = self._settings.shift, LengthScale(0.0, reference)
        if sample is None:
            return as_fitted
        pairs = int(np.count_nonzero(sample.counts))
        if pairs < FEWEST_PAIRS:
            line = f"estimates are not calibrated: {pairs:,} pairs were held out, {FEWEST_PAIRS:,} are needed"
            self._reporter.note("vectors", line)
            return as_fitted
        products = canonical.products(sample.rows, sample.columns)
        found = calibrate(sample, products, word_counts, reference, self._settings.shift)
        facts["calibration"] = {
            "pairs": pairs,
            "shift": found.intercept,
            "slope": found.lengths.slope,
            "frequency_exponent": found.lengths.exponent,
            "gain_nats_a_meeting": round(found.gain, 4),
        }
        scale = f"{found.lengths.slope:.2f} (f f' / {reference:,.0f}^2)^-{found.lengths.exponent:.2f}"
        formula = f"{found.intercept:.2f} + {scale} u.v"
        self._reporter.note("vectors", f"estimates calibrated on {pairs:,} held-out pairs: {formula} nats")
        return found.intercept, found.lengths

    def _swept(
        self, words: list[str], start: State, facts: dict[str, Any], warm_sweeps: int
    ) -> tuple[Floats, Floats, PairSample | None]:
        settings = self._sweep_settings(warm_sweeps)
        table = self._table(len(words), settings_shift=self._settings.shift)
        try:
            state = start
            facts["regularization"] = self._loss(table).regularization
            for state in sweep(table, start, self._loss(table), settings, words):
                self._states.save(state)
                self._tell(state.reports[-1], settings)
            sample = self._held_pairs(table)
        finally:
            table.blocks.unpersist()
        facts["cells"] = table.cell_count
        facts["sweeps"] = [_as_fact(report) for report in state.reports]
        return state.left, state.right, sample

    def _held_pairs(self, table: Table) -> PairSample | None:
        """The pairs to calibrate by. Where pairs were left out for their PMI, those kept from the fit are no sample."""
        settings = self._settings
        if not settings.calibrate or not settings.held_out or settings.cells == "positive":
            return None
        return sample_held_pairs(table, self._independence, settings.held_out, settings.shift)

    def _folded_in(self, earlier: Gauged, match: Match, vocabulary: pa.Table) -> Gauged:
        """The earlier vectors as they are, and new words solved against them in one half-step."""
        words = vocabulary["word"].to_pylist()
        _, right = start_from(earlier, match, len(words))
        new = match.new_words(len(words))
        table = self._table(len(words), settings_shift=earlier.fitted_shift, only_rows=new)
        try:
            loss = self._loss(table)._replace(regularization=earlier.regularization)
            left = fold_in(table, right, loss, self._sweep_settings(0), words)
        finally:
            table.blocks.unpersist()
        return fill_in(left, words, np.asarray(vocabulary["word_count"]), earlier, match)

    def _loss(self, table: Table) -> LossSettings:
        settings = self._settings
        return LossSettings(settings.background, settings.target, settings.regularization * table.row_energy)

    def _sweep_settings(self, warm_sweeps: int) -> SweepSettings:
        settings = self._settings
        return SweepSettings(
            warm_sweeps=warm_sweeps,
            warm_words=settings.warm_words,
            sweeps=settings.sweeps,
            solver=settings.solver,
            solver_steps=settings.solver_steps,
            stop_below=settings.stop_below,
            worker_bytes=settings.memory << 20,
        )

    def _table(self, word_count: int, settings_shift: float, only_rows: Ids | None = None) -> Table:
        settings = self._settings
        cells = CellSettings(
            positive_only=settings.cells == "positive",
            shift=settings_shift,
            count_ceiling=settings.count_ceiling,
            weight_exponent=settings.weight_exponent,
            truncate_weights=settings.truncate_weights,
            held_out=settings.held_out,
            only_rows=only_rows,
        )
        row_counts = self._artifacts.paths("pmi")
        parallelism = self._spark.sparkContext.defaultParallelism
        blocks = settings.blocks or default_blocks(sum(row_counts.values()), parallelism)
        return build_table(self._artifacts.stream_files("pmi"), row_counts, word_count, blocks, cells)

    def _tell(self, report: SweepReport, settings: SweepSettings) -> None:
        of = settings.warm_sweeps if report.phase == "warm" else settings.sweeps
        self._reporter.note("vectors", report.describe(f"of {of}"))


def _as_fact(report: SweepReport) -> dict[str, Any]:
    """A report as JSON has it: what is not a number is null."""
    values = report._asdict()
    return {key: None if isinstance(value, float) and math.isnan(value) else value for key, value in values.items()}
