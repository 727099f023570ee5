"""The words by which a request asks for places, in one table.

Patterns run over callers' text, so they are RE2's: linear in the text, whatever it is. They ignore case, and
are written with `_` for one blank (or one underscore) and `\\w` for any letter or digit of any script; texts
are brought to single blanks before they are matched.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cache

import re2

TARGETS = "{targets}"
"""Stands in a native prompt for what is looked for."""

LONGEST_SENTENCE = 2000
"""Characters of a sentence that may name what is looked for."""

_MOST_SWAPS = 8
"""How often words for masks are exchanged in a sentence."""

LONGEST_TARGETS = 400
"""Characters of what is looked for, in a native prompt; more stays in the request's own words."""

ASKED_ABOVE = "thing that is asked for above"
"""What is looked for where the request's own words, which then stay, say it in a way of their own."""


class Category(Enum):
    """What a rule's match says of a sentence."""

    BOXES = "asks for boxes"
    POINTS = "asks for points"
    MASKS = "asks for masks"
    NO_MASKS = "speaks of masks without asking for them"
    MASK_FORM = "describes how a mask is written"
    PICTURE = "names one picture by its number, as the group `number`"
    THEIRS = "wants the box of what it names, which is heard where a schema has room for one"
    NEITHER = "speaks of boxes or points without asking for them"
    FORM = "describes how the answer is written"
    LIMIT = "says how many at most, as the group `limit`"
    SEEKS = "names what is looked for, as the group `targets`"
    TAIL = "adds something to what is looked for, as the group `tail`"
    FILLER = "is no part of what is looked for, at its end"
    ARTICLE = "is no part of what is looked for, at its beginning"
    ANYTHING = "is the whole of what is looked for, and stands for whatever there is"


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
_MASK = r"(?:(?:binary|instance|semantic|object|pixel(?:[ -]level)?|segmentation)[ -])*masks?"
_WRITTEN_MASK = r"(?:[\"'“`](?:\w+_)?masks?[\"'”`]|\bbase_?64\b|\bpngs?\b)"
# In Turkish, whose endings carry the grammar: a box around something, a picture, and the verbs.
_KUTU = r"(?:s[ıi]n[ıi]rlay[ıi]c[ıi]|çevreleyen|cevreleyen)_kutu\w*"
_RESIM = r"(?:resim|resm|görüntü|fotoğraf|görsel)\w*"
_BUL = r"(?:bul|ver|göster|döndür|çiz|tespit_et|algıla|listele|belirle|çıkar|yaz|işaretle)\w*"
# In Spanish masks alone: boxes are asked for in English and Turkish, other words stay the request's own.
_MASCARA = r"m[aá]scaras?"
_DAME = (
    r"(?:(?:da|dad|muestra|devuelve|genera|crea|haz|dibuja|extrae|obt[eé]n|produce)(?:me|nos)?"
    r"|(?:quiero|necesito)(?:_(?:ver|obtener))?|realiza|hacer)"
)
_LAS = r"(?:(?:la|las|una|unas|todas|sus?)_)*"
_SEGMENTACION = r"segmentaci[oó]n(?:_de_instancias|_sem[aá]ntica)?_(?:de|del)"

