"""A malformed record does not take the others with it, and a 404 is believed only of the API."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from managed_sync.errors import MalformedRecordsError, NotFoundError, ResponseFormatError
from tests.support.clients import ClientOf

GOOD: dict[str, Any] = {"id": "good", "integration": "box", "syncType": "files", "data": {}}


def listing(*records: Any) -> Any:
    content = json.dumps({"records": records}).encode()
    headers = {"Content-Type": "application/json"}
    return lambda request: httpx.Response(200, content=content, headers=headers)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"data": None}, {"data": {}}),
        ({"permissions": None}, {"permissions": {}}),
        ({"sourceId": None}, {"source_id": ""}),
        ({"sourceId": 12}, {"source_id": "12"}),
        ({"id": 77}, {"id": "77"}),
        ({"updatedAt": ""}, {"updated_at": None}),
        ({"updatedAt": "yesterday"}, {"updated_at": None}),
    ],
)
def test_a_record_whose_optional_field_is_unusable_is_read_without_it(
    client_of: ClientOf, change: dict[str, Any], expected: dict[str, Any]
) -> None:
    odd = {**GOOD, "id": "odd", **change}
    client = client_of(listing(GOOD, odd))

    _, read = client.iter_records("box", "files")

    assert {name: getattr(read, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("malformed", "named"),
    [
        ({**GOOD, "id": "odd", "data": [1]}, "odd"),
        ({**GOOD, "id": "odd", "permissions": "all"}, "odd"),
        ({"id": "odd", "data": {}}, "odd"),
        ({**GOOD, "id": "half \ud800"}, "half \ud800"),
        ({**GOOD, "id": True}, None),
        ({"data": {}}, None),
        ("a text", None),
        (None, None),
    ],
)
def test_a_malformed_record_is_named_beside_the_others_of_its_page(
    client_of: ClientOf, malformed: Any, named: str | None
) -> None:
    page = client_of(listing(GOOD, malformed, {**GOOD, "id": "last"})).list_records("box", "files")

    assert [record.id for record in page.records] == ["good", "last"]
    ((record_id, reason),) = page.malformed
    assert record_id == named
    assert "SyncedRecord" in reason


NESTED = "[" * 300 + "]" * 300
TOO_DEEP = "[" * 100_000 + "]" * 100_000
TOO_LONG = "9" * 5_000


def raw_listing(*records: str) -> Any:
    content = f"""{{"records": [{", ".join(records)}], "nextCursor": null}}"""
    headers = {"Content-Type": "application/json"}
    return lambda request: httpx.Response(200, content=content.encode(), headers=headers)


def raw_record(**fields: str) -> str:
    """The JSON of a record, with fields as they are to be written."""
    known = {"integration": '"box"', "syncType": '"files"', **fields}
    written = ", ".join(f'"{name}": {text}' for name, text in known.items())
    return f"{{{written}}}"


@pytest.mark.parametrize(
    ("fields", "named", "why"),
    [
        ({"id": '"odd"', "data": f'{{"a": {NESTED}}}'}, "odd", "levels deep"),
        ({"id": '"odd"', "permissions": f'{{"a": {NESTED}}}'}, "odd", "levels deep"),
        ({"id": '"odd"', "data": f'{{"a": {TOO_DEEP}}}'}, "odd", "too deeply"),
        ({"id": '"odd"', "data": f'{{"a]\\"": {TOO_LONG}}}'}, "odd", "too many digits"),
        ({"id": TOO_LONG}, None, "too many digits"),
        ({"data": f'{{"id": {TOO_LONG}}}'}, None, "too many digits"),
        ({"id": '"odd"', "syncType": '""'}, "odd", "syncType"),
    ],
)
def test_a_record_that_no_parser_takes_leaves_the_others_of_its_page_alone(
    client_of: ClientOf, fields: dict[str, str], named: str | None, why: str
) -> None:
    last = raw_record(id='"last"', data='{"name": "a, ] and \\" in a name"}')
    client = client_of(raw_listing(raw_record(id='"good"'), raw_record(**fields), last))

    page = client.list_records("box", "files")

    assert [record.id for record in page.records] == ["good", "last"]
    assert page.records[1].data["name"] == 'a, ] and " in a name'
    ((record_id, reason),) = page.malformed
    assert record_id == named
    assert why in reason


@pytest.mark.parametrize("rest", ["", '"nextCursor": ', f'"x": {TOO_DEEP}'])
def test_a_page_that_breaks_off_is_no_page_however_deep_it_is(
    client_of: ClientOf, rest: str
) -> None:
    content = f'{{"records": [{raw_record(id=TOO_LONG)}], {rest}'.encode()
    client = client_of(lambda request: httpx.Response(200, content=content))

    with pytest.raises(ResponseFormatError):
        client.list_records("box", "files")


def test_all_records_hands_out_the_others_and_then_raises(client_of: ClientOf) -> None:
    records = client_of(listing({"id": "odd"}, GOOD)).iter_records("box", "files")

    assert next(records).id == "good"
    with pytest.raises(
        MalformedRecordsError, match=r"1 malformed record.*Page 1: .*integration"
    ) as caught:
        next(records)
    assert [each.id for each in caught.value.malformed] == ["odd"]


def test_a_single_record_is_read_in_the_same_way(client_of: ClientOf) -> None:
    client = client_of(lambda request: httpx.Response(200, json={**GOOD, "updatedAt": "soon"}))

    assert client.get_record("good").updated_at is None


@pytest.mark.parametrize(
    ("answer", "is_from_api"),
    [
        ({"json": {"type": "about:blank", "title": "Not Found"}}, True),
        ({"json": {}}, True),
        ({"text": "<html>404 page not found</html>"}, False),
        ({"text": ""}, False),
        ({"json": "not found"}, False),
    ],
)
def test_a_404_that_is_no_json_object_is_marked_as_none_of_the_api(
    client_of: ClientOf, answer: dict[str, Any], is_from_api: bool
) -> None:
    client = client_of(lambda request: httpx.Response(404, **answer))

    with pytest.raises(NotFoundError) as caught:
        client.get_record("good")

    assert caught.value.is_from_api is is_from_api
