"""Claims about search_spaces/node_labels.py."""

from __future__ import annotations

import pytest
from ray._private.accelerators.nvidia_gpu import NvidiaGPUAcceleratorManager
from ray._private.label_utils import validate_label_selector_value

from search_spaces.catalogue.load import shipped
from search_spaces.node_labels import accelerator_type, are_selected, is_selected, label_key, label_value


@pytest.mark.parametrize(
    ("selector", "value", "fits"),
    [
        ("spot", "spot", True),
        ("spot", "owned", False),
        ("spot", None, False),
        ("!spot", "owned", True),
        ("!spot", "spot", False),
        ("!spot", None, True),
        ("in(a,b)", "b", True),
        ("in(a, b)", "b", True),
        ("in(a,b)", "c", False),
        ("!in(a,b)", "c", True),
        ("!in(a,b)", "a", False),
        ("!in(a,b)", None, True),
    ],
)
def test_a_selector_fits_the_values_that_it_names_or_after_a_mark_all_others(
    selector: str, value: str | None, fits: bool
) -> None:
    assert is_selected(selector, value) is fits
    assert validate_label_selector_value(selector) is None, "Ray takes every selector of ours"


@pytest.mark.parametrize("text", ["", "!", "!!a", "in()", "in(a", "in(a,,b)", "-a", "a-", "a b", "a" * 64])
def test_what_is_no_selector_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be a value"):
        is_selected(text, "a")


def test_all_labels_must_fit() -> None:
    labels = {"market": "spot", "rack": "7"}
    assert are_selected({"market": "spot", "rack": "in(6,7)"}, labels)
    assert not are_selected({"market": "spot", "rack": "8"}, labels)
    assert are_selected({}, {})


@pytest.mark.parametrize("text", ["", "a/b/c", "-a", "Domain.example/a", "a" * 64])
def test_what_is_no_name_of_a_label_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be a name"):
        label_key(text)


def test_names_and_values_of_labels_are_returned() -> None:
    assert label_key("example.com/market") == "example.com/market"
    assert label_value("spot_1.a-b") == "spot_1.a-b"
    with pytest.raises(ValueError, match="1 to 63"):
        label_value("two words")


@pytest.mark.parametrize(
    "device",
    [
        *(f"NVIDIA {entry.names[0]}" for entry in shipped().gpus.values()),
        "NVIDIA H100 80GB HBM3",
        "NVIDIA RTX PRO 6000 Blackwell Server Edition",
        "Tesla V100-SXM2-16GB",
        "NVIDIA GeForce RTX 4090",
        "NVIDIA RTX 6000 Ada Generation",
    ],
)
def test_kinds_of_accelerators_are_named_as_ray_names_them(device: str) -> None:
    assert accelerator_type(device) == NvidiaGPUAcceleratorManager._gpu_name_to_accelerator_type(device)
