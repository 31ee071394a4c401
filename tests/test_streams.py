"""Streams that are closed, full or unread, and paths that name nothing: one line, never a traceback."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from roigan.errors import UserError, exit_on_user_error

ROOT = Path(__file__).parents[1]
MANY = "[print('x' * 99) for _ in range(9999)]"
LONG = "n" * 300


def shell(redirection: str, program: str, unbuffered: bool) -> subprocess.CompletedProcess[str]:
    """What a shell sees of a program that is run as our commands are."""
    code = f"import sys; from roigan.errors import exit_on_user_error; exit_on_user_error(lambda: {program})"
    flag = "-u" if unbuffered else "-B"
    return subprocess.run(
        ["bash", "-c", f'set -o pipefail; "$0" {flag} -c "$1" {redirection}', sys.executable, code],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )


@pytest.mark.parametrize("unbuffered", [False, True])
@pytest.mark.parametrize(
    ("redirection", "program", "code", "said"),
    [
        ("| head -n 1", MANY, 141, ""),
        (">/dev/full", "print(1)", 1, "error: standard output cannot be written (No space left on device)\n"),
        (">/dev/full", MANY, 1, "error: standard output cannot be written (No space left on device)\n"),
        (">/dev/full", "sys.exit(0)", 0, ""),
        (">&-", MANY, 0, ""),
        ("2>&-", "[print(1, file=sys.stderr), print(2)]", 0, ""),
        ("2>/dev/full", "[print(1, file=sys.stderr, flush=True), print(2)]", 0, ""),
        ("0<&- >&- 2>&-", "sys.exit(open('README.md').fileno() < 3)", 0, ""),
        ("2>&-", "open('no/file')", 2, ""),
    ],
)
def test_a_stream_that_is_closed_full_or_unread(
    redirection: str, program: str, code: int, said: str, unbuffered: bool
) -> None:
    done = shell(redirection, program, unbuffered)
    assert (done.returncode, done.stderr) == (code, said)
    if redirection.startswith("2>") and not code:
        assert done.stdout == "2\n"


def test_help_that_cannot_be_printed_is_no_success() -> None:
    done = subprocess.run(
        ["bash", "-c", '"$0" -m roigan.cli --help >/dev/full', sys.executable], capture_output=True, text=True
    )
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)


def test_no_path_is_a_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of any command: a home of nobody, a link to itself, a path through a file, a name too long."""
    from roigan.cli import main as cli

    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "folder").mkdir()
    commands = [
        ["params", "PATH"],
        ["generate", "--model", "PATH", "--out", "folder"],
        ["generate", "--model", "folder", "--out", "PATH"],
        ["complete", "--model", "folder", "--image", "PATH", "--mask", "file", "--out", "a.png"],
        ["complete", "--model", "folder", "--image", "file", "--mask", "PATH", "--out", "a.png"],
        ["complete", "--model", "folder", "--image", "file", "--mask", "file", "--out", "PATH"],
        ["models", "release", "folder", "PATH"],
        ["models", "release", "PATH", "new"],
        ["models", "export", "folder", "PATH.pt2"],
    ]
    for path in ("~nobody-of-that-name/x", "loop", "loop/x", "file/x", LONG, f"{LONG}/x"):
        for command in commands:
            monkeypatch.setattr(sys, "argv", ["roigan", *(word.replace("PATH", path) for word in command)])
            with pytest.raises(SystemExit) as end:
                cli.main()
            said = capsys.readouterr().err
            assert end.value.code == 2, (command, path)
            assert said.startswith("error: "), (command, path)
            assert said.count("\n") == 1, (command, path, said)


def test_what_pathlib_cannot_name_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for program in (
        lambda: Path("~nobody-of-that-name").expanduser(),
        lambda: _raise("Symlink loop from 'x'"),
    ):
        with pytest.raises(SystemExit):
            exit_on_user_error(program)
        assert capsys.readouterr().err.count("\n") == 1
    with pytest.raises(RuntimeError):  # of ours: a defect stays one
        exit_on_user_error(lambda: _raise("something else"))
    with pytest.raises(SystemExit):
        exit_on_user_error(lambda: _refuse())
    assert capsys.readouterr().err == "error: no\n"


def _raise(text: str) -> None:
    raise RuntimeError(text)


def _refuse() -> None:
    raise UserError("no")


def test_ctrl_c_inside_a_destructor_is_not_lost() -> None:
    """Python drops it there, and what a user wanted to end would go on."""
    code = """
import signal, time
from roigan.errors import exit_on_user_error

class Interrupted:
    def __del__(self):
        signal.raise_signal(signal.SIGINT)

def main():
    Interrupted()
    time.sleep(30)
    print("went on")

exit_on_user_error(main)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")
