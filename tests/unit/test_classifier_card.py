"""What a classifier's held-out accuracy is worth: said below 90 %, refused where guessing would do as well."""

from typing import Any

import pytest
from pydantic import ValidationError

from colgan_search.errors import DataError
from colgan_search.evaluation.classifier_card import Card, least_accuracy, poor, require_worth


def card(accuracy: Any, classes: int = 10) -> Card:
    return Card(
        held_out_accuracy=accuracy,
        epochs=3,
        classes=tuple(map(str, range(classes))),
        real="x:1:0",
        architecture=1,
        weights_digest="0" * 16,
    )


@pytest.mark.parametrize(("classes", "least"), [(2, 0.75), (3, 2 / 3), (4, 0.5), (10, 0.2), (100, 0.02)])
def test_the_floor_is_twice_chance_but_can_be_reached(classes: int, least: float) -> None:
    assert least_accuracy(classes) == pytest.approx(least)
    require_worth(card(least + 1e-9, classes))
    with pytest.raises(
        DataError, match=rf"among {classes} classes on {100 / classes:.1f} %.*classifier_epochs \(now 3"
    ):
        require_worth(card(least - 1e-6, classes))


def test_below_ninety_percent_it_is_said() -> None:
    assert poor(None) is None and poor(0.9) is None
    said = poor(0.8999)
    assert said is not None
    for words in ("90.0 %", "more images", "evaluation.classifier_epochs", "extractor: inception"):
        assert words in said
    assert "42.0 % of its held-out images" in str(poor(0.42))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -0.1, 1.1, "much"])
def test_a_card_holds_a_share(value: Any) -> None:
    with pytest.raises(ValidationError):
        card(value)
