"""The fields of a story that have begun and not ended, such as a link or a page number."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Field", "Fields"]

# Word nests no more than 20.
_MAX_NESTED = 50


@dataclass
class Field:
    """A field that has begun.

    Attributes:
        code: Its code so far.
        shown: The text in its code, which is shown if the code has no end.
        in_result: Whether its result has begun.
        start: Where its result begins in the paragraph.
    """

    code: str = ""
    shown: list[str] = field(default_factory=list)
    in_result: bool = False
    start: int = 0


@dataclass
class Fields:
    """The fields that have begun, each inside the one before it.

    Attributes:
        begun: The fields.
        open_codes: The number of those whose code goes on: while there are any, text is no text.
    """

    begun: list[Field] = field(default_factory=list)
    open_codes: int = 0
    _too_deep: int = 0

    def begin(self, start: int) -> None:
        """Begins the code of a field."""
        if len(self.begun) >= _MAX_NESTED:
            self._too_deep += 1
            return
        self.begun.append(Field(start=start))
        self.open_codes += 1

    def begin_result(self, start: int) -> None:
        """Ends the code of the innermost field and begins its result."""
        if self._too_deep or not self.begun:
            return
        innermost = self.begun[-1]
        self.open_codes -= not innermost.in_result
        innermost.in_result = True
        innermost.start = start

    def end(self) -> Field | None:
        """Ends the innermost field and returns it."""
        if self._too_deep:
            self._too_deep -= 1
            return None
        if not self.begun:
            return None
        ended = self.begun.pop()
        self.open_codes -= not ended.in_result
        return ended

    def begin_paragraph(self) -> None:
        """Lets the results that go on begin with the paragraph."""
        for each in self.begun:
            each.start = 0

    def hold(self, text: str) -> None:
        """Holds back a text inside a field code until the code ends."""
        for each in reversed(self.begun):
            if not each.in_result:
                each.shown.append(text)
                break

    def held(self) -> str:
        """Returns the text in the codes that have no end in their paragraph."""
        return "".join(text for each in self.begun if not each.in_result for text in each.shown)

    def end_paragraph(self) -> list[Field]:
        """Returns the fields that go on, innermost first.

        A code that goes on after its paragraph has no end: better too much text than none.
        """
        for each in self.begun:
            each.in_result = True
        self.open_codes = 0
        return self.begun[::-1]
