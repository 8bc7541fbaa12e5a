"""`status --watch` as a process, unknown words, and what the shell completes."""

import signal
from pathlib import Path

import pytest

from colgan_search.cli.app import run
from tests.fleet import fake_config
from tests.integration.cli_helpers import end, fake_study, fill, run_cli, start_cli, wait_for


@pytest.mark.slow
def test_piped_it_says_every_result_and_ends_with_the_study(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'study.db'}"
    study = fake_study(url, fake_config("fake"), total=3, done=1)
    process = start_cli("status", "--watch", "--storage", url, cwd=tmp_path)
    output = next(tmp_path.glob("output-*.txt"))
    wait_for(lambda: "1/3 trials done" in output.read_text(), "the first line")
    fill(study, 2)
    wait_for(lambda: process.poll() is not None, "its end")
    assert process.returncode == 0 and "3/3 trials done" in output.read_text()


@pytest.mark.slow
def test_ctrl_c_ends_only_the_looking(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'study.db'}"
    study = fake_study(url, fake_config("fake"), total=3, done=1)
    process = start_cli("status", "--watch", "--storage", url, cwd=tmp_path)
    output = next(tmp_path.glob("output-*.txt"))
    wait_for(lambda: "1/3 trials done" in output.read_text(), "the first line")
    assert end(process, signal.SIGINT) == 130
    assert "Traceback" not in output.read_text() and study.slots.budget().done == 1


def test_watch_and_json_do_not_go_together(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["status", "--watch", "--json"]) == 2
    assert "leave one out" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["laucnh"], "No such command 'laucnh'; did you mean launch?; the commands are launch, worker,"),
        (["best", "--sudy", "x"], "No such option: --sudy; did you mean --study?; the options are --study,"),
        (["zzz"], "No such command 'zzz'; the commands are launch,"),
    ],
)
def test_the_near_word_is_suggested(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(words) == 2
    assert f"error: {said}" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_shell_completes_commands_and_options(shell: str, tmp_path: Path) -> None:
    def completed(words: str, at: int) -> str:
        asked = {
            "_COLGAN_SEARCH_COMPLETE": f"complete_{shell}",
            "COMP_WORDS": words,
            "COMP_CWORD": str(at),
            "_TYPER_COMPLETE_ARGS": words,
            "_TYPER_COMPLETE_FISH_ACTION": "get-args",
        }
        return run_cli(cwd=tmp_path, **asked).stdout

    found = completed("colgan-search re", 1)
    assert all(name in found for name in ("reproduce", "rehearse", "report", "rename")) and "launch" not in found
    assert "--watch" in completed("colgan-search status --w", 2)
