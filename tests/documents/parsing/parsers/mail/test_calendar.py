"""Calendars and contacts as text that people can read."""

from __future__ import annotations

import pytest

from managed_sync.documents.parsing.parsers.mail.calendar import calendar_text
from managed_sync.documents.parsing.parsers.mail.contacts import contacts_text
from tests.documents.growth import assert_ends, assert_linear
from tests.documents.mails import parsed

EVENT = """BEGIN:VCALENDAR
METHOD:REQUEST
BEGIN:VTIMEZONE
TZID:Europe/Berlin
BEGIN:STANDARD
DTSTART:19701025T030000
RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10
END:STANDARD
END:VTIMEZONE
BEGIN:VEVENT
SUMMARY:Board meeting\\, extra
 ordinary
DTSTART;TZID=Europe/Berlin:20260501T090000
DTEND;TZID=Europe/Berlin:20260501T103000
RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,WE;UNTIL=20261231T000000Z
EXDATE;TZID=Europe/Berlin:20260511T090000,20260525T090000
LOCATION:Room 4\\; second floor
ORGANIZER;CN="Byron, Ada":mailto:ada@x.example
ATTENDEE;CN=Grace;PARTSTAT=ACCEPTED:MAILTO:grace@x.example
ATTENDEE:mailto:bob@x.example
DESCRIPTION:First line.\\nSecond line.
BEGIN:VALARM
DESCRIPTION:Reminder
END:VALARM
END:VEVENT
END:VCALENDAR
"""


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_an_event_says_when_where_who_and_why(ending: str) -> None:
    assert calendar_text(EVENT.replace("\n", ending)) == (
        "# Board meeting, extraordinary\n\n"
        "When: 2026-05-01 09:00 to 10:30 Europe/Berlin\n"
        "Repeats: every 2 weeks on Monday, Wednesday, until 2026-12-31 00:00 UTC\n"
        "Except: 2026-05-11 09:00 Europe/Berlin, 2026-05-25 09:00 Europe/Berlin\n"
        "Where: Room 4; second floor\n"
        "Organizer: Byron, Ada <ada@x.example>\n"
        "Attendees: Grace <grace@x.example>, bob@x.example\n\n"
        "First line.\nSecond line."
    )


@pytest.mark.parametrize(
    ("lines", "when"),
    [
        ("DTSTART;VALUE=DATE:20260501\nDTEND;VALUE=DATE:20260502", "2026-05-01"),
        ("DTSTART;VALUE=DATE:20260501\nDTEND;VALUE=DATE:20260504", "2026-05-01 to 2026-05-03"),
        (
            "DTSTART:20260501T090000Z\nDURATION:PT1H30M",
            "2026-05-01 09:00 UTC, for 1 hour 30 minutes",
        ),
        (
            "DTSTART:20260501T220000Z\nDTEND:20260502T010000Z",
            "2026-05-01 22:00 UTC to 2026-05-02 01:00 UTC",
        ),
        ("DTSTART:someday", "someday"),
    ],
)
def test_times_are_written_as_people_write_them(lines: str, when: str) -> None:
    assert calendar_text(f"BEGIN:VEVENT\n{lines}\nEND:VEVENT") == f"When: {when}"


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ("FREQ=DAILY;COUNT=10", "every day, 10 times"),
        ("FREQ=MONTHLY;BYDAY=-1FR", "every month on the last Friday"),
        ("FREQ=MONTHLY;BYMONTHDAY=1,15", "every month on day 1, 15 of the month"),
        ("FREQ=YEARLY;BYMONTH=3;BYDAY=2SU", "every year on the second Sunday in March"),
        ("nonsense", "nonsense"),
    ],
)
def test_repetitions_are_words(rule: str, text: str) -> None:
    event = f"BEGIN:VEVENT\nRRULE:{rule}\nEND:VEVENT"

    assert calendar_text(event) == f"Repeats: {text}"


def test_tasks_and_canceled_events_say_so() -> None:
    text = calendar_text(
        "BEGIN:VCALENDAR\nMETHOD:CANCEL\nBEGIN:VTODO\nSUMMARY:Pay\nDUE:20260501\nEND:VTODO\n"
        "END:VCALENDAR"
    )

    assert text == "# Pay\n\nCanceled\nDue: 2026-05-01"


def test_an_unfinished_calendar_is_read_as_far_as_it_goes() -> None:
    assert calendar_text("BEGIN:VCALENDAR\nBEGIN:VEVENT\nSUMMARY:Cut off") == "# Cut off"


def test_a_calendar_without_events_is_a_text() -> None:
    text = "BEGIN:VCALENDAR\nBEGIN:VTIMEZONE\nTZID:Europe/Berlin\nEND:VTIMEZONE\nEND:VCALENDAR"

    assert calendar_text(text) == text


CONTACT = """BEGIN:VCARD
VERSION:3.0
FN:Ada Byron
N:Byron;Ada;;;
ORG:Analytical Engines;Programs
TITLE:Programmer
EMAIL;TYPE=INTERNET,WORK:ada@x.example
item1.TEL;TYPE="cell,voice":+44 1
ADR;TYPE=home:;;12 St James\\, Sq;London;;SW1;UK
PHOTO;ENCODING=b;TYPE=JPEG:/9j/4AAQSkZJRg
 ABAQAAAQABAAD
NOTE:First\\nSecond
END:VCARD
"""


def test_a_contact_is_a_heading_and_its_facts() -> None:
    assert contacts_text(CONTACT) == (
        "# Ada Byron\n\nOrganization: Analytical Engines, Programs\nJob title: Programmer\n"
        "Email (work): ada@x.example\nPhone (cell): +44 1\n"
        "Address (home): 12 St James, Sq, London, SW1, UK\nNote: First\nSecond"
    )


def test_a_contact_of_the_old_version_is_read() -> None:
    text = contacts_text(
        "BEGIN:VCARD\r\nVERSION:2.1\r\n"
        "N;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:M=C3=BCller;J=C3=B6rg\r\n"
        "TEL;HOME;FAX:1\r\n"
        "NOTE;ENCODING=QUOTED-PRINTABLE:one =\r\ntwo=0D=0Athree\r\nEND:VCARD\r\n"
    )

    assert text == "# Jörg Müller\n\nPhone (home, fax): 1\nNote: one two\nthree"


def test_all_contacts_of_a_file_are_read() -> None:
    assert parsed(f"{CONTACT}{CONTACT}".encode(), "all.vcf").count("# Ada Byron") == 2


@pytest.mark.parametrize(
    ("start", "unit", "end"),
    [
        ("", "BEGIN:VCALENDAR\n", ""),
        ("BEGIN:VEVENT\nSUMMARY:", "\n a", ""),
        ("A", ';P="', ""),
        ("A", ";P=b", ":x"),
        ("", "NOTE;ENCODING=QUOTED-PRINTABLE:=\n", ""),
        ("BEGIN:VEVENT\n", "SUMMARY:a\nEND:VEVENT\nBEGIN:VEVENT\n", ""),
    ],
    ids=["nested", "folded", "quotes", "parameters", "quoted", "events"],
)
def test_hostile_lines_take_little_time(start: str, unit: str, end: str) -> None:
    def read(times: int) -> None:
        calendar_text(start + unit * times + end)
        contacts_text(start + unit * times + end)

    assert_linear(read, 500)
    assert_ends(lambda: read(200_000 // len(unit)))
