"""The icons of charts, as small pictures that this server has made itself."""

from chartrepo.icons.icons import Icon, Icons
from chartrepo.icons.kept import KeptIcons
from chartrepo.icons.public_web import PublicWeb

__all__ = ["Icon", "Icons", "KeptIcons", "PublicWeb"]