RULES: Mapping[Category, tuple[str, ...]] = {
    Category.BOXES: (
        r"\bbounding[ -]?box(?:es)?\b",
        r"\bbox_?2ds?\b|\bbbox(?:es)?(?:_?2d)?\b|\b2-?d_box(?:es)?\b",
        r"\by_?min\b.{0,40}\bx_?max\b|\bx_?min\b.{0,40}\by_?max\b",
        r"\b(?:draw|put|place)_(?:a_|the_)?(?:tight_)?(?:box|boxes|rectangles?)_(?:around|on|over)\b",
        r"\bbox_coordinates\b|\bcoordinates_of_(?:the_)?box(?:es)?\b",
        _KUTU,
        r"\bkutu\w*_koordinat\w*",
    ),
    Category.POINTS: (
        rf"^{_ASK}point_(?:to|at)\b",
        r"""["'“]point(?:_2d)?["'”]""",
        r"[\[(]_?[xy]_?,_?[xy]_?[\])]",
        r"\bpoint_coordinates\b|\bcoordinates_of_(?:the_|a_|each_)?(?:points?|cent(?:er|re)s?)\b",
        rf"^{_ASK}{_GIVE}_(?:me_)?{_ALL}{_POINT}_(?:of|for|on|at)_(?:the|each|every|all)\b",
        r"\bnokta\w*_(?:koordinat\w*|göster\w*|işaretle\w*)|\bnoktala\w*",
    ),
    Category.MASKS: (
        r"\bsegmentation[ -](?:masks?|maps?)\b|\b(?:instance|semantic)[ -]segmentation\b",
        rf"^{_ASK}(?:{_GIVE}_(?:me_)?)?{_ALL}{_MASK}_(?:of|for|around|on)\b",
        rf"\b(?:{_BOX}|labels?),?_(?:and_)?{_ALL}{_MASK}\b|\b{_MASK},?_(?:and_)?{_ALL}{_BOX}\b",
        r"[\"'“`](?:segmentation_)?masks?[\"'”`]",
        rf"^{_ASK}segment(?:_out)?_",
        rf"\b(?:segmentasyon|bölütleme)_mask\w*|\bmask\w*_(?:ve_\w+_)?{_BUL}",
        r"\bbölütle\w*|\bsegmente_et\w*|\bsegmentasyon\w*_(?:yap|ver|çıkar)\w*",
        rf"\b{_MASCARA}_de_segmentaci[oó]n\b|\b{_DAME}_{_LAS}{_MASCARA}\b",
        rf"^(?:por_favor,?_)?(?:segmenta(?:r|me)?_|(?:{_DAME}_{_LAS})?{_SEGMENTACION}_)",
    ),
    Category.NO_MASKS: (
        r"\b(?:no|not|never|without|don['’]t|instead_of|avoid|rather_than)\b[^,;]{0,50}\b(?:masks?|segment\w*)\b",
        r"\bmask\w*_(?:\w+_)?(?:ver|döndür|çiz|göster|kullan|yaz|oluştur)me\w*",
        r"\bsegment_.{1,80}_(?:into|by)_",
        rf"\b(?:sin|no|nunca)\b[^,;]{{0,50}}\b{_MASCARA}\b",
        rf"\bface_{_MASK}\b|\b(?:wear|wears|wearing|takan|takmış)\b",
    ),
    Category.MASK_FORM: (_WRITTEN_MASK,),
    Category.PICTURE: (
        rf"\b{_PICTURE}_?(?:no\.?_?|number_|#)?(?P<number>\d{{1,4}})\b",
        rf"\b{_RESIM}_(?P<number>\d{{1,4}})\b|\b(?P<nth>\d{{1,4}})\._{_RESIM}",
    ),
    Category.THEIRS: (rf"\b(?:its|their|whose)_(?:\w+_)?(?:{_BOX}|coordinates|positions?|locations?)\b",),
    Category.NEITHER: (
        r"\b(?:no|not|never|without|don['’]t|instead_of|avoid|rather_than)\b[^,;]{0,50}"
        r"\b(?:bounding|box(?:es)?|bbox(?:es)?|box_2d|points?|coordinates)\b",
        r"\b(?:how_many|count|number_of)_(?:(?:the|of|all|red|drawn)_)*(?:bounding|bbox|2d_box)",
        r"\bwhat_(?:is|are|does)_(?:an?_|the_term_)?(?:bounding_box(?:es)?|bbox)_?(?:mean)?_?\??$",
        r"\b(?:in|inside|within|under|near|outside)_(?:of_)?(?:the|this|that|each|a)_(?:\w+_)?"
        r"(?:bounding_box|bbox)",
        r"\bbox_?3d\b|\b3-?d_bounding",
        r"\b(?:kutu|nokta)\w*_(?:verme|çizme|kullanma|gösterme|döndürme|yazma)",
        r"\bkaç_(?:sınırlayıcı|çevreleyen)",
    ),
    Category.FORM: (
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
    ),
    Category.LIMIT: (
        r"\b(?P<limit>(?:no_more_than|at_most|up_to|a_maximum_of|maximum|max\.?)_\d+)\b",
        r"\b(?P<limit>limit(?:ed)?_to_\d+(?:_\w+)?)\b",
        r"\b(?P<limit>en_(?:fazla|çok)_\d+)\b",
    ),
    Category.SEEKS: (
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
    ),
    Category.TAIL: (
        r"(?P<tail>(?:,_?|_)(?:and_)?(?:label|nam|describ|tagg?|caption|annotat)(?:e|l?ing)?_"
        r"(?:them|it|each|every|with|by|as)\b.*)$",
        r"(?P<tail>_\(_?(?:with|using|label|name|including)\b.*)$",
        r"(?P<tail>_with_(?:(?:their|its|a|the|short|descriptive)_)*(?:types?|names?|labels?|descriptions?"
        r"|colou?rs?)\b.*)$",
    ),
    Category.FILLER: (
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
    ),
    Category.ARTICLE: (
        r"^(?:(?:the|an?|all|all_of|each|every|any|each_of|every_one_of|tüm|bütün|her)_)+",
        rf"^(?:bana_)?(?:(?:bu_|şu_)?{_RESIM}_)?(?:tüm_|bütün_|her_)*",
        rf"^{_PLACE}_(?:of|for|around|on)_",
    ),
    Category.ANYTHING: (
        r"^(?:(?:the|all|most|of|different|individual|distinct|prominent|main|visible|important|salient"
        r"|notable|major|key|common|physical|en|belirgin|önemli|ana|görünen)_)*"
        r"(?:items?|objects?|things?|elements?|entities|entity|everything|something|nesne\w*|öğe\w*|şey\w*"
        r"|eşya\w*|cisim\w*)$",
    ),
}
"""The table: English and Turkish; Spanish for masks."""


