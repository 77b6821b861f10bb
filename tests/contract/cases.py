"""Every operation of the client in both wire formats: what is sent, what is answered, what returns.

The forms are those of the two reference documents. One table, so that what the formats share and
where they differ can be read in one place.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from managed_sync import (
    AccessCheck,
    FileContent,
    RecordPage,
    RelationshipNode,
    SyncedRecord,
    SyncState,
    SyncStatus,
)

ALICE = "alice@example.com"
SYNC = "5c1e0f7a-0000-4000-8000-000000000001"
OTHER_SYNC = "5c1e0f7a-0000-4000-8000-000000000002"
ONE = "a1b2c3d4-0000-4000-8000-000000000001"
TWO = "a1b2c3d4-0000-4000-8000-000000000002"
THREE = "a1b2c3d4-0000-4000-8000-000000000003"
FOLDER = "a1b2c3d4-0000-4000-8000-00000000000f"
THEN = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)


@dataclass(frozen=True)
class Exchange:
    """One request as it must be, and its answer."""

    method: str
    path: str
    query: dict[str, str] = field(default_factory=dict)
    body: Any = None
    status: int = 200
    answer: Any = None
    content_type: str = "application/json"


@dataclass(frozen=True)
class Case:
    """A call of a client's method; the last exchange is the operation, the others lead to it."""

    name: str
    api: str
    call: tuple[Any, ...]
    exchanges: list[Exchange]
    returns: Any

    def __str__(self) -> str:
        return f"{self.api}-{self.name}"


def listed(sync: str = SYNC, **different: Any) -> dict[str, Any]:
    return {
        "id": sync,
        "integration": "googledrive",
        "pipeline": "files",
        "status": "IDLE",
        "configurationName": None,
        "dateCreated": "2026-11-01T00:00:00Z",
        "dateUpdated": "2026-11-02T00:00:00Z",
        **different,
    }


LIST_SYNCS = Exchange("GET", "/api/syncs", answer={"data": [listed()]})
LIST_TWO_SYNCS = Exchange(
    "GET",
    "/api/syncs",
    answer={
        "data": [
            listed(),
            listed(OTHER_SYNC, integration="box"),
            listed("c0", integration="salesforce", pipeline="contacts"),
        ]
    },
)


def check(object_id: str, subject: str = ALICE, relation: str = "viewer") -> AccessCheck:
    return AccessCheck(subject=subject, relation=relation, object=object_id)


def as_sent(*checks: AccessCheck) -> list[dict[str, str]]:
    return [each.model_dump() for each in checks]


def asked(record: str, role: str = "can_read", user: str = f"user:{ALICE}") -> dict[str, str]:
    return {"object": record, "user": user, "role": role}


def lines(*values: str) -> bytes:
    return b"".join(b'{"object": "%s"}\n' % value.encode() for value in values)


PROJECTS_RECORD = {
    "id": "r1",
    "integration": "googleDrive",
    "syncType": "files",
    "sourceId": "1xY",
    "data": {"name": "Plan.md", "mimeType": "text/markdown", "size": 12},
    "permissions": {"viewers": [ALICE]},
    "updatedAt": "2026-11-02T09:30:00Z",
}
HOSTED_RECORD = {
    "id": ONE,
    "externalId": "1xY",
    "createdAt": "2026-11-01T09:30:00Z",
    "updatedAt": "2026-11-02T09:30:00Z",
    "name": "Plan.md",
    "mimeType": "text/markdown",
    "size": 12,
    "url": "https://drive.example/1xY",
    "parentFolderId": FOLDER,
    "customFields": {"team": "Atlas"},
}
OUR_HOSTED_RECORD = SyncedRecord(
    id=f"{SYNC}/{ONE}",
    integration="googledrive",
    sync_type="files",
    source_id="1xY",
    data={
        "createdAt": "2026-11-01T09:30:00Z",
        "name": "Plan.md",
        "mimeType": "text/markdown",
        "size": 12,
        "url": "https://drive.example/1xY",
        "customFields": {"team": "Atlas"},
        "parentId": f"{SYNC}/{FOLDER}",
    },
    updated_at=THEN,
)
PROJECTS_STATUS = {
    "integration": "googleDrive",
    "syncType": "files",
    "status": "SYNCING",
    "lastSyncedAt": "2026-11-02T09:30:00Z",
    "recordCount": 7,
}
HOSTED_STATUS = {
    "status": "ACTIVE",
    "summary": {
        "totalRecords": 9,
        "syncedRecordsCount": 7,
        "lastSyncedAt": "2026-11-02T09:30:00Z",
        "latestCursor": "c9",
    },
}


