"""Groups of bars, as SVG."""

from xml.sax.saxutils import escape

BAR = 18        # pixels
GAP = 26        # above a group, for its title
LABEL = 230     # left of the bars
LONGEST = 480   # bar
FIGURE = 90     # right of the bars
FIRST, OTHERS = '#2f6f9f', '#b8c4cc'


def text(x: int, y: int, words: str, more: str = '') -> str:
    return f'<text x="{x}" y="{y}"{more}>{escape(words)}</text>'


def bar(y: int, label: str, value: float, most: float, color: str) -> list:
    width = round(LONGEST * value / most) if most > 0 else 0
    return [text(LABEL - 8, y + BAR - 5, label, ' text-anchor="end"'),
            f'<rect x="{LABEL}" y="{y + 1}" width="{width}" height="{BAR - 3}" '
            f'fill="{color}"/>',
            text(LABEL + width + 6, y + BAR - 5, f'{value:,.0f}')]


def bars(title: str, groups: dict) -> str:
    """groups: title -> {label: value}; the longest bar of each group is the longest of all,
    and the first label of all has a colour of its own."""
    parts, y = [text(8, 20, title, ' font-weight="bold"')], 24
    first = next((label for group in groups.values() for label in group), None)
    for name, group in groups.items():
        y += GAP
        parts.append(text(8, y - 6, name))
        for label, value in group.items():
            parts += bar(y, label, value, max(group.values()),
                         FIRST if label == first else OTHERS)
            y += BAR
    size = f'width="{LABEL + LONGEST + FIGURE}" height="{y + 8}"'
    return '\n'.join([f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-size="12" '
                      'font-family="sans-serif">',
                      '<rect width="100%" height="100%" fill="white"/>', *parts, '</svg>', ''])
