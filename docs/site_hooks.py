"""What MkDocs is told of this repository: README.md is the first page; links that leave docs/ become plain paths."""

import re
from pathlib import Path, PurePosixPath
from posixpath import normpath
from typing import Any

from mkdocs.structure.files import File

ROOT = Path(__file__).parents[1]
OUTSIDE = {"index.md": "README.md", "plugin.md": "examples/plugin/README.md"}
"""Pages of the site that lie outside of docs/, and where."""
LINK = re.compile(r"(?P<picture>!?)\[(?P<words>[^\]]*)\]\((?P<target>[^)\s#]+)(?P<anchor>#[^)]*)?\)")


def on_files(files: Any, config: Any) -> Any:
    """The pages of OUTSIDE, and the notebook as a page."""
    for page, source in OUTSIDE.items():
        files.append(File.generated(config, page, content=(ROOT / source).read_text(encoding="utf-8")))
    files.append(File.generated(config, "notebook.md", content=_notebook()))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Links as the site has them."""
    source = OUTSIDE.get(page.file.src_uri, f"docs/{page.file.src_uri}")
    here = PurePosixPath(page.file.src_uri).parent
    pages = {f"docs/{file.src_uri}": file.src_uri for file in files} | {where: name for name, where in OUTSIDE.items()}

    def replaced(found: re.Match[str]) -> str:
        target = found["target"]
        if re.match(r"[a-z]+:", target):
            return found[0]
        where = normpath(PurePosixPath(source).parent / target)
        where = next((place for place in (where, f"{where}/README.md") if place in pages), where)
        if where in pages:
            up = "../" * len(here.parts)
            return f"{found['picture']}[{found['words']}]({up}{pages[where]}{found['anchor'] or ''})"
        if not (ROOT / where).exists():
            raise FileNotFoundError(f"{source}: a link to {target}, which is not there")
        return f"{found['words']} (`{where}`)"

    return LINK.sub(replaced, markdown)


def _notebook() -> str:
    """docs/tutorial.ipynb: its words, its code and what that printed."""
    import nbformat

    pieces = []
    for cell in nbformat.read(ROOT / "docs" / "tutorial.ipynb", as_version=4).cells:
        pieces.append(cell.source if cell.cell_type == "markdown" else f"```python\n{cell.source}\n```")
    return "\n\n".join(pieces)
