"""What a long benchmark has measured so far, kept as it comes."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from colgan_search.errors import BadInput
from colgan_search.files import atomic_path


class Rows:
    """Measurements by their key, in a file of JSON lines; without a file, in memory alone."""

    def __init__(self, path: Path | None, settings: dict[str, Any]) -> None:
        """BadInput if the file cannot be read, or its rows were measured with other settings."""
        self.path = path
        self.settings = settings
        self.kept: dict[str, dict[str, Any]] = {}
        if path is None or not path.exists():
            return
        try:
            whole = path.read_text(encoding="utf-8").rpartition("\n")[0]  # the last line may be torn
            lines = [json.loads(line) for line in whole.splitlines()]
            found = {str(line["key"]): (dict(line["row"]), line["settings"]) for line in lines}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BadInput(f"--rows {path}: not the rows of this benchmark ({error}); name another file") from None
        if any(other != settings for _, other in found.values()):
            raise BadInput(f"--rows {path}: measured with other settings or another version; name another file")
        self.kept = {key: row for key, (row, _) in found.items()}
        with atomic_path(path) as temporary:  # what comes next must not stand behind a torn line
            temporary.write_text(f"{whole}\n" if whole else "", encoding="utf-8")

    def get(self, key: str, measure: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """The row of `key`, measured now if there is none yet."""
        if key not in self.kept:
            self.kept[key] = measure()
            print(f"{key}: done", file=sys.stderr)
            if self.path is not None:
                line = json.dumps({"key": key, "settings": self.settings, "row": self.kept[key]})
                with self.path.open("a", encoding="utf-8") as file:
                    file.write(f"{line}\n")
        return self.kept[key]
