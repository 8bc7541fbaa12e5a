"""A bare `worker` says at once that its database is not there; one that goes away while it is opened is waited for."""

import threading
from pathlib import Path
from typing import Any

import pytest

from colgan_search.api import working
from colgan_search.api.working import WorkRequest
from colgan_search.errors import Unreachable
from colgan_search.file_names import WorkFolder
from colgan_search.search.database.urls import normalise_url
from tests.fleet import make_study
from tests.postgres import Postgres
from tests.proxy import Proxy


@pytest.mark.parametrize("function", ["open_storage", "open_study"])
def test_a_worker_cut_while_it_opens_the_study_goes_on(
    function: str, postgres: Postgres, prepared_postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = make_study(prepared_postgres_url, 3)
    study.storage.close()
    proxy = Proxy(postgres.port)
    real, calls = getattr(working, function), []

    def cut_before_the_first(*arguments: Any) -> Any:
        calls.append(function)
        if len(calls) == 1:
            proxy.cut(0.5)
        return real(*arguments)

    monkeypatch.setattr(working, function, cut_before_the_first)
    url = normalise_url(prepared_postgres_url).set(port=proxy.port).render_as_string(hide_password=False)
    opened = working._attached(WorkRequest("fake", url), WorkFolder(tmp_path), threading.Event())
    total = opened.slots.budget().total
    opened.storage.close()
    proxy.close()
    assert (opened.uid, total) == (study.uid, 3)
    assert len(calls) > 1


def test_a_server_that_is_not_there_is_not_waited_for(tmp_path: Path) -> None:
    request = WorkRequest("fake", "postgresql://me:secret@127.0.0.1:1/db")
    with pytest.raises(Unreachable, match="is the server running"):
        working._attached(request, WorkFolder(tmp_path), threading.Event())
