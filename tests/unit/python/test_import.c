/*
 * test_import.c - the words for an application, and what is said of them.
 */
#include "exchange.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/defs.h"

#define GET "GET / HTTP/1.1\nHost: a\n\n"

#define APP(name)                                               \
	"def " name "(environ, start_response):\n"              \
	"    start_response('200 OK', [])\n"                    \
	"    return [(__name__ + ' ' + str(__file__) + ' " name \
	"').encode()]\n"

static int
set_up(void **state)
{
	int rc = exchange_set_up(state);
	char pipe[256];

	exchange_write("shop.py",
		APP("application")
			APP("app") "from functools import partial\n"
				   "class Site:\n"
				   "    class inner:\n"
				   "        pass\n"
				   "Site.inner.app = staticmethod(app)\n"
				   "site = Site()\n"
				   "def make():\n"
				   "    return app\n"
				   "def make_nothing():\n"
				   "    return None\n"
				   "def make_number():\n"
				   "    return 5\n"
				   "def make_badly():\n"
				   "    raise LookupError('no settings')\n"
				   "def needs_more(settings):\n"
				   "    pass\n"
				   "count = 5\n"
				   "async def asgi(scope, receive, send):\n"
				   "    pass\n"
				   "class Asgi:\n"
				   "    async def __call__(self, scope, "
				   "receive, send):\n"
				   "        pass\n"
				   "asgi_object = Asgi()\n"
				   "asgi_method = asgi_object.__call__\n"
				   "asgi_partial = partial(partial("
				   "asgi_method, None), receive=None)\n"
				   "wsgi_partial = partial(app)\n"
				   "class Partial(partial):\n"
				   "    pass\n"
				   "asgi_sub = Partial(asgi, None)\n");
	exchange_write("marked.py",
		"import inspect\n" APP("app")
			"if hasattr(inspect, 'markcoroutinefunction'):\n"
			"    asgi = inspect.markcoroutinefunction(app)\n"
			"else:\n"
			"    async def asgi(scope, receive, send):\n"
			"        pass\n");
	exchange_write("fails.py", "import shop\n1 / 0\n");
	exchange_write("needs.py", "import absent_library\n");
	exchange_write("leaves.py", "import sys\nsys.exit('not today')\n");
	exchange_write("broken.py", "def f(:\n");
	exchange_write("lines.py", "raise ValueError('one\\ntwo')\n");
	exchange_write("script.wsgi", "# \xc3\xa4 script\n" APP("application"));
	exchange_write("latin.wsgi", "# coding: latin-1\ntext = '\xe4'\n"
				     "assert text == '\\xe4'\n" APP("app"));
	exchange_write("empty.wsgi", "");
	exchange_write("fails.wsgi", "raise LookupError('in a script')\n");
	exchange_write("leaves.wsgi", "raise SystemExit\n");
	exchange_write("odd.py", "raise ValueError('a\\udc80')\n");
	snprintf(pipe, sizeof(pipe), "%s/pipe.wsgi", exchange_directory());
	assert_int_equal(mkfifo(pipe, 0600), 0); /* nobody writes to it */
	return rc;
}

