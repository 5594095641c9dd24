"""The commands that run stages: all of them, or one by one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import typer
from rich.console import Console

from pmi_spark.artifacts import STAGES
from pmi_spark.cli.app import app, failures_in_one_line, settings_epilog
from pmi_spark.cli.options import (
    Append,
    ConfigFile,
    Debug,
    DryRun,
    Init,
    Input,
    Label,
    LogFormat,
    LogFormatOption,
    MoreInput,
    Output,
    Overrides,
    Retire,
    RunDryRun,
)
from pmi_spark.config import load_config
from pmi_spark.errors import InputError
from pmi_spark.increments import Change
from pmi_spark.settings import toml_value

if TYPE_CHECKING:
    from pmi_spark.pipeline import Pipeline


@contextmanager
def _pipeline(
    output: str,
    config: str | None,
    overrides: Sequence[str] | None,
    debug: bool,
    log_format: LogFormat = LogFormat.text,
) -> Iterator[Pipeline]:
    """The stages over an output directory; what fails within becomes one line."""
    settings = load_config(config, overrides or ())
    with failures_in_one_line(debug):
        from pmi_spark.pipeline import Pipeline
        from pmi_spark.progress import ConsoleReporter, JsonReporter, spark_tasks
        from pmi_spark.session import start_session

        console, spark = Console(stderr=True), start_session()
        as_json = log_format is LogFormat.json
        reporter = JsonReporter(console) if as_json else ConsoleReporter(console, spark_tasks(spark))
        try:
            yield Pipeline(spark, output, settings, reporter)
        finally:
            reporter.stop()


def _inputs(first: Sequence[str] | None, more: Sequence[str] | None) -> list[str]:
    inputs = [*(first or []), *(more or [])]
    if not inputs:
        raise InputError("no --input", cure="name the text to read: --input PATH...")
    return inputs


def _change(append: bool, label: str | None, retire: str | None = None) -> Change | None:
    """What of --append, --label and --retire is meant; InputError where they do not go together."""
    if label is not None and not append:
        raise InputError("--label names what is added", cure="give --append with it")
    if append and retire is not None:
        raise InputError("--append and --retire do not go together", cure="run one after the other")
    if retire is not None:
        return Change(retire, retires=True)
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    return Change(today if label is None else label) if append else None


def _with_init(overrides: Sequence[str] | None, init: str | None) -> list[str]:
    """The overrides and ``--init``, which wins."""
    return [*(overrides or []), *([] if init is None else [f"vectors.init={toml_value(init)}"])]


@app.command(epilog=settings_epilog(*STAGES))
def run(
    output: Output,
    input: Input = None,
    more: MoreInput = None,
    config: ConfigFile = None,
    set: Overrides = None,
    init: Init = None,
    append: Append = False,
    label: Label = None,
    retire: Retire = None,
    dry_run: RunDryRun = False,
    log_format: LogFormatOption = LogFormat.text,
    debug: Debug = False,
) -> None:
    """Run every stage, text to vectors; stages whose artifact is already there are skipped."""
    change, overrides = _change(append, label, retire), _with_init(set, init)
    if retire is not None and (input or more):
        raise InputError("--retire takes no --input", cure="leave it out: the label says what is taken out")
    inputs = [] if retire is not None else _inputs(input, more)
    with _pipeline(output, config, overrides, debug, log_format) as pipeline:
        if not dry_run:
            pipeline.run(STAGES, inputs, change)
            return
        for stage, reason in pipeline.plan(STAGES, inputs, change):
            typer.echo(f"{stage:<11} {f'would run: {reason}' if reason else 'already there'}")


@app.command(epilog=settings_epilog("tokens"))
def tokens(
    output: Output,
    input: Input = None,
    more: MoreInput = None,
    config: ConfigFile = None,
    set: Overrides = None,
    append: Append = False,
    label: Label = None,
    dry_run: DryRun = False,
    log_format: LogFormatOption = LogFormat.text,
    debug: Debug = False,
) -> None:
    """Stage 1: cut documents into words."""
    inputs, change = _inputs(input, more), _change(append, label)
    with _pipeline(output, config, set, debug, log_format) as pipeline:
        if not dry_run:
            pipeline.run(["tokens"], inputs, change)
            return
        from pmi_spark.corpus.account import preview_line

        for document in pipeline.preview(inputs):
            typer.echo(preview_line(*document))


def _add_stage(stage: str, purpose: str) -> None:
    """The command of a stage that reads artifacts alone."""

    @app.command(stage, help=purpose, epilog=settings_epilog(stage))
    def command(
        output: Output,
        config: ConfigFile = None,
        set: Overrides = None,
        log_format: LogFormatOption = LogFormat.text,
        debug: Debug = False,
    ) -> None:
        with _pipeline(output, config, set, debug, log_format) as pipeline:
            pipeline.run([stage])


_add_stage("phrases", "Between stages 1 and 2: join words that want each other; nothing while phrases.passes is 0.")
_add_stage("vocabulary", "Stage 2: count words and number them, the most frequent first.")
_add_stage("pairs", "Stage 3: count the pairs that meet in a window, exactly.")
_add_stage("pmi", "Stage 4: PMI of every pair that met, in nats.")


@app.command(epilog=settings_epilog("vectors"))
def vectors(
    output: Output,
    config: ConfigFile = None,
    set: Overrides = None,
    init: Init = None,
    log_format: LogFormatOption = LogFormat.text,
    debug: Debug = False,
) -> None:
    """Stage 5: factorize the table into one vector a word."""
    with _pipeline(output, config, _with_init(set, init), debug, log_format) as pipeline:
        pipeline.run(["vectors"])
