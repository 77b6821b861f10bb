"""The style check finds vague docstrings, odd headings of promise lists, and bare exceptions."""

from __future__ import annotations

import pytest

from scripts.check_style import problems_in, python_files


@pytest.mark.parametrize("opening", ["What", "Whether", "How", "Where", "Which", "When"])
def test_a_docstring_that_begins_with_a_question_word_is_found(opening: str) -> None:
    source = f'def name() -> str:\n    """{opening} it is called."""\n'
    assert [line for line, _ in problems_in(source)] == [1]


def test_a_docstring_that_begins_with_a_verb_is_fine() -> None:
    assert problems_in('def name() -> str:\n    """Returns the name."""\n') == []


def test_a_list_of_promises_needs_the_heading_and_a_list() -> None:
    assert problems_in('"""A module.\n\nGuarantees:\n\n- Nothing leaks.\n"""\n') == []
    for odd in ("What this module promises:\n\n- One.", "Guarantees:\n    - One."):
        assert [line for line, _ in problems_in(f'"""A module.\n\n{odd}\n"""\n')] == [3]


@pytest.mark.parametrize(
    ("comment", "allowed"),
    [
        ("# noqa: SLF001", False),
        ("# noqa: SLF001 - there is no public name", False),
        ("# noqa: SLF001 - private in langchain-chroma 1.0 to 1.1", True),
        ("# noqa: SLF001 - own class", True),
    ],
)
def test_a_private_name_needs_a_reason_and_versions(comment: str, allowed: bool) -> None:
    assert (problems_in(f"name = store._name  {comment}\n") == []) is allowed


def test_the_package_and_its_programs_are_checked_and_the_sample_company_is_not() -> None:
    names = {path.as_posix() for path in python_files()}
    assert any(name.endswith("managed_sync/errors.py") for name in names)
    assert any(name.endswith("scripts/check_style.py") for name in names)
    assert not any("sample_company/company" in name for name in names)
