/*
 * choose.c - which program serves.  See choose.h.
 *
 * All programs are gathered, and what was asked for takes away those that do
 * not fit; when nothing is left the reason is made from what there was.
 */
#include "pythons/choose.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/access.h"
#include "base/defs.h"
#include "base/err.h"
#include "base/file.h"
#include "base/printable.h"
#include "pythons/choose_priv.h"
#include "pythons/home.h"
#include "pythons/inside.h"

#define PREFIX "wsgid-python"

enum { PROGRAMS_MAX = 32 };

/* --- what there is ---------------------------------------------------------- */

static bool
is_known(const struct search *s, const char *name)
{
	for (size_t i = 0; i < s->n; i++)
		if (strcmp(s->programs[i].name, name) == 0)
			return true;
	return false;
}

/* Who is short of something cannot tell what there is. */
static bool
is_short(int rc)
{
	return rc == -EMFILE || rc == -ENFILE || rc == -ENOMEM;
}

/* Whatever else has such a name, an old program or a note of somebody's, is
 * passed over. */
static int
consider(struct search *s, const char *place, const char *name)
{
	struct program *p = &s->programs[s->n];
	int n, rc;

	if (s->n == PROGRAMS_MAX || is_known(s, name))
		return 0;
	n = snprintf(p->path, sizeof(p->path), "%s/%s", place, name);
	if (n >= (int)sizeof(p->path) || access(p->path, X_OK) < 0)
		return 0;
	rc = facts_read(&p->facts, p->path, NULL);
	if (rc < 0)
		return is_short(rc) ? rc : 0;
	p->name = p->path + strlen(place) + 1;
	p->fits = true;
	s->n++;
	return 0;
}

/* "wsgid-python3.11" and "wsgid-python3.11-shared" are both of the first. */
static bool
is_of(const char *name, const char *program)
{
	size_t len = strlen(program);

	return strncmp(name, program, len) == 0 &&
	       (name[len] == '\0' || name[len] == '-');
}

static int
is_ours(const struct dirent *entry)
{
	return strncmp(entry->d_name, PREFIX, strlen(PREFIX)) == 0;
}

/* Those of one program alone, or all: NULL. */
static int
look_into(struct search *s, const char *place, const char *program)
{
	struct dirent **entries;
	int n = scandir(place, &entries, is_ours, alphasort);
	int rc = n < 0 && is_short(-errno) ? -errno : 0;

	for (int i = 0; i < n; i++) {
		const char *name = entries[i]->d_name;

		if (rc == 0 && (program == NULL || is_of(name, program)))
			rc = consider(s, place, name);
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
	return rc;
}

/* The build's own first: in what is told, and in the line for the next build,
 * where the first is the one that serves who asks for none. */
static int
gather(struct search *s, const char *const *places, size_t n,
	const char *standard)
{
	int rc = 0;

	s->programs = calloc(PROGRAMS_MAX + 1, sizeof(*s->programs));
	if (s->programs == NULL)
		return -ENOMEM;
	for (size_t i = 0; rc == 0 && standard != NULL && i < n; i++)
		rc = look_into(s, places[i], standard);
	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = look_into(s, places[i], NULL);
	return rc;
}

static void
search_fini(struct search *s)
{
	for (size_t i = 0; i < s->n; i++)
		facts_fini(&s->programs[i].facts);
	free(s->programs);
}

void
choice_find_places(struct choice_places *ret, const char *installed)
{
	static const char *const places[] = {"", "/../libexec/wsgid"};
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	self[n > 0 ? n : 0] = '\0';
	ret->n = 0;
	for (size_t i = 0; n > 0 && i < ARRAY_LEN(places); i++) {
		snprintf(ret->text[i], sizeof(ret->text[i]), "%.*s%s",
			(int)(strrchr(self, '/') - self), self, places[i]);
		ret->list[ret->n++] = ret->text[i];
	}
	ret->list[ret->n++] = installed;
}

/* --- what was asked for ----------------------------------------------------- */

static struct program *
first_fitting(const struct search *s)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->programs[i].fits)
			return &s->programs[i];
	return NULL;
}

/* "3.11" is a version's, "3.11.2" one Python's. */
static bool
is_version(const struct facts *f, const char *text)
{
	return strcmp(f->abi, text) == 0 || strcmp(f->version, text) == 0;
}

