"""The boundary between a checker's project and others whose chunks are in the same store.

Object ids are unique in one project only, so the Permissions API of one project says nothing about
the chunks of another.

Guarantees:

- A chunk that names another project than the checker's is never checked and never returned.
- A chunk that names no project is returned only by a checker whose ``project_id`` was not given.
- A checker that knows no project returns nothing from a result that holds chunks of several.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from managed_sync.errors import ConfigurationError

__all__ = ["ProjectBoundary"]


@dataclass(slots=True)
class ProjectBoundary:
    """Tells the chunks of one project from those of others, throughout one retrieval.

    Attributes:
        project_id: The checker's project; ``None`` if it knows none.
        is_strict: Whether a chunk must name its project.
    """

    project_id: str | None
    is_strict: bool
    _named: set[str] = field(default_factory=set)

    def is_inside(self, project_id: object) -> bool:
        """Returns whether a chunk whose metadata has this ``project_id`` is of the project.

        Raises:
            ConfigurationError: The checker knows no project, and chunks of two were found.
        """
        if project_id is None or project_id == "":
            return not self.is_strict
        if self.project_id is not None:
            return project_id == self.project_id
        self._named.add(str(project_id))
        if len(self._named) > 1:
            raise ConfigurationError(
                "The store holds chunks of several projects, and the checker knows no project: "
                "their object ids could be equal. Pass AccessChecker(..., project_id=...)."
            )
        return True
