"""What is said of a module that was not found: the cause, where one is to be seen."""

import pytest

from server import IS_ROOT, ask_served, child_user, run_wsgid

SERVES = '''
def application(environ, start_response):
    start_response('200 OK', [])
    return []
'''


@pytest.fixture
def site(directory):
    """A directory with what applications may look for."""
    for path in ('closed', 'closed/package', 'built', 'built/package', 'project',
                 'project/project'):
        (directory / path).mkdir()
        (directory / path / '__init__.py').touch()
    (directory / 'closed' / 'package' / 'module.py').touch()
    (directory / 'built' / 'package' / 'part.cpython-31-any.so').touch()
    (directory / 'project' / 'beside.py').touch()
    (directory / 'project' / 'project' / 'settings.py').touch()
    return directory


def check(path, source: str, *words, cwd, env=None) -> str:
    """What is said of an application that begins so."""
    path.write_text(source + '\n' + SERVES)
    named = f'./{path.relative_to(cwd)}' if path.suffix == '.wsgi' else path.stem
    done = run_wsgid('--check', *words, named, cwd=cwd, env=env)
    assert done.returncode == 1, done.stderr
    return done.stderr.splitlines()[-1]


@pytest.mark.skipif(not IS_ROOT, reason='only root runs children as somebody else')
@pytest.mark.parametrize('source', ['import package.module', 'from package import module'])
def test_a_package_that_the_user_may_not_read(site, source):
    package = site / 'closed' / 'package'
    package.chmod(0o700)
    said = check(site / 'app.py', source, cwd=site, env={'PYTHONPATH': str(site / 'closed')})
    assert f'({package} cannot be read by user {child_user()}: {package} has mode 0700' in said
    assert f'chmod o+rx {package}, or choose another User)' in said


@pytest.mark.skipif(not IS_ROOT, reason='only root runs children as somebody else')
def test_a_place_that_the_user_may_not_look_into(site):
    (site / 'closed').chmod(0o700)
    said = check(site / 'app.py', 'import package', cwd=site,
                 env={'PYTHONPATH': str(site / 'closed' / 'package')})
    assert (f'(not looked into: {site}/closed/package cannot be read by user {child_user()}: '
            f'{site}/closed has mode 0700') in said


def test_a_module_that_was_compiled_for_another_python(site):
    said = check(site / 'app.py', 'import package.part', cwd=site,
                 env={'PYTHONPATH': str(site / 'built')})
    assert (f'({site}/built/package/part.cpython-31-any.so was built for another Python than 3.'
            in said)


def test_a_module_beside_a_script_or_above_it(site):
    project = site / 'project'
    said = f'it is in {project}, which is not on Python\'s path: add --python-path {project}, or'
    by_name = 'import importlib\nimportlib.import_module("project.settings")'
    assert said in check(project / 'a.wsgi', 'import beside', cwd=site)
    assert said in check(project / 'project' / 'b.wsgi', by_name, cwd=site)
    assert said in check(project / 'project' / 'c.py', 'import project', cwd=project / 'project')
    # What another file asks for that is beside that one.
    (site / 'built' / 'asks.py').write_text('import beside\n')
    (site / 'built' / 'beside.py').touch()
    assert (f'(it is in {site}/built, which is not on'
            in check(site / 'd.py', 'import built.asks', cwd=site))


def test_a_package_that_is_another_one(site):
    (site / 'own.py').touch()
    said = check(site / 'app.py', 'import own.module', cwd=site)
    assert said.endswith(f"'own' is not a package (own is {site}/own.py)")
    said = check(site / 'app.py', 'import built.nothing', cwd=site)
    assert said.endswith(f'(built is {site}/built/__init__.py)')


def test_an_application_with_a_dot_before_its_name(site):
    """As in WSGI_APPLICATION of Django's settings."""
    (site / 'project' / 'wsgi.py').write_text(SERVES)
    done = run_wsgid('--check', 'project.wsgi.application', cwd=site)
    assert ("(the 'application' in project.wsgi is written project.wsgi:application)"
            in done.stderr)


def test_what_is_not_anywhere(site):
    prefix = ask_served('sys.base_prefix')
    absent = 'import nothing_of_this_name'
    said = check(site / 'app.py', absent, cwd=site)
    assert said.endswith(f'(sys.prefix is {prefix}; WSGIPythonHome names the virtual environment '
                         'to look in)')
    said = check(site / 'app.py', absent, '--python-home', prefix, cwd=site)
    assert said.endswith(f'(sys.prefix is {prefix}, as configured: install it there, or name its '
                         'directory with WSGIPythonPath)')
    assert 'uWSGI has it within itself' in check(site / 'app.py', 'import uwsgi', cwd=site)