static int
fit_version(struct search *s, const char *text, struct err *err)
{
	for (size_t i = 0; i < s->n; i++)
		s->programs[i].fits = is_version(&s->programs[i].facts, text);
	return first_fitting(s) != NULL ? 0 : refuse_version(s, text, err);
}

static int
fit_interpreter(struct search *s, const char *path, struct err *err)
{
	for (size_t i = 0; i < s->n; i++)
		s->programs[i].fits =
			file_is_same(path, s->programs[i].facts.executable);
	return first_fitting(s) != NULL ? 0 : refuse_interpreter(s, path, err);
}

static int
fit_venv(struct search *s, const char *path, const struct home *h,
	struct err *err)
{
	const struct program *near = NULL, *other = NULL;

	for (size_t i = 0; i < s->n; i++) {
		struct program *p = &s->programs[i];

		if (h->abi[0] == '\0' || strcmp(p->facts.abi, h->abi) == 0)
			near = p;
		if (near != p || !home_is_made_of(h, &p->facts))
			p->fits = false;
		else if (!p->fits)
			other = p;
	}
	if (first_fitting(s) != NULL)
		return 0;
	if (other != NULL)
		return refuse_contradiction(s, path, other, err);
	return refuse_venv(s, path, h, near, err);
}

static int
fit_prefix(struct search *s, const char *path, struct err *err)
{
	const struct program *near = NULL, *other = NULL;

	for (size_t i = 0; i < s->n; i++) {
		struct program *p = &s->programs[i];

		if (home_has_library(path, p->facts.abi))
			near = p;
		if (near != p || !home_is_prefix_of(path, &p->facts))
			p->fits = false;
		else if (!p->fits)
			other = p;
	}
	if (first_fitting(s) != NULL)
		return 0;
	if (other != NULL)
		return refuse_contradiction(s, path, other, err);
	return refuse_prefix(s, path, near, err);
}

static int
fit_home(struct search *s, const char *path, struct err *err)
{
	struct home h;
	int rc = home_read(&h, path, err);

	if (rc < 0)
		return rc;
	return h.is_venv ? fit_venv(s, path, &h, err)
			 : fit_prefix(s, path, err);
}

/* The interpreter of an environment stands for the environment. */
static int
fit_python(struct search *s, struct err *err)
{
	const char *python = s->wanted->python;
	char home[PATH_MAX];

	s->about = "Python";
	if (strchr(python, '/') == NULL)
		return fit_version(s, python, err);
	if (access(python, X_OK) < 0)
		return refuse_program(python, errno, err);
	if (home_of_interpreter(python, home))
		return fit_home(s, home, err);
	return fit_interpreter(s, python, err);
}

/* Where nothing is asked for it is the one that the build calls its own. */
static int
fit_standard(struct search *s, struct err *err)
{
	const char *name = s->wanted->standard;

	for (size_t i = 0; i < s->n; i++)
		s->programs[i].fits = is_of(s->programs[i].name, name);
	if (first_fitting(s) != NULL)
		return 0;
	return err_setx(err, ENOENT,
		"the program of the children, %s, is not there any more; "
		"install wsgid again, or say by Python which of the others is "
		"meant",
		name);
}

static int
fit(struct search *s, struct err *err)
{
	int rc = 0;

	if (s->wanted->python == NULL && s->wanted->home == NULL)
		return fit_standard(s, err);
	if (s->wanted->python != NULL)
		rc = fit_python(s, err);
	if (rc == 0 && s->wanted->home != NULL) {
		s->about = "WSGIPythonHome";
		rc = fit_home(s, s->wanted->home, err);
	}
	return rc;
}

/* --- which library ---------------------------------------------------------- */

/* Of the Pythons that fit the build's own, else the first. */
static const char *
fitting_abi(const struct search *s)
{
	const struct program *p = first_fitting(s);

	for (size_t i = 0; i < s->n; i++)
		if (s->programs[i].fits &&
			strcmp(s->programs[i].name, s->wanted->standard) == 0)
			p = &s->programs[i];
	return p->facts.abi;
}

static struct program *
with_library(const struct search *s, const char *abi, bool is_shared)
{
	for (size_t i = 0; i < s->n; i++) {
		struct program *p = &s->programs[i];

		if (p->fits && strcmp(p->facts.abi, abi) == 0 &&
			facts_is_shared(&p->facts) == is_shared)
			return p;
	}
	return NULL;
}

