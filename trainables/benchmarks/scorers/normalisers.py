"""Normalise short answers: pure functions from text to text, each named after the program that it equals.

The rules and tables are facts of the public evaluation code: GT-Vision-Lab/VQA (a013f00), facebookresearch/mmf
(m4c_evaluators.py, b0ffc7f), the VizWiz API, TRI-ML/vlm-evaluation (d9f5896), open-compass/VLMEvalKit (e8e78f0).
"""

from __future__ import annotations

import re
import string
from collections.abc import Mapping
from functools import lru_cache

_CACHED = 1 << 17
"""Answers repeat: distinct texts that each normaliser remembers (some tens of MB at most)."""

NUMBER_WORDS = {
    **{"none": "0", "zero": "0", "one": "1", "two": "2", "three": "3", "four": "4"},
    **{"five": "5", "six": "6", "seven": "7", "eight": "8", "nine": "9", "ten": "10"},
}
_ARTICLES = frozenset({"a", "an", "the"})
_PUNCTUATION = tuple(';/[]"{}()=+\\_-><@`,?!')
_ANY_PUNCTUATION = re.compile("[" + re.escape("".join(_PUNCTUATION)) + ".]")

_DIGIT_COMMA_DIGIT = re.compile(r"\d,\d")
_PERIOD_NOT_BEFORE_DIGIT = re.compile(r"\.(?!\d)")
"""What `(?!<=\\d)(\\.)(?!\\d)` comes to: its first group is a misspelt look-behind that always holds."""
_PERIOD_NOT_BESIDE_DIGIT = re.compile(r"(?<!\d)\.(?!\d)")
_MOST_PERIODS = 32
"""Every one of these programs passes re.UNICODE (32) where `re.sub` takes the number of replacements."""

_TABLE = """
aint>ain't arent>aren't cant>can't couldve>could've couldnt>couldn't couldn'tve>couldn't've couldnt've>couldn't've
didnt>didn't doesnt>doesn't dont>don't hadnt>hadn't hadnt've>hadn't've hadn'tve>hadn't've hasnt>hasn't havent>haven't
hed>he'd hed've>he'd've he'dve>he'd've hes>he's howd>how'd howll>how'll hows>how's Id've>I'd've I'dve>I'd've Im>I'm
Ive>I've isnt>isn't itd>it'd itd've>it'd've it'dve>it'd've itll>it'll let's>let's maam>ma'am mightnt>mightn't
mightnt've>mightn't've mightn'tve>mightn't've mightve>might've mustnt>mustn't mustve>must've neednt>needn't
notve>not've oclock>o'clock oughtnt>oughtn't ow's'at>'ow's'at 'ows'at>'ow's'at 'ow'sat>'ow's'at shant>shan't
shed've>she'd've she'dve>she'd've she's>she's shouldve>should've shouldnt>shouldn't shouldnt've>shouldn't've
shouldn'tve>shouldn't've somebody'd>somebodyd somebodyd've>somebody'd've somebody'dve>somebody'd've
somebodyll>somebody'll somebodys>somebody's someoned>someone'd someoned've>someone'd've someone'dve>someone'd've
someonell>someone'll someones>someone's somethingd>something'd somethingd've>something'd've
something'dve>something'd've somethingll>something'll thats>that's thered>there'd thered've>there'd've
there'dve>there'd've therere>there're theres>there's theyd>they'd theyd've>they'd've they'dve>they'd've theyll>they'll
theyre>they're theyve>they've twas>'twas wasnt>wasn't wed've>we'd've we'dve>we'd've weve>we've werent>weren't
whatll>what'll whatre>what're whats>what's whatve>what've whens>when's whered>where'd wheres>where's whereve>where've
whod>who'd whod've>who'd've who'dve>who'd've wholl>who'll whos>who's whove>who've whyll>why'll whyre>why're whys>why's
wont>won't wouldve>would've wouldnt>wouldn't wouldnt've>wouldn't've wouldn'tve>wouldn't've yall>y'all yall'll>y'all'll
y'allll>y'all'll yall'd've>y'all'd've y'alld've>y'all'd've y'all'dve>y'all'd've youd>you'd youd've>you'd've
you'dve>you'd've youll>you'll youre>you're youve>you've
"""
"""The table of all these programs. Keys with a capital are never met, as words are lower-cased first; somebody'd loses
its apostrophe."""

