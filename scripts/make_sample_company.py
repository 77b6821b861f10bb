"""Writes the sample company's binary files: docx, pptx, xlsx, pdf and eml.

    python -m scripts.make_sample_company                  # into the package
    python -m scripts.make_sample_company --into folder    # anywhere else

Which file comes from where:
    docx, pptx, xlsx, pdf, eml   written by this script, one source each: the file
                                 ``scripts/sample_company/content/Legal/Plan.docx.md`` becomes
                                 ``company/files/Legal/Plan.docx``.
    md, txt, html, csv           written by hand, straight into ``company/files``.
    contacts, deals and tickets  written by hand (``*.jsonl``), and so are ``permissions.yaml`` and
                                 ``questions.yaml``.

The same sources give the same bytes at every run: all dates come from the sources. Only another
version of zlib may compress the same archive members into other bytes.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from scripts.sample_company.documents import write_docx
from scripts.sample_company.mail import write_eml
from scripts.sample_company.pages import write_pdf
from scripts.sample_company.sheets import write_xlsx
from scripts.sample_company.slides import write_pptx
from scripts.sample_company.source import Source

CONTENT = Path(__file__).parent / "sample_company" / "content"
COMPANY = Path(__file__).parent.parent / "src" / "managed_sync" / "sample_company" / "company"

WRITERS: dict[str, Callable[[Source], bytes]] = {
    ".docx": write_docx,
    ".pptx": write_pptx,
    ".xlsx": write_xlsx,
    ".pdf": write_pdf,
    ".eml": write_eml,
}


def make_sample_company(company: Path) -> list[Path]:
    """Writes every binary file below ``company/files`` and says which.

    Guarantees: the bytes depend on the sources only. Files that have no source stay untouched.

    Args:
        company: The company's folder; it is made where it does not exist.

    Returns:
        The paths written, sorted.

    Raises:
        ValueError: A source cannot be read or has a format without a writer; the message names it.

    Example:
        >>> len(make_sample_company(Path("/tmp/company"))) > 40
        True
    """
    written = []
    for path in sorted(CONTENT.rglob("*.md")):
        name = path.relative_to(CONTENT).with_suffix("")
        writer = WRITERS.get(name.suffix)
        if writer is None:
            raise ValueError(f"{path}: no writer for {name.suffix!r}; use one of {list(WRITERS)}.")
        target = company / "files" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(writer(Source.read(path)))
        written.append(target)
    return written


def main() -> None:
    """Reads the command line and writes the files."""
    parser = argparse.ArgumentParser(description="Write the sample company's binary files.")
    parser.add_argument("--into", type=Path, default=COMPANY, help="the company's folder")
    folder = parser.parse_args().into
    written = make_sample_company(folder)
    size = sum(path.stat().st_size for path in written)
    print(f"{len(written)} files, {size / 1024:.0f} KiB, below {folder}")


if __name__ == "__main__":
    main()
