"""What can go wrong, named after the fact. Which HTTP status says it is decided in `chartrepo.http.errors`."""


class ChartrepoError(Exception):
    """Something a caller can be told in one sentence: what, where, and what to do about it."""


class PackageRefused(ChartrepoError):
    """A package that breaks a rule.

    Attributes:
        problems: every rule that is broken, each a sentence that names the file, the field, the value and the remedy.
    """

    def __init__(self, *problems: str) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class ProvenanceRefused(ChartrepoError):
    """A provenance file that is none, or that speaks of another package."""


class SignatureRefused(ProvenanceRefused):
    """A signature that does not hold, or that nobody made who is trusted here."""


class InvalidName(ChartrepoError):
    """A name that cannot be that of a repository, a chart or a package file."""


class InvalidVersion(ChartrepoError):
    """A text that Helm does not read as a version."""


class InvalidConstraint(ChartrepoError):
    """A text that Helm does not read as a version range."""


class BodyTooLarge(ChartrepoError):
    """An upload that is larger than the server takes."""


class AlreadyPublished(ChartrepoError):
    """The version is there already, and overwriting was not asked for or is not allowed.

    Attributes:
        digest: SHA-256, in hex, of the package that is there; empty where none can be read.
    """

    def __init__(self, message: str, *, digest: str = "") -> None:
        super().__init__(message)
        self.digest = digest


class VersionIsFinal(AlreadyPublished):
    """A policy keeps the version as it is: it is there and may not be replaced, or it was deleted for good."""


class ChartNotFound(ChartrepoError):
    """The repository has no chart of that name."""


class VersionNotFound(ChartrepoError):
    """The chart has no such version."""


class FileNotFound(ChartrepoError):
    """There is no such file: a package, a provenance file, or something inside a package."""


class NameInvalid(ChartrepoError):
    """A name that no OCI repository can have."""


class NameUnknown(ChartrepoError):
    """There is no such OCI repository."""


class DigestInvalid(ChartrepoError):
    """A text that is no digest, or a digest that is not that of the bytes it came with."""


class ManifestInvalid(ChartrepoError):
    """A manifest that breaks a rule, or whose chart does."""


class ManifestTooLarge(ChartrepoError):
    """A manifest that is larger than clients take."""


class ManifestUnknown(ChartrepoError):
    """The OCI repository has no such manifest or tag."""


class ManifestBlobUnknown(ChartrepoError):
    """A manifest needs a blob or a manifest that its OCI repository does not have."""


class BlobUnknown(ChartrepoError):
    """The OCI repository has no such blob."""


class UploadUnknown(ChartrepoError):
    """There is no such upload: it ended, it expired, or it never was."""


class UploadInvalid(ChartrepoError):
    """An upload of a blob that says of itself what is not so."""


class ChunkOutOfOrder(ChartrepoError):
    """A chunk of a blob that does not begin where the one before ended.

    Attributes:
        received: how many bytes have come so far.
    """

    def __init__(self, message: str, *, received: int) -> None:
        super().__init__(message)
        self.received = received


class NotDeletable(ChartrepoError):
    """Something that cannot be deleted by itself, or that nobody may delete here."""


class CatalogIncomplete(ChartrepoError):
    """The catalog is being built: what it holds is true, what it lacks may be there all the same. Try again soon."""


class CatalogUnavailable(ChartrepoError):
    """The catalog's database does not answer, or is damaged and about to be rebuilt. Try again soon.

    Attributes:
        detail: the sentence for those who run the server. It may name the database's host, port and user, of which
            clients are told nothing.
    """

    def __init__(self, message: str, *, detail: str = "") -> None:
        super().__init__(message)
        self.detail = detail or message


class CatalogClosed(CatalogUnavailable):
    """The catalog's database answers, and does not let this server in: a mistake at a start, an outage later."""


class CatalogFull(ChartrepoError):
    """The catalog's disk is full, or over its quota: it can be read, and not written."""


class CatalogMisconfigured(ChartrepoError):
    """The catalog can never work as configured: its address, its file system, or the storage it belongs to."""


class WritesUnsafe(ChartrepoError):
    """The storage cannot keep two writers apart, and nothing else was set up to do so."""


class AccessMisconfigured(ChartrepoError):
    """A file that says who may do what, or what charts must be like, cannot be used.

    The message has a line for each thing that is wrong.

    Attributes:
        problems: all of these, each a sentence that names the place, the value and the remedy, and never a hash.
    """

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class PermissionsInvalid(AccessMisconfigured):
    """Permissions that cannot be read."""


class UsersInvalid(AccessMisconfigured):
    """A file of users that cannot be read, or that breaks a rule."""


class PoliciesInvalid(AccessMisconfigured):
    """Policies that cannot be read."""


class TokenInvalid(ChartrepoError):
    """A token that cannot be made, or a record of one that cannot be read."""


class TokenExists(ChartrepoError):
    """A token of this name is there already, and has not expired."""


class TokenUnknown(ChartrepoError):
    """There is no token of this name or id."""


class AuditQueryInvalid(ChartrepoError):
    """What somebody wants to see of the audit records cannot be understood."""


class PasswordUnchecked(ChartrepoError):
    """A password of which nobody could tell whether it is right: memory is short. Try again soon."""


class IdentityRefused(ChartrepoError):
    """A token of an issuer that cannot be believed, or that is for nobody who can be let in."""


class KeysUnavailable(ChartrepoError):
    """The keys of an issuer cannot be had now, so that nobody can tell whether a token of it is right. Try again."""


def in_full(error: Exception) -> str:
    """Return the sentence of an error for those who run the server."""
    return error.detail if isinstance(error, CatalogUnavailable) else str(error)
