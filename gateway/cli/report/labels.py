"""Where the names of points go, so that they cover neither each other nor a whisker, as far as is simple."""

from collections.abc import Sequence
from dataclasses import dataclass

_CHARACTER = 6.9
_HEIGHT = 14.0
_OUTSIDE = 1000.0
"""How much worse than covering something it is to leave the frame, for each pixel."""
_SIDES = (1, -1)
_STEPS = (4.0, 18.0, 32.0, 46.0)
"""How far above or below its point a name may go, in pixels; the nearest that is free wins."""


@dataclass(frozen=True, slots=True)
class Box:
    """Pixels; ``top`` is less than ``bottom``."""

    left: float
    top: float
    right: float
    bottom: float

    def overlap(self, other: "Box") -> float:
        """The area that both cover."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        return max(0.0, width) * max(0.0, height)

    def outside(self, frame: "Box") -> float:
        """How many pixels it sticks out."""
        over = (frame.left - self.left, self.right - frame.right, frame.top - self.top, self.bottom - frame.bottom)
        return sum(max(0.0, pixels) for pixels in over)


def placed(anchors: Sequence[tuple[float, float, str]], obstacles: Sequence[Box], frame: Box) -> list[Box]:
    """A box for the text of each anchor ``(x, y, text)``, first come first served."""
    taken = list(obstacles)
    boxes = []
    for x, y, text in anchors:
        box = min(_candidates(x, y, len(text) * _CHARACTER), key=lambda box: _cost(box, taken, frame))
        boxes.append(box)
        taken.append(box)
    return boxes


def _candidates(x: float, y: float, width: float) -> list[Box]:
    """Nearest first: above and below, to the right and to the left."""
    found = []
    for step in _STEPS:
        for down in _SIDES:
            for right in _SIDES:
                left = x + 7 if right > 0 else x - 7 - width
                top = y + step if down < 0 else y - step - _HEIGHT
                found.append(Box(left, top, left + width, top + _HEIGHT))
    return found


def _cost(box: Box, taken: Sequence[Box], frame: Box) -> float:
    return sum(box.overlap(other) for other in taken) + _OUTSIDE * box.outside(frame)
