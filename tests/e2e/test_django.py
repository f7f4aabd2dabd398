"""A Django site as its users meet it, driven by requests and by curl."""

import pathlib
import re
import subprocess

import pytest

from server import (SERVED_PYTHON, clean_environment, need, need_module, open_directory,
                    own_by_children)

need_module('django')
requests = pytest.importorskip('requests', reason='python3-requests is not installed')

MAKE = '''
import django
from django.core.management import call_command
django.setup()
call_command('migrate', verbosity=0)
from django.contrib.auth.models import User
User.objects.create_superuser('boss', 'boss@example.org', 'secret')
'''


@pytest.fixture(scope='module')
def site_data(apps):
    """A database with an administrator in it, made once."""
    directory = open_directory('wsgid-django-')
    environment = {**clean_environment(), 'DJANGO_SITE_DATA': str(directory),
                   'DJANGO_SETTINGS_MODULE': 'django_site.settings'}
    subprocess.run([SERVED_PYTHON, '-c', MAKE], cwd=apps, env=environment, check=True)
    own_by_children(directory)
    for path in directory.iterdir():
        own_by_children(path)
    yield directory
    for path in directory.iterdir():
        path.unlink()
    directory.rmdir()


@pytest.fixture(params=['plain', 'validated'], ids=['plain', 'validated, io_uring refused'])
def site(request, serve, site_data, no_uring):
    """The site, and the same under wsgiref.validate and where io_uring is refused."""
    environment = {'DJANGO_SITE_DATA': str(site_data)}
    if request.param == 'plain':
        server = serve('django_site.wsgi:application', '-w', '2', env=environment)
    else:
        environment['VALIDATED_APP'] = 'django_site.wsgi:application'
        server = serve('validated:application', '-w', '2', env=environment,
                       launcher=(no_uring, 'EPERM'))
        assert 'using epoll' in server.log.text()
    yield server
    assert 'AssertionError' not in server.log.text()
    server.stop()


def token(text: str) -> str:
    return re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', text)[1]


def log_in(session, url) -> requests.Response:
    page = session.get(f'{url}/admin/login/?next=/admin/')
    assert page.status_code == 200
    return session.post(f'{url}/admin/login/?next=/admin/', data={
        'username': 'boss', 'password': 'secret', 'next': '/admin/',
        'csrfmiddlewaretoken': token(page.text)}, headers={'Referer': page.url})


def test_an_administrator_logs_in_adds_a_user_and_logs_out(site):
    with requests.Session() as session:
        assert 'login' in session.get(f'{site.url}/admin/').url
        page = log_in(session, site.url)
        assert page.status_code == 200 and 'Site administration' in page.text
        assert 'sessionid' in session.cookies
        add = session.get(f'{site.url}/admin/auth/group/add/')
        name = f'group of {site.port}'
        done = session.post(f'{site.url}/admin/auth/group/add/', data={
            'name': name, 'csrfmiddlewaretoken': token(add.text)}, headers={'Referer': add.url})
        assert done.status_code == 200 and name in done.text
        session.post(f'{site.url}/admin/logout/',
                     headers={'X-CSRFToken': session.cookies['csrftoken']})
        assert 'login' in session.get(f'{site.url}/admin/').url


def test_a_wrong_password_is_refused(site):
    with requests.Session() as session:
        page = session.get(f'{site.url}/admin/login/')
        answer = session.post(f'{site.url}/admin/login/', data={
            'username': 'boss', 'password': 'wrong', 'csrfmiddlewaretoken': token(page.text)})
        assert 'Please enter the correct' in answer.text and 'sessionid' not in session.cookies


def test_a_static_file_comes_through_the_application(site):
    where = subprocess.run([SERVED_PYTHON, '-c', 'import django; print(django.__path__[0])'],
                           capture_output=True, text=True, check=True).stdout
    path = pathlib.Path(where.strip()) / 'contrib/admin/static/admin/css/base.css'
    answer = requests.get(f'{site.url}/static/admin/css/base.css')
    assert answer.content == path.read_bytes()
    assert answer.headers['Content-Type'].startswith('text/css')
    again = requests.get(f'{site.url}/static/admin/css/base.css', headers={
        'If-Modified-Since': answer.headers['Last-Modified']})
    assert again.status_code == 304 and again.content == b''
    assert requests.get(f'{site.url}/static/admin/none.css').status_code == 404


def test_a_form_is_posted_with_its_token_and_refused_without(site):
    with requests.Session() as session:
        page = session.get(f'{site.url}/form/')
        assert session.post(f'{site.url}/form/', data={'greeting': 'x'}).status_code == 403
        answer = session.post(f'{site.url}/form/', data={
            'greeting': 'gr\xfc\xdfe \u2603', 'csrfmiddlewaretoken': token(page.text)})
        assert answer.url.endswith('/greeting/') and answer.text == 'gr\xfc\xdfe \u2603'
    assert requests.get(f'{site.url}/greeting/').text == 'nothing'


def test_an_upload_a_stream_and_a_failure(site):
    with requests.Session() as session:
        page = session.get(f'{site.url}/form/')
        answer = session.post(f'{site.url}/upload/', files={'file': ('a.bin', b'x' * 3000000)},
                              headers={'X-CSRFToken': token(page.text)})
        assert answer.text == 'a.bin 3000000'
        lines = session.get(f'{site.url}/stream/', stream=True).iter_lines()
        assert list(lines) == [b'line %d' % i for i in range(1000)]
        assert session.get(f'{site.url}/fail/').status_code == 500
    site.log.wait_for('RuntimeError: deliberate: in a view')


def test_curl_logs_in_with_a_cookie_jar(site, directory):
    jar = directory / 'jar'
    curl = [need('curl'), '-sS', '--fail', '--max-time', '20', '-b', jar, '-c', jar]
    page = subprocess.run([*curl, f'{site.url}/admin/login/'], capture_output=True, check=True,
                          text=True).stdout
    answer = subprocess.run(
        [*curl, '-L', '--data-urlencode', 'username=boss', '--data-urlencode', 'password=secret',
         '--data-urlencode', f'csrfmiddlewaretoken={token(page)}', '--data-urlencode',
         'next=/admin/', f'{site.url}/admin/login/'], capture_output=True, check=True, text=True)
    assert 'Site administration' in answer.stdout
