"""The words by which a request asks for places, in one table.

Patterns run over callers' text, so they are RE2's: linear in the text, whatever it is. They ignore case, and
are written with `_` for one blank (or one underscore) and `\\w` for any letter or digit of any script; texts
are brought to single blanks before they are matched.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

import re2


class Means(Enum):
    """What a rule's match says of a sentence."""

    BOXES = "asks for boxes"
    POINTS = "asks for points"
    NEITHER = "speaks of boxes or points without asking for them"
    FORM = "describes how the answer is written"
    LIMIT = "says how many at most, as the group `limit`"
    SEEKS = "names what is looked for, as the group `targets`"
    TAIL = "adds something to what is looked for, as the group `tail`"
    FILLER = "is no part of what is looked for, at its end"
    ARTICLE = "is no part of what is looked for, at its beginning"
    ANYTHING = "is the whole of what is looked for, and stands for whatever there is"


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of the table."""

    means: Means
    pattern: str


_BOX = r"(?:(?:2-?d_)?(?:bounding[ -]?box(?:es)?|bbox(?:es)?|box_2ds?|box(?:es)?)|rectangles?)"
_POINT = r"(?:(?:cent(?:er|re)_)?points?)"
_PLACE = rf"(?:{_BOX}|{_POINT}|positions?|locations?|(?:pixel_)?coordinates)(?:_coordinates)?"
_ASK = (
    r"(?:(?:please|kindly|now|then|(?:can|could|would)_you|i_(?:want|need)(?:_you_to)?|your_task_is_to"
    r"|help_me(?:_to)?)_)*"
)
_GIVE = (
    r"(?:detect|find|locate|identify|show|give|get|draw|return|output|provide|list|mark|produce|generate"
    r"|report|predict|put|place|compute|tell|determine|extract|annotate|write)"
)
_ALL = r"(?:(?:the|a|an|all|all_of|each|every|any|each_of|every_single|tight|precise|exact)_)*"
_PICTURE = r"(?:images?|pictures?|photos?|photographs?|screenshots?|scene)"
_KUTU = r"(?:s[ıi]n[ıi]rlay[ıi]c[ıi]|çevreleyen|cevreleyen)_kutu\w*"
_RESIM = r"(?:resim|resm|görüntü|fotoğraf|görsel)\w*"
_BUL = r"(?:bul|ver|göster|döndür|çiz|tespit_et|algıla|listele|belirle|çıkar|yaz|işaretle)\w*"

_BOXES = (
    r"\bbounding[ -]?box(?:es)?\b",
    r"\bbox_?2ds?\b|\bbbox(?:es)?(?:_?2d)?\b|\b2-?d_box(?:es)?\b",
    r"\by_?min\b.{0,40}\bx_?max\b|\bx_?min\b.{0,40}\by_?max\b",
    r"\b(?:draw|put|place)_(?:a_|the_)?(?:tight_)?(?:box|boxes|rectangles?)_(?:around|on|over)\b",
    r"\bbox_coordinates\b|\bcoordinates_of_(?:the_)?box(?:es)?\b",
    _KUTU,
    r"\bkutu\w*_koordinat\w*",
)
_POINTS = (
    rf"^{_ASK}point_(?:to|at)\b",
    r"""["'“]point(?:_2d)?["'”]""",
    r"[\[(]_?[xy]_?,_?[xy]_?[\])]",
    r"\bpoint_coordinates\b|\bcoordinates_of_(?:the_|a_|each_)?(?:points?|cent(?:er|re)s?)\b",
    rf"^{_ASK}{_GIVE}_(?:me_)?{_ALL}{_POINT}_(?:of|for|on|at)_(?:the|each|every|all)\b",
    r"\bnokta\w*_(?:koordinat\w*|göster\w*|işaretle\w*)|\bnoktala\w*",
)
_NEITHER = (
    r"\b(?:no|not|never|without|don['’]t|instead_of|avoid|rather_than)\b[^,;]{0,50}"
    r"\b(?:bounding|box(?:es)?|bbox(?:es)?|box_2d|points?|coordinates)\b",
    r"\b(?:how_many|count|number_of)_(?:(?:the|of|all|red|drawn)_)*(?:bounding|bbox|2d_box)",
    r"\bwhat_(?:is|are|does)_(?:an?_|the_term_)?(?:bounding_box(?:es)?|bbox)_?(?:mean)?_?\??$",
    r"\b(?:in|inside|within|under|near|outside)_(?:of_)?(?:the|this|that|each|a)_(?:\w+_)?"
    r"(?:bounding_box|bbox)",
    r"\bbox_?3d\b|\b3-?d_bounding",
    r"\b(?:kutu|nokta)\w*_(?:verme|çizme|kullanma|gösterme|döndürme|yazma)|\bkaç_(?:sınırlayıcı|çevreleyen)",
)
_FORM = (
    r"\bbox_?2ds?\b|\by_?min\b|\bx_?min\b|[\[(]_?[xy][01]?_?,_?[xy][01]?_?[,\])]",
    r"\bnormali[sz]ed?\b|\b0_?(?:-|–|to|and|\.\.)_?(?:1000|999)\b|\[0,_?1000\]",
    r"\bjson\b|\bsegmentation\b|\b(?:return|output|give|provide|or|no)_masks?\b",
    r"\bcode[ -](?:fenc|block)\w*|\bmarkdown\b|```",
    rf"\b(?:return|output|respond|answer|reply)\b.{{0,30}}\b{_BOX}\b",
    r"\bno_(?:prose|explanations?|commentary|(?:extra|other|additional)_text)\b",
    r"\b(?:top|upper)[ -]left_corner\b|\borigin_(?:is|at)\b|\bin_pixels?\b",
    r"^_*[\[{]|\bas_a_list_of\b.{0,40}\b(?:coordinates|boxes|points|numbers)\b",
    r"\bnormalize_ed\w*|\bdizisi_olarak\b|\bbiçiminde\b|\bformatında\b|\bmaske\w*_(?:ver|döndür|çiz)me",
    rf"{_KUTU}_(?:\w+_)?(?:olmal|olsun|yazılmal)\w*",
)
_LIMIT = (
    r"\b(?P<limit>(?:no_more_than|at_most|up_to|a_maximum_of|maximum|max\.?)_\d+)\b",
    r"\b(?P<limit>limit(?:ed)?_to_\d+(?:_\w+)?)\b",
    r"\b(?P<limit>en_(?:fazla|çok)_\d+)\b",
)
_SEEKS = (
    rf"^{_ASK}(?:{_GIVE}_(?:me_)?)?{_ALL}(?:{_PLACE}|(?:segmentation_)?masks?)(?:_and_labels?)?"
    r"_(?:of|for|around|on|over|surrounding|enclosing|that_(?:surround|enclose)s?):?_(?P<targets>.+)$",
    rf"^{_ASK}what(?:['’]s|_is|_are)_{_ALL}{_PLACE}_(?:of|for|around)_(?P<targets>.+)$",
    rf"^{_ASK}point_(?:to|at)_(?P<targets>.+)$",
    rf"^{_ASK}(?:detect|find|locate|identify|label|spot|recogni[sz]e|segment|locali[sz]e|mark|look_for"
    r"|search_for):?_(?P<targets>.+)$",
    rf"^{_ASK}where_(?:is|are)_(?P<targets>.+)$",
    rf"^(?:lütfen_)?(?:(?:bu_|şu_)?{_RESIM}_)?(?P<targets>.+?)_"
    rf"(?:{_KUTU}|kutu\w*|konum\w*|yer\w*|nokta\w*|koordinat\w*)_(?:\w+_){{0,3}}?{_BUL}[ .!]*$",
    rf"^(?:lütfen_)?(?:(?:bu_|şu_)?{_RESIM}_)?(?P<targets>.+?)_{_BUL}[ .!]*$",
)
_TAIL = (
    r"(?P<tail>(?:,_?|_)(?:and_)?(?:label|nam|describ|tagg?|caption|annotat)(?:e|l?ing)?_"
    r"(?:them|it|each|every|with|by|as)\b.*)$",
    r"(?P<tail>_\(_?(?:with|using|label|name|including)\b.*)$",
    r"(?P<tail>_with_(?:(?:their|its|a|the|short|descriptive)_)*(?:types?|names?|labels?|descriptions?"
    r"|colou?rs?)\b.*)$",
)
_FILLER = (
    r"(?:,|_and|;)_(?:then_)?(?:return|output|give|provide|respond|report|write|draw|show)\b.*$",
    r"_(?:as|in|using|into)_(?:an?_|valid_|the_)*json\b.*$",
    r"_(?:in|using|with|as)_(?:(?:the|this|a|following)_)*(?:format|order)\b.*$",
    r"(?:,|_and|_with|_using|_by|_as|_via)_(?:(?:drawing|returning|giving|their|its|tight|a|the)_)*"
    rf"{_PLACE}\b.*$",
    r",?_\(?normali[sz]ed\b.*$|_?[\[(][xy]_?(?:min|[01])?_?,.*$",
    rf"_(?:in|on|from|within|of)_(?:the|this|that|my|each|both)_(?:\w+_)?{_PICTURE}$",
    r"_(?:visible|present|shown|seen|please)$|_(?:that_)?you_(?:can_)?see$",
    rf"_{_BUL}_ve$",
    r"[ .,:;!?(\[{]+$",
)
_ARTICLE = (
    r"^(?:(?:the|an?|all|all_of|each|every|any|each_of|every_one_of|tüm|bütün|her)_)+",
    rf"^(?:bana_)?(?:(?:bu_|şu_)?{_RESIM}_)?(?:tüm_|bütün_|her_)*",
    rf"^{_PLACE}_(?:of|for|around|on)_",
)
_ANYTHING = (
    r"^(?:(?:the|all|most|of|different|individual|distinct|prominent|main|visible|important|salient|notable"
    r"|major|key|common|physical|belirgin|önemli|ana|görünen)_)*"
    r"(?:items?|objects?|things?|elements?|entities|entity|everything|something|nesne\w*|öğe\w*|şey\w*"
    r"|eşya\w*|cisim\w*)$",
)

