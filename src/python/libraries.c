/*
 * libraries.c - which libpythons are in this process.
 *
 * Two of different versions cannot live in one process: whose functions an
 * extension module calls is decided by who was loaded first, and what it gets
 * crashes much later.  The loader knows what there is.
 */
#include "python/python_priv.h"

#include <errno.h>
#include <link.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"

#ifdef Py_GIL_DISABLED
#define ABI_FLAGS "t"
#else
#define ABI_FLAGS ""
#endif

struct search {
	char own[32]; /* the beginning of our version's file name */
	char same[512], other[512], second[512]; /* files, or "" */
};

/* "libpython3.11.so.1.0", and neither libpython3.so, which is only a way to the
 * one of a version, nor what somebody calls libpythonplugin.so. */
static bool
is_of_a_version(const char *name)
{
	static const char digits[] = "0123456789";
	const char *major = name + strlen("libpython"), *minor;

	if (strncmp(name, "libpython", strlen("libpython")) != 0)
		return false;
	minor = major + strspn(major, digits);
	if (minor == major || *minor++ != '.')
		return false;
	name = minor + strspn(minor, digits);
	/* "t", "d" and the like are flags of the ABI. */
	return name > minor &&
	       strncmp(name + strspn(name, "dmtu"), ".so", 3) == 0;
}

static int
look(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct search *s = arg;
	const char *slash = strrchr(info->dlpi_name, '/');
	const char *name = slash != NULL ? slash + 1 : info->dlpi_name;
	char *to;

	(void)size;
	if (!is_of_a_version(name))
		return 0;
	if (strncmp(name, s->own, strlen(s->own)) != 0)
		to = s->other;
	else
		to = s->same[0] == '\0' ? s->same : s->second;
	snprintf(to, sizeof(s->same), "%s", info->dlpi_name);
	return 0;
}

int
app_check_libraries(bool has_own, char *library, size_t size, struct err *err)
{
	struct search s = {0};
	const char *wrong;

	snprintf(s.own, sizeof(s.own), "libpython%d.%d" ABI_FLAGS ".so",
		PY_MAJOR_VERSION, PY_MINOR_VERSION);
	dl_iterate_phdr(look, &s);
	wrong = s.other[0] != '\0' ? s.other : s.second;
	if (wrong[0] != '\0')
		return err_setx(err, EEXIST,
			"there are two Pythons in this process: Python %s, "
			"which runs, and %s; take it out of LD_PRELOAD, or "
			"build the extension module that is linked with it "
			"for this Python",
			app_python_version(), wrong);
	if (!has_own || s.same[0] == '\0')
		return 0;
	snprintf(library, size, "%s", s.same);
	return 1;
}

/* The first object has the count of all. */
static int
take_count(struct dl_phdr_info *info, size_t size, void *arg)
{
	(void)size;
	*(unsigned long long *)arg = info->dlpi_adds;
	return 1;
}

unsigned long long
app_libraries_loaded(void)
{
	unsigned long long count = 0;

	dl_iterate_phdr(take_count, &count);
	return count;
}
