"""What wsgid and wsgictl tell of a Python before it serves."""

import json
import os
import re
import shutil
import subprocess
import sys

import pytest

from pythons import SHOW, doctor, fact, make_environment, shared, standard
from server import BUILD, child_user, clean_environment, run_wsgid


def test_an_application_can_be_checked_without_a_server(show):
    (show / 'broken.py').write_text('import nothing_of_this_name\n')
    done = run_wsgid('--check', 'show', cwd=show)
    assert done.returncode == 0
    assert (f'show can be served, with Python {fact(standard(), "version")} '
            f'({fact(standard(), "executable")})') in done.stdout
    done = run_wsgid('--check', './show.py:application', cwd=show)
    assert done.returncode == 0 and f'{show}/show.py:application can be served' in done.stdout
    done = run_wsgid('--check', 'broken', cwd=show)
    assert done.returncode == 1
    assert ("No module named 'nothing_of_this_name' (sys.prefix is "
            f'{fact(standard(), "base_prefix")}; WSGIPythonHome names the virtual environment to '
            'look in)') in done.stderr
    assert run_wsgid('--check', cwd=show).returncode == 2


def test_what_has_no_result_is_not_taken_for_a_good_one(show):
    """os._exit in a module would be the exit status of --check, and look like success."""
    (show / 'leaves.py').write_text('import os\nos._exit(0)\n')
    (show / 'closes.py').write_text('import os\nos.closerange(3, 1000)\n' + SHOW)
    done = run_wsgid('--check', 'closes', cwd=show)
    assert done.returncode == 1 and 'can be served' not in done.stdout
    assert 'its module closes descriptors that are not its own' in done.stderr
    done = run_wsgid('--check', 'leaves', cwd=show)
    assert done.returncode == 1
    assert ('the process of the check ended before the application was imported, exit status 0'
            in done.stderr)
    status, found = doctor('leaves', cwd=show)
    assert status == 1 and found['well'] is False and found['application'] is None
    assert any('exit status 0' in problem for problem in found['problem'])


def test_what_an_application_writes_to_any_descriptor_is_no_result(show):
    writes = 'import os\nfor fd in range(3, 20):\n    try:\n        os.write(fd, b"p%s")\n' \
             '    except OSError:\n        pass\n'
    (show / 'writes.py').write_text(writes % 'p' + SHOW)
    (show / 'much.py').write_text(writes % ('wsgid verdict' * 100) + 'import nothing_of_this_name\n')
    done = run_wsgid('--check', 'writes', cwd=show)
    assert done.returncode == 0 and 'writes can be served' in done.stdout
    done = run_wsgid('--check', 'much', cwd=show)
    assert done.returncode == 1 and "No module named 'nothing_of_this_name'" in done.stderr


def test_an_application_is_checked_once_and_the_check_ends(show):
    """Whatever it has left behind: copies of the process, threads that go on."""
    (show / 'forks.py').write_text('import os\nos.fork()\n' + SHOW)
    done = run_wsgid('--check', 'forks', cwd=show)
    assert done.returncode == 0 and done.stdout.count('can be served') == 1
    (show / 'stays.py').write_text('import threading\n'
                                   'threading.Thread(target=threading.Event().wait).start()\n' +
                                   SHOW)
    done = run_wsgid('--check', 'stays', cwd=show)
    assert done.returncode == 0 and 'stays can be served' in done.stdout
    assert 'the application keeps its process from ending, with a thread' in done.stderr


def test_the_facts_of_the_build_name_each_program_with_its_library():
    said = run_wsgid('-V').stdout
    for program in {standard(), shared()}:
        linkage = fact(program, 'linkage')
        line = re.search(rf'^  Python +(.*): {program}$', said, re.M)[1]
        kind = 'inside the interpreter' if linkage == 'interpreter' else linkage + ' libpython'
        assert line == (f'{fact(program, "version")} ({fact(program, "executable")}), {kind}'
                        + (', not position independent for that' if linkage == 'static'
                                     else ''))


