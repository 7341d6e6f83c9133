"""``python -m orchestrator`` is ``ablate``: the form that Ray jobs use, as they find code by working directory."""

from orchestrator.cli import main

main()
