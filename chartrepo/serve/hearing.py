"""How the supervisor learns that all processes of a web server know that they are to end."""

import os
import select


class Hearing:
    """A pipe whose writing end every process of the web server holds until it has heard, or is gone.

    So a process that is still booting, or that the machine has no time for, is waited for, and one that was killed is
    not. It is made before the fork; either side then calls its own half.
    """

    def __init__(self) -> None:
        self._reader, self._writer = os.pipe()

    def listen(self) -> None:
        """In the supervisor, after the fork: leave the writing end to the web server."""
        os.close(self._writer)

    def everybody_heard(self) -> bool:
        """Return whether no process of the web server holds the pipe any more."""
        return bool(select.select([self._reader], [], [], 0)[0])

    def close(self) -> None:
        """In the supervisor, once the web server has ended."""
        os.close(self._reader)

    def heard(self) -> None:
        """In a process of the web server: it knows. May be called from a handler of signals, and once."""
        os.close(self._writer)
