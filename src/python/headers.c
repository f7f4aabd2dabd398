/*
 * headers.c - from an application's text and lists of headers to a response.
 *
 * What is wrong is an exception that names the function which was called
 * (who), and says what the application did.  Headers of the connection, which
 * many applications set without harm elsewhere, are left out instead.
 */
#include "python/python_priv.h"

#include <stdio.h>

/* --- text ---------------------------------------------------------------------------- */

/* Let Python say where the character is, and add what the text was for. */
static void
complain_of_latin1(PyObject *s, const char *who, const char *what)
{
	AUTO_DECREF PyObject *bytes = PyUnicode_AsLatin1String(s);
	PyObject *exception = exceptions_take();

	if (exception == NULL) {
		PyErr_Format(PyExc_ValueError, "%s(): %s %.100R cannot be used",
			who, what, s);
		return;
	}
	if (PyObject_TypeCheck(
		    exception, (PyTypeObject *)PyExc_UnicodeEncodeError)) {
		char reason[128];

		snprintf(reason, sizeof(reason),
			"%s() wants latin-1 text, and this is in a %s", who,
			what);
		(void)PyUnicodeEncodeError_SetReason(exception, reason);
	}
	exceptions_put_back(exception);
}

int
headers_text(struct str *ret, PyObject *s, const char *who, const char *what)
{
	if (UNLIKELY(!PyUnicode_Check(s))) {
		PyErr_Format(PyExc_TypeError,
			"%s(): a %s must be str, not %.100s", who, what,
			Py_TYPE(s)->tp_name);
		return -1;
	}
	if (UNLIKELY(PyUnicode_KIND(s) != PyUnicode_1BYTE_KIND)) {
		complain_of_latin1(s, who, what);
		return -1;
	}
	ret->p = (const char *)PyUnicode_1BYTE_DATA(s);
	ret->len = (size_t)PyUnicode_GET_LENGTH(s);
	return 0;
}

/* --- the head -------------------------------------------------------------------------- */

static int
check_pair(PyObject *header, const char *who)
{
	if (LIKELY(PyTuple_Check(header) && PyTuple_GET_SIZE(header) == 2))
		return 0;
	if (!PyTuple_Check(header))
		PyErr_Format(PyExc_TypeError,
			"%s(): each header must be a tuple (name, value), not "
			"%.100s",
			who, Py_TYPE(header)->tp_name);
	else
		PyErr_Format(PyExc_ValueError,
			"%s(): each header must be a tuple (name, value), this "
			"one has %zd items: %.200R",
			who, PyTuple_GET_SIZE(header), header);
	return -1;
}

static int
refuse(PyObject *header, const char *who, const char *fault)
{
	PyErr_Format(
		PyExc_ValueError, "%s(): header %.200R %s", who, header, fault);
	return -1;
}

/* Once a process: what sets it does so in each of its responses. */
static void
tell_left_out(struct call *c, struct str name)
{
	if (!__atomic_exchange_n(
		    &c->app->told_left_out, true, __ATOMIC_RELAXED))
		call_warn(c,
			"the application's header %.*s is left out, here and "
			"from now on: the server alone says it",
			(int)name.len, name.p);
}

static int
hop_by_hop(struct call *c, struct response *r, PyObject *header,
	struct str name, struct str value, const char *who)
{
	if (!response_leave_out(r, name, value))
		return refuse(header, who,
			"is hop-by-hop: it is the server's "
			"to send, not the application's");
	if (!str_equal_nocase(value, STR("close"))) /* which is obeyed */
		tell_left_out(c, name);
	return 0;
}

static int
add_header(
	struct call *c, struct response *r, PyObject *header, const char *who)
{
	struct str name, value;
	const char *fault;
	bool had_length = r->has_length;
	int rc;

	if (check_pair(header, who) < 0 ||
		headers_text(&name, PyTuple_GET_ITEM(header, 0), who,
			"header name") < 0 ||
		headers_text(&value, PyTuple_GET_ITEM(header, 1), who,
			"header value") < 0)
		return -1;
	fault = response_field_fault(name, value);
	if (UNLIKELY(fault != NULL))
		return refuse(header, who, fault);
	if (UNLIKELY(response_is_hop_by_hop(name)))
		return hop_by_hop(c, r, header, name, value, who);
	rc = response_field(r, name, value);
	if (UNLIKELY(rc == -EINVAL))
		return refuse(header, who,
			had_length ? "differs from the one before"
				   : "is no number of bytes");
	if (UNLIKELY(rc < 0)) {
		PyErr_NoMemory();
		return -1;
	}
	return 0;
}

int
headers_check(PyObject *headers, const char *who)
{
	if (LIKELY(PyList_Check(headers)))
		return 0;
	PyErr_Format(PyExc_TypeError,
		"%s(): the headers must be a list, not %.100s", who,
		Py_TYPE(headers)->tp_name);
	return -1;
}

int
headers_add(
	struct call *c, struct response *r, PyObject *headers, const char *who)
{
	for (Py_ssize_t i = 0; i < PyList_GET_SIZE(headers); i++) {
		AUTO_DECREF PyObject *header = interp_list_item(headers, i);

		if (header == NULL || add_header(c, r, header, who) < 0)
			return -1;
	}
	return 0;
}
