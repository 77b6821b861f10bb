from __future__ import annotations

from managed_sync.documents.parsing.parsers.pdf_layout import pages_to_markdown

FULL = "The gripper is inspected every week by the person who runs the cell and who signs the"


def one(*lines: str, **headings: int) -> list[str]:
    levels = {name.replace("_", " "): level for name, level in headings.items()}
    return pages_to_markdown(["\n".join(lines)], [levels]).split("\n\n")


def test_lines_of_a_paragraph_are_put_together_and_paragraphs_kept_apart() -> None:
    assert one(FULL, "form for it.", FULL, "book.") == [f"{FULL} form for it.", f"{FULL} book."]


def test_the_first_line_is_the_title_unless_it_is_a_sentence() -> None:
    assert one("Inspection", FULL)[0] == "# Inspection"
    assert one("It stops.", FULL)[0] == "It stops."


def test_a_numbered_title_is_a_heading_by_its_depth() -> None:
    blocks = one("Report", FULL, "end.", "2. Limits", FULL, "end.", "2.1 Speed", FULL, "end.")
    assert [block for block in blocks if block.startswith("#")] == [
        "# Report",
        "## 2. Limits",
        "### 2.1 Speed",
    ]


def test_the_items_of_a_numbered_list_are_no_headings() -> None:
    blocks = one("Report", FULL, "end.", "1. Open the door", "2. Press the button", FULL, "end.")
    assert not [block for block in blocks[1:] if block.startswith("#")]


def test_a_guessed_heading_is_believed_unless_it_reads_like_text() -> None:
    assert one("Report", "Limits", FULL, "end.", Limits=2)[1] == "## Limits"
    assert one("Report", FULL, "the register.", FULL, **{"the_register.": 2})[1].startswith(FULL)


def test_a_bullet_begins_a_list_item_that_goes_on_until_a_line_ends_on_purpose() -> None:
    assert one("Report", f"• {FULL}", "book", "• Second", FULL)[1] == f"- {FULL} book\n- Second"


def test_rows_of_a_table_stay_lines() -> None:
    assert one("Report", FULL, "end.", "Name Value", "Arm 1", "Hand 2")[-1] == (
        "Name Value\nArm 1\nHand 2"
    )


def test_a_header_that_stands_on_every_page_is_kept_once_and_is_no_heading() -> None:
    pages = [f"Harbor Robotics - page {number}\n{FULL}\nend." for number in (1, 2, 3)]
    guessed = [{f"Harbor Robotics - page {number}": 1} for number in (1, 2, 3)]
    text = pages_to_markdown(pages, guessed)
    assert text.count("Harbor Robotics") == 1
    assert "# Harbor" not in text
    assert text.count("\f") == 2


def test_pages_that_are_alike_lose_nothing() -> None:
    page = f"{FULL}\n{FULL}\nend."
    assert pages_to_markdown([page, page, page], [{}, {}, {}]).count(FULL) == 6


def test_a_line_that_looks_like_markup_is_escaped() -> None:
    assert one("Report", FULL, "end.", "# of parts")[-1] == "\\# of parts"


def test_a_page_without_text_is_still_a_page() -> None:
    assert pages_to_markdown([FULL, "", FULL], [{}, {}, {}]).count("\f") == 2


def test_a_title_that_goes_on_on_the_next_line_is_one_heading() -> None:
    title = "INC-2026-012: charging dock overheating at Baltic"
    pages = [f"{title}\nFreight\n{FULL}\nend."]
    text = pages_to_markdown(pages, [{f"{title}\nFreight": 1}])
    assert text.startswith(f"# {title} Freight\n\n{FULL}")


def test_a_short_line_and_what_stands_below_it_are_not_one_heading() -> None:
    pages = [f"Report\n{FULL}\nend.\nAction Owner\nRecall Anouk\nend."]
    text = pages_to_markdown(pages, [{"Action Owner\nRecall Anouk": 2}])
    assert "Action Owner Recall" not in text
