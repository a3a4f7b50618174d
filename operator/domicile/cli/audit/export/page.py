"""The report as one HTML file without scripts or anything from elsewhere, and the README beside it.

All that was recorded was written by others: it is escaped, and what is not seen is spelled out."""

import re
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from domicile.cli.audit.export.report import Report
from domicile.cli.audit.harmless import harmless

_REPORT: Final = "report.html.jinja"
_README: Final = "README.txt.jinja"
_LONGEST: Final = 34
"""Characters of a word that a column of a table on A4 has room for."""


def html(report: Report) -> str:
    """The page."""
    pages = Environment(
        loader=PackageLoader(__package__ or "", "."),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_harmless,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return pages.get_template(_REPORT).render(report=report, unbroken=_unbroken)


def readme(**said: Any) -> str:
    """The README."""
    texts = Environment(
        loader=PackageLoader(__package__ or "", "."),
        autoescape=False,  # noqa: S701 - plain text
        undefined=StrictUndefined,
        finalize=_harmless,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return texts.get_template(_README).render(**said)


def _unbroken(line: str) -> bool:
    """Whether a word of it is too long for a column."""
    return any(len(word) > _LONGEST for word in re.split(r"[\s-]", line))


def _harmless(value: Any) -> Any:
    """What a macro made was made so already."""
    return harmless(value) if isinstance(value, str) and not isinstance(value, Markup) else value
