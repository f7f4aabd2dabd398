"""A page of Flask with a template of twenty rows."""

from flask import Flask, render_template
from jinja2 import DictLoader

application = Flask('page')
PAGE = ('<!doctype html><title>{{ title }}</title><ul>{% for row in rows %}<li>{{ row.id }}: '
        '<a href="/item/{{ row.id }}">{{ row.name }}</a> {{ row.price }}</li>{% endfor %}</ul>')
application.jinja_loader = DictLoader({'page.html': PAGE})


@application.route('/')
def page():
    rows = [{'id': n, 'name': f'item <{n}>', 'price': n * 1.5} for n in range(20)]
    return render_template('page.html', title='Twenty', rows=rows)
