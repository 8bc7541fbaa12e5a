"""Which protocols are comparable: every field counts, and a stamp that an old record lacks does not."""

import pytest

from colgan_search.records import STAMPS, Protocol, Scores, comparable, differences

STAMPED = Protocol(
    extractor="inception",
    weights_digest="0123456789abcdef",
    resolution=64,
    channels=3,
    images=5000,
    splits=1,
    reference=None,
    dtype="float32",
    tf32=False,
    batch=256,
)
OLD = """{"generators": [{"metrics": {"is_mean": 2.5, "is_std": 0.0}}], "protocol": {"extractor": "inception",
"weights_digest": "0123456789abcdef", "resolution": 64, "channels": 3, "images": 5000, "splits": 1, "reference": null,
"metrics": {}},
"objective": {"metric": "is", "number": "is_mean", "label": "IS", "higher_is_better": true, "worst": 1.0}}"""


def test_a_record_without_stamps_is_read_and_compared() -> None:
    old = Scores.model_validate_json(OLD).protocol
    assert (old.dtype, old.tf32, old.batch) == (None, None, None)
    assert comparable(old, STAMPED) and comparable(STAMPED, old)
    assert not comparable(old, STAMPED.model_copy(update={"images": 50_000}))
    assert not differences({"extractor": "a"}, {"extractor": "a", "batch": 8}), "as JSON without the key"


@pytest.mark.parametrize(
    ("field", "value"), [("dtype", "bfloat16"), ("tf32", True), ("batch", 64), ("reference", "x:1:f"), ("splits", 10)]
)
def test_every_field_that_differs_counts(field: str, value: object) -> None:
    other = STAMPED.model_copy(update={field: value})
    assert not comparable(STAMPED, other)
    assert differences(STAMPED.model_dump(), other.model_dump()) == {field: (getattr(STAMPED, field), value)}


def test_only_the_stamps_may_be_missing() -> None:
    for field in set(Protocol.model_fields) - set(STAMPS):
        lacking = {key: value for key, value in STAMPED.model_dump().items() if key != field}
        expected = {} if getattr(STAMPED, field) is None else {field: (getattr(STAMPED, field), None)}
        assert differences(STAMPED.model_dump(), lacking) == expected


def test_scores_keep_their_stamps() -> None:
    scores = Scores.model_validate_json(OLD).model_copy(update={"protocol": STAMPED})
    assert Scores.model_validate_json(scores.model_dump_json()).protocol == STAMPED
