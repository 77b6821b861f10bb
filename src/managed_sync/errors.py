"""Every error this package raises, in one tree.

    ManagedSyncError
    ├── ConfigurationError              a setting is missing or invalid
    │   ├── MissingExtraError           an optional dependency is not installed
    │   ├── PortInUseError              another program listens on the port
    │   └── StateInUseError             another server works with the same state
    ├── InvalidIdentifierError          an object id or subject that cannot be read
    ├── MissingSubjectError             a retrieval without a user to check
    ├── ApiError                        the Managed Sync API could not be used
    │   ├── CredentialsError            the token callable failed
    │   ├── ApiConnectionError          no connection, or it broke
    │   │   └── ApiTimeoutError         no response in time
    │   ├── ApiStatusError              a response with an error status
    │   │   ├── BadRequestError         400, 413, 422
    │   │   ├── AuthenticationError     401
    │   │   ├── ForbiddenError          403
    │   │   ├── NotFoundError           404
    │   │   ├── RateLimitError          429
    │   │   └── ServerError             5xx
    │   └── ResponseFormatError         a response that violates the specification
    │       ├── IncompleteResponseError a response that ends too early
    │       └── MalformedRecordsError   a listing with malformed records
    ├── AccessCheckError                an access check without a trustworthy decision
    ├── IncompleteRetrievalError        a retrieval that may have missed passages
    ├── KeywordSearchError              a keyword index that could not be searched
    ├── StoreSearchError                a store or retriever that could not be searched
    ├── RerankingError                  a reranker that returned no order of the passages
    ├── EmbeddingError                  a question without a vector to search with
    ├── DocumentError                   one record could not become a document
    │   ├── EmptyContentError           nothing to read in it
    │   ├── ContentTooLargeError        more bytes than the limit
    │   └── ParsingError                bytes that no parser could read
    │       └── NotTextError            an image, audio or video file
    ├── SyncFailedError                 a pipeline's last sync failed, or did not end in time
    ├── IndexingError                   the index could not be updated
    │   ├── IndexLockedError            another run works on the same pipeline
    │   ├── KeywordIndexError           the keyword index could not be read or written
    │   ├── DeletionsWithheldError      the listing lacks suspiciously many records
    │   ├── AnotherUserError            the index was built with another user's token
    │   └── SettingsChangedError        the index was built with other settings
    └── SourceError                     the embedded server's source folder
        └── PermissionsFileError        permissions.yaml is missing or malformed

A message says what happened, to what, and what to do. No message contains a token or a key.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from managed_sync.indexing.report import IndexReport
    from managed_sync.models import MalformedRecord
    from managed_sync.retrieval.report import RetrievalReport


class ManagedSyncError(Exception):
    """Root of all errors of this package."""


class ConfigurationError(ManagedSyncError):
    """A setting is missing or invalid; the message names it and what it must be."""


class MissingExtraError(ConfigurationError):
    """An optional dependency is not installed.

    Args:
        feature: The feature that needs it, as the start of a sentence.
        extra: The extra of this package that installs the dependency.
    """

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(f"{feature} needs an extra: pip install 'managed-sync[{extra}]'")
        self.feature = feature
        self.extra = extra


class PortInUseError(ConfigurationError):
    """Another program listens on the embedded server's port."""


class StateInUseError(ConfigurationError):
    """Another server works with the same state folder or database."""


class InvalidIdentifierError(ManagedSyncError, ValueError):
    """An object id or a subject is empty, or does not have the form that the API uses."""


class MissingSubjectError(ManagedSyncError):
    """A retrieval has no subject.

    Nothing is returned without a user: pass ``subject=``, set
    ``config={"configurable": {"subject": ...}}``, or wrap the call in ``acting_as(...)``.
    """

    def __init__(self, reason: str = "No subject") -> None:
        super().__init__(
            f"{reason}: name the user with for_subject('user@example.com'), "
            "subject='user@example.com', config={'configurable': {'subject': ...}}, or "
            "acting_as('user@example.com') in the same thread or task. A retriever around this one "
            "may drop subject= and config: bind its parts with for_subject(), or use acting_as()."
        )


