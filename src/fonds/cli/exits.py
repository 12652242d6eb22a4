"""What the process's exit code tells a scheduler."""

from enum import IntEnum


class Exit(IntEnum):
    """0 done, 1 gate closed or findings above threshold, 2 usage or configuration, 3 error, 4 partial."""

    DONE = 0
    GATE = 1
    USAGE = 2
    ERROR = 3
    PARTIAL = 4
    INTERRUPTED = 130
    TERMINATED = 143
