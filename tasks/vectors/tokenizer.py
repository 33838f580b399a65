"""The rules that make words of a text, as Hugging Face's `tokenizers` reads them: tokenizer.json.

Each step is one of `tasks.text.normalization`, in its order, in the regular expressions of Oniguruma instead of RE2;
a test compares both. What these cannot do is said in the model card: cutting with ICU's dictionaries, joining phrases.
"""

from typing import Any

from tasks.text import normalization
from tasks.text.normalization import DELIMITER, INVISIBLE, JOINERS, PART, Rules
from tasks.vectors.writing import check

UNKNOWN = "[UNK]"
ITEMS_END = "\n"  # between items


def of(words: list[str], rules: Rules | None) -> dict[str, Any]:
    """Return the content of tokenizer.json: row i is word i, and the row after the last stands for unknown words."""
    rules = rules or Rules()
    items = rules.kind == "items"
    check(words, frozenset(ITEMS_END) if items else frozenset("\0"), "ids without a line feed" if items else "words")
    unknown, known = UNKNOWN, set(words)
    while unknown in known:
        unknown = f"[{unknown}]"
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": None if items else {"type": "Sequence", "normalizers": _normalizers(rules)},
        "pre_tokenizer": _split({"String": ITEMS_END}) if items else _words(rules, phrases=_has_phrases(words, rules)),
        "post_processor": None,
        "decoder": None,
        "model": {
            "type": "WordLevel",
            "vocab": {word: row for row, word in enumerate([*words, unknown])},
            "unk_token": unknown,
        },
    }


def _normalizers(rules: Rules) -> list[dict[str, Any]]:
    steps: list[dict[str, Any]] = []
    if rules.lowercase:
        steps += [_replace("İ", "i"), {"type": "Lowercase"}]  # which would make two characters of it
    steps.append(_replace(INVISIBLE, ""))
    if rules.lowercase:
        steps.append(_replace(r"i\x{307}", "i"))
    steps.append({"type": "NFC"})
    steps.append(_replace(rf"[{JOINERS}]+(?![{PART}])", ""))  # before a character outside words
    steps.append(_replace(rf"(?<![{PART}])[\p{{M}}{JOINERS}]+", ""))  # after such a character
    if rules.lowercase:
        steps.append(_replace(rf"\p{{L}}[\p{{M}}{JOINERS}]*\Kσ(?![\p{{L}}\p{{M}}{JOINERS}])", "ς"))
    # private, as another name there would change the keys of all stages
    return [*steps, *(_replace(*each) for each in normalization._digit_replacements(rules.digits))]


def _words(rules: Rules, *, phrases: bool) -> dict[str, Any]:
    if rules.pattern is not None:
        return _split({"Regex": rules.pattern}, invert=True)
    return _split({"Regex": f"[^{PART}{DELIMITER if phrases else ''}]+"})


def _has_phrases(words: list[str], rules: Rules) -> bool:
    """Return True if words are joined, so that a text may name a phrase as the vocabulary does."""
    return rules.pattern is None and any(DELIMITER in word for word in words)


def _replace(pattern: str, content: str) -> dict[str, Any]:
    return {"type": "Replace", "pattern": {"Regex": pattern}, "content": content}


def _split(pattern: dict[str, str], *, invert: bool = False) -> dict[str, Any]:
    return {"type": "Split", "pattern": pattern, "behavior": "Removed", "invert": invert}
