"""Whatever kills a session, what was measured stays, and the next one goes on from there."""

import errno
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from processes import untraced
from test_records import CASE, RUN, journal, window

from bench import records
from bench.journal_writer import JournalWriter, require_room
from bench.record import Begin, Discard, JournalError, Note
from bench.records import read

DRIVER = Path(__file__).with_name("killed_session.py")
KILLS = 50


def test_a_session_that_is_killed_at_any_point_loses_and_repeats_no_window(tmp_path: Path) -> None:
    command = [sys.executable, "-W", "error", str(DRIVER), str(tmp_path / "k"), str(KILLS)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=300, env=untraced()
    )

    assert done.returncode == 0, done.stderr
    trials = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(trials) == KILLS
    for trial in trials:
        assert trial["kills"] >= 1
        assert trial["lost"] == 0
        assert trial["each_once"]
        assert trial["same_table"]
        assert trial["ended"]
        assert trial["idle"] == 2
    assert sum(trial["kills"] for trial in trials) > KILLS  # some were killed again


def begun(tmp_path: Path, *more: Any) -> Path:
    return journal(tmp_path, Begin(CASE.case, "v1"), *more)


def test_the_windows_of_a_case_that_was_cut_off_are_there_for_the_session_that_goes_on(
    tmp_path: Path,
) -> None:
    path = begun(tmp_path, window(), Discard(CASE.case, 0, "load"), window(pair=1))

    found = read(path)

    assert found.unfinished[CASE.case].workload_version == "v1"
    assert found.unfinished[CASE.case].windows == (window(), window(pair=1))
    assert found.windows == ()
    assert "3 blocks of a case that was not finished" in found.notes[0].text


def test_a_case_that_was_finished_after_a_resume_has_all_its_blocks(tmp_path: Path) -> None:
    path = begun(tmp_path, window(), Discard(CASE.case, 0, "load"))

    with JournalWriter.resume(path) as writer:
        writer.append(window(pair=1))
        writer.append(CASE)

    found = read(path)
    assert found.windows_of(CASE.case) == (window(), window(pair=1))
    assert len(found.discards) == 1
    assert found.unfinished == {}


def test_a_case_that_begins_anew_leaves_out_what_another_version_measured(tmp_path: Path) -> None:
    path = begun(tmp_path, window(), Begin(CASE.case, "v2"), window(pair=1), CASE)

    found = read(path)

    assert found.windows_of(CASE.case) == (window(pair=1),)
    assert "1 block of a case that was not finished is left out" in found.notes[0].text


def test_an_attempt_that_failed_is_not_gone_on_with(tmp_path: Path) -> None:
    path = begun(tmp_path, window(), Note(CASE.case, "ValueError: the model broke"))

    assert read(path).unfinished == {}


@pytest.mark.parametrize("cut", [1, 2, 3])
def test_a_line_torn_within_a_character_is_dropped(tmp_path: Path, cut: int) -> None:
    path = journal(tmp_path, window(), CASE)
    with path.open("ab") as file:
        file.write('{"record":"note","case":"\U0001f50b'.encode()[:-cut])

    assert len(read(path).windows) == 1
    JournalWriter.resume(path).close()
    assert records.RESUMED in path.read_text(encoding="utf-8").splitlines()[-1]


class FullDisk(io.FileIO):
    """A file on a disk that has room for so many bytes more."""

    room = 100

    def write(self, data: Any) -> int:
        if self.room == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        taken = data[: self.room]
        self.room -= len(taken)
        written = super().write(taken)
        assert written is not None
        return written


def test_a_full_disk_leaves_whole_lines_and_says_how_to_go_on(tmp_path: Path) -> None:
    writer = JournalWriter.create(tmp_path, RUN)
    writer.append(Begin(CASE.case, "v1"))
    whole = writer.path.read_bytes()
    writer._file.close()
    writer._file = FullDisk(writer.path, "ab")

    with pytest.raises(JournalError, match=r"No space left.*--joules-resume"):
        writer.append(window())

    writer.close()
    assert writer.path.read_bytes() == whole
    with JournalWriter.resume(writer.path) as again:
        again.append(window())
    assert read(writer.path).unfinished[CASE.case].windows == (window(),)


def test_a_folder_without_room_is_refused_before_anything_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=3 * 2**20))

    with pytest.raises(JournalError, match=r"3\.0 MiB left, wanted 16 MiB; make room"):
        JournalWriter.create(tmp_path / "results", RUN)
    assert list((tmp_path / "results").iterdir()) == []


def test_a_folder_that_cannot_be_written_is_refused_before_anything_is_measured(
    tmp_path: Path,
) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(JournalError, match="--joules-results"):
        require_room(tmp_path / "file" / "results")


def test_tests_stop_when_the_journal_can_no_longer_be_written(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        import errno, os
        from bench.journal_writer import JournalWriter

        real = JournalWriter.append

        def test_first(joules):
            joules(lambda: sum(range(200)))
            def append(self, record):
                if type(record).__name__ == "Window":
                    self._file.close()  # as a disk that is gone
                    self._file = open("/dev/full", "wb", buffering=0)
                real(self, record)
            JournalWriter.append = append

        def test_second(joules):
            try:
                joules(lambda: sum(range(300)))
            finally:
                JournalWriter.append = real

        def test_third(joules):
            joules(lambda: sum(range(400)))
        """
    )

    outcome = project.runpytest_inprocess("-p", "no:cacheprovider", "--benchmark")

    assert outcome.ret == 10
    text = outcome.stdout.str()
    assert "No space left on device" in text
    assert "--joules-resume" in text
    assert "test_third" not in text
