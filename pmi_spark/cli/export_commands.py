"""``pmi-spark export``: finished vectors in other tools' files. Needs no Spark."""

from __future__ import annotations

from typing import Annotated

import typer

from pmi_spark.cli.app import app
from pmi_spark.cli.options import RunOutput, setting_option, setting_value
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
TopWords = Annotated[int | None, setting_option("--top-words", "export.top_words")]
Dtype = Annotated[str | None, setting_option("--dtype", "export.dtype")]
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

    done = export_vectors(
        output,
        form,
        to,
        top_words=setting_value("export.top_words", top_words),
        dtype=setting_value("export.dtype", dtype),
        normalize=normalize,
        force=force,
    )
    typer.echo(done.describe())
