"""One export from beginning to end: the run's vectors -> a file or folder of another tool's format."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from pmi_spark.errors import InputError
from pmi_spark.export.arrays import METADATA_FILE, NUMPY_FILES, write_numpy, write_safetensors
from pmi_spark.export.formats import Format
from pmi_spark.export.gensim_vectors import GENSIM_FILES, import_keyed_vectors, write_gensim
from pmi_spark.export.source import SUBSTITUTE, Source, without_white_space
from pmi_spark.export.targets import check_target, new_file, new_folder
from pmi_spark.export.text import PROJECTOR_FILES, write_projector, write_word2vec, write_word2vec_binary

# The files of those formats that are folders.
FOLDERS = {
    Format.gensim: GENSIM_FILES,
    Format.numpy: (*NUMPY_FILES, METADATA_FILE),
    Format.projector: PROJECTOR_FILES,
}
# Formats in which white space parts fields.
_PLAIN = (Format.word2vec, Format.word2vec_binary, Format.projector)


class Exported(NamedTuple):
    """What was written: words, dimensions, bytes, and how many words lost their white space."""

    path: Path
    words: int
    dimensions: int
    size_bytes: int
    words_changed: int

    def describe(self) -> str:
        """One line for people."""
        line = f"{self.path}: {self.words:,} words, {self.dimensions} dimensions, {self.size_bytes / 1e6:,.1f} MB"
        changed = f"; white space became {SUBSTITUTE} in {self.words_changed:,} words"
        return line + (changed if self.words_changed else "")


def export_vectors(
    output: str,
    form: Format,
    to: str,
    top_words: int = 0,
    dtype: str = "float32",
    normalize: bool = False,
    force: bool = False,
) -> Exported:
    """Write the vectors of a run's output directory to ``to``, whole or not at all.

    Words are in the order of their ids: the most frequent first, those of later increments behind. Memory holds words
    and counts, about 100 bytes a word, and 8,192 vectors at a time; gensim's format takes 200 bytes a word more.
    Raises InputError, MissingToolError, or RunError when the disk is full or the artifact damaged.
    """
    path = check_target(to, output, force, FOLDERS.get(form, ()))
    if dtype != "float32" and form not in (Format.numpy, Format.safetensors):
        raise InputError(f"{form} holds float32, not {dtype}", cure="leave out --dtype, or export numpy or safetensors")
    if form == Format.gensim:
        import_keyed_vectors()
    source = Source(output, top_words, normalize)
    words, changed = without_white_space(source.words) if form in _PLAIN else (source.words, 0)
    if form in FOLDERS:
        with new_folder(path) as folder:
            if form == Format.gensim:
                write_gensim(source, folder)
            elif form == Format.numpy:
                write_numpy(source, folder, dtype)
            else:
                write_projector(source, words, folder)
    else:
        with new_file(path) as file:
            if form == Format.safetensors:
                write_safetensors(source, file, dtype)
            elif form == Format.word2vec:
                write_word2vec(source, words, file)
            else:
                write_word2vec_binary(source, words, file)
    files = path.iterdir() if path.is_dir() else [path]
    return Exported(path, *source.shape, sum(entry.stat().st_size for entry in files), changed)
