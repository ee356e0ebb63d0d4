"""The web servers that run our WSGI application: gunicorn, or granian where more requests a second are wanted.

Both get the socket that the parent has bound, and make the application in each worker after the fork.
"""

# ruff: noqa: PLC0415 - only one of the two is loaded, and granian need not be installed

import socket

from chartrepo import assembly
from chartrepo.access import Certificate
from chartrepo.serve.hearing import Hearing
from chartrepo.serve.processes import deafen_while_booting
from chartrepo.serve.wishes import Wishes
from chartrepo.settings import Settings
from chartrepo.watched import Watched
from storage.base import Misconfigured


def run_web(
    settings: Settings,
    ground: assembly.Ground,
    listener: socket.socket,
    wishes: Wishes,
    hearing: Hearing,
    *,
    certificate: Watched[Certificate] | None,
) -> None:
    """Run the web server that the settings name, until SIGTERM. Returns, or leaves by `SystemExit`."""
    deafen_while_booting()
    if settings.server == "granian":
        from chartrepo.serve import granian_server

        granian_server.run(settings, ground, listener, wishes, hearing, certificate=certificate)
    else:
        from chartrepo.serve import gunicorn_server

        hearing.heard()  # its workers bear it that the port is closed before they have heard
        gunicorn_server.run(settings, ground, listener, wishes, certificate=certificate)


def check_installed(settings: Settings) -> None:
    """Refuse a web server that is not there.

    Raises:
        Misconfigured: with what to install.
    """
    if settings.server == "granian":
        try:
            import granian  # noqa: F401 - an optional dependency
        except ImportError:
            raise Misconfigured("server is granian, which is not installed: pip install 'chartrepo[granian]'") from None