def test_doctor_tells_which_python_would_serve(show, request):
    make_environment('venv', show / 'venv', request)
    done = run_wsgid('--check', '--python-home', show / 'venv', 'show', cwd=show)
    assert f'with Python {fact(standard(), "version")} ({show}/venv)' in done.stdout
    status, found = doctor('--python-home', show / 'venv', 'show', cwd=show)
    assert status == 0 and found['well'] is True and found['problem'] == []
    assert found['prefix'] == str(show / 'venv')
    assert found['executable'] == f'{show}/venv/bin/python'
    assert found['base_prefix'] == fact(standard(), 'base_prefix')
    assert found['running'] == found['compiled_for'] == fact(standard(), 'version')
    assert str(show) in found['path'] and found['application'] == 'show'
    assert found['gil'] == ('off' if fact(standard(), 'abi').endswith('t') else 'on')
    assert int(found['memory_private_kib']) > 0
    assert found['bits'] == ('64' if sys.maxsize > 2 ** 32 else '32')
    assert found['soabi'] == fact(standard(), 'soabi') and 'libpython' in found['soname']
    if found['linkage'] == 'interpreter':
        assert found['library_of_the_build'] == fact(standard(), 'executable')
    else:
        assert (os.path.dirname(found['library_of_the_build'])
                in found['looked_for_in'].split(', '))
    for key in ('io_uring', 'limit_open_files', 'limit_processes', 'limit_core'):
        assert found[key], key
    assert found['user'] == child_user()
    text = subprocess.run([BUILD / 'wsgictl', 'doctor', 'show'], cwd=show, text=True,
                          env=clean_environment(), capture_output=True)
    assert text.returncode == 0
    assert re.search(r'^sys\.executable +/.*python', text.stdout, re.M)


def test_what_an_application_prints_is_no_finding_of_the_doctor(show):
    (show / 'talks.py').write_text(
        "print('prefix: /forged\\nproblem: none\\nan unfinished line', end='')\n" + SHOW)
    done = subprocess.run([BUILD / 'wsgictl', 'doctor', '--json', 'talks'], cwd=show, text=True,
                          env=clean_environment(), capture_output=True)
    found = json.loads(done.stdout)
    assert done.returncode == 0 and found['problem'] == []
    assert found['prefix'] == fact(standard(), 'base_prefix')
    assert found['gil'] and found['application'] == 'talks'
    assert 'prefix: /forged\nproblem: none\nan unfinished line' in done.stderr


def test_doctor_measures_the_children_of_the_server_that_runs(serve, show):
    assert doctor('show', '--run-directory', show / 'run', cwd=show)[1]['children'] == []
    server = serve('show', '-w', '2', cwd=show)
    ready = server.wait_for_ready(2)
    where = ('--run-directory', server.run_directory)
    status, found = doctor('show', *where, cwd=show)
    assert status == 0 and {child['pid'] for child in found['children']} == set(ready)
    for key in ('private_kib', 'shared_kib'):
        sizes = [child[key] for child in found['children']]
        assert min(sizes) > 0 and min(sizes) <= int(found[f'memory_{key}']) <= max(sizes)
    assert re.fullmatch(rf'each child of \S+, pid {server.pid}, on average', found['memory_of'])
    text = subprocess.run([BUILD / 'wsgictl', 'doctor', *where, 'show'], cwd=show, text=True,
                          env=clean_environment(), capture_output=True).stdout
    for child in ready:
        assert re.search(rf'^child +pid {child}: \d+ KiB private, \d+ KiB shared$', text, re.M)
    assert text.count('private memory, KiB') == 1


@pytest.mark.parametrize('words, code, said', [
    (('nothing',), 1, "there is no module 'nothing'"),
    (('--python', '9.9', 'show'), 5, '9.9: wsgid was built for Python'),
])
def test_doctor_says_what_is_wrong_and_its_status_too(show, words, code, said):
    status, found = doctor(*words, cwd=show)
    assert status == code and found['well'] is False
    assert any(said in problem for problem in found['problem'])


def test_doctor_repeats_that_python_was_upgraded(show, old_static):
    place = old_static
    shutil.copy(BUILD / 'wsgictl', place)
    done = subprocess.run([place / 'wsgictl', 'doctor', '--json'], env=clean_environment(),
                          cwd=show, text=True, capture_output=True)
    notice, = json.loads(done.stdout)['notice']
    assert 'was upgraded since wsgid was built' in notice and 'using the shared library' in notice
