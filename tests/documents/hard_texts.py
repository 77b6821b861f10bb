"""Random texts with everything that makes them hard to cut, in several scripts."""

from __future__ import annotations

from hypothesis import strategies as st

__all__ = ["texts"]

WORDS = [
    *["robot", "arm", "Sensor,", "calibrates.", "moves!", "weekly?", "42.5", "1234567", "it's"],
    *["naïve", "Größe", "e\u0301te\u0301", "a\u0300\u0316\u0301", "İstanbul", "don’t", "WE'LL"],
    *["робот", "двигается.", "机器人每天工作。", "ロボットは動く。", "로봇이", "工", "、"],
    *["الروبوت", "مرحبا،", "הרובוט", "שָׁלוֹם.", "หุ่นยนต์ทำงานทุกวัน", "नमस्ते"],
    *["🤖", "👩\u200d🔧", "🇳🇱", "👍🏽", "\ud83d", "\udc00", "\x00", "\ufeff", "\u200b"],
    *["<|endoftext|>", "-", "|", "#", "```", "/", "//path/to", "(x);", "'", '."', ")]", "_a_", "…"],
    *["an-unbelievably-long-word-that-is-hyphenated", "x" * 90, "ab" * 40, "1" * 50, "=" * 40],
    "\n\n| a | b |\n| --- | --- |\n| 1 | two words |\n| 2. | é |\n\n",
    "\n\n```py\ndef f(x):\n    return x\n\n\nprint(f(1))\n```\n\n",
    "\n~~~\nunclosed",
]
GAPS = [
    *[" "] * 5,
    *[
        "",
        "",
        "  ",
        "\t",
        "\n",
        "\r\n",
        "\n\n",
        " \n \n  ",
        "\n   ",
        "\n/",
        "\n\n\n",
        "\u00a0",
        "\u3000",
    ],
    *["\u2028", "\x1c", "\x85", "\v", "\r", "\n\n## Part\n\n", "\n# Top\n", "\f", "\n\f# Page\n"],
    *["\n- ", "\n12. ", "\n> ", "\n```\n", ".\n\n", ". ", "!\n"],
]
any_word = st.sampled_from(WORDS) | st.text(min_size=1, max_size=12)
texts = st.lists(st.tuples(any_word, st.sampled_from(GAPS)), max_size=120).map(
    lambda pairs: "".join(word + gap for word, gap in pairs)
)
