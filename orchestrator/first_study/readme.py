"""Write the README that lies beside a first study."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

_COMMANDS = """\
# {name}

```
ablate plan {folder}                            # what it does and takes; trains nothing
ablate run {folder} --toy                       # the same with tiny models and generated data: does it run?
ablate run {folder}                             # train, score, judge; the same command goes on after a stop
ablate answers {folder} --differ --limit 10     # questions that arms answer differently
ablate report {folder} -o report.html           # one page to read and to send
ablate open {folder}                            # MLflow
```

`ablate` is there after `source .venv/bin/activate` in the folder that the program was installed in.

## Change it

Edit `study.yaml` and run the same command. What an edit does not concern is kept: another seed, arm or benchmark is all
that is trained or scored. `ablate diff {folder}` says beforehand what an edit changes, and what it costs.
"""

_NEXT = """
| to | change |
|---|---|
| compare resolutions | `vision.resolution: [64, 128]` under `axes` |
| compare encoders | `vision.backbone: [efficientnet-lite0, resnet18.a1_in1k]` under `axes` (fetches weights) |
| use a pretrained language model | `language: hub:ORG/MODEL@REVISION`, or `path:FOLDER`, in the base |
| decide a smaller difference | more `seeds`, or questions about more images; `ablate plan` says how many |
| make training longer | `epochs` in the base |
| show kinds of questions by themselves | `"groups": {"kind": "color"}` in each question |
"""


def readme_text(name: str, folder: Path, question_notes: Sequence[str] | None) -> str:
    """Write the README of a study's folder.

    Args:
        name: of the study.
        folder: as the command line names it.
        question_notes: what was found out about somebody's own data, a sentence each; None for the copy of a study.
    """
    text = _COMMANDS.format(name=name, folder=shlex.quote(str(folder)))
    if question_notes is None:
        return text
    found = "".join(f"- {note}\n" for note in question_notes)
    return f"{text}{_NEXT}\n## What `ablate init` found\n\n{found}"