@cache
def _compiled(pattern: str) -> re2.Pattern[str]:
    """Compiled when it is first asked for: one prompt needs few of the sixty, which take 50 ms."""
    options = re2.Options()
    options.case_sensitive = False
    options.log_errors = False
    written = pattern.replace("_", "[ _]").replace(r"\w", r"[\pL\pN_]")
    return re2.compile(written, options)


_BOXES_FOR_MASKS = (
    (r"\bsegmentation[ -]maps?\b", "bounding boxes"),
    (rf"\b(?:a_)?{_MASK}_(of|for|around|on)\b", "bounding boxes {}"),
    (rf"\b(?:a_)?(?:segmentation|instance|semantic)[ -]{_MASK}\b", "bounding boxes"),
    (r"\b(?:perform_)?(?:instance_|semantic_)?segmentation_(?:of|for|on)\b", "detect"),
    (rf"\b({_BOX}),?_(?:and_)?{_ALL}(?:{_MASK}|bounding_boxes)\b", "bounding boxes"),
    (rf"\b(?:{_MASK}|bounding_boxes),?_(?:and_)?{_ALL}{_BOX}\b", "bounding boxes"),
    (rf"^({_ASK})segment_(?:out_)?", "{}detect "),
    (rf"\b(?:(?:segmentasyon|bölütleme)_)?mask\w*_(?:ve_\w+_)?({_BUL})", "sınırlayıcı kutularını {}"),
    (r"\bbölütle\w*|\bsegmente_et\w*|\bsegmentasyon\w*_(?:yap|ver|çıkar)\w*", "tespit et"),
    (rf"\b(?:(?:la|una)_)?{_MASCARA}_de_segmentaci[oó]n\b", "cajas delimitadoras"),
    (rf"\b(?:(?:la|una)_)?{_MASCARA}_(de|del|para|alrededor)\b", "cajas delimitadoras {}"),
    (rf"\b({_DAME}_{_LAS}){_MASCARA}\b", "{}cajas delimitadoras"),
    (rf"^(?:por_favor,?_)?(?:segmenta(?:r|me)?_|(?:{_DAME}_{_LAS})?{_SEGMENTACION}_)", "detecta "),
)
"""What is asked of a model that knows boxes, in the place of words for masks; `{}` is the first group."""


def matches(category: Category, text: str) -> Iterator[re2.Match[str]]:
    """The match of every rule of a category, in the order of the table; the text has single blanks."""
    found = (_compiled(pattern).search(text) for pattern in RULES[category])
    return (match for match in found if match)


