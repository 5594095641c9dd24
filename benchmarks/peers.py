"""Word vectors by what people use today, each a command of its own so that its time and memory stand alone.

    python benchmarks/peers.py skip-gram --corpus FILE --output FILE.npz     (needs gensim)
    python benchmarks/peers.py ppmi-svd --tables DIR --output FILE.npz
    python benchmarks/peers.py glove --corpus FILE --programs DIR --output FILE.npz

The corpus is tokenized text, a document a line. Every output holds ``words`` and one or more matrices (words x 300).
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
from pathlib import Path

import numpy as np

DIMENSIONS = 300
MINIMUM_COUNT = 5


def skip_gram(corpus: str, output: str, workers: int) -> None:
    """gensim's skip-gram with negative sampling, 5 epochs, read by its C code straight from the file."""
    from gensim.models import Word2Vec

    model = Word2Vec(
        corpus_file=corpus,
        sg=1,
        vector_size=DIMENSIONS,
        window=5,
        negative=5,
        sample=1e-4,
        epochs=5,
        min_count=MINIMUM_COUNT,
        workers=workers,
        seed=1,
    )
    np.savez(output, words=model.wv.index_to_key, vectors=model.wv.vectors, contexts=model.syn1neg)


def ppmi_svd(tables: str, output: str) -> None:
    """Truncated SVD of the positive PMI table of a finished `pmi-spark pmi`, by ARPACK (Levy, Goldberg 2014)."""
    from scipy import sparse
    from scipy.sparse.linalg import eigsh

    from pmi_spark.vectors.store import read_artifact

    words = read_artifact(tables, "vocabulary")[0].sort_by("word_id")["word"].to_pylist()
    pairs, _ = read_artifact(tables, "pmi", columns=["word_id", "context_id", "pmi"])
    low, high, values = (np.asarray(pairs[name]) for name in ("word_id", "context_id", "pmi"))
    positive = values > 0
    upper = sparse.coo_array((values[positive], (low[positive], high[positive])), shape=(len(words), len(words)))
    table = (upper + upper.T).tocsr()
    # The table is symmetric: its singular vectors are its eigenvectors, its singular values their magnitudes.
    eigenvalues, basis = eigsh(table, k=DIMENSIONS, which="LM")
    half = basis * np.sqrt(np.abs(eigenvalues))
    np.savez(output, words=words, vectors=half.astype(np.float32), vectors_p0=basis.astype(np.float32))


def glove(corpus: str, programs: str, output: str, workers: int) -> None:
    """Stanford's GloVe, as its demo runs it (15 iterations, x_max 10), with this window and vocabulary."""
    with tempfile.TemporaryDirectory() as folder:

        def run(program: str, arguments: str, read: str | None, write: str | None) -> None:
            command = [str(Path(programs, program)), *arguments.split()]
            with open(read or "/dev/null", "rb") as source, open(write or "/dev/null", "wb") as sink:  # noqa: PTH123
                subprocess.run(command, stdin=source, stdout=sink, check=True, cwd=folder)

        here = f"{folder}/"
        run("vocab_count", f"-min-count {MINIMUM_COUNT} -verbose 0", corpus, f"{here}vocabulary")
        run("cooccur", "-window-size 5 -memory 4 -vocab-file vocabulary -verbose 0", corpus, f"{here}pairs")
        run("shuffle", "-memory 4 -verbose 0", f"{here}pairs", f"{here}shuffled")
        options = f"-vector-size {DIMENSIONS} -iter 15 -x-max 10 -threads {workers} -binary 0 -seed 1 -verbose 0"
        run("glove", f"{options} -input-file shuffled -vocab-file vocabulary -save-file vectors", None, None)
        words, rows = [], []
        for line in Path(folder, "vectors.txt").read_text(encoding="utf-8").splitlines():
            word, *numbers = line.split(" ")
            if word != "<unk>":
                words.append(word)
                rows.append(np.array(numbers, dtype=np.float32))
    np.savez(output, words=words, vectors=np.array(rows))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("peer", choices=["skip-gram", "ppmi-svd", "glove"])
    parser.add_argument("--corpus", help="tokenized text, a document a line")
    parser.add_argument("--tables", help="output directory of `pmi-spark pmi`")
    parser.add_argument("--programs", help="folder of GloVe's programs")
    parser.add_argument("--workers", type=int, default=2, help="threads [default 2]")
    parser.add_argument("--output", required=True, help=".npz file to write")
    arguments = parser.parse_args()
    if arguments.peer == "skip-gram":
        skip_gram(arguments.corpus, arguments.output, arguments.workers)
    elif arguments.peer == "ppmi-svd":
        ppmi_svd(arguments.tables, arguments.output)
    else:
        glove(arguments.corpus, arguments.programs, arguments.output, arguments.workers)


if __name__ == "__main__":
    main()
