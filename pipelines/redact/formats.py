"""Validates numbers by format: check digits of payment cards, numbering plans of telephones."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

import phonenumbers
from stdnum import luhn

REGIONS = {"ru": ("RU",), "uk": ("UA",), "hu": ("HU",), "en": ("GB", "US", "IE")}  # where a language's national numbers are dialled
CARD_DIGITS = range(13, 20)  # ISO/IEC 7812
PHONE_DIGITS = range(10, 14)  # with the trunk prefix or the country code: shorter ones are also accounts


def is_card(digits: str) -> bool:
    """Whether the digits have the length of a payment card and a valid check digit."""
    return len(digits) in CARD_DIGITS and bool(luhn.is_valid(digits))


def is_phone(digits: str, languages: Iterable[str]) -> bool:
    """Whether the digits are an assignable number in a country of one of these languages, in national or international format."""
    return len(digits) in PHONE_DIGITS and any(
        _is_assigned(digits, region) for language in languages for region in REGIONS.get(language, ())
    )


@lru_cache(maxsize=10_000)
def _is_assigned(digits: str, region: str) -> bool:
    home = phonenumbers.country_code_for_region(region)
    for text in (digits, f"+{digits}"):
        try:
            number = phonenumbers.parse(text, region)
        except phonenumbers.NumberParseException:
            continue
        if number.country_code == home and phonenumbers.is_valid_number(number):
            return True
    return False
