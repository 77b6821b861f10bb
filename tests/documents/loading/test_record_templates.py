from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from managed_sync.documents import RecordTemplate, record_text, record_title
from managed_sync.models import SyncedRecord


def record(sync_type: str, **data: Any) -> SyncedRecord:
    return SyncedRecord(id="r1", integration="crm", sync_type=sync_type, source_id="s-1", data=data)


def test_a_contact_reads_like_a_card() -> None:
    contact = record(
        "contacts",
        id="c-1",
        email="ada@acme.example",
        firstName="Ada",
        lastName="Byron",
        jobTitle="Buyer",
        tags=["vip", "emea"],
        notes="Met in Rome.",
        customFields={"Preferred language": "Italian"},
        parentId="p1",
        phone=None,
    )
    assert record_text(contact) == (
        "# Ada Byron\n\n"
        "ID: c-1\nJob title: Buyer\nEmail: ada@acme.example\nTags: vip, emea\n"
        "Preferred language: Italian\n\n"
        "## Notes\n\nMet in Rome.\n"
    )


def test_a_deal_has_a_readable_amount_date_and_notes() -> None:
    deal = record(
        "deals",
        name="Arm upgrade",
        amount=12500,
        currency="EUR",
        closeDate="2026-12-01",
        notes=[{"author": "Tom", "createdAt": "2026-11-02T09:30:00Z", "body": "Called them."}],
    )
    assert record_text(deal) == (
        "# Arm upgrade\n\n"
        "Amount: 12,500 EUR\nClose date: 1 December 2026\n\n"
        "## Notes\n\nTom, 2 November 2026, 09:30 UTC: Called them.\n"
    )


def test_cents_are_kept() -> None:
    assert "Amount: 1,234.50 USD" in record_text(record("deals", amount=1234.5, currency="USD"))


def test_a_ticket_has_its_description_and_each_comment_with_author_and_date() -> None:
    ticket = record(
        "tickets",
        id="t-9",
        subject="Gripper stuck",
        status="open",
        description="# It does not open.\nSince Monday.",
        comments=[
            {"author": "Ann", "createdAt": "2026-11-02T09:30:00+01:00", "body": "Looking."},
            {"author": "Bo", "createdAt": "2026-11-03", "body": "Fixed."},
        ],
    )
    assert record_text(ticket) == (
        "# Gripper stuck\n\n"
        "ID: t-9\nStatus: open\n\n"
        "## Description\n\n\\# It does not open.\nSince Monday.\n\n"
        "## Comments\n\n"
        "Ann, 2 November 2026, 09:30 UTC+01:00: Looking.\n\n"
        "Bo, 3 November 2026: Fixed.\n"
    )


def test_a_company_is_named_by_its_name() -> None:
    assert record_text(record("companies", name="ACME", domain="acme.example")) == (
        "# ACME\n\nDomain: acme.example\n"
    )


def test_a_record_of_an_unknown_kind_is_indented_lines_and_never_json() -> None:
    invoice = record(
        "invoices",
        name="Invoice 7",
        address={"city": "Oslo", "geo": {"lat": 59.9}},
        lines=[{"sku": "a", "qty": 2}],
        paid=True,
        nothing=[],
    )
    text = record_text(invoice)
    assert text == (
        "# Invoice 7\n\n"
        "Address:\n  City: Oslo\n  Geo:\n    Lat: 59.9\n"
        "Lines:\n  1:\n    Sku: a\n    Qty: 2\n"
        "Paid: yes\n"
    )
    assert not set("{}[]'\"") & set(text)


def test_data_of_any_depth_is_written_without_failing() -> None:
    deep: Any = "end"
    for _ in range(900):
        deep = {"in": deep}
    assert "…" in record_text(record("things", data=deep))


@pytest.mark.parametrize(
    ("data", "title"),
    [
        ({"firstName": "Ada"}, "Ada"),
        ({"subject": " Broken\narm "}, "Broken arm"),
        ({"email": "a@b.example"}, "a@b.example"),
        ({}, "s-1"),
    ],
)
def test_a_record_is_called_what_a_person_would_call_it(data: dict[str, str], title: str) -> None:
    assert record_title(record("contacts", **data)) == title


def test_custom_fields_have_names_a_person_reads() -> None:
    text = record_text(record("deals", name="Arm", customFields={"discountPercent": 14, "NPS": 9}))
    assert text == "# Arm\n\nDiscount percent: 14\nNPS: 9\n"


def test_a_template_of_the_users_own_replaces_one_and_leaves_the_others() -> None:
    mine = RecordTemplate(first=("total",), amounts=("total",), labels={"total": "To pay"})
    templates: dict[str, Callable[[SyncedRecord], str]] = {
        "invoices": mine,
        "deals": lambda one: f"Deal {one.id}",
    }
    invoice = record("invoices", name="Crane", total=1200, currency="EUR")
    assert record_text(invoice, templates) == "# Crane\n\nTo pay: 1,200 EUR\n"
    assert record_text(record("deals", name="Arm"), templates) == "Deal r1"
    assert record_text(record("tickets", subject="Stuck"), templates) == "# Stuck\n"