def status(integration: str) -> SyncStatus:
    return SyncStatus(
        integration=integration,
        sync_type="files",
        status=SyncState.SYNCING,
        last_synced_at=THEN,
        record_count=7,
    )


NAMED = {"integration": "googleDrive", "syncType": "files"}
PIPELINE = ("googleDrive", "files")
OBJECT = f"file:{SYNC}/{ONE}"
OPENFGA = {
    "tree": {
        "root": {
            "name": f"file:{ONE}#can_read",
            "union": {
                "nodes": [
                    {
                        "name": f"file:{ONE}#can_read",
                        "leaf": {"users": {"users": [f"user:{ALICE}", "group:eng#member"]}},
                    },
                    {
                        "name": f"file:{ONE}#can_read",
                        "leaf": {"computed": {"userset": f"file:{ONE}#can_write"}},
                    },
                    {
                        "name": f"file:{ONE}#can_read",
                        "leaf": {
                            "tupleToUserset": {
                                "tupleset": f"file:{ONE}#parent",
                                "computed": [{"userset": f"folder:{FOLDER}#can_read"}],
                            }
                        },
                    },
                ]
            },
        }
    }
}
OUR_HOSTED_TREE = RelationshipNode(
    object=OBJECT,
    relation="viewer",
    subjects=(ALICE,),
    granted=True,
    children=(
        RelationshipNode(object="group:eng", relation="member", via="member", granted=None),
        RelationshipNode(object=OBJECT, relation="editor", via="implied", granted=None),
        RelationshipNode(
            object=f"folder:{SYNC}/{FOLDER}", relation="viewer", via="parent", granted=None
        ),
    ),
)
OUR_TREE = {
    "object": "file:r1",
    "relation": "viewer",
    "via": "self",
    "subjects": [ALICE],
    "granted": True,
    "children": [],
}

