"""What tools/bench draws."""

import pathlib
import sys
from xml.etree import ElementTree

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / 'tools'))

import chart  # noqa: E402

SVG = '{http://www.w3.org/2000/svg}'


def drawn(groups):
    root = ElementTree.fromstring(chart.bars('Speed', groups))
    return ([int(bar.get('width')) for bar in root.findall(f'{SVG}rect')[1:]],
            [words.text for words in root.findall(f'{SVG}text')])


def test_bars_are_as_long_as_their_part_of_the_best_of_the_group():
    lengths, words = drawn({'hello': {'ours': 1000, 'theirs': 250}, 'page': {'theirs': 8}})
    assert lengths == [chart.LONGEST, chart.LONGEST / 4, chart.LONGEST]
    assert words == ['Speed', 'hello', 'ours', '1,000', 'theirs', '250', 'page', 'theirs', '8']


def test_words_are_words_and_nothing_may_be_nothing():
    assert drawn({'<a & b>': {'"c"': 0}}) == ([0], ['Speed', '<a & b>', '"c"', '0'])
    assert drawn({}) == ([], ['Speed'])
