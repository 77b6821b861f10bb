"""Random changes of a fake source."""

from __future__ import annotations

import random

from tests.support.record_source import ChangingSource

_WORDS = ["red", "green", "blue", "gray", "black"]


def change(source: ChangingSource, chance: random.Random) -> None:
    """Adds, edits, deletes, renames and moves."""
    for _ in range(chance.randint(1, 8)):
        # What changed last changes soonest again: a run that was killed has hardly begun with it.
        by_age = sorted(source.files, key=lambda name: source.files[name].changed_at)
        names = by_age[-10:] if chance.random() < 0.7 else by_age
        match chance.choice(["add", "edit", "edit", "delete", "rename", "move"]):
            case "add":
                source.write(f"r{source.clock:05}", random_text(chance))
            case "edit" if names:
                source.write(name := chance.choice(names), _edited(source, name, chance))
            case "delete" if len(by_age) > 40:
                del source.files[chance.choice(names)]
            case "rename" if names:
                old = chance.choice(names)
                source.files[f"r{source.clock:05}-new"] = source.files.pop(old)
                source.touch(f"r{source.clock:05}-new")
            case "move" if names:
                source.move(chance.choice(names), chance.choice("abc"))


def random_text(chance: random.Random) -> str:
    paragraphs = (chance.choices(_WORDS, k=chance.randint(1, 18)) for _ in range(6))
    return "\n\n".join(" ".join(words) for words in paragraphs)


def _edited(source: ChangingSource, name: str, chance: random.Random) -> str:
    paragraphs = source.files[name].text.split("\n\n")
    paragraphs[chance.randrange(len(paragraphs))] = " ".join(chance.choices(_WORDS, k=12))
    return "\n\n".join(paragraphs)
