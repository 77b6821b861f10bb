"""The fields of a story that have begun and not ended, such as a link or a page number."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Field", "Fields"]

# Word nests no more than 20.
_MAX_NESTED = 50


@dataclass
class Field:
    """A field that has begun: its code so far, and where its result begins in the paragraph."""

    code: str = ""
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

    def end_paragraph(self) -> list[Field]:
        """Returns the fields that go on, innermost first.

        A code that goes on after its paragraph has no end: better too much text than none.
        """
        for each in self.begun:
            each.in_result = True
        self.open_codes = 0
        return self.begun[::-1]