RULES: tuple[Rule, ...] = tuple(
    Rule(means, pattern)
    for means, patterns in (
        (Means.BOXES, _BOXES),
        (Means.POINTS, _POINTS),
        (Means.NEITHER, _NEITHER),
        (Means.FORM, _FORM),
        (Means.LIMIT, _LIMIT),
        (Means.SEEKS, _SEEKS),
        (Means.TAIL, _TAIL),
        (Means.FILLER, _FILLER),
        (Means.ARTICLE, _ARTICLE),
        (Means.ANYTHING, _ANYTHING),
    )
    for pattern in patterns
)
"""The table: English and Turkish."""


def _compile(pattern: str) -> re2.Pattern[str]:
    options = re2.Options()
    options.case_sensitive = False
    options.log_errors = False
    written = pattern.replace("_", "[ _]").replace(r"\w", r"[\pL\pN_]")
    return re2.compile(written, options)


_COMPILED = tuple((rule.means, _compile(rule.pattern)) for rule in RULES)


def matches(means: Means, text: str) -> Iterator[re2.Match[str]]:
    """The match of every rule of that meaning, in the order of the table; the text has single blanks."""
    for each, pattern in _COMPILED:
        if each is means:
            match = pattern.search(text)
            if match:
                yield match


def says(means: Means, text: str) -> bool:
    """Whether a rule of that meaning matches."""
    return next(matches(means, text), None) is not None
