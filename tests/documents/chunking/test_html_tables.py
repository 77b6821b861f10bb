from __future__ import annotations

from managed_sync.documents.chunking.html_tables import MOST_CHARACTERS, small_tables_html

TABLE = "| City | Limit |\n| --- | --- |\n| Oslo \\| Bergen | < 200 |\n"


def test_a_table_becomes_html_with_its_header_and_its_characters() -> None:
    assert small_tables_html(f"# Travel\n\n{TABLE}\nEnd.") == (
        "<table><tr><th>City</th><th>Limit</th></tr>"
        "<tr><td>Oslo | Bergen</td><td>&lt; 200</td></tr></table>"
    )


def test_several_tables_follow_each_other() -> None:
    assert small_tables_html(f"{TABLE}\n{TABLE}").count("<table>") == 2


def test_there_is_nothing_where_there_is_no_table_or_where_it_is_code() -> None:
    assert small_tables_html("a | b\n\n| c |\n") == ""
    assert small_tables_html(f"```\n{TABLE}```\n") == ""


def test_large_tables_stay_in_the_text_alone() -> None:
    assert small_tables_html(TABLE + "| Rome | 100 |\n" * MOST_CHARACTERS) == ""
