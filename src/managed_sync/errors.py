"""Every error this package raises, in one tree.

    ManagedSyncError
    ├── ConfigurationError              a setting is missing or makes no sense
    │   ├── MissingExtraError           an optional dependency is not installed
    │   ├── PortInUseError              another program listens on the port
    │   └── StateInUseError             another server works with the same state
    ├── InvalidIdentifierError          an object id or subject that cannot be read
    ├── MissingSubjectError             a retrieval without a user to check
    ├── ApiError                        the Managed Sync API could not be used
    │   ├── CredentialsError            no token to send, because its callable failed
    │   ├── ApiConnectionError          no connection, or it broke
    │   │   └── ApiTimeoutError         no answer in time
    │   ├── ApiStatusError              an answer with an error status
    │   │   ├── BadRequestError         400, 413, 422
    │   │   ├── AuthenticationError     401
    │   │   ├── ForbiddenError          403
    │   │   ├── NotFoundError           404
    │   │   ├── RateLimitError          429
    │   │   └── ServerError             5xx
    │   └── ResponseFormatError         an answer that is not what the specification says
    │       ├── IncompleteResponseError an answer that ends too early
    │       └── MalformedRecordsError   a listing with records that cannot be read
    ├── AccessCheckError                a permission question without a trustworthy answer
    ├── IncompleteRetrievalError        a result that may not be the best there is
    ├── EmbeddingError                  a question's vector that nothing can be searched by
    ├── DocumentError                   one record could not become a document
    │   ├── EmptyContentError           nothing to read in it
    │   ├── ContentTooLargeError        more bytes than the limit
    │   └── ParsingError                bytes that no parser could read
    │       └── NotTextError            a picture, a sound or a film
    ├── SyncFailedError                 a pipeline's last sync failed, or did not end in time
    ├── IndexingError                   the index could not be brought up to date
    │   ├── IndexLockedError            another run works on the same pipeline
    │   ├── DeletionsWithheldError      the listing lacks more records than seems right
    │   ├── AnotherUserError            the index was made with another user's token
    │   └── SettingsChangedError        the index was built with other settings
    └── SourceError                     the embedded server's source folder
        └── PermissionsFileError        permissions.yaml is missing or malformed

Messages say what happened, name the thing, and say what to do. None holds a token or a key.
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
    """A setting is missing or makes no sense; the message names it and a value that would work."""


class MissingExtraError(ConfigurationError):
    """An optional dependency is needed here and not installed.

    Args:
        feature: What the caller wanted, as the start of a sentence.
        extra: The extra of this package that brings the dependency.
    """

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(f"{feature} needs an extra: pip install 'managed-sync[{extra}]'")
        self.feature = feature
        self.extra = extra


class PortInUseError(ConfigurationError):
    """Another program listens on the port that the embedded server was told to use."""


class StateInUseError(ConfigurationError):
    """Another server works with the same state folder or database."""


class InvalidIdentifierError(ManagedSyncError, ValueError):
    """An object id or a subject is empty or not of the form the API uses."""


class MissingSubjectError(ManagedSyncError):
    """A retrieval was asked for without saying for whom.

    Nothing is returned without a user: pass ``subject=``, put it into
    ``config={"configurable": {"subject": ...}}``, or wrap the call in ``acting_as(...)``.
    """

    def __init__(self, reason: str = "No subject") -> None:
        super().__init__(
            f"{reason}: say for whom to retrieve, with for_subject('user@example.com'), "
            "subject='user@example.com', config={'configurable': {'subject': ...}}, or inside "
            "acting_as('user@example.com') in the same thread or task."
        )


class ApiError(ManagedSyncError):
    """The Managed Sync API could not be used: the base of all that goes wrong on the wire.

    Attributes:
        status: The HTTP status code of the answer, if there was one.
        request_id: What the API calls the request in its own log, if it says so.
        excerpt: The start of the answer's body, without the token. It may hold data of users, which
            is why no message repeats it unless the API wrote it to explain an error.
        is_of_one_record: Whether it says nothing of other records: the content of one broke off, or
            the host to which the API sends for it failed.
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
    """The callable that gives the token failed, or gave something that is no token."""


class ApiConnectionError(ApiError):
    """The API could not be reached, or the connection broke before the answer was whole.

    Attributes:
        nothing_sent: Whether it is certain that the API received nothing of the request.
        is_lasting: Whether trying again is of no use, as with a certificate that is not trusted.
        was_closed_meanwhile: Whether the connection was kept from an earlier request, and the API
            closed it as this one went out.
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
    """The API did not answer in time."""


class ApiStatusError(ApiError):
    """The API answered with an error status.

    Attributes:
        retry_after: The seconds after which the API wants to be asked again, if it says so.
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
    """The token is good, but not for this project (403)."""


