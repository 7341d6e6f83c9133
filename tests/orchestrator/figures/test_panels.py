"""Long names are broken between their parts, and labels that do not fit side by side are known."""

from __future__ import annotations

from orchestrator.figures.panels import broken_label, columns_of, fits_side_by_side, panel_axes, row_axes


def test_a_name_breaks_between_its_parts_alone() -> None:
    assert broken_label("vision.backbone=siglip-vit-so400m-384px", 1.0) == "vision.backbone=\nsiglip-vit-\nso400m-384px"
    assert broken_label("base", 1.0) == "base"
    assert broken_label("averyveryverylongname", 0.5) == "averyveryverylongname"


def test_labels_fit_where_their_gaps_are_wider_than_they_are() -> None:
    assert fits_side_by_side(["16px", "32px", "64px"], [0.0, 0.33, 1.0], 1.5)
    assert not fits_side_by_side(["clip-vit-l-336px", "siglip-vit-so400m"], [0.0, 1.0], 0.7)


def test_panels_stand_side_by_side_as_far_as_the_width_goes() -> None:
    assert [columns_of(panel_axes(width, ["a"] * 6)[1]) for width in (2.0, 3.3, 7.0)] == [1, 2, 4]


def test_lines_with_broken_names_make_a_figure_higher() -> None:
    short, _ = row_axes(3.3, ["base"] * 3)
    long, _ = row_axes(3.3, ["vision.backbone=siglip-vit-so400m-384px"] * 3)
    assert long.get_figheight() > short.get_figheight()
