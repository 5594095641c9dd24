"""``pmi-spark export``: finished vectors in other tools' files. Needs no Spark."""

from __future__ import annotations

from typing import Annotated

import typer

from pmi_spark.cli.app import app
from pmi_spark.cli.options import RunOutput
from pmi_spark.config import checked, declared
from pmi_spark.export.formats import Format

To = Annotated[
    str, typer.Option("--to", help="The file to write, or the folder for gensim, numpy and projector. [no default]")
]
FormatOption = Annotated[
    Format,
    typer.Option(
        "--format",
        help=f"What the vectors become. [no default; {', '.join(Format)}]",
        show_default=False,
        show_choices=False,
    ),
]
TopWords = Annotated[
    int | None, typer.Option("--top-words", help=declared("export.top_words").describe(), show_default=False)
]
Dtype = Annotated[str | None, typer.Option("--dtype", help=declared("export.dtype").describe(), show_default=False)]
Normalize = Annotated[
    bool, typer.Option("--normalize", help="Scale each vector to length 1. [default: false; true or false]")
]
Force = Annotated[
    bool, typer.Option("--force", help="Replace what an earlier export wrote there. [default: false; true or false]")
]


@app.command()
def export(
    output: RunOutput,
    form: FormatOption,
    to: To,
    top_words: TopWords = None,
    dtype: Dtype = None,
    normalize: Normalize = False,
    force: Force = False,
) -> None:
    """Write the vectors as word2vec, gensim, numpy, safetensors or TensorFlow's projector read them."""
    from pmi_spark.export.export import export_vectors

    words = declared("export.top_words").default if top_words is None else top_words
    kind = declared("export.dtype").default if dtype is None else dtype
    done = export_vectors(
        output,
        form,
        to,
        top_words=int(checked("export.top_words", words)),
        dtype=str(checked("export.dtype", kind)),
        normalize=normalize,
        force=force,
    )
    typer.echo(done.describe())
