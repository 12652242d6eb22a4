"""Values of DICOM attributes as the terminal shows them."""

from __future__ import annotations


def value_text(text: str | None) -> str:
    """A value in rich's markup: absent and empty ones have words, outer spaces and control characters show."""
    from rich.markup import escape

    if text is None:
        return "[dim italic]absent[/]"
    if not text:
        return "[dim italic]empty[/]"
    plain = "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)
    return escape(plain if plain == plain.strip() else f"'{plain}'")


def counted(count: int, one: str, many: str | None = None) -> str:
    """A number with its noun: `1 object`, `2,000 objects`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"
