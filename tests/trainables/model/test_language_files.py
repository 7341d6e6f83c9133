"""Claims about checkpoints on this machine: found, whole, and known without torch."""

from __future__ import annotations

import http.server
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from search_spaces.errors import InputError
from search_spaces.expansion.resolve_language import LanguageFacts
from search_spaces.sizes import language_parameters, sized_family
from tests.support.hub_languages import CHATML, hub_language, make_checkpoint
from trainables.model.gguf_files import gguf_file
from trainables.model.language import build_language
from trainables.model.language_files import check_language, language_facts
from trainables.model.weights import find_weights


def test_config_json_tells_family_and_width(tmp_path: Path) -> None:
    make_checkpoint(tmp_path / "own", "qwen2")
    make_checkpoint(tmp_path / "hub/tiny/neox", "gpt_neox")
    assert language_facts("path:own", tmp_path) == LanguageFacts("qwen2", 32)
    assert language_facts("hub:tiny/neox@main", tmp_path) == LanguageFacts("gpt_neox", 32)
    assert language_facts("path:absent", tmp_path) is None


def test_older_names_of_the_width_and_nested_configurations_are_read(tmp_path: Path) -> None:
    for name, config in (
        ("gpt2", {"model_type": "gpt2", "n_embd": 48}),
        ("outer", {"model_type": "mistral3", "text_config": {"hidden_size": 64}}),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text(json.dumps(config))
    assert language_facts("path:gpt2", tmp_path) == LanguageFacts("gpt2", 48)
    assert language_facts("path:outer", tmp_path) == LanguageFacts("mistral3", 64)


@pytest.mark.parametrize(
    ("gone", "lacks"),
    [
        (["config.json"], "lacks config.json"),
        (["model.safetensors"], r"lacks weights \(model\.safetensors"),
        (["tokenizer.json"], r"lacks a tokenizer \(tokenizer\.json"),
        (["config.json", "model.safetensors", "tokenizer.json"], "lacks config.json; weights .*; a tokenizer"),
    ],
)
def test_a_copy_that_lacks_something_says_what(gone: list[str], lacks: str, tmp_path: Path) -> None:
    spec = hub_language(tmp_path, "llama")
    for name in gone:
        (tmp_path / "hub/tiny/llama" / name).unlink()
    with pytest.raises(InputError, match=f"{lacks}.*\n.*Copy the missing files"):
        check_language(spec, tmp_path)


def test_a_missing_shard_is_named(tmp_path: Path) -> None:
    spec = hub_language(tmp_path, "mistral", shards=True)
    (tmp_path / "hub/tiny/mistral/model-00002-of-00004.safetensors").unlink()
    with pytest.raises(InputError, match=r"lacks 1 of 4 shards \(model-00002-of-00004\.safetensors first\)"):
        check_language(spec, tmp_path)


@pytest.mark.parametrize(("name", "value"), [("width", 64), ("family", "llama")])
def test_what_a_study_says_of_a_checkpoint_must_be_so(name: str, value: object, tmp_path: Path) -> None:
    spec = hub_language(tmp_path, "qwen2").model_copy(update={name: value})
    with pytest.raises(InputError, match=rf"language\.{name} of .* must be (32|qwen2), as the checkpoint has it"):
        check_language(spec, tmp_path)


def test_a_missing_chat_template_and_unknown_targets_are_found_without_torch(tmp_path: Path) -> None:
    spec = hub_language(tmp_path, "llama")
    with pytest.raises(InputError, match=r"the tokenizer of hub:tiny/llama@main has none"):
        check_language(spec, tmp_path, template=True)
    check_language(hub_language(tmp_path, "llama", model="tiny/chat", template=CHATML), tmp_path, template=True)
    check_language(spec, tmp_path, targets=("q_proj", "mlp.up_proj"))
    with pytest.raises(InputError, match=r"must name layers .* got 'k_pro'\nDid you mean 'k_proj'"):
        check_language(spec, tmp_path, targets=("q_proj", "k_pro"))


def test_a_folder_with_one_gguf_file_stands_for_it_and_two_must_be_told_apart(tmp_path: Path) -> None:
    (tmp_path / "a.gguf").touch()
    assert gguf_file(tmp_path) == gguf_file(tmp_path / "a.gguf") == tmp_path / "a.gguf"
    (tmp_path / "b.gguf").touch()
    with pytest.raises(InputError, match=r"there are a\.gguf, b\.gguf"):
        gguf_file(tmp_path)
    (tmp_path / "config.json").touch()
    assert gguf_file(tmp_path) is None


def test_a_broken_gguf_file_is_bad_input(tmp_path: Path) -> None:
    (tmp_path / "a.gguf").write_bytes(b"no such thing" * 10)
    with pytest.raises(InputError, match="must be a GGUF file"):
        language_facts("path:a.gguf", tmp_path)


# ---------------------------------------------------------------- the hub


class _Hub(http.server.BaseHTTPRequestHandler):
    """Serve a hub that refuses everybody."""

    def do_HEAD(self) -> None:
        self.send_response(200)
        self.end_headers()

    def do_GET(self) -> None:
        self.send_response(403)
        self.send_header("X-Error-Code", "GatedRepo")
        self.send_header("X-Error-Message", "Access to this model is restricted.")
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def gated_hub() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def _find(origin: str, data: Path, **environment: str) -> str:
    """Locate an origin in a fresh interpreter: the hub client reads its environment when it is imported."""
    code = (
        "import sys; from pathlib import Path; from trainables.model.weights import find_weights\n"
        "try: print(find_weights(sys.argv[1], Path(sys.argv[2])))\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    known = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    known |= {"HF_HOME": str(data / "cache"), **environment}
    command = [sys.executable, "-c", code, origin, str(data)]
    return subprocess.run(command, env=known, capture_output=True, text=True, timeout=60, check=True).stdout


def test_a_gated_model_names_the_id_all_that_was_tried_and_how_to_supply_a_copy(tmp_path: Path, gated_hub: str) -> None:
    message = _find("hub:meta-llama/Llama-2-7b-hf@main", tmp_path, HF_ENDPOINT=gated_hub)
    assert message.startswith("InputError the weights of 'hub:meta-llama/Llama-2-7b-hf@main' were found nowhere")
    copy = tmp_path / "hub/meta-llama/Llama-2-7b-hf"
    assert f"Tried {copy} (nothing there), the local cache {tmp_path / 'cache/hub'}" in message
    assert "the hub (GatedRepoError: 403" in message
    assert f"put a copy of the repository (configuration, weights, tokenizer) at {copy}." in message
    assert len(message.splitlines()) == 2


def test_a_hub_out_of_reach_and_an_offline_machine_say_so(tmp_path: Path) -> None:
    assert "the hub (http://127.0.0.1:9 cannot be reached: ConnectError" in _find(
        "hub:a/b@main", tmp_path, HF_ENDPOINT="http://127.0.0.1:9"
    )
    assert "the hub (not asked, as HF_HUB_OFFLINE is set)" in _find("hub:a/b@main", tmp_path, HF_HUB_OFFLINE="1")


def test_a_cached_snapshot_is_used_without_asking_and_an_unfinished_one_is_not(tmp_path: Path) -> None:
    repository = tmp_path / "cache/hub/models--tiny--llama"
    make_checkpoint(repository / "snapshots/abc", "llama")
    (repository / "refs").mkdir()
    (repository / "refs/main").write_text("abc")
    environment = {"HF_ENDPOINT": "http://127.0.0.1:9"}
    assert _find("hub:tiny/llama@main", tmp_path, **environment).strip() == str(repository / "snapshots/abc")
    (repository / "snapshots/abc/model.safetensors").unlink()
    assert "not in it, or not complete" in _find("hub:tiny/llama@main", tmp_path, **environment)


def test_a_copy_below_the_data_folder_comes_first(tmp_path: Path) -> None:
    hub_language(tmp_path, "llama")
    assert find_weights("hub:tiny/llama@main", tmp_path) == tmp_path / "hub/tiny/llama"


@pytest.mark.parametrize("family", ["llama", "mistral", "phi"])
def test_the_size_of_a_local_model_is_read_from_its_configuration(family: str, tmp_path: Path) -> None:
    spec = hub_language(tmp_path, family)
    facts = language_facts(str(spec.checkpoint), tmp_path)
    assert facts is not None
    assert facts.shape is not None
    size = sized_family(family)
    assert size is not None
    model = build_language(spec, 401, 7, tmp_path)
    assert language_parameters(size, facts.width, facts.shape) == sum(p.numel() for p in model.parameters())


def test_the_size_of_a_form_that_is_not_known_is_not_guessed(tmp_path: Path) -> None:
    for name, options in (("bias", {"attention_bias": True}), ("heads", {"head_dim": 8})):
        make_checkpoint(tmp_path / name, "llama", **options)
        facts = language_facts(f"path:{name}", tmp_path)
        assert facts is not None
        assert facts.shape is None