SYNC_CASES = [
    Case(
        "enable_sync",
        "projects",
        ("enable_sync", *PIPELINE, "15m"),
        [
            Exchange(
                "POST",
                "/projects/p1/sync/enable",
                body={**NAMED, "frequency": "15m"},
                status=201,
                answer=PROJECTS_STATUS,
            )
        ],
        status("googleDrive"),
    ),
    Case(
        "enable_sync",
        "hosted",
        ("enable_sync", *PIPELINE),
        [
            Exchange("GET", "/api/syncs", answer={"data": []}),
            Exchange(
                "POST",
                "/api/syncs",
                body={"integration": "googledrive", "pipeline": "files"},
                status=201,
                answer={**listed(status="INITIALIZING"), "userId": "u1", "projectId": "p1"},
            ),
            Exchange("GET", f"/api/syncs/{SYNC}", answer=HOSTED_STATUS),
        ],
        status("googledrive"),
    ),
    Case(
        "enable_sync_that_is_there",
        "hosted",
        ("enable_sync", *PIPELINE),
        [LIST_SYNCS, Exchange("GET", f"/api/syncs/{SYNC}", answer=HOSTED_STATUS)],
        status("googledrive"),
    ),
    Case(
        "enable_sync_that_was_disabled",
        "hosted",
        ("enable_sync", *PIPELINE),
        [
            Exchange("GET", "/api/syncs", answer={"data": [listed(status="DISABLED")]}),
            Exchange("POST", f"/api/syncs/{SYNC}/reenable", status=204, answer=b""),
            Exchange("GET", f"/api/syncs/{SYNC}", answer=HOSTED_STATUS),
        ],
        status("googledrive"),
    ),
    Case(
        "get_sync_status",
        "projects",
        ("get_sync_status", *PIPELINE),
        [Exchange("GET", "/projects/p1/sync/status", query=NAMED, answer=PROJECTS_STATUS)],
        status("googleDrive"),
    ),
    Case(
        "get_sync_status",
        "hosted",
        ("get_sync_status", *PIPELINE),
        [LIST_SYNCS, Exchange("GET", f"/api/syncs/{SYNC}", answer=HOSTED_STATUS)],
        status("googledrive"),
    ),
    Case(
        "list_records",
        "projects",
        ("list_records", *PIPELINE, "c1"),
        [
            Exchange(
                "GET",
                "/projects/p1/sync/records",
                query={**NAMED, "cursor": "c1"},
                answer={"records": [PROJECTS_RECORD], "nextCursor": "c2"},
            )
        ],
        RecordPage(records=(SyncedRecord.model_validate(PROJECTS_RECORD),), next_cursor="c2"),
    ),
    Case(
        "list_records",
        "hosted",
        ("list_records", *PIPELINE, "c1"),
        [
            LIST_SYNCS,
            Exchange(
                "GET",
                f"/api/syncs/{SYNC}/records",
                query={"cursor": "c1"},
                answer={
                    "data": [HOSTED_RECORD],
                    "paging": {
                        "totalRecords": 9,
                        "totalActiveRecords": 9,
                        "remainingRecords": 3,
                        "cursor": "c2",
                        "lastSeen": 5,
                    },
                },
            ),
        ],
        RecordPage(records=(OUR_HOSTED_RECORD,), next_cursor="c2", resume_cursor=f"{SYNC}/c2"),
    ),
    Case(
        "list_records_of_the_last_page",
        "hosted",
        ("list_records", *PIPELINE),
        [
            LIST_SYNCS,
            Exchange(
                "GET",
                f"/api/syncs/{SYNC}/records",
                answer={
                    "data": [HOSTED_RECORD],
                    "paging": {"remainingRecords": 0, "cursor": "c9"},
                },
            ),
        ],
        RecordPage(records=(OUR_HOSTED_RECORD,), next_cursor=None, resume_cursor=f"{SYNC}/c9"),
    ),
    Case(
        "list_records_when_nothing_is_new",
        "hosted",
        ("list_records", *PIPELINE, f"{SYNC}/c9"),
        [
            LIST_SYNCS,
            Exchange(
                "GET",
                f"/api/syncs/{SYNC}/records",
                query={"cursor": "c9"},
                answer={"data": [], "paging": {"totalRecords": 9}},
            ),
        ],
        RecordPage(records=(), next_cursor=None, resume_cursor=f"{SYNC}/c9"),
    ),
    Case(
        "iter_changes",
        "projects",
        ("iter_changes", *PIPELINE),
        [
            Exchange(
                "GET",
                "/projects/p1/sync/records",
                query=NAMED,
                answer={"records": [PROJECTS_RECORD], "nextCursor": "c2"},
            ),
            Exchange(
                "GET",
                "/projects/p1/sync/records",
                query={**NAMED, "cursor": "c2"},
                answer={"records": [], "nextCursor": None},
            ),
        ],
        [
            RecordPage(records=(SyncedRecord.model_validate(PROJECTS_RECORD),), next_cursor="c2"),
            RecordPage(records=()),
        ],
    ),
    Case(
        "iter_changes",
        "hosted",
        ("iter_changes", *PIPELINE, f"{SYNC}/c9"),
        [
            LIST_SYNCS,
            Exchange(
                "GET",
                f"/api/syncs/{SYNC}/records",
                query={"cursor": "c9"},
                answer={
                    "data": [HOSTED_RECORD],
                    "paging": {"remainingRecords": 1, "cursor": "c10"},
                },
            ),
            Exchange(
                "GET",
                f"/api/syncs/{SYNC}/records",
                query={"cursor": "c10"},
                answer={
                    "data": [HOSTED_RECORD],
                    "paging": {"remainingRecords": 0, "cursor": "c11"},
                },
            ),
        ],
        [
            RecordPage(
                records=(OUR_HOSTED_RECORD,), next_cursor="c10", resume_cursor=f"{SYNC}/c10"
            ),
            RecordPage(records=(OUR_HOSTED_RECORD,), resume_cursor=f"{SYNC}/c11"),
        ],
    ),
    Case(
        "get_record",
        "projects",
        ("get_record", "r1"),
        [Exchange("GET", "/projects/p1/sync/records/r1", answer=PROJECTS_RECORD)],
        SyncedRecord.model_validate(PROJECTS_RECORD),
    ),
    Case(
        "get_record",
        "hosted",
        ("get_record", f"{SYNC}/{ONE}"),
        [
            LIST_SYNCS,
            Exchange("GET", f"/api/syncs/{SYNC}/records/{ONE}", answer=HOSTED_RECORD),
        ],
        OUR_HOSTED_RECORD,
    ),
    Case(
        "download_content",
        "projects",
        ("download_content", "r1"),
        [
            Exchange(
                "GET",
                "/projects/p1/sync/records/r1/content",
                answer=b"# Plan",
                content_type="text/markdown",
            )
        ],
        FileContent(data=b"# Plan", content_type="text/markdown"),
    ),
    Case(
        "download_content",
        "hosted",
        ("download_content", f"{SYNC}/{ONE}"),
        [
            Exchange(
                "GET",
                f"/api/syncs/{SYNC}/records/{ONE}/content",
                answer=b"# Plan",
                content_type="text/markdown",
            )
        ],
        FileContent(data=b"# Plan", content_type="text/markdown"),
    ),
]

