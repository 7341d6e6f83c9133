"""What arms have answered to questions, on a terminal."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from orchestrator.analysis.stored_answers import StoredAnswers, answers_by_arm
from orchestrator.reporting.asked_questions import AskedQuestion
from orchestrator.reporting.shown_answers import ShownAnswers
from orchestrator.reporting.thumbnails import thumbnail
from orchestrator.terminal.pictures import COLUMNS, PictureProtocol, picture_text
from search_spaces.one_line import one_line

GOOD, BAD = "green", "red"


def answers_to_terminal(
    shown: ShownAnswers, what: str, console: Console, pictures: PictureProtocol | None = None
) -> None:
    """Print questions of a benchmark with what every arm answered.

    Args:
        shown: answers to the chosen questions of one benchmark.
        what: of the questions that were chosen ("on which arms differ").
        console: to print on.
        pictures: how the terminal shows pictures; None: their paths are enough.
    """
    answers, questions = shown.answers, shown.questions
    count = f"{answers.chosen:,} of {answers.of:,} questions {what}".rstrip()
    more = f", the first {len(questions):,} of them" if len(questions) < answers.chosen else ""

    def print_line(line: str, style: str = "") -> None:
        console.print(Text(one_line(line), style=style), soft_wrap=True)

    print_line(f"{answers.benchmark}: {count}{more}", "bold")
    for line in answers.left_out:
        print_line(f"  left out: {line}")
    width = max(len(arm) for arm, _ in answers.trials)
    for name, question in questions.items():
        console.print()
        print_line(f"{name}   {_picture(answers, name, question)}", "dim")
        if pictures is not None and question is not None and question.image_bytes and question.pixels is not None:
            png = thumbnail(question.image_bytes, question.pixels, "PNG")
            console.file.write(picture_text(png, pictures, min(COLUMNS, console.width)) + "\n")
        if question is not None:
            print_line(f"  {question.prompt}   right: {question.reference}")
        for arm, said in answers_by_arm(answers.answers_to(name)).items():
            words = Text(f"    {arm:{width}}  ")
            for number, ((text, score), times) in enumerate(said.items()):
                words.append(", " if number else "")
                words.append(f"{one_line(text) or '(nothing)'} ({score:g})", GOOD if score >= 0.5 else BAD)  # of 1
                words.append(f" x{times}" if times > 1 else "")
            console.print(words, soft_wrap=True)


def _picture(answers: StoredAnswers, name: str, question: AskedQuestion | None) -> str:
    """Name the picture: its file, where it is here."""
    if question is None:
        return answers.images[name]
    return str(question.picture or question.image or "(no picture)")