def matches_category(category: Category, text: str) -> bool:
    """Whether a rule of that category matches."""
    return next(matches(category, text), None) is not None


def means_boxes(text: str) -> bool:
    """Whether a text wants boxes, be it in passing: what a sole list of numbers in a schema is then for."""
    return any(
        matches_category(Category.BOXES, each.text) or matches_category(Category.THEIRS, each.text)
        for each in sentences(text)
        if not matches_category(Category.NEITHER, each.text)
    )


_MASK_STEM = re.compile("mask|segment|bölüt|m[aá]scara", re.IGNORECASE)


def may_mean_masks(text: str) -> bool:
    """Whether a text has a word that the rules for masks need: in microseconds, where they take 100."""
    return _MASK_STEM.search(text) is not None


def means_masks(text: str) -> bool:
    """Whether a text asks for masks."""
    return any(
        matches_category(Category.MASKS, each.text)
        for each in sentences(text)
        if not matches_category(Category.NO_MASKS, each.text)
    )


def picture_named(texts: Iterable[str]) -> int | None:
    """The one picture, from 1, that some texts name by its number; None if they name none, or several."""
    spaced = [_BLANKS.sub(" ", text) for text in texts]
    patterns = [_compiled(pattern) for pattern in RULES[Category.PICTURE]]
    found = [match for text in spaced for pattern in patterns for match in pattern.finditer(text)]
    numbers = {int(group) for match in found for group in match.groups() if group}
    return numbers.pop() if len(numbers) == 1 else None


def boxes_for_masks(text: str) -> str:
    """A text that asks for boxes where it asked for masks, without what it says of how a mask is written."""
    kept: list[Sentence] = []
    for each in sentences(text):
        said = each.text
        if not matches_category(Category.NO_MASKS, said):
            said = _asking_for_boxes(said)
        if _targets_of(said) is not None or not matches_category(Category.MASK_FORM, said):
            kept.append(Sentence(said, each.after))
    return joined(kept)


def without_form(text: str) -> str:
    """A text without the sentences that only describe the form of the answer; limits stay."""
    return joined(
        each
        for each in sentences(text)
        if _targets_of(each.text) is not None
        or matches_category(Category.LIMIT, each.text)
        or not matches_category(Category.FORM, each.text)
    )


def _asking_for_boxes(sentence: str) -> str:
    for written, replacement in _BOXES_FOR_MASKS:
        pattern = _compiled(written)
        match = pattern.search(sentence)
        # Each rule's words once or twice in a sentence; what is asked for more often is no prompt.
        for _ in range(_MOST_SWAPS):
            if match is None:
                break
            new = replacement.format(*match.groups()[:1])
            sentence = sentence[: match.start()] + new + sentence[match.end() :]
            match = pattern.search(sentence, match.start() + len(new))
    return sentence


