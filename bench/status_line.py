"""What a measuring session prints between the tests: lines, and one that is rewritten."""

import contextlib
from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from _pytest.terminal import TerminalReporter


@dataclass
class StatusLine:
    """The terminal of a session, past pytest's capturing.

    Args:
        config: Of the session.
        cases: How many there are to measure.
        case: Which one is measured, from 1.
    """

    config: pytest.Config
    cases: int = 0
    case: int = 0

    @contextlib.contextmanager
    def _terminal(self) -> "Generator[TerminalReporter | None]":
        """The terminal; None if nothing is to be printed."""
        manager = self.config.pluginmanager
        capture = manager.get_plugin("capturemanager")
        with capture.global_and_fixture_disabled() if capture else contextlib.nullcontext():
            yield manager.get_plugin("terminalreporter")

    def say(self, text: str) -> None:
        """A line that stays."""
        with self._terminal() as terminal:
            if terminal is not None:
                terminal.ensure_newline()
                terminal.write_line(f"joules: {text}")

    def progress(self, text: str) -> None:
        """One status line between windows, on a terminal only."""
        with self._terminal() as terminal:
            if terminal is not None and terminal.isatty:
                width = terminal._tw.fullwidth - 1  # noqa: SLF001 - pytest has no public width
                line = f"joules [{self.case}/{self.cases}] {text}"[:width]
                terminal.rewrite(line, erase=True)

    def measured(self, case: str) -> None:
        """One plain line for each case where there is no terminal to rewrite."""
        with self._terminal() as terminal:
            quiet = terminal is None or terminal.isatty or terminal.verbosity < 0
        if not quiet:
            self.say(f"[{self.case}/{self.cases}] {case}")
