"""Parameters that several routes share."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from fastapi import Path, Query
from pydantic import Field

__all__ = ["Integration", "Name", "RecordId", "SyncType"]

Name: TypeAlias = Annotated[str, Field(pattern=r"^[^\x00]*$")]
"""A string without NUL, which PostgreSQL does not accept."""

Integration: TypeAlias = Annotated[
    str, Query(description="Integration identifier, such as googleDrive.")
]
SyncType: TypeAlias = Annotated[
    str, Query(alias="syncType", description="The pipeline's type: files, contacts, deals, …")
]
RecordId: TypeAlias = Annotated[
    str, Path(alias="recordId", description="The id of a synced record.")
]
