from __future__ import annotations

import json

import pytest

from managed_sync.documents import parse
from managed_sync.documents.parsing.parsers.json_text import unescape_json

VALUE = {"标题": "公司年度报告", "name": "Zoë 😀", "n": [1.50, True, None]}
ESCAPED = json.dumps(VALUE)


@pytest.mark.parametrize(
    ("filename", "content_type"),
    [
        ("a.json", "application/octet-stream"),
        ("a.JSONL", "application/octet-stream"),
        ("a.geojson", ""),
        ("", "application/ld+json"),
        ("a", "application/json; charset=utf-8"),
    ],
)
def test_escaped_letters_in_json_are_letters(filename: str, content_type: str) -> None:
    assert r"\u6807\u9898" in ESCAPED

    text = parse(ESCAPED.encode(), content_type=content_type, filename=filename)

    assert json.dumps(VALUE, ensure_ascii=False) in text


def test_each_line_of_json_is_read_by_itself() -> None:
    lines = [ESCAPED, r'{"broken": "\u00e9"', "", '["\\u00e9"]\r']

    read = unescape_json("\n".join(lines))

    assert read.split("\n") == [json.dumps(VALUE, ensure_ascii=False), lines[1], "", '["é"]\r']


@pytest.mark.parametrize(
    "text",
    [
        r'{"a": "\u0022 \u005c \u000a \u0000 \u001f \u007f \u200b \u202e \u2028 \ue000"}',
        r'{"a": "C:\\u00e9 and \\\\u00e9"}',
        r'{"a": "\ud83d and \ude00\ud83d"}',
        r'{"a": "\u00e9",}',
        r'{"a": "\u00e"}',
        r"{'a': '\u00e9'}",
        "[" * 100_000 + r'"\u00e9"' + "]" * 100_000,
    ],
)
def test_everything_else_in_json_stays(text: str) -> None:
    assert unescape_json(text) == text


def test_the_values_stay_the_same() -> None:
    # Each character below U+3000 alone and between others, each kind of escape before it.
    value = [before + chr(code) for code in range(0x3000) for before in ("", "\\", '"', "\n")]
    text = json.dumps(value)

    assert json.loads(unescape_json(text)) == value


def test_a_number_of_any_length_is_valid() -> None:
    assert unescape_json(f'["\\u00e9", {"1" * 10_000}]') == f'["é", {"1" * 10_000}]'


def test_escapes_in_code_stay() -> None:
    source = 'NAME = "\\u00e9"\n'

    assert source in parse(source.encode(), content_type="text/x-python", filename="a.py")
