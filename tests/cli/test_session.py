import pytest

from toolkit.cli.session import Session, new_id, now, person
from toolkit.errors import Finding, Refused, Severity


def test_who_is_user_at_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("getpass.getuser", lambda: "ada")
    monkeypatch.setattr("socket.gethostname", lambda: "lab")
    assert person() == "ada@lab"


def test_a_user_without_a_name_is_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise OSError

    monkeypatch.setattr("getpass.getuser", nobody)
    monkeypatch.setattr("os.getuid", lambda: 1234)
    assert person().startswith("1234@")


def test_the_clock_is_in_utc_and_ids_are_guids() -> None:
    assert now().utcoffset() is not None
    assert len(new_id()) == 36


def test_without_a_terminal_a_question_names_the_flag() -> None:
    with pytest.raises(Refused) as caught:
        Session(on_terminal=lambda: False).confirm("Import 3 changes?", "--yes")
    assert (caught.value.code, caught.value.fix) == ("CLI003", "add --yes when you are sure")


def test_quiet_keeps_notes_and_sentences_back_but_not_data(capsys: pytest.CaptureFixture[str]) -> None:
    session = Session(quiet=True)
    session.note("on the way")
    session.say("done", {"done": 1})
    session.warn([Finding("X001", Severity.WARNING, "odd")])
    assert capsys.readouterr() == ("", "")
    session.format = "json"
    session.say("done", {"done": 1})
    assert capsys.readouterr().out == '{\n  "done": 1\n}\n'


def test_findings_that_stop_nothing_go_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    Session().warn([Finding("X001", Severity.WARNING, "odd")])
    assert capsys.readouterr().err == "warning[X001] odd\n"
