"""What is said of what is not there, and in the same words of what a caller may not see."""

from chartrepo.core.errors import BlobUnknown, NameUnknown
from chartrepo.core.oci import Digest, Name


def unknown_name(name: Name) -> NameUnknown:
    """Return the error that says that there is no such OCI repository."""
    return NameUnknown(f"there is no OCI repository {str(name)!r} here")


def unknown_blob(name: Name, digest: Digest) -> BlobUnknown:
    """Return the error that says that an OCI repository has no such blob."""
    return BlobUnknown(f"{name} has no blob {digest}")
