"""The program's own tokenizers cover any text, and label answers and the end token only."""

from __future__ import annotations

from trainables.model.tokenizer import IGNORE, byte_tokenizer, word_tokenizer


def test_words_are_numbered_by_the_alphabet_whatever_the_order_of_the_texts() -> None:
    first, second = word_tokenizer(["is it red?", "yes"]), word_tokenizer(["Yes", "red is it?"])
    assert first.encode("Is it red?") == second.encode("is it red?")
    assert first.size == 4 + 5


def test_an_unknown_word_is_one_token_and_not_an_error() -> None:
    tokenizer = word_tokenizer(["red"])
    assert tokenizer.encode("purple red") == [3, 4]


def test_a_number_with_a_decimal_point_is_one_token_so_that_boxes_are_short() -> None:
    tokenizer = word_tokenizer(["[0.12, 0.30, 0.55, 0.88]", "is it red?"])
    assert len(tokenizer.encode("[0.12, 0.30, 0.55, 0.88]")) == 9
    assert tokenizer.encode("red.") == [tokenizer.encode("red")[0], 3]


def test_bytes_cover_any_text() -> None:
    tokenizer = byte_tokenizer()
    ids = tokenizer.encode("caf\u00e9")
    assert len(ids) == 5
    assert max(ids) < tokenizer.size


def test_labels_cover_the_answer_and_the_end_token_only() -> None:
    tokenizer = word_tokenizer(["what is it? red"])
    ids, labels = tokenizer.encode_turns("bare", (("what is it?", "red"),), 64)
    assert labels.tolist() == [IGNORE] * 4 + [tokenizer.encode("red")[0], tokenizer.end]
    assert (ids[labels != IGNORE] == labels[labels != IGNORE]).all()


def test_a_text_longer_than_the_limit_is_cut() -> None:
    ids, labels = byte_tokenizer().encode_turns("bare", (("a long question", "yes"),), 5)
    assert len(ids) == len(labels) == 5
