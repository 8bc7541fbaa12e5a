"""Wrong command lines, and what the message of each must name: the value, and what would be right."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Bad:
    """A wrong command line. In `command`, {c} is a good config's file, with `changes` made to it."""

    name: str
    command: str
    expected: tuple[str, ...]
    changes: dict[str, Any] = field(default_factory=dict)


def config(title: str, /, *expected: str, **changes: Any) -> Bad:
    """A `launch` with a changed config; `changes` as for `config_data`."""
    return Bad(title, "launch --config {c} --work-dir work", expected, changes)


CASES = [
    # The config's text
    config("unknown key", "small.yaml: training.epoch", "unknown key", "epochs, batch", training__epoch=3),
    config("unknown section", "small.yaml: trainning", "unknown key", "training", trainning={}),
    config("missing key", "small.yaml: name", "is missing", name=None),
    config("text for a number", "small.yaml: k: 'two'", "integer", k="two"),
    config("fraction for a count", "training.epochs: 1.5", "integer", training__epochs=1.5),
    config("k zero", "small.yaml: k: 0", "greater than or equal to 1", k=0),
    config("negative learning rate", "training.learning_rate: -1", "greater than 0", training__learning_rate=-1),
    config("batch of one", "training.batch: 1 ", "greater than or equal to 2", training__batch=1),
    config("epochs zero", "training.epochs: 0", "greater than or equal to 1", training__epochs=0),
    config("size too large", "data.size: 4000", "less than or equal to 1024", data__size=4000),
    config("alpha infinite", "transfer.alpha", "finite", transfer__alpha=float("inf")),
    config("more splits than images", "splits 100 exceeds images 64", evaluation__splits=100),
    config("name with a slash", "small.yaml: name: '../evil'", "[A-Za-z0-9]", name="../evil"),
    config("unknown data set", "data.name: 'mnist'", "known are: digits, cifar10, imagefolder", data__name="mnist"),
    config("unknown extractor", "'clip'", "known are: inception, classifier", evaluation__extractor="clip"),
    config("unknown gate in a config", "'open'", "through", "negative", search__gates=["through", "open"]),
    config("one gate only", "search.gates", "at least two", search__gates=["through"]),
    config("unknown sampler", "'magic'", "known are: graph, tpe, random, gp", search__sampler="magic"),
    config("unknown network", "small.yaml: network.name", "'sagan'", "known are: dcgan", network__name="sagan"),
    config("size the family cannot make", "small.yaml: data.size: 12", "8, 16, 32, 64", data__size=12),
    config(
        "layers that do not exist",
        "transfer.layers: [9]",
        "1..2",
        transfer={"kind": "features", "layers": [1, 9], "alpha": 20},
    ),
    config("feature transfer without layers", "needs layers", transfer={"kind": "features", "alpha": 20}),
    config(
        "batch larger than the data", "small.yaml: training.batch: 5000", "only 1797 real images", training__batch=5000
    ),
    config("limit beyond the data", "small.yaml: data.limit: 5000", "only 1797 images", data__limit=5000),
    Bad(
        "unknown launcher",
        "launch --config small.yaml --on slorm",
        ("unknown launcher 'slorm'", "known are: local"),
    ),
    config("unknown first preset", "'mad-max'", "mad-gan", search__first=["mad-max"]),
    config("first graph with another k", "k = 3", "k = 2", search__first=["G1=D:t/G2=D:t/G3=D:t"]),
    config(
        "first graph with a gate not searched",
        "positive",
        "through, cutoff",
        search__gates=["through", "cutoff"],
        search__first=["G1=D:p/G2=D:t"],
    ),
    config("config needs a GPU", "'cuda'", "no GPU", "--config digits", "--device cpu", runtime__device="cuda"),
    # The config's file
    Bad("no such config", "launch --config nothing.yaml", ("nothing.yaml", "digits", "cifar10")),
    Bad("config is a folder", "launch --config folder", ("folder", "is a folder")),
    Bad("binary config", "launch --config binary.yaml", ("binary.yaml", "cannot be read")),
    Bad("broken YAML", "launch --config broken.yaml", ("broken.yaml", "not valid YAML", "line 2")),
    Bad("empty config", "launch --config empty.yaml", ("empty.yaml", "mapping of keys", "None")),
    Bad("key twice", "launch --config twice.yaml", ("twice.yaml", "'k' stands twice")),
    Bad("alias bomb", "launch --config bomb.yaml", ("bomb.yaml", "10,000 values", "line")),
    Bad("alias bomb of merged keys", "launch --config merged.yaml", ("merged.yaml", "10,000 values", "line")),
    Bad("alias inside itself", "launch --config circle.yaml", ("circle.yaml", "inside what it names", "line")),
    Bad("config of a megabyte", "launch --config large.yaml", ("large.yaml", "1,048,576 bytes")),
    Bad("nested without end", "launch --config deep.yaml", ("deep.yaml", "not valid YAML")),
    Bad(
        "value that JSON lacks", "launch --config set.yaml", ("set.yaml: data.size: {{", "not allowed: a config holds")
    ),
    config("number for a name", "small.yaml: name: 7", "string", "in quotes", name=7),
    # The command line
    Bad("unknown command", "lanch", ("'lanch'", "launch", "dashboard")),
    Bad("unknown option", "status --foo", ("--foo", "--study", "--json")),
    Bad("option without value", "launch --trials", ("--trials", "requires an argument")),
    Bad("missing option", "worker", ("--study",)),
    Bad("trials zero", "launch --config {c} --trials 0", ("--trials", "equal to 1", "'0'")),
    Bad("trials negative", "launch --config {c} --trials -1", ("--trials", "equal to 1", "'-1'")),
    Bad("trials not a number", "launch --config {c} --trials many", ("--trials", "'many'", "integer")),
    Bad("negative workers", "launch --config {c} --workers -1", ("--workers", "equal to 0", "'-1'")),
    Bad("study with a slash", "launch --config {c} --study ../evil", ("--study: name: '../evil'", "[A-Za-z0-9]")),
    Bad("more workers than sense", "launch --config {c} --workers 10000", ("--workers 10000", "at most")),
    Bad("device without GPU", "launch --config {c} --device cuda", ("'cuda'", "no GPU", "--device cpu")),
    Bad("device number without GPU", "launch --config {c} --device cuda:99", ("'cuda:99'", "no GPU")),
    Bad("device unknown", "launch --config {c} --device abacus", ("'abacus'", "auto, cpu, cuda")),
    Bad("device of another kind", "launch --config {c} --device mps", ("'mps'", "auto, cpu, cuda")),
    Bad("work folder is a file", "launch --config {c} --work-dir broken.yaml", ("broken.yaml", "is a file")),
    Bad("work folder inside a file", "launch --config {c} --work-dir broken.yaml/x", ("broken.yaml/x", "is a file")),
    Bad("study folder is a file", "launch --config {c} --work-dir taken", ("taken/small", "is a file", "--work-dir")),
    Bad("format unknown", "trials --format xml", ("'xml'", "table", "csv", "json")),
    Bad("port out of range", "dashboard --port 99999", ("--port", "99999", "65535")),
    # The storage
    Bad("storage of unknown kind", "launch --config {c} --storage mysql://u:{pw}@h/d", ("'mysql'", "postgresql://")),
    Bad("storage of no kind", "status --storage foo://bar", ("'foo'", "postgresql://", "sqlite:///")),
    Bad("storage not a URL", "launch --config {c} --storage ::::", ("not a URL", "postgresql://")),
    Bad("storage with a bad port", "launch --config {c} --storage postgresql://u:{pw}@h:x1/d", ("postgresql://",)),
    Bad("storage names no database", "launch --config {c} --storage postgresql://u:{pw}@h", ("no database",)),
    Bad("SQLite in memory", "launch --config {c} --storage sqlite://", ("memory", "sqlite:///FILE.db")),
    Bad("SQLite path is a folder", "launch --config {c} --storage sqlite:///folder", ("folder", "is a folder")),
    Bad("SQLite file is garbage", "launch --config {c} --storage sqlite:///binary.db", ("binary.db", "not a database")),
    Bad("no SQLite file", "status --storage sqlite:///none.db", ("none.db", "no such database", "launch")),
    Bad("no study here", "status --work-dir work", ("studies.db", "no such database", "launch")),
    Bad("wrong password", "launch --config {c} --storage {pg_wrong}", ("password authentication failed", "***")),
    Bad("no such PostgreSQL database", "launch --config {c} --storage {pg_none}", ("nowhere", "does not exist")),
    Bad("nobody listens", "launch --config {c} --storage postgresql://u:{pw}@127.0.0.1:1/d", ("refused", "running")),
    # The images
    *(
        Bad(name, f"launch --config {{c}} --work-dir work --data-root {root}", expected, {"data__name": "imagefolder"})
        for name, root, expected in (
            ("image folder missing", "nowhere", ("nowhere", "no such folder")),
            ("image folder empty", "folder", ("folder", "no class folders")),
            ("image folder with one class", "single", ("single", "at least 2 classes", "extractor: inception")),
            ("class folder empty", "hollow", ("hollow/dogs", "no images", ".png")),
            ("broken image", "broken", ("broken/dogs/1.png", "not a whole image")),
            ("image folder is a file", "empty.yaml", ("empty.yaml", "not a folder")),
        )
    ),
    config("image folder not named", "imagefolder needs root", data__name="imagefolder"),
    Bad(
        "weights file missing",
        "launch --config {c} --work-dir work --weights none.pth",
        ("none.pth", "no such file"),
        {"evaluation__extractor": "inception"},
    ),
    Bad(
        "weights file is garbage",
        "launch --config {c} --work-dir work --weights binary.db",
        ("binary.db", "refused as Inception weights"),
        {"evaluation__extractor": "inception"},
    ),
    # Graphs
    Bad("graph unknown", "graphs nonsense --k 2", ("'nonsense'", "mad-gan", "G1=D:t")),
    Bad("graph text malformed", "graphs G1=D:t,,G2", ("G1=D:t,,G2",)),
    Bad("graph with an unknown gate", "graphs G1=D:x/G2=D:t", ("'x'", "through (t)")),
    Bad("graph with an edge of no k", "graphs G1=G5:t/G2=D:t", ("G5",)),
    Bad("graph JSON malformed", 'graphs {{"k":', ("not valid JSON",)),
    Bad("graph JSON incomplete", 'graphs {{"k":2}}', ("edges",)),
    Bad("graph file is no graph", "graphs broken.yaml", ("broken.yaml", "not valid JSON")),
    Bad("preset without k", "graphs mad-gan", ("'mad-gan'", "k >= 2")),
    Bad("preset of another k", "graphs dcgan --k 3", ("'dcgan'", "k = 1")),
    Bad("k zero to count", "graphs --k 0", ("--k", "equal to 1", "'0'")),
    Bad("more generators than can be counted", "graphs --k 80", ("--k", "equal to 64", "'80'")),
    Bad("more generators than a graph has", "graphs {many}", ("at most 64",)),
    Bad("graph JSON nested without end", "graphs deep.json", ("deep.json", "not valid JSON")),
    Bad("graph of a megabyte", "graphs large.yaml", ("large.yaml", "1,048,576 characters")),
    Bad("gates unknown", "graphs --gates through,open", ("'open'", "cutoff (c)")),
    Bad("list without k", "graphs --list", ("--list", "--k")),
    Bad("picture of no graph", "graphs --picture a.png", ("--picture", "GRAPH")),
    Bad("picture of unknown kind", "graphs mad-gan --k 2 --picture a.bmp", ("a.bmp", ".png, .svg, .pdf")),
    # Training one graph
    Bad("train with another k", "train --config {c} --graph G1=D:t", ("k = 1", "k = 2")),
    Bad("train an unknown preset", "train --config {c} --graph best", ("'best'", "mad-gan")),
    Bad("train for no epochs", "train --config {c} --graph mad-gan --epochs 0", ("--epochs", "0", "equal to 1")),
    Bad("train no seeds", "train --config {c} --graph mad-gan --seeds 0", ("--seeds", "equal to 1", "'0'")),
    Bad("train into another run", "train --config {c} --graph mad-gan --out other", ("--out other", "another run")),
    Bad("train into a full folder", "train --config {c} --graph mad-gan --out broken", ("--out broken", "not empty")),
    Bad("train into a file", "train --config {c} --graph mad-gan --out empty.yaml", ("--out empty.yaml", "is a file")),
    Bad(
        "train with too large a batch",
        "train --config {c} --graph mad-gan --work-dir work",
        ("training.batch: 5000", "only 1797"),
        {"training__batch": 5000},
    ),
    Bad("too many trials", "launch --config {c} --trials 10000000001", ("--trials", "10000000", "'10000000001'")),
    Bad("too many seeds", "train --config {c} --graph mad-gan --seeds 1000000", ("--seeds", "'1000000'")),
    Bad("too many images", "sample other --n 1000000000", ("--n", "1000000", "'1000000000'")),
    Bad("too many points", "figures --tsne-images 1000000", ("--tsne-images", "'1000000'")),
    Bad("SQLite where none can be", "launch --config {c} --storage sqlite:////proc/x.db", ("/proc/x.db", "its folder")),
    # A study that is there: 3 of 5 trials done
    Bad("fewer trials than done", "launch --config {c} --storage {s} --trials 2", ("--trials 2", "3 are done")),
    Bad("study unknown", "status --storage {s} --study big", ("'big'", "it holds: small")),
    Bad("study unknown to worker", "worker --storage {s} --study big", ("'big'", "it holds: small")),
    Bad("best as an unknown picture", "best --storage {s} --picture a.gif", ("a.gif", ".png, .svg, .pdf")),
    Bad(
        "launch with another config",
        "launch --config {c} --storage {s}",
        ("{fingerprint}", "transfer.alpha: 21.0 | 20.0", "--study NAME"),
        {"transfer__alpha": 21},
    ),
    Bad(
        "worker with another config",
        "worker --config {c} --storage {s} --study small",
        ("{fingerprint}", "network.z: 9 | 8", "--study NAME"),
        {"network__z": 9},
    ),
    Bad("port in use", "dashboard --storage {s} --port {port}", ("127.0.0.1:{port}", "in use", "--port")),
    Bad("address of another machine", "dashboard --storage {s} --host 192.0.2.1 --port 0", ("192.0.2.1", "--host")),
]
