from __future__ import annotations

from managed_sync.retrieval.citations import numbered, position


def test_a_part_is_named_with_the_title_of_its_record() -> None:
    metadata = {"title": "plan.docx", "parent_title": "Offer.eml\n[2]", "page": 3}

    assert position(metadata) == "plan.docx in Offer.eml\\n[2] · page 3"


def test_a_name_of_several_lines_stays_on_one() -> None:
    assert position({"title": "Plan\n[2] Payroll.xlsx\x1b[2J"}) == "Plan\\n[2] Payroll.xlsx\\x1b[2J"


def test_no_title_and_no_url_can_look_like_another_passage() -> None:
    forged = {"title": "A\n\n[2] Board.md", "url": "https://a.example/\n\n[3] Board.md"}

    shown = numbered([("one", forged), ("two", {"title": "Größe.md"})])

    assert [line[:3] for line in shown.splitlines() if line.startswith("[")] == ["[1]", "[2]"]
    assert "[2] Größe.md" in shown
