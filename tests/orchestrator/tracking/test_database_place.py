"""The embedded database is warned of where several machines have mounted its file system."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.tracking import database_place
from orchestrator.tracking.database_place import Mount, database_warning, shared_mount, tell_shared_database

MOUNTED = [
    Mount("/", "ext4"),
    Mount("/shared", "nfs4"),
    Mount("/shared/scratch", "xfs"),
    Mount("/lustre", "lustre"),
    Mount("/bucket", "fuse.s3fs"),
    Mount("/covered", "nfs"),
    Mount("/covered", "tmpfs"),
]


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/home/me/.ablate", None),
        ("/shared/ablate", "nfs4"),
        ("/shared", "nfs4"),
        ("/shared-not/ablate", None),
        ("/shared/scratch/ablate", None),
        ("/lustre/ablate", "lustre"),
        ("/bucket/ablate", "fuse.s3fs"),
        ("/covered/ablate", None),
    ],
)
def test_the_file_system_that_lies_on_top_decides(folder: str, kind: str | None) -> None:
    mount = shared_mount(Path(folder), MOUNTED)
    assert (mount and mount.kind) == kind


def test_the_warning_says_where_and_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    warning = database_warning(Path("/shared/ablate"), MOUNTED) or ""
    assert "/shared/ablate/tracking/mlflow.db is an SQLite database on nfs4 (/shared)" in warning
    assert "--tracking-uri" in warning
    told: list[str] = []
    monkeypatch.setattr(database_place, "mounts", lambda: [Mount(str(tmp_path), "nfs")])
    tell_shared_database(tmp_path / "storage", told.append)
    monkeypatch.setattr(database_place, "mounts", lambda: [Mount(str(tmp_path), "ext4")])
    tell_shared_database(tmp_path / "storage", told.append)
    assert len(told) == 1
