"""Precision, attention kernel and peak follow from the device, and a peak is never guessed."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest
from transformers import LlamaConfig, LlamaForCausalLM

from search_spaces.errors import InputError
from search_spaces.resource_spec import Padding, ResourceSpec
from search_spaces.spec import Precision
from search_spaces.worker_contract import Device
from tests.support.tiny_specs import stage
from tests.support.tiny_trials import make_task, run
from trainables.storage import layout
from trainables.storage.record_files import read
from trainables.storage.records import StageResult
from trainables.storage.store import LocalStore
from trainables.task import Context
from trainables.training.hardware import (
    CAPABILITIES,
    FLASH_ATTENTION,
    attention_kernel,
    drops_padding,
    flops_utilisation,
    peak_flops,
    provenance,
    refuse_precision,
    set_attention,
)


def test_every_precision_has_a_lowest_capability() -> None:
    assert set(CAPABILITIES) == set(get_args(Precision))


def test_bf16_is_refused_before_ampere_and_nowhere_else() -> None:
    bf16, fp32 = stage(precision="bf16"), stage(precision="fp32")
    with pytest.raises(InputError, match=r"needs compute capability 8.0 \(Ampere\) or higher, but V100 has 7.0"):
        refuse_precision(bf16, "V100", (7, 0))
    refuse_precision(bf16, "A100", (8, 0))
    refuse_precision(bf16, "cpu", None)
    refuse_precision(fp32, "V100", (7, 0))


@pytest.mark.parametrize(
    ("device", "precision", "has_flash", "has_sdpa", "kernel"),
    [
        ("cuda", "bf16", True, True, "flash_attention_2"),
        ("cuda", "fp32", True, True, "sdpa"),
        ("cuda", "bf16", False, True, "sdpa"),
        ("cpu", "bf16", True, True, "sdpa"),
        ("cpu", "fp32", False, False, "eager"),
    ],
)
def test_attention_is_the_best_kernel_that_is_there(
    device: Device, precision: Precision, has_flash: bool, has_sdpa: bool, kernel: str
) -> None:
    assert attention_kernel(device, precision, has_flash, has_sdpa) == kernel


def test_flash_attention_that_is_installed_but_does_not_import_is_said_and_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As a build for another version of torch does."""
    (tmp_path / "flash_attn.py").write_text("raise ImportError('flash_attn_2_cuda.so: undefined symbol')")
    monkeypatch.syspath_prepend(tmp_path)
    model = LlamaForCausalLM(
        LlamaConfig(hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1, vocab_size=8)
    )
    assert set_attention(model, stage(precision="bf16"), "cuda") == "sdpa"
    assert model.config._attn_implementation == "sdpa"
    assert "flash_attn_2_cuda.so: undefined symbol" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("padding", "kernel", "drops"),
    [
        ("auto", "sdpa", False),
        ("auto", "flash_attention_2", True),
        ("keep", "flash_attention_2", False),
        ("drop", "sdpa", True),
    ],
)
def test_padding_is_dropped_where_asked_or_where_the_kernel_gains_by_it(
    padding: Padding, kernel: str, drops: bool
) -> None:
    assert drops_padding(ResourceSpec(padding=padding), kernel, "llama") is drops


def test_padding_stays_by_default_where_a_family_does_not_keep_records_of_a_row_apart() -> None:
    assert drops_padding(ResourceSpec(), FLASH_ATTENTION, "llama")
    assert not drops_padding(ResourceSpec(), FLASH_ATTENTION, "opt")


def test_a_peak_is_known_by_the_drivers_name_and_never_guessed() -> None:
    assert peak_flops("NVIDIA H100 80GB HBM3", "bf16") == 989.4e12
    assert peak_flops("NVIDIA A100-SXM4-80GB", "bf16") == 312e12
    assert peak_flops("Tesla V100-SXM2-32GB", "bf16") is None
    others = {
        "NVIDIA H100 PCIe": 756e12,
        "NVIDIA H100 NVL": 835e12,
        "NVIDIA GH200 480GB": 989.4e12,
        "NVIDIA H200": 989.4e12,
        "NVIDIA H20": 148e12,
        "NVIDIA B200": 2250e12,
        "NVIDIA A100-SXM4-40GB": 312e12,
        "NVIDIA A800-SXM4-80GB": 312e12,
        "NVIDIA L40S": 362e12,
        "NVIDIA L40": 181e12,
    }
    assert {name: peak_flops(name, "bf16") for name in others} == others
    assert peak_flops("cpu", "fp32") is None


def test_utilisation_is_work_over_what_all_devices_could_have_done() -> None:
    assert flops_utilisation(operations=8e12, device_seconds=8.0, peak=2e12) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("precision", "micro", "gradients"), [("bf16", 1, "fp32"), ("bf16", None, "bf16"), ("fp32", 1, "fp32")]
)
def test_provenance_tells_in_which_precision_gradients_are_summed(
    precision: Precision, micro: int | None, gradients: str
) -> None:
    trained, resources = stage(precision=precision), ResourceSpec(micro_batch=micro)
    assert provenance(trained, resources, Context(), "sdpa", False)["gradients"] == gradients


def test_a_stage_tells_its_attention_kernel_and_no_utilisation_without_a_peak(tmp_path) -> None:  # type: ignore[no-untyped-def]
    task = make_task(tmp_path, cached=False, benchmarks=())
    run(task)
    result = read(LocalStore(tmp_path), layout.stage_result(task.stages[0].key), StageResult)
    assert result is not None
    assert result.provenance["attention"] == "sdpa"
    assert result.mfu is None
