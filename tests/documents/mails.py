"""E-mails and archives to parse and to load."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from email.message import EmailMessage

from managed_sync.documents import ParsedFile
from managed_sync.documents.parsing.base import run_parser
from managed_sync.documents.parsing.registry import FileParser

EMAIL = "message/rfc822"


def mail(
    text: str = "See the plan.", /, *, subject: str = "Plan", **files: bytes | EmailMessage
) -> EmailMessage:
    """A message with attachments; "plan_md" is the name of "plan.md"."""
    message = EmailMessage()
    message["From"] = "ada@harbor.example"
    message["Subject"] = subject
    message.set_content(text)
    for name, content in files.items():
        if isinstance(content, EmailMessage):
            message.add_attachment(content)
        else:
            filename = name.replace("_", ".")
            message.add_attachment(
                content, maintype="application", subtype="octet-stream", filename=filename
            )
    return message


def zipped(files: Mapping[str, bytes]) -> bytes:
    """A ZIP archive."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return data.getvalue()


def parsed(
    data: bytes | EmailMessage, filename: str = "a.eml", content_type: str = ""
) -> ParsedFile:
    """The file with its parts, as the loader gets it from the default parser."""
    data = data if isinstance(data, bytes) else data.as_bytes()
    return run_parser(FileParser(), data, content_type=content_type, filename=filename)


def parts_of(file: ParsedFile) -> dict[str, str]:
    """The texts of the parts by their paths."""
    return {part.path: part.text for part in file.parts}
