"""A program as something to measure: from its start to its end, with all that it used."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench.meters.codecarbon import open_meter
from bench.program import Program
from bench.refusal import Refusal
from bench.runtimes.program import prepare

PYTHON = sys.executable
BUSY = "import time\nend = time.process_time() + 0.2\nwhile time.process_time() < end: pass"


def python(script: str) -> Program:
    return Program((PYTHON, "-S", "-c", script))


def test_a_call_is_a_run_from_start_to_end_and_its_output_is_thrown_away(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    seen = tmp_path / "seen"
    loop = prepare(
        python(f"open({str(seen)!r}, 'a').write('x'); print(1)"), (), device="cpu", threads=1
    )

    latencies = loop(3)

    assert seen.read_text() == "xxx"
    assert len(latencies) == 3
    assert all(seconds > 0 for seconds in latencies)
    assert capfd.readouterr() == ("", "")


def test_the_estimate_holds_the_cpu_time_of_the_program_and_of_what_it_waited_for() -> None:
    meter = open_meter({})
    (channel,) = meter.channels
    watts = (channel.p_max_w or 0) / (os.cpu_count() or 1)
    inner = f"import subprocess, sys; subprocess.run([sys.executable, '-S', '-c', {BUSY!r}])"

    before = meter.read()[0].value
    python(inner)()
    after = meter.read()[0].value

    assert before is not None
    assert after is not None
    assert after - before >= 0.2 * watts * 0.5  # a container may list other CPUs than os does


def test_a_program_that_fails_is_refused_with_its_exit_code_and_its_last_lines() -> None:
    with pytest.raises(Refusal) as refusal:
        python("import sys; print('first'); print('no such file'); sys.exit(3)")()

    assert "ended with exit code 3; its last lines: first | no such file" in str(refusal.value)


def test_of_a_long_output_only_the_end_is_told() -> None:
    with pytest.raises(Refusal) as refusal:
        python("import sys; [print('line', n) for n in range(10**4)]; sys.exit(1)")()

    assert "line 9999" in str(refusal.value)
    assert len(str(refusal.value)) < 500


def test_a_program_that_is_killed_and_says_nothing_is_refused_with_both() -> None:
    with pytest.raises(Refusal, match="was killed by SIGKILL; it printed nothing"):
        python("import os; os.kill(os.getpid(), 9)")()


def test_a_program_that_cannot_be_started_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="cannot be started: Permission denied"):
        Program((str(tmp_path),))()


def test_a_program_that_leaves_a_process_behind_is_refused(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    child = f"import os, time; open({str(pid)!r}, 'w').write(str(os.getpid())); time.sleep(30)"
    script = f"import os, sys, time\nif os.fork() == 0: exec({child!r})\ntime.sleep(0.2)"
    try:
        with pytest.raises(Refusal, match="left processes behind that still run"):
            python(script)()
    finally:
        os.kill(int(pid.read_text()), signal.SIGKILL)


def test_an_interrupt_ends_the_program_with_us(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    script = f"import os, time; open({str(pid)!r}, 'w').write(str(os.getpid())); time.sleep(30)"
    ours = (
        "import signal; from bench.program import Program;"
        " signal.signal(signal.SIGINT, signal.default_int_handler);"
        f" Program(({PYTHON!r}, '-S', '-c', {script!r}))()"
    )
    with subprocess.Popen([PYTHON, "-c", ours], stderr=subprocess.PIPE) as process:
        while not (pid.exists() and pid.read_text()):
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, told = process.communicate()

    assert process.returncode != 0
    assert b"KeyboardInterrupt" in told
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)


def test_other_arguments_and_another_file_are_another_version(tmp_path: Path) -> None:
    program = tmp_path / "tool"
    program.write_text("one")
    program.chmod(0o755)
    first = Program((str(program), "1")).version
    other = Program((str(program), "2")).version
    program.write_text("two")

    assert len({first, other, Program((str(program), "1")).version}) == 3
    assert Program(("no such program",)).version


def test_the_runtime_of_programs_runs_nothing_else() -> None:
    with pytest.raises(ValueError, match="found builtin_function_or_method, wanted a program"):
        prepare(sum, (), device="cpu", threads=1)
