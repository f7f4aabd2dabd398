"""The manual page of the configuration, made of a list that a table might print."""

import os
import shutil
import subprocess
import sys

import pytest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, 'tools'))

import check_directives  # noqa: E402
import conf_manual  # noqa: E402

LIST = """\
Listen
    -b, --bind, --listen ADDRESS
    WSGID_LISTEN
    default 127.0.0.1:8000
    Where to listen: [HOST:]PORT; may be repeated

MPM
    --mpm WORD
    WSGID_MPM
    default prefork; one of prefork worker; a change needs a restart
    'quoted' words and a back\\slash are not for mdoc; . is no macro

ServerLimit (also OldLimit)
    --server-limit N|auto
    WSGID_SERVER_LIMIT, SERVER_LIMIT
    default auto; 0 to 2147483647
    To what MaxRequestWorkers can be raised
"""


@pytest.fixture
def page():
    return conf_manual.page([check_directives.Directive(entry)
                             for entry in LIST.strip('\n').split('\n\n')])


def test_every_directive_has_an_entry_in_its_section(page):
    lines = page.split('\n')
    for name in ('Listen Ar ADDRESS', 'MPM Ar WORD', 'ServerLimit Ar N|auto'):
        assert f'.It Ic {name}' in lines
    assert lines.index('.Sh THE NETWORK') < lines.index('.It Ic Listen Ar ADDRESS') \
        < lines.index('.Sh THE PROCESSES') < lines.index('.It Ic MPM Ar WORD')


def test_facts_are_those_of_the_list(page):
    assert 'Default: 127.0.0.1:8000.\n.br\n.Fl b , Fl \\-bind , Fl \\-listen ;\n' in page
    assert '.Ev WSGID_SERVER_LIMIT , SERVER_LIMIT\n' in page
    assert 'one of prefork worker.\nA change needs a stop and a start.\n' in page
    assert '.Ic OldLimit\n' in page
    assert '2147483647' not in page


def test_no_word_becomes_a_macro(page):
    assert "\\&'quoted' words and a back\\eslash are not for mdoc;\n\\&. is no macro.\n" in page


def test_no_complaints(page):
    if shutil.which('mandoc') is None:
        pytest.skip('mandoc is not installed')
    run = subprocess.run(['mandoc', '-T', 'lint', '-W', 'warning'], input=page, text=True,
                         capture_output=True)
    assert run.stdout == ''


@pytest.mark.parametrize('name', ['src/wsgictl/wsgictl.8', 'src/wsgid/wsgid.8',
                                  'src/wsgid/wsgid.conf.5'])
def test_the_manuals_are_clean(name):
    if shutil.which('mandoc') is None:
        pytest.skip('mandoc is not installed')
    run = subprocess.run(['mandoc', '-T', 'lint', '-W', 'style', os.path.join(TOP, name)],
                         text=True, capture_output=True)
    # Which pages are installed is the machine's matter.
    assert [line for line in run.stdout.splitlines()
            if 'referenced manual not found' not in line] == []


# The macros of mdoc that are called where they stand behind another one, and are words.
WORDS_THAT_ARE_MACROS = {'Ad', 'An', 'Ap', 'At', 'Do', 'Em', 'Es', 'In', 'No', 'So', 'St'}


@pytest.mark.parametrize('name', ['wsgid/wsgid.8', 'wsgid/wsgid.conf.5', 'wsgictl/wsgictl.8'])
def test_no_word_of_a_heading_is_a_macro(name):
    with open(os.path.join(TOP, 'src', name), encoding='utf-8') as file:
        headings = [line.split() for line in file if line.startswith(('.Sh ', '.Ss ', '.Nd '))]
    assert headings and not [line for line in headings if WORDS_THAT_ARE_MACROS & set(line)]