static int
refuse_library(struct search *s, const char *abi, struct err *err)
{
	static const char *const words[] = {
		[CHOICE_AUTO] = "auto",
		[CHOICE_INTERPRETER] = "interpreter",
		[CHOICE_STATIC] = "static",
		[CHOICE_SHARED] = "shared",
	};
	const char *word = words[s->wanted->library];

	s->about = "LibPython";
	return err_setx(err, EINVAL,
		"%s: there is no program of this kind for Python %s; build "
		"it with \"scons libpython=%s install\" where the "
		"installation allows it, or write \"LibPython auto\"",
		word, abi, word);
}

/* What has happened to a Python, by its file that is another one than it was at
 * the build; or why nobody knows. */
static const char *
put_change(const struct facts *f, const char *file, struct buf *to)
{
	struct err why = {0};
	int code = access(file, F_OK) < 0 ? errno : 0;

	if (code == EACCES && access_explain(file, &why) < 0)
		buf_printf(to,
			"whether Python %s is still that of the build cannot "
			"be seen: %s",
			f->abi, why.text);
	else
		buf_printf(to, "Python %s was %s since wsgid was built (%s is %s)",
			f->abi, code == 0 ? "upgraded" : "removed or moved",
			file, code == 0 ? "another one" : "gone");
	return buf_text(to);
}

/* The other half of a program that runs inside the interpreter; NULL: there is
 * none, or it is there. */
static const char *
lost_half(const struct program *p, char to[PATH_MAX])
{
	if (!facts_is_inside(&p->facts) || inside_library(p->path, to) < 0 ||
		access(to, R_OK) == 0)
		return NULL;
	return to;
}

static int
refuse_inside(const struct program *p, const char *why, struct err *err)
{
	char half[PATH_MAX];

	if (lost_half(p, half) != NULL)
		return err_setx(err, ENOENT,
			"%s is %s, which is half of %s; install wsgid again, "
			"or write \"LibPython shared\", which \"scons "
			"install\" builds where the installation has that "
			"library",
			half, why, p->name);
	return err_setx(err, ENOENT,
		"%s is %s, and %s runs inside it; mend that, install Python %s "
		"again, or write \"LibPython shared\", which \"scons install\" "
		"builds where the installation has that library",
		p->facts.executable, why, p->name, p->facts.abi);
}

static int
refuse_old(const struct program *p, const char *file, struct err *err)
{
	struct buf change = {0};
	int rc = err_setx(err, EINVAL,
		"%s; %s has the old one in it, and there is none with the "
		"shared library; run \"scons install\" again, or write "
		"\"LibPython static\" to go on with the old one",
		put_change(&p->facts, file, &change), p->name);

	buf_fini(&change);
	return rc;
}

/* What has happened since the build, so that this one is not as good as it was:
 * of one inside the interpreter why it does not run there, else the file that is
 * another one. */
static const char *
change_of(const struct program *p)
{
	char half[PATH_MAX];

	if (lost_half(p, half) != NULL)
		return access(half, F_OK) < 0 ? "gone" : "not readable";
	return facts_is_inside(&p->facts) ? inside_refusal(&p->facts)
					  : facts_changed(&p->facts);
}

static void
note_shared(const struct program *own, const char *changed, char *notice,
	size_t size)
{
	struct buf change = {0};
	char half[PATH_MAX];

	if (facts_is_inside(&own->facts))
		snprintf(notice, size,
			"%s is %s: using the shared library until that is "
			"mended",
			lost_half(own, half) != NULL ? half
						     : own->facts.executable,
			changed);
	else
		snprintf(notice, size,
			"%s; using the shared library until \"scons install\" "
			"is run again",
			put_change(&own->facts, changed, &change));
	buf_fini(&change);
}

/* The one that was asked for, with what is to be said of it. */
static int
take_own(struct program *p, const char *changed, char *notice, size_t size,
	struct err *err)
{
	struct buf change = {0};

	if (changed == NULL)
		return 0;
	if (facts_is_inside(&p->facts))
		return refuse_inside(p, changed, err);
	snprintf(notice, size,
		"%s, and LibPython static goes on with the old one",
		put_change(&p->facts, changed, &change));
	buf_fini(&change);
	return 0;
}