PERMISSION_CASES = [
    Case(
        "check_access",
        "projects",
        ("check_access", ALICE, "viewer", "file:r1"),
        [
            Exchange(
                "POST",
                "/projects/p1/permissions/check-access",
                body={"subject": ALICE, "relation": "viewer", "object": "file:r1"},
                answer={"allowed": True},
            )
        ],
        True,
    ),
    Case(
        "check_access",
        "hosted",
        ("check_access", ALICE, "viewer", OBJECT),
        [
            Exchange(
                "POST",
                f"/api/permissions/{SYNC}/check",
                body=asked(ONE, user=ALICE),
                answer={"hasAccess": True},
            )
        ],
        True,
    ),
    Case(
        "batch_check_access",
        "projects",
        ("batch_check_access", [check("file:r1"), check("file:r2", "bob@example.com", "owner")]),
        [
            Exchange(
                "POST",
                "/projects/p1/permissions/batch-check-access",
                body={
                    "checks": as_sent(
                        check("file:r1"), check("file:r2", "bob@example.com", "owner")
                    )
                },
                answer={"results": [{"allowed": False}, {"allowed": True}]},
            )
        ],
        [False, True],
    ),
    Case(
        "batch_check_access",
        "hosted",
        (
            "batch_check_access",
            [check(OBJECT), check(f"folder:{SYNC}/{TWO}", "user:bob@example.com", "owner")],
        ),
        [
            Exchange(
                "POST",
                f"/api/permissions/{SYNC}/batch-check",
                body={"checks": [asked(ONE), asked(TWO, "is_owner", "user:bob@example.com")]},
                answer={
                    "result": [
                        {"allowed": False, "request": asked(ONE)},
                        {
                            "allowed": True,
                            "request": asked(TWO, "is_owner", "user:bob@example.com"),
                        },
                    ]
                },
            )
        ],
        [False, True],
    ),
    Case(
        "list_users",
        "projects",
        ("list_users", "file:r1", "viewer"),
        [
            Exchange(
                "POST",
                "/projects/p1/permissions/list-users",
                body={"object": "file:r1", "relation": "viewer"},
                answer={"subjects": [ALICE, "group:eng"]},
            )
        ],
        [ALICE, "group:eng"],
    ),
    Case(
        "list_users",
        "hosted",
        ("list_users", OBJECT, "editor"),
        [
            Exchange(
                "POST",
                f"/api/permissions/{SYNC}/list-users",
                body={"object": ONE, "role": "can_write"},
                answer={"users": [ALICE]},
            )
        ],
        [ALICE],
    ),
    Case(
        "list_objects",
        "projects",
        ("list_objects", ALICE, "viewer", "file"),
        [
            Exchange(
                "POST",
                "/projects/p1/permissions/list-objects",
                body={"subject": ALICE, "relation": "viewer", "objectType": "file"},
                answer={"objects": ["file:r1", "folder:r0"]},
            )
        ],
        ["file:r1"],
    ),
    Case(
        "list_objects_of_one_type",
        "hosted",
        ("list_objects", ALICE, "viewer", "folder"),
        [
            LIST_SYNCS,
            Exchange(
                "POST",
                f"/api/permissions/{SYNC}/streamed-list-objects",
                body={"objectType": "folder", "user": ALICE, "role": "can_read"},
                answer=lines(FOLDER),
                content_type="application/x-ndjson",
            ),
        ],
        [f"folder:{SYNC}/{FOLDER}"],
    ),
    Case(
        "expand",
        "projects",
        ("expand", ALICE, "viewer", "file:r1"),
        [
            Exchange(
                "POST",
                "/projects/p1/permissions/expand",
                body={"subject": ALICE, "relation": "viewer", "object": "file:r1"},
                answer=OUR_TREE,
            )
        ],
        RelationshipNode.model_validate(OUR_TREE),
    ),
    Case(
        "expand",
        "hosted",
        ("expand", ALICE, "viewer", OBJECT),
        [
            Exchange(
                "POST",
                f"/api/permissions/{SYNC}/expand",
                body={"object": ONE, "relation": "can_read"},
                answer=OPENFGA,
            ),
            Exchange(
                "POST",
                f"/api/permissions/{SYNC}/check",
                body=asked(ONE, user=ALICE),
                answer={"hasAccess": True},
            ),
        ],
        OUR_HOSTED_TREE,
    ),
]

