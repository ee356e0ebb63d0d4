"""Running the server: the parent process, the web workers, and the one process that works in the background."""

from chartrepo.serve.supervisor import run_server

__all__ = ["run_server"]
