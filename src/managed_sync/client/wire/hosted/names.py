"""What the hosted service calls relations and subjects."""

from __future__ import annotations

from managed_sync.errors import InvalidIdentifierError
from managed_sync.identifiers import normalize_subject

__all__ = ["hosted_role", "hosted_user", "our_relation"]

_ROLES = {"viewer": "can_read", "editor": "can_write", "owner": "is_owner"}
_RELATIONS = {role: relation for relation, role in _ROLES.items()}


def hosted_role(relation: str) -> str:
    """The service's role for a relation; its own names are understood too.

    Raises:
        InvalidIdentifierError: The service has no such role.
    """
    role = _ROLES.get(relation, relation)
    if role not in _RELATIONS:
        raise InvalidIdentifierError(
            f"The hosted API has no relation {relation!r}; use one of {', '.join(_ROLES)}."
        )
    return role


def our_relation(role: str) -> str:
    """The relation for a role, or any other name as it is."""
    return _RELATIONS.get(role, role)


def hosted_user(subject: str) -> str:
    """The e-mail address that a subject is.

    Raises:
        InvalidIdentifierError: It is a group, or nobody: the service decides about users only.
    """
    user = normalize_subject(subject).removeprefix("user:")
    if not user or ":" in user:
        raise InvalidIdentifierError(
            f"{subject!r} is not a user; the hosted API decides about e-mail addresses, such as "
            f"'alice@example.com'."
        )
    return user