# A bracket, an empty line, a new line that does not go on in lower case, or the mark that ends a sentence.
_STOP = re.compile(r"[\[\](){}]|\n\s*\n\s*|\n(?!\s*[a-zçğıöşü])|[.!?;]+[\"'”’]*(?=\s|$)")
_BLANKS = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence, or a line.

    Attributes:
        text: With single blanks, without blanks around it.
        after: The white space that stood behind it.
    """

    text: str
    after: str = ""


def sentences(text: str) -> tuple[Sentence, ...]:
    """The sentences and lines of a text; what stands in brackets, as a sample of JSON, is not taken apart."""
    found: list[Sentence] = []
    for piece in _pieces(text):
        bare = piece.strip()
        if bare:
            after = piece[len(piece.rstrip()) :]
            found.append(Sentence(_BLANKS.sub(" ", bare).replace("İ", "i"), "\n" if "\n" in after else " "))
    return tuple(found)


def joined(parts: Iterable[Sentence]) -> str:
    """Sentences as a text again."""
    return "".join(part.text + part.after for part in parts).strip()


def _pieces(text: str) -> list[str]:
    # A sample of JSON stays in one piece, unless its brackets do not close: then it would swallow the rest.
    closed = _cut(text, whole_brackets=True)
    return closed if closed is not None else _cut(text, whole_brackets=False) or [text]


def _cut(text: str, *, whole_brackets: bool) -> list[str] | None:
    """Cut behind each end of a sentence; None if brackets were to stay whole and do not close."""
    pieces: list[str] = []
    depth, start = 0, 0
    for match in _STOP.finditer(text):
        mark = match.group()
        if mark in "[({":
            depth += 1
        elif mark in "])}":
            depth = max(0, depth - 1)
        elif depth == 0 or not whole_brackets:
            end = match.end()
            blank = _BLANKS.match(text, end)
            end = blank.end() if blank else end
            pieces.append(text[start:end])
            start = end
    if depth and whole_brackets:
        return None
    return [*pieces, text[start:]]


@dataclass(frozen=True, slots=True)
class RewrittenPrompt:
    """A text without its description of the answer.

    Attributes:
        before: What stood before what is looked for.
        targets: What is looked for; "" if the text does not name it.
        after: What stood behind it, limits and additions among it.
        anything: Whether the text names what is looked for as whatever there is.
    """

    before: str
    targets: str
    after: str
    anything: bool = False


def rewrite(text: str) -> RewrittenPrompt:
    """Take a text apart, sentence by sentence.

    What names targets gives way to the native prompt, and what describes the form of the answer goes: it
    would speak against the form that the family was trained on. Everything else stays, on its side of the
    targets.
    """
    before: list[Sentence] = []
    after: list[Sentence] = []
    targets: list[str] = []
    anything = False
    for sentence in sentences(text):
        found = _targets_of(sentence.text)
        if found is None:
            if not matches_category(Category.FORM, sentence.text):
                (after if targets or anything else before).append(sentence)
            continue
        anything = anything or not found.targets
        targets += [found.targets] if found.targets else []
        after += [Sentence(each, "\n") for each in found.additions]
    return RewrittenPrompt(joined(before), ", ".join(targets), joined(after), anything)


@dataclass(frozen=True, slots=True)
class _Targets:
    """What one sentence looks for: "" for whatever there is; and what it adds."""

    targets: str
    additions: tuple[str, ...]


def _targets_of(sentence: str) -> _Targets | None:
    """What a sentence looks for; None if it is no sentence of that kind."""
    if len(sentence) > LONGEST_SENTENCE:
        return None
    for match in matches(Category.SEEKS, sentence):
        found = _without_additions(str(match.group("targets")))
        if matches_category(Category.ANYTHING, found.targets):
            return _Targets("", found.additions)
        if found.targets and len(found.targets) <= LONGEST_TARGETS:
            return found
    return None


def _without_additions(targets: str) -> _Targets:
    """What is looked for, bare; limits and additions to it become sentences of their own."""
    additions: list[str] = []
    limit = next(matches(Category.LIMIT, targets), None)
    if limit:
        additions.append(_as_sentence(str(limit.group("limit"))))
        targets = (targets[: limit.start()] + targets[limit.end() :]).strip()
    tail = next(matches(Category.TAIL, targets), None)
    if tail:
        targets = targets[: tail.start()]
        # "with labels as JSON" is taken off as well, but says nothing that the native prompt does not.
        if not matches_category(Category.FORM, str(tail.group("tail"))):
            additions.append(_as_sentence(str(tail.group("tail"))))
    targets = _trimmed(targets)
    starts = [match.start() for match in matches(Category.FORM, targets)]
    return _Targets(_trimmed(targets[: min(starts)].strip()) if starts else targets, tuple(additions))


def _trimmed(targets: str) -> str:
    # What stood before an article may be filler in its turn. Nothing is ever trimmed away altogether.
    for category in (Category.FILLER, Category.ARTICLE, Category.FILLER):
        before = ""
        while before != targets:
            before = targets
            for match in matches(category, targets):
                kept = (targets[: match.start()] + targets[match.end() :]).strip()
                if kept and kept != targets:
                    targets = kept
                    break
    return targets


def _as_sentence(addition: str) -> str:
    bare = addition.strip(" ,;.")
    bare = bare[4:] if bare.lower().startswith("and ") else bare
    bare = bare[1:-1] if bare.startswith("(") and bare.endswith(")") else bare
    return bare[:1].upper() + bare[1:] + "."
