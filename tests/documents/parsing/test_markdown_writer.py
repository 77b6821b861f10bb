"""Markdown is written so that no text looks like structure that it is not."""

from __future__ import annotations

import pytest

from managed_sync.documents.parsing import markdown_writer as markdown


@pytest.mark.parametrize(
    ("text", "target", "written"),
    [
        ("The plan", "https://harbor.example/a(1)", "[The plan](https://harbor.example/a%281%29)"),
        ("Maria [QA]", "mailto:m@harbor.example", "[Maria (QA)](mailto:m@harbor.example)"),
        # Nobody needs the same address twice.
        ("https://harbor.example", "https://harbor.example", "https://harbor.example"),
        ("m@harbor.example", "mailto:m@harbor.example", "m@harbor.example"),
        # These lead nowhere outside of their file, or run code.
        ("Above", "#top", "Above"),
        ("Next", "chapter-2.html", "Next"),
        ("Here", "javascript:alert(1)", "Here"),
        ("Long", "https://harbor.example/" + "x" * 400, "Long"),
        (" ", "https://harbor.example", ""),
    ],
)
def test_a_link_keeps_a_target_that_leads_somewhere(text: str, target: str, written: str) -> None:
    assert markdown.link(text, target) == written
