"""Office files are zip archives; this module makes their bytes depend on their content only."""

from __future__ import annotations

import io
import zipfile

_EARLIEST = (1980, 1, 1, 0, 0, 0)


def fixed_archive(data: bytes, replace: dict[str, bytes] | None = None) -> bytes:
    """The same archive with fixed times.

    Args:
        data: A zip archive.
        replace: New content for some members, by name.
    """
    replace = replace or {}
    result = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(data)) as archive,
        zipfile.ZipFile(result, "w", zipfile.ZIP_DEFLATED) as fixed,
    ):
        for name in archive.namelist():
            member = zipfile.ZipInfo(name, _EARLIEST)
            # Else the archive says on which platform it was written.
            member.create_system = 0
            member.compress_type = zipfile.ZIP_DEFLATED
            fixed.writestr(member, replace.get(name, archive.read(name)))
    return result.getvalue()