class ApiError(ManagedSyncError):
    """The base of all errors of requests to the Managed Sync API.

    Attributes:
        status: The HTTP status code of the response, if there was one.
        request_id: The id of the request in the API's own log, if the response has it.
        excerpt: The start of the response's body, without the token. It may contain data of users,
            so a message repeats it only if the API wrote it to explain an error.
        is_of_one_record: ``True`` if the error says nothing about other records: the content of one
            record broke off, or the host that serves it failed.
    """

    is_of_one_record = False

    def __init__(
        self,
        message: str = "",
        *,
        status: int | None = None,
        request_id: str | None = None,
        excerpt: str = "",
    ) -> None:
        super().__init__(message)
        self.status = status
        self.request_id = request_id
        self.excerpt = excerpt


class CredentialsError(ApiError):
    """The token callable failed, or did not return a token."""


class ApiConnectionError(ApiError):
    """The API could not be reached, or the connection broke before the response was complete.

    Attributes:
        nothing_sent: ``True`` if the API certainly received nothing of the request.
        is_lasting: ``True`` if a retry is useless, for example with an untrusted certificate.
        was_closed_meanwhile: ``True`` if the API closed a connection kept from an earlier request
            while this request was sent.
    """

    def __init__(
        self,
        message: str = "",
        *,
        nothing_sent: bool = False,
        is_lasting: bool = False,
        was_closed_meanwhile: bool = False,
    ) -> None:
        super().__init__(message)
        self.nothing_sent = nothing_sent
        self.is_lasting = is_lasting
        self.was_closed_meanwhile = was_closed_meanwhile


class ApiTimeoutError(ApiConnectionError):
    """The API did not respond in time."""


class ApiStatusError(ApiError):
    """The API returned an error status.

    Attributes:
        retry_after: The seconds that the API asks to wait before a retry, if it does.
    """

    status: int

    def __init__(
        self,
        message: str,
        *,
        status: int,
        request_id: str | None = None,
        excerpt: str = "",
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, status=status, request_id=request_id, excerpt=excerpt)
        self.retry_after = retry_after


class BadRequestError(ApiStatusError):
    """The API refused the request as malformed or too large (400, 413, 422)."""


class AuthenticationError(ApiStatusError):
    """The token is missing, malformed, expired, or signed with another key (401)."""


class ForbiddenError(ApiStatusError):
    """The token is valid, but not for this project (403)."""


class NotFoundError(ApiStatusError):
    """The record, pipeline or project does not exist (404).

    Attributes:
        is_from_api: ``False`` if the response is not a JSON object, as the API's own is. A proxy or
            another server may have written it, so it says nothing about the record.
        detail: The explanation in the response, if it has one.
    """

    is_from_api = True
    detail = ""


class RateLimitError(ApiStatusError):
    """Too many requests (429)."""


class ServerError(ApiStatusError):
    """The API failed (5xx)."""


class ResponseFormatError(ApiError):
    """The API returned a response that violates the specification."""


class IncompleteResponseError(ResponseFormatError):
    """The response ends too early: its JSON is cut off, or its body is shorter than announced."""


class MalformedRecordsError(ResponseFormatError):
    """A listing contains malformed records; all others were yielded.

    Attributes:
        malformed: The malformed records, with reasons.
    """

    def __init__(self, message: str = "", *, malformed: Iterable[MalformedRecord] = ()) -> None:
        super().__init__(message)
        self.malformed = tuple(malformed)