_CONTRACTIONS: Mapping[str, str] = dict(entry.split(">") for entry in _TABLE.split())

_UNDAMAGED_VALUES = frozenset({"aint", "arent", "cant", "couldve", "couldnt", "weve", "wheres", "whove"})
_UNDAMAGED_KEYS = frozenset({"couldn'tve", "hadn'tve"})


def _damaged(sign: str) -> Mapping[str, str]:
    """Make the table of contractions as VizWiz has it: another sign for the apostrophe, except in a few entries."""
    return {
        key if key in _UNDAMAGED_KEYS else key.replace("'", sign): (
            value if key in _UNDAMAGED_VALUES else value.replace("'", sign)
        )
        for key, value in _CONTRACTIONS.items()
    }


_CURLY = _damaged("\u2019")
_BACKTICK = _damaged("`")


@lru_cache(_CACHED)
def white_space(text: str) -> str:
    """Turn line ends and tabulators into spaces, and strip."""
    return text.replace("\n", " ").replace("\t", " ").strip()


def punctuation(text: str) -> str:
    """Delete or replace the 21 signs, delete the first 32 periods that stand before no digit."""
    return _punctuation(text, _PERIOD_NOT_BEFORE_DIGIT)


def _punctuation(text: str, period: re.Pattern[str]) -> str:
    """Delete a sign if one of its kind touches a space or a comma stands between digits; else make it a space."""
    if not _ANY_PUNCTUATION.search(text):
        return text
    glued = _DIGIT_COMMA_DIGIT.search(text) is not None
    out = text
    for sign in _PUNCTUATION:
        if sign in text:
            beside_space = f"{sign} " in text or f" {sign}" in text
            out = out.replace(sign, "" if glued or beside_space else " ")
    return period.sub("", out, count=_MOST_PERIODS)


def words(text: str, contractions: Mapping[str, str] = _CONTRACTIONS) -> str:
    """Lower the case, turn number words into digits, drop articles, restore the apostrophe of contractions."""
    digits = [NUMBER_WORDS.get(word, word) for word in text.lower().split()]
    return " ".join([contractions.get(word, word) for word in digits if word not in _ARTICLES])


@lru_cache(_CACHED)
def vqa_official(text: str) -> str:
    """Normalise as GT-Vision-Lab/VQA: white space, punctuation, words."""
    return words(punctuation(white_space(text)))


@lru_cache(_CACHED)
def vizwiz(text: str) -> str:
    """Normalise as the VizWiz API: as `vqa_official`, with curly apostrophes in the table of contractions."""
    return words(punctuation(white_space(text)), _CURLY)


@lru_cache(_CACHED)
def vizwiz_prismatic(text: str) -> str:
    """Normalise as TRI-ML/vlm-evaluation's port of VizWiz: backticks in the table of contractions."""
    return words(punctuation(white_space(text)), _BACKTICK)


@lru_cache(_CACHED)
def evalai(text: str) -> str:
    """Normalise as EvalAI in mmf, LLaVA, lmms-eval: commas and question marks go first, `'s` becomes a word."""
    tokens = text.lower().replace(",", "").replace("?", "").replace("'s", " 's").strip()
    return words(punctuation(white_space(tokens)))


@lru_cache(_CACHED)
def vlmevalkit(text: str) -> str:
    """Normalise as VLMEvalKit: as the official one, but a period after a digit stays ("2.")."""
    return words(vlmevalkit_punctuation(white_space(text)))


def vlmevalkit_punctuation(text: str) -> str:
    return _punctuation(text, _PERIOD_NOT_BESIDE_DIGIT)


_NO_ASCII_PUNCTUATION = str.maketrans("", "", string.punctuation)


def without_ascii_punctuation(text: str) -> str:
    return text.translate(_NO_ASCII_PUNCTUATION)
