"""Harbor Robotics, a fictional company, as a folder that the embedded server can serve.

The folder contains documents in nine formats, contacts, deals and tickets, and a
``permissions.yaml`` that lets eight people read very different parts of them.
"""

from __future__ import annotations

import shutil
from importlib.resources import files
from pathlib import Path

from managed_sync.errors import ConfigurationError
from managed_sync.evaluation import EvaluationQuestion, load_questions

__all__ = ["EvaluationQuestion", "company_folder", "copy_company", "questions"]


def company_folder() -> Path:
    """Returns the installed folder of the company. To change the company, serve a copy.

    Raises:
        ConfigurationError: The package is installed without its data, or inside an archive.

    Examples:
        >>> (company_folder() / "permissions.yaml").is_file()
        True
    """
    folder = files(__name__) / "company"
    if not isinstance(folder, Path) or not folder.is_dir():
        raise ConfigurationError(
            f"Expected the sample company's folder at {folder}: install managed-sync from a wheel, "
            f"unpacked, with its data."
        )
    return folder


def copy_company(destination: Path) -> Path:
    """Copies the company into a new or empty folder.

    No existing file is overwritten. If copying fails halfway, the copied part is removed.

    Returns:
        The destination.

    Raises:
        ConfigurationError: The destination is a file, is not empty, or cannot be written.

    Examples:
        >>> copy_company(Path("company")).joinpath("files").is_dir()
        True
    """
    source = company_folder()
    if destination.exists() and not destination.is_dir():
        raise ConfigurationError(f"'{destination}' is a file: name a folder for the company.")
    if destination.is_dir() and any(destination.iterdir()):
        raise ConfigurationError(
            f"'{destination}' is not empty: empty it, or name another folder for the company."
        )
    try:
        destination.mkdir(parents=True, exist_ok=True)
        for path in sorted(source.rglob("*")):
            target = destination / path.relative_to(source)
            # Without modes: an installation may be read-only, the copy must not be.
            if path.is_dir():
                target.mkdir()
            else:
                shutil.copyfile(path, target)
    except OSError as error:
        shutil.rmtree(destination, ignore_errors=True)
        raise ConfigurationError(
            f"Cannot copy the sample company to '{destination}': {error.strerror or error}. Name a "
            f"folder that you may write to."
        ) from error
    return destination


def questions() -> list[EvaluationQuestion]:
    """Returns 150 questions about the company, each with the passages that answer it.

    Half of them, with ``split="tune"``, are there to tune on. Report figures of the other half,
    with ``split="report"``.

    Raises:
        MissingExtraError: PyYAML is not installed; the extra ``evaluation`` installs it.

    Examples:
        >>> questions()[0].answer_in
        '/Company/Handbook/Travel and expenses.pdf'
    """
    return load_questions(company_folder().parent / "questions.yaml")
