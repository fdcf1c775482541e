"""How many paired tasks became worse, stayed, and became better, as one bar."""

from evaluator.paired import Paired
from gateway.cli.report.markup import Html, element

_WIDTH, _HEIGHT, _TOP = 460.0, 48.0, 22.0
_GAP = 2.0


def flip_bar(paired: Paired) -> Html:
    """The parts are as wide as their counts, and each says its own."""
    counts = {"worse": len(paired.worse), "alike": paired.alike, "better": len(paired.better)}
    left, parts = 0.0, []
    for name, count in counts.items():
        width = _WIDTH * count / (paired.tasks or 1)
        parts.append(element("rect", class_=name, x=left, y=_TOP, width=max(0.0, width - _GAP), height=_HEIGHT - _TOP))
        left += width
    said = [f"▼ {counts['worse']} worse", f"{counts['alike']} alike", f"▲ {counts['better']} better"]
    ends = zip(said, ("start", "middle", "end"), (0.0, _WIDTH / 2, _WIDTH), strict=True)
    texts = [element("text", text, class_="label", x=x, y=14, text_anchor=anchor) for text, anchor, x in ends]
    summary = f"{paired.tasks} tasks paired: {', '.join(said)}"
    view = f"0 0 {_WIDTH:.0f} {_HEIGHT:.0f}"
    return element("svg", *parts, *texts, class_="plot shares", viewBox=view, role="img", aria_label=summary)
