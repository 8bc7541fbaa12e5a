"""Preloaded into the process that fake workers are forked from: what every one of them would load and compile first."""

import contextlib
import io
import tempfile
import threading
from pathlib import Path

from colgan_search.config import parse_config
from colgan_search.file_names import WorkFolder
from colgan_search.search.database.opening import open_storage
from colgan_search.search.study.opening import create_or_open
from colgan_search.search.worker import Worker
from tests.fake_worker import FakeExperiment

CONFIG = {
    "name": "warm",
    "k": 2,
    "data": {"name": "digits", "size": 16, "channels": 1},
    "transfer": {"kind": "image"},
    "search": {"sampler": "random"},
}

with tempfile.TemporaryDirectory() as _folder, contextlib.redirect_stderr(io.StringIO()):
    _storage = open_storage(f"{_folder}/warm.db", create=True)
    _study = create_or_open(_storage, parse_config(CONFIG, "warm"), "warm", 1)
    Worker(_study, FakeExperiment(0.0), WorkFolder(Path(_folder)), "warm", threading.Event()).run()
    _storage.close()
