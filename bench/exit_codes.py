"""What the exit codes of ``joulebench`` mean, besides 0 and a measured command's own."""

EXIT_NOTHING_RAN = 1
"""No case could be measured; each row says why."""

EXIT_USAGE = 2
"""A wrong call."""

EXIT_REGRESSION = 8
"""A case became dearer: the gate is shut."""

EXIT_UNTRUSTED = 9
"""The night's own controls differ: nothing it says of the cases can be trusted."""

EXIT_CANNOT_MEASURE = 10
"""No instrument can be read, and ``--require`` asks for one."""

EXIT_INTERRUPTED = 130
"""Ended by Ctrl-C, as a shell tells it; what was measured before is written."""