class AccessCheckError(ManagedSyncError):
    """Some access checks have no decision.

    If you catch this error, treat every undecided object as forbidden.

    Attributes:
        undecided: The ids of the objects without a decision.
    """

    def __init__(self, message: str, *, undecided: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.undecided = tuple(undecided)


class IncompleteRetrievalError(ManagedSyncError):
    """A retrieval may have missed passages, and its retriever has ``raise_if_incomplete=True``.

    Attributes:
        report: The report of the retrieval; see ``RetrievalReport``.
    """

    def __init__(self, report: RetrievalReport, description: str = "") -> None:
        super().__init__(
            f"{description or report.described()} Remove the cause, or pass "
            f"raise_if_incomplete=False."
        )
        self.report = report


class KeywordSearchError(ManagedSyncError):
    """A keyword index could not be searched, so there is no fused ranking; nothing is returned."""


class StoreSearchError(ManagedSyncError):
    """A vector store or another retriever could not be searched; nothing is returned.

    Attributes:
        error_type: The class of its own error, which is not kept: it may hold texts of passages.
    """

    error_type: type[Exception] = Exception


class RerankingError(ManagedSyncError):
    """A reranker returned something else than an order of the passages; nothing is returned."""


class EmbeddingError(ManagedSyncError):
    """The embedding model failed, or returned a vector that cannot be used."""


class DocumentError(ManagedSyncError):
    """One record could not become a document; the others are not affected."""


class EmptyContentError(DocumentError):
    """The file has no bytes, or no text."""


class ContentTooLargeError(DocumentError):
    """The file is larger than the limit for one file.

    Attributes:
        status: The HTTP status code of the response with the file, if there was one.
        request_id: The id of the request in the API's own log, if the response has it.
        excerpt: Always empty, since a file does not explain an error.
    """

    excerpt = ""

    def __init__(
        self, message: str = "", *, status: int | None = None, request_id: str | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.request_id = request_id


class ParsingError(DocumentError):
    """No parser could read the file: it is damaged, encrypted, or of another type than declared."""


class NotTextError(ParsingError):
    """The file is an image, audio or video file, which contains no text."""


class SyncFailedError(ManagedSyncError):
    """A pipeline's last sync failed or did not end in time: its records may be out of date."""


class IndexingError(ManagedSyncError):
    """The index could not be updated; its previous content is still there."""


class IndexLockedError(IndexingError):
    """Another run works on the same pipeline; the message says which."""


class KeywordIndexError(IndexingError):
    """The keyword index is missing, or could not be read or written."""


class DeletionsWithheldError(IndexingError):
    """A listing lacks so many indexed records that it may be wrong.

    Everything else was updated, and nothing was deleted. If the records really are gone, run once
    with ``allow_deletions=True``, or ``--allow-deletions`` on the command line.

    Attributes:
        count: The number of records that would be deleted.
        titles: The titles of some of them.
        report: The report of the run until it stopped; see ``IndexReport``.
    """

    def __init__(
        self, pipeline: str, *, count: int, known: int, titles: Iterable[str], report: IndexReport
    ) -> None:
        self.count = count
        self.titles = tuple(titles)
        self.report = report
        super().__init__(
            f"The API's listing of {pipeline} lacks {count:,} of the {known:,} indexed records, "
            f"such as {', '.join(self.titles)}. Nothing was deleted. If they really are gone, run "
            f"once with allow_deletions=True (--allow-deletions)."
        )


class AnotherUserError(IndexingError):
    """The index was built with the token of another connected user.

    This user may see other records, so the first user's would seem to be gone. Use a token of the
    first user or another ledger, or run once with ``rebuild=True``.
    """

    def __init__(self, pipeline: str, *, before: str, now: str) -> None:
        super().__init__(
            f"The index of {pipeline} was built as the connected user {before!r}, but this client "
            f"is {now!r}, who may see other records. Nothing was changed. Use a token of "
            f"{before!r} or another ledger, or run once with rebuild=True (--rebuild)."
        )


class SettingsChangedError(IndexingError):
    """The index was built with another parser, chunker or embedding model.

    Old and new chunks would not fit together. Go back to the old settings, or run once with
    ``rebuild=True``, or ``--rebuild`` on the command line, to index every record again.
    """


class SourceError(ManagedSyncError):
    """The folder that the embedded server serves cannot be used."""


class PermissionsFileError(SourceError):
    """``permissions.yaml`` is missing or malformed; the message names the file and the line."""