/* own is what has its Python itself; either may be NULL, not both. */
static int
take_best(struct program **ret, struct program *own, struct program *shared,
	const char *changed, bool needs_shared, struct err *err)
{
	bool is_good = own != NULL && changed == NULL;

	*ret = shared != NULL && (!is_good || needs_shared) ? shared : own;
	if (*ret == shared || is_good)
		return 0;
	return facts_is_inside(&own->facts) ? refuse_inside(own, changed, err)
					    : refuse_old(own, changed, err);
}

static int
choose_library(struct search *s, struct program **ret, char *notice,
	size_t size, struct err *err)
{
	const char *abi = fitting_abi(s);
	struct program *own = with_library(s, abi, false);
	struct program *shared = with_library(s, abi, true);
	const char *changed = own != NULL ? change_of(own) : NULL;
	int rc = 0;

	switch (s->wanted->library) {
	case CHOICE_INTERPRETER:
	case CHOICE_STATIC:
		*ret = own;
		if (own != NULL && s->wanted->library == CHOICE_INTERPRETER &&
			!facts_is_inside(&own->facts))
			*ret = NULL;
		if (*ret != NULL)
			rc = take_own(own, changed, notice, size, err);
		break;
	case CHOICE_SHARED:
		*ret = shared;
		break;
	default:
		rc = take_best(ret, own, shared, changed,
			s->wanted->needs_shared, err);
		if (rc == 0 && changed != NULL)
			note_shared(own, changed, notice, size);
	}
	if (rc < 0)
		return rc;
	return *ret != NULL ? 0 : refuse_library(s, abi, err);
}

/* ---------------------------------------------------------------------------- */

static int
refuse_all(const struct choice_wanted *w, struct err *err)
{
	const char *installed = w->places[w->n_places - 1];

	if (access("/proc/self/exe", F_OK) < 0)
		return err_setx(err, EIO,
			"/proc is not mounted, so wsgid does not know where it "
			"is and finds no %s beside it, and there is none in "
			"%s: mount /proc",
			w->standard, installed);
	return err_setx(err, ENOENT,
		"the program of the children, %s, is neither beside wsgid nor "
		"in %s",
		w->standard, installed);
}

static int
choose(struct python_choice *ret, struct search *s, struct err *err)
{
	const struct choice_wanted *w = s->wanted;
	struct program *p;
	int rc;

	if (s->n == 0)
		return refuse_all(w, err);
	rc = fit(s, err);
	if (rc < 0)
		return rc;
	s->about = NULL;
	rc = choose_library(s, &p, ret->notice, sizeof(ret->notice), err);
	if (rc < 0)
		return rc;
	strcpy(ret->program, p->path);
	ret->facts = p->facts;
	p->facts = (struct facts){0};
	return 0;
}

/* A pyvenv.cfg may be anybody's, and a terminal is to be shown what it says. */
static void
clean(struct err *err)
{
	if (err != NULL)
		err->text[printable_clean(err->text, strlen(err->text), "\n")] =
			'\0';
}

int
choice_make(struct python_choice *ret, const struct choice_wanted *w,
	const char **about, struct err *err)
{
	struct python_choice c = {0};
	struct search s = {.wanted = w};
	int rc = gather(&s, w->places, w->n_places, w->standard);

	rc = rc < 0 ? err_set(err, -rc, "the programs of the children cannot be read")
		    : choose(&c, &s, err);
	if (rc < 0)
		clean(err);
	*about = rc < 0 ? s.about : NULL;
	if (rc == 0)
		*ret = c;
	search_fini(&s);
	return rc;
}

void
choice_fini(struct python_choice *c)
{
	facts_fini(&c->facts);
}

void
choice_list(struct buf *to, const char *const *places, size_t n_places,
	const char *standard)
{
	struct search s = {0};

	(void)gather(&s, places, n_places, standard);
	for (size_t i = 0; i < s.n; i++) {
		const struct facts *f = &s.programs[i].facts;

		buf_printf(to, "%s (%s), %s%s: %s\n", f->version,
			f->executable, facts_library(f),
			strcmp(f->linkage, "static") == 0
				? ", not position independent for that"
				: "",
			s.programs[i].path);
	}
	search_fini(&s);
}
