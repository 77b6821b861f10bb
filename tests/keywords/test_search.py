"""Words, identifiers and scripts are found, and nothing else is."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from managed_sync import KeywordIndex
from managed_sync.documents import Chunk, ChunkPlace
from managed_sync.errors import ConfigurationError, KeywordIndexError


def chunk(key: str, text: str, object_id: str = "", **metadata: str | int) -> Chunk:
    ids = {"chunk_id": key, "object_id": object_id or f"file:{key}", "project_id": "p1"}
    return Chunk(text, {**ids, **metadata})


@pytest.fixture
def keywords(tmp_path: Path) -> KeywordIndex:
    return KeywordIndex(tmp_path / "keywords.db")


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> KeywordIndex:
    keywords = KeywordIndex(tmp_path_factory.mktemp("filled") / "keywords.db")
    keywords.upsert(
        [
            chunk("vpn", "Restart the VPN client. If error 612 stays, call the desk."),
            chunk("card", "Desk: Ana Error, VPN desk, room 12."),
            chunk("incident", "INC-2026-012 was closed: the café robot (see 4.2.1) ran."),
            chunk(
                "mail", "Write to bram.dewit@harbor.example, or read /Board/Minutes_2026-02.pdf."
            ),
            chunk("request", "REQ_12/b asks for C++ and a budget of EUR 11,900."),
            chunk("japanese", "黒猫が倉庫に住んでいます。"),
            chunk("chinese", "请假需要提前两周申请。"),
            chunk("korean", "휴가는 이주 전에 신청해야 합니다."),
            chunk("thai", "พนักงานลาพักร้อนได้ปีละสิบวัน"),
            chunk("german", "Der Müllwagen fährt über die Straße in Łódź."),
            chunk("plan", "It starts in May.", title="Atlas project plan.docx", heading="Dates"),
        ]
    )
    return keywords


@pytest.mark.parametrize(
    ("question", "found"),
    [
        ("What is VPN error 612?", "vpn"),
        ("INC-2026-012", "incident"),
        ("inc 012", "incident"),
        ("section 4.2.1", "incident"),
        ("CAFE ROBOTS", "incident"),
        ("bram.dewit@harbor.example", "mail"),
        ("dewit", "mail"),
        ("harbor.example", "mail"),
        ("Minutes_2026-02.pdf", "mail"),
        ("REQ_12/b", "request"),
        ("REQ_12", "request"),
        ("C++", "request"),
        ("11900", "request"),
        ("猫", "japanese"),
        ("黒猫はどこ？", "japanese"),
        ("请假", "chinese"),
        ("휴가 신청", "korean"),
        ("ลาพักร้อนกี่วัน", "thai"),
        ("mullwagen strasse lodz", "german"),
        ("Mu\u0308llwagen", "german"),
        ("Atlas plan dates", "plan"),
    ],
)
def test_a_chunk_is_found_by_its(filled: KeywordIndex, question: str, found: str) -> None:
    assert filled.search(question, limit=1)[0].chunk_id == found


def test_an_identifier_as_a_whole_comes_before_its_parts(keywords: KeywordIndex) -> None:
    parts = " ".join(f"{number} inc 012 2026 closed" for number in range(20))
    keywords.upsert(
        [
            chunk("parts", parts),
            chunk("other", "INC-2026-013 and 012"),
            chunk("whole", "About INC\u20112026\u2011012 and many other words"),
            *(chunk(f"filler{number}", "Nothing of this.") for number in range(10)),
        ]
    )
    assert keywords.search("INC-2026-012", limit=3)[0].chunk_id == "whole"


@pytest.mark.parametrize(
    "question",
    [
        *("", " ", "?!", "\0", "\ud800", '"', '""', "NEAR(", "NEAR(vpn error)", "text:vpn", "-vpn"),
        *("vpn*", "vpn AND NOT error", "(((", "{vpn error} : x", "^vpn", "+", "a" * 100_000),
        *("vpn " * 50_000, " ".join(f"w{number}" for number in range(5_000)), "\u200b\u00ad\ufeff"),
        "\ue02d\uf8ff",
    ],
)
def test_no_question_is_an_error_or_a_command(filled: KeywordIndex, question: str) -> None:
    has_vpn = "vpn" in question.lower()

    hits = filled.search(question, limit=20)

    assert {hit.chunk_id for hit in hits} == ({"vpn", "card"} if has_vpn else set())


def test_random_questions_are_answered(filled: KeywordIndex) -> None:
    chance = random.Random(7)
    for _ in range(60):
        characters = (
            chr(chance.choice([32, chance.randrange(128), chance.randrange(0x30000)]))
            for _ in range(30)
        )
        filled.search("".join(characters), limit=3)


def test_stop_words_do_not_decide(keywords: KeywordIndex) -> None:
    keywords.upsert(
        [
            chunk(
                "chatty", "Who did what, and when and where did they do it? Who, when, what, how?"
            ),
            chunk("subject", "The retention payment is paid in March."),
            *(chunk(f"filler{number}", "Some text of no interest.") for number in range(10)),
        ]
    )
    assert [hit.chunk_id for hit in keywords.search("When is the retention payment?", 5)] == [
        "subject"
    ]
    assert keywords.search("who and what", 5)[0].chunk_id == "chatty", "it has no other words"


def test_hits_have_the_text_and_the_metadata_as_they_were_written(keywords: KeywordIndex) -> None:
    metadata: dict[str, Any] = {
        "title": "Ünïcode",
        "page": 3,
        "share": 0.5,
        "is_new": True,
        "url": "https://a.b/c",
    }
    written = Chunk("A | B\n\tC\r\n", {"chunk_id": "1", "object_id": "file:1", **metadata})
    keywords.upsert([written])

    (hit,) = keywords.search("unicode", limit=5)

    assert (hit.chunk_id, hit.text, hit.metadata) == ("1", written.text, written.metadata)
    assert [type(value) for value in hit.metadata.values()] == [
        type(value) for value in written.metadata.values()
    ]


def test_objects_restrict_a_search_exactly(keywords: KeywordIndex) -> None:
    keywords.upsert([chunk(f"{n:03}", f"word {n}", f"file:{n % 50}") for n in range(200)])
    many = [f"file:other{number}" for number in range(100_000)]

    def found(objects: list[str] | None) -> list[str]:
        return [hit.chunk_id for hit in keywords.search("word", 300, objects)]

    everything = found(None)
    assert len(everything) == 200
    assert found(["file:7", "file:8"]) == [key for key in everything if int(key) % 50 in {7, 8}]
    assert found(["file:7", *many]) == [key for key in everything if int(key) % 50 == 7]
    assert found([]) == found(["file"]) == found(["file:%"]) == found(["' OR 1=1 --"]) == []
    assert keywords.count_chunks() == 200
    assert keywords.count_chunks(["file:7", *many]) == 4
    assert keywords.count_chunks([]) == 0


def test_equal_scores_are_in_the_order_of_the_ids_whatever_the_history_is(tmp_path: Path) -> None:
    chunks = [chunk(f"{number:03}", "the same word") for number in range(300)]
    orders = []
    for seed in range(2):
        keywords = KeywordIndex(tmp_path / f"{seed}.db")
        random.Random(seed).shuffle(chunks)
        keywords.upsert([chunk("000", "another text"), chunk("x", "word " * seed), *chunks[:20]])
        keywords.upsert(chunks)
        keywords.delete(["x"])
        orders.append(keywords.search("word", limit=7))
    assert orders[0] == orders[1], "scores included"
    assert [hit.chunk_id for hit in orders[0]] == [f"{number:03}" for number in range(7)]


def test_projects_do_not_mix(keywords: KeywordIndex) -> None:
    keywords.upsert([chunk("1", "secret word", "file:1"), chunk("2", "other", "file:2")])
    alone = keywords.search("word", 5)
    keywords.upsert([chunk(f"b{n}", "word " * 9, "file:1", project_id="p2") for n in range(30)])

    assert keywords.search("word", 5, project_id="p1") == alone, "scores included"
    assert keywords.count_chunks(["file:1"], project_id="p1") == 1
    assert keywords.count({"project_id": "p2"}) == 30
    assert keywords.search("word", 5, project_id="unknown") == []
    with pytest.raises(ConfigurationError, match="several projects"):
        keywords.search("word", 5)
    with pytest.raises(ConfigurationError, match="several projects"):
        keywords.neighbors(ChunkPlace("file:1", 0), 1)


def test_chunks_that_name_no_project_belong_to_the_one_that_is_searched(
    keywords: KeywordIndex,
) -> None:
    def unnamed(key: str, text: str, **more: Any) -> Chunk:
        return Chunk(text, {"chunk_id": key, "object_id": "file:1", **more})

    keywords.upsert([unnamed("0", "a word", chunk_index=0), unnamed("1", "no", chunk_index=1)])
    keywords.upsert([chunk(f"a{n}", "word " * (n + 1), "file:1") for n in range(3)])
    assert len(keywords.search("word", 9)) == 4, "one project, and chunks that name none"
    keywords.upsert([chunk(f"b{n}", "word word", "file:1", project_id="p2") for n in range(40)])

    found = keywords.search("word", 9, project_id="p1")

    assert sorted(hit.chunk_id for hit in found) == ["0", "a0", "a1", "a2"]
    assert keywords.search("word", 2, project_id="p1") == found[:2], "a wider search goes on"
    assert [hit.chunk_id for hit in keywords.search("word", 9, ["file:1"], project_id="p3")] == [
        "0"
    ]
    assert keywords.count_chunks(["file:1"], project_id="p1") == 5
    assert [each.chunk_id for each in keywords.neighbors(ChunkPlace("file:1", 0, "p1"), 1)] == ["1"]
    with pytest.raises(ConfigurationError, match="several projects"):
        keywords.search("word", 9)


def test_neighbors_are_of_the_same_text(keywords: KeywordIndex) -> None:
    texts = [chunk(f"m{n}", f"main {n}", "file:1", chunk_index=n, record_id="r1") for n in range(5)]
    part = [
        chunk(f"a{n}", "x", "file:1", chunk_index=n, record_id="r1", part="a") for n in range(5)
    ]
    other = [chunk(f"o{n}", "x", "file:1", chunk_index=n, record_id="r2") for n in range(5)]
    keywords.upsert([*texts, *part, *other, chunk("f", "x", "file:2", chunk_index=1)])

    def ids(chunk_index: int, distance: int, **more: str) -> list[str]:
        found = keywords.neighbors(ChunkPlace("file:1", chunk_index, **more), distance)
        return [each.chunk_id for each in found]

    assert ids(2, 1, record_id="r1") == ["m1", "m3"]
    assert ids(0, 2, record_id="r1") == ["m1", "m2"]
    assert ids(4, 1, record_id="r1", part="a") == ["a3"]
    assert ids(2, 0, record_id="r1") == []


def test_a_number_that_sqlite_cannot_hold_is_that_of_no_neighbor(keywords: KeywordIndex) -> None:
    keywords.upsert([chunk(f"{n}", "word", "file:1", chunk_index=n) for n in (0, 2**63, -(2**70))])

    assert len(keywords.search("word", 5)) == 3
    assert {hit.metadata["chunk_index"] for hit in keywords.search("word", 5)} >= {2**63}
    assert keywords.neighbors(ChunkPlace("file:1", 1), 2**70)[0].chunk_id == "0"
    assert len(keywords.neighbors(ChunkPlace("file:1", 1), 2**70)) == 1


def test_a_search_without_an_index_says_so(keywords: KeywordIndex) -> None:
    with pytest.raises(KeywordIndexError, match=r"no keyword index .*keywords\.db"):
        keywords.search("word", 5)
    assert not keywords.path.exists()