class NotFoundError(ApiStatusError):
    """There is no such record, pipeline or project (404).

    Attributes:
        is_from_api: ``False`` if the answer was no JSON object, as the API's own is: a proxy or
            another server may have written it, and it says nothing of the record.
    """

    is_from_api = True


class RateLimitError(ApiStatusError):
    """Too many requests (429)."""


class ServerError(ApiStatusError):
    """The API failed (5xx)."""


class ResponseFormatError(ApiError):
    """The API answered with something that the specification does not allow."""


class IncompleteResponseError(ResponseFormatError):
    """The answer ends too early: its JSON breaks off, or its body is not as long as announced."""


class MalformedRecordsError(ResponseFormatError):
    """A listing has records that cannot be read; all others were handed out.

    Attributes:
        malformed: What cannot be read, with the reasons.
    """

    def __init__(self, message: str = "", *, malformed: Iterable[MalformedRecord] = ()) -> None:
        super().__init__(message)
        self.malformed = tuple(malformed)


class AccessCheckError(ManagedSyncError):
    """Whether a subject may read some objects could not be decided.

    Nothing is guessed: whoever catches this must treat every undecided object as forbidden.

    Attributes:
        undecided: The object ids without a decision.
    """

    def __init__(self, message: str, *, undecided: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.undecided = tuple(undecided)


class IncompleteRetrievalError(ManagedSyncError):
    """A retrieval may have missed passages, and its retriever was told to raise then.

    Attributes:
        report: What the retrieval did; see ``RetrievalReport``.
    """

    def __init__(self, report: RetrievalReport) -> None:
        super().__init__(
            f"The search may have missed passages: {'; '.join(report.doubts)}. It returned "
            f"{report.returned} after looking at {report.candidates}. Remove the cause, or pass "
            f"raise_if_incomplete=False."
        )
        self.report = report


class EmbeddingError(ManagedSyncError):
    """The embedding model gave a question no vector that anything can be searched by."""


class DocumentError(ManagedSyncError):
    """One record could not become a document; the others are not affected."""


class EmptyContentError(DocumentError):
    """The file has no bytes, or no text in it."""


class ContentTooLargeError(DocumentError):
    """The file is larger than the limit for one file.

    Attributes:
        status: The HTTP status code of the answer that began to bring it, if there was one.
        request_id: What the API calls the request in its own log, if it says so.
        excerpt: Always empty: a file does not explain an error.
    """

    excerpt = ""

    def __init__(
        self, message: str = "", *, status: int | None = None, request_id: str | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.request_id = request_id


class ParsingError(DocumentError):
    """No parser could read the file: damaged, encrypted, or not what its type says."""


class NotTextError(ParsingError):
    """The file is a picture, a sound or a film, which holds no text by nature."""


class SyncFailedError(ManagedSyncError):
    """A pipeline's last sync failed or did not end in time: its records may be out of date."""


class IndexingError(ManagedSyncError):
    """The index could not be brought up to date; what it held before is still there."""


class IndexLockedError(IndexingError):
    """Another run works on the same pipeline; the message says which."""


class DeletionsWithheldError(IndexingError):
    """A listing lacks so many records that are in the index that it may be wrong.

    Everything else was brought up to date, and nothing was deleted. If the records really are gone,
    run once with ``allow_deletions=True``, on the command line with ``--allow-deletions``.

    Attributes:
        count: How many records would be deleted.
        titles: What some of them are called.
        report: What the run did before it stopped; see ``IndexReport``.
    """

    def __init__(
        self, pipeline: str, *, count: int, known: int, titles: Iterable[str], report: IndexReport
    ) -> None:
        self.count = count
        self.titles = tuple(titles)
        self.report = report
        super().__init__(
            f"The API lists {pipeline} without {count:,} of {known:,} records that are in the "
            f"index, such as {', '.join(self.titles)}. Nothing was deleted. If they really are "
            f"gone, run once with allow_deletions=True (--allow-deletions)."
        )


class AnotherUserError(IndexingError):
    """The index was made with the token of one connected user, and this client has another's.

    Another user may see other records, so that those of the first one would seem to be gone. Use a
    token of the first user or another ledger, or run once with ``rebuild=True``.
    """

    def __init__(self, pipeline: str, *, before: str, now: str) -> None:
        super().__init__(
            f"The index of {pipeline} was made as the connected user {before!r}, and this client "
            f"is {now!r}, who may see other records. Nothing was changed. Use a token of "
            f"{before!r}, or another ledger; or run once with rebuild=True (--rebuild)."
        )


class SettingsChangedError(IndexingError):
    """The index was built with another parser, chunker or embedding model.

    Old and new chunks would not fit together. Go back to the old settings, or run once with
    ``rebuild=True``, on the command line with ``--rebuild``, to index every record anew.
    """


class SourceError(ManagedSyncError):
    """Something is wrong with the folder that the embedded server serves."""


class PermissionsFileError(SourceError):
    """``permissions.yaml`` is missing or malformed; the message names the file and the place."""