static void
test_every_way_to_name_an_application(void **state)
{
	static const struct {
		const char *application, *serves;
	} rows[] = {
		{"shop:application", "shop "},
		{"shop", "application"},
		{"shop:app", "shop.py app"},
		{"shop:make()", "shop.py app"},
		{"shop:site.inner.app", "shop.py app"},
		{"shop:wsgi_partial", "shop.py app"},
		{"./script.wsgi", "/script.wsgi application"},
		{"./script.wsgi:application", "_wsgid_"},
		{"./latin.wsgi:app", "latin.wsgi app"},
		{"./shop.py:app", "_wsgid_"},
		{"./shop.py", "/shop.py application"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct exchange ex = {0};
		struct err err = {0};

		if (exchange_import(rows[i].application, &err, &ex.log) < 0)
			fail_msg("%s", err.text);
		exchange_run(&ex, GET);
		assert_holds(exchange_body(&ex), rows[i].serves);
		assert_string_equal(exchange_log(&ex), "");
		exchange_fini(&ex);
	}
	run_python("import sys\n"
		   "names = [n for n in sys.modules if n[:7] == '_wsgid_']\n"
		   "assert len(names) == 3, names\n"
		   "assert len(names[0]) == len('_wsgid_') + 16\n");
}

static void
test_what_is_wrong_is_said_in_a_sentence(void **state)
{
	static const struct {
		const char *application;
		int code;
		const char *says;
		const char *traceback; /* NULL: none is shown */
	} rows[] = {
		{"", EINVAL, "no application is given", NULL},
		{"absent", ENOENT, "there is no module 'absent' in /tmp/wsgid-",
			NULL},
		{"absent.wsgi_app:app", ENOENT,
			"there is no module 'absent.wsgi_app' in", NULL},
		{"shop.wsgi_app:app", ENOENT, "'shop' is not a package", NULL},
		{"shop.app", ENOENT,
			"'shop' is not a package (the 'app' in shop is written "
			"shop:app)",
			NULL},
		{"shop.site.inner.app", ENOENT,
			"is written shop:site.inner.app)", NULL},
		{"shop.absent", ENOENT, "'shop' is not a package (shop is /",
			NULL},
		{"stop", ENOENT, "is one of wsgictl: \"wsgictl stop\")", NULL},
		{"shop:absent", ENOENT,
			"there is no 'absent' in its module, which is /", NULL},
		{"shop:aplication", ENOENT, "; it has 'application'", NULL},
		{"shop:site.absent", ENOENT,
			"there is no 'absent' in the object before it", NULL},
		{"shop:count", EINVAL,
			"'count' is of type int, which cannot be "
			"called",
			NULL},
		{"shop:make_nothing()", EINVAL,
			"'make_nothing()' has returned None: is a \"return\" "
			"missing?",
			NULL},
		{"shop:make_number()", EINVAL,
			"'make_number()' is of type int, which cannot be called",
			NULL},
		{"shop:make_badly()", ENOEXEC,
			"its factory fails: LookupError: no settings",
			"in make_badly"},
		{"shop:needs_more()", ENOEXEC, "its factory fails: TypeError",
			"TypeError: needs_more() missing 1"},
		{"shop:asgi", EINVAL, "'asgi' is an ASGI application", NULL},
		{"shop:asgi_object", EINVAL, "is an ASGI application", NULL},
		{"shop:asgi_method", EINVAL, "is an ASGI application", NULL},
		{"shop:asgi_partial", EINVAL, "is an ASGI application", NULL},
		{"shop:asgi_sub", EINVAL, "is an ASGI application", NULL},
		{"marked:asgi", EINVAL, "is an ASGI application", NULL},
		{"shop:", EINVAL, "\"\" is no name of a callable", NULL},
		{"shop:a b", EINVAL, "\"a b\" is no name of a callable", NULL},
		{"/srv/a.ini", EINVAL, "application = "
			"paste.deploy.loadapp('config:/srv/a.ini')", NULL},
		{"paste:/srv/a.ini#main", EINVAL,
			"loadapp('config:/srv/a.ini')", NULL},
		{"/srv/paste:/srv/a.ini", EINVAL,
			"loadapp('config:/srv/a.ini')", NULL},
		{"config:/srv/a.ini", EINVAL,
			"loadapp('config:/srv/a.ini')", NULL},
		{"paste:a.ini", EINVAL, "loadapp('config:/.../a.ini')", NULL},
		{"./a.ini:main", EINVAL, "./a.ini is no Python", NULL},
		{"shop.ini:app", ENOENT, "no module 'shop.ini'", NULL},
		{"/srv/a.ini.py", ENOENT, "the script /srv/a.ini.py", NULL},
		{"shop:make(1)", EINVAL, "no arguments can be given", NULL},
		{"shop:make('a:b')", EINVAL, "no arguments can be given", NULL},
		{"shop:make('/a')", EINVAL, "no arguments can be given", NULL},
		{"shop:make(1", EINVAL, "\"make(1\" is no name", NULL},
		{"shop:a..b", EINVAL, "is no name of a callable", NULL},
		{":app", EINVAL, "\"\" is no name of a module", NULL},
		{"my shop:app", EINVAL, "\"my shop\" is no name of a module",
			NULL},
		{"shop-app", EINVAL, "is no name of a module", NULL},
		{"fails", ENOEXEC,
			"its module cannot be imported: ZeroDivisionError",
			"fails.py\", line 2"},
		{"needs", ENOEXEC,
			"its module cannot be imported: ModuleNotFoundError: "
			"No module named 'absent_library' (sys.prefix is /",
			"needs.py\", line 1"},
		{"leaves", ENOEXEC,
			"its module calls sys.exit(): SystemExit: not today",
			"leaves.py\", line 2"},
		{"broken", ENOEXEC,
			"its module cannot be imported: SyntaxError",
			"broken.py\", line 1"},
		{"lines", ENOEXEC, "ValueError: one", "two"},
		{"absent.wsgi", ENOENT, "there is no module 'absent.wsgi'",
			NULL},
		{"./absent.wsgi", ENOENT,
			"/absent.wsgi: No such file or directory", NULL},
		{"/", EISDIR, "the script /: Is a directory", NULL},
		{"./empty.wsgi", ENOENT, "/empty.wsgi", NULL},
		{"abc:app", ENOENT, "/abc.py", NULL},
		{"./fails.wsgi", ENOEXEC,
			"the script fails: LookupError: in a script",
			"fails.wsgi\", line 1"},
		{"./leaves.wsgi", ENOEXEC, "the script calls sys.exit()",
			"leaves.wsgi\", line 1"},
		{"./pipe.wsgi", ENOTSUP, "/pipe.wsgi is not a regular file",
			NULL},
		{"odd", ENOEXEC, "ValueError: a\\udc80", "a\\udc80"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err err = {0};
		struct buf log = {0};

		assert_int_equal(
			exchange_import(rows[i].application, &err, &log),
			-rows[i].code);
		assert_holds(err.text, rows[i].says);
		assert_null(strchr(err.text, '\n'));
		if (rows[i].traceback == NULL) {
			assert_string_equal(buf_text(&log), "");
		} else {
			assert_holds(buf_text(&log), rows[i].traceback);
		}
		buf_fini(&log);
	}
}

static void
test_a_function_that_cannot_take_two_arguments_is_doubted(void **state)
{
	static const struct {
		const char *defined;
		bool doubted;
	} rows[] = {
		{"def f(environ, start_response): pass", false},
		{"def f(self, environ, start_response): pass", true},
		{"def f(a, b, c=1): pass", false},
		{"def f(a, b=1, c=1): pass", false},
		{"def f(a=1, b=1, c=1): pass", false},
		{"def f(a, b, c): pass", true},
		{"def f(*args): pass", false},
		{"def f(a, *args): pass", false},
		{"def f(a, b, c, *args): pass", true},
		{"def f(a, b, *, c): pass", true},
		{"def f(a, b, *, c=1): pass", false},
		{"def f(a, b, **named): pass", false},
		{"def f(**named): pass", true},
		{"def f(): pass", true},
		{"def f(config=None): pass", true},
		{"f = lambda environ: []", true},
		{"class f: pass", true},
		{"class f:\n    def __call__(self, e, s): pass", true},
		{"class f:\n    def __init__(self, config=None): pass", true},
		{"class f:\n    def __init__(self, a, b, c): pass", true},
		{"class f:\n    def __init__(self, e, s): pass", false},
		{"class f:\n    def __init__(self, *a, **k): pass", false},
		{"class f:\n    def __new__(cls, e, s): return []", false},
		{"class f:\n    def __new__(cls, e, s): return []\n"
		 "    def __init__(self): pass",
			false},
		{"class f(tuple): pass", false},
		{"class M(type):\n    def __call__(cls, e, s): return []\n"
		 "class f(metaclass=M): pass",
			false},
		{"class B:\n    def __init__(self, e, s): pass\n"
		 "class f(B): pass",
			false},
		{"from functools import wraps\n"
		 "def g(): pass\n"
		 "@wraps(g)\n"
		 "def f(*args, **named): pass",
			false},
		/* These say nothing of what they take. */
		{"f = len", false},
		{"from functools import partial; f = partial(lambda a: a, 1)",
			false},
		{"class A:\n    def f(self): pass\nf = A().f", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err err = {0};
		struct buf log = {0};
		char doubts[512] = "";

		exchange_write("doubtful.wsgi", rows[i].defined);
		assert_int_equal(
			exchange_import("./doubtful.wsgi:f", &err, &log), 0);
		if (app_doubts(exchange_app(), doubts, sizeof(doubts)) !=
			rows[i].doubted)
			fail_msg("%s", rows[i].defined);
		if (rows[i].doubted)
			assert_string_equal(doubts,
				"application ./doubtful.wsgi:f: 'f' cannot be "
				"called with two arguments, so each request "
				"will fail; a factory would be written with "
				"\"()\" behind");
		buf_fini(&log);
	}
}

/* It may have been a passing trouble: a module that failed is tried anew. */
/* Who has activated one takes it for the one that is used. */
static void
test_an_active_environment_is_named_where_a_module_is_missing(void **state)
{
	struct err err = {0};
	struct buf log = {0};

	(void)state;
	assert_int_equal(setenv("VIRTUAL_ENV", "/srv/venv", 1), 0);
	assert_int_equal(exchange_import("needs", &err, &log), -ENOEXEC);
	buf_fini(&log);
	assert_holds(err.text, "add --python-home /srv/venv, or ");
	assert_int_equal(unsetenv("VIRTUAL_ENV"), 0);
}

static void
test_a_failed_import_may_be_repeated(void **state)
{
	struct err err = {0};
	struct buf log = {0};

	(void)state;
	exchange_write("later.py", "1 / 0\n");
	assert_int_equal(exchange_import("later", &err, &log), -ENOEXEC);
	exchange_write("later.py", "import os\n" APP("application"));
	assert_int_equal(exchange_import("later", &err, &log), 0);
	buf_fini(&log);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_way_to_name_an_application),
		cmocka_unit_test(test_what_is_wrong_is_said_in_a_sentence),
		cmocka_unit_test(
			test_a_function_that_cannot_take_two_arguments_is_doubted),
		cmocka_unit_test(
			test_an_active_environment_is_named_where_a_module_is_missing),
		cmocka_unit_test(test_a_failed_import_may_be_repeated),
	};

	return cmocka_run_group_tests(tests, set_up, exchange_tear_down);
}
