"""A page of Django with a template of twenty rows and the middleware of a new project."""

import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.template import engines
from django.http import HttpResponse
from django.urls import path

PAGE = ('<!doctype html><title>{{ title }}</title><ul>{% for row in rows %}<li>{{ row.id }}: '
        '<a href="/item/{{ row.id }}">{{ row.name }}</a> {{ row.price }}</li>{% endfor %}</ul>')

settings.configure(
    SECRET_KEY='of no use', ALLOWED_HOSTS=['*'], ROOT_URLCONF=__name__, USE_I18N=False,
    MIDDLEWARE=['django.middleware.security.SecurityMiddleware',
                'django.middleware.common.CommonMiddleware',
                'django.middleware.csrf.CsrfViewMiddleware',
                'django.middleware.clickjacking.XFrameOptionsMiddleware'],
    TEMPLATES=[{'BACKEND': 'django.template.backends.django.DjangoTemplates'}])
django.setup()
TEMPLATE = engines['django'].from_string(PAGE)


def page(request):
    rows = [{'id': n, 'name': f'item <{n}>', 'price': n * 1.5} for n in range(20)]
    return HttpResponse(TEMPLATE.render({'title': 'Twenty', 'rows': rows}, request))


urlpatterns = [path('', page)]
application = get_wsgi_application()