CASES = [*SYNC_CASES, *PERMISSION_CASES]

# Where several requests go out at the same time, their order is not said.
AT_ONCE = [
    Case(
        "list_objects_of_every_type_and_sync",
        "hosted",
        ("list_objects", ALICE, "viewer"),
        [
            LIST_TWO_SYNCS,
            *(
                Exchange(
                    "POST",
                    f"/api/permissions/{sync}/streamed-list-objects",
                    body={"objectType": kind, "user": ALICE, "role": "can_read"},
                    answer=lines(*records),
                    content_type="application/x-ndjson",
                )
                for sync, kind, records in [
                    (SYNC, "file", [ONE, TWO]),
                    (SYNC, "folder", [FOLDER]),
                    (OTHER_SYNC, "file", [THREE]),
                    (OTHER_SYNC, "folder", []),
                ]
            ),
        ],
        [
            f"file:{SYNC}/{ONE}",
            f"file:{SYNC}/{TWO}",
            f"folder:{SYNC}/{FOLDER}",
            f"file:{OTHER_SYNC}/{THREE}",
        ],
    ),
    Case(
        "batch_check_access_over_several_syncs",
        "hosted",
        (
            "batch_check_access",
            [check(OBJECT), check(f"file:{OTHER_SYNC}/{THREE}"), check(f"file:{SYNC}/{TWO}")],
        ),
        [
            Exchange(
                "POST",
                f"/api/permissions/{SYNC}/batch-check",
                body={"checks": [asked(ONE), asked(TWO)]},
                answer={
                    "result": [
                        {"allowed": True, "request": asked(ONE)},
                        {"allowed": False, "request": asked(TWO)},
                    ]
                },
            ),
            Exchange(
                "POST",
                f"/api/permissions/{OTHER_SYNC}/batch-check",
                body={"checks": [asked(THREE)]},
                answer={"result": [{"allowed": True, "request": asked(THREE)}]},
            ),
        ],
        [True, True, False],
    ),
]
