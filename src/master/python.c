/*
 * python.c - which program the children of a generation are.
 *
 * It is decided when a generation is made, before anything is forked, so that a
 * reload can bring another Python; and at "wsgid -t" as well, where a mistake
 * has its line.
 */
#include "master/python.h"

#include <errno.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "built_with.h"
#include "config/config.h"
#include "config/envfile.h"
#include "master/entrance.h"
#include "master/environment.h"
#include "master/generation.h"
#include "master/state.h"
#include "pythons/choose.h"

static int
make_choice(struct python_choice *ret, const struct config *c,
	bool needs_shared, const char **about, struct err *err)
{
	struct choice_places places;
	struct choice_wanted wanted = {
		.python = c->python,
		.home = c->python_home,
		.library = (enum choice_library)c->lib_python,
		.needs_shared = needs_shared,
		.standard = CHILD_PROGRAM,
		.places = places.list,
	};

	choice_find_places(&places, LIBEXECDIR);
	wanted.n_places = places.n;
	return choice_make(ret, &wanted, about, err);
}

/* What nobody has asked for is found out when it is needed: to look at a
 * configuration takes no children. */
static bool
is_asked_for(const struct config *c)
{
	return c->python != NULL || c->python_home != NULL ||
	       c->lib_python != CHOICE_AUTO;
}

static void
check_locale(struct config *c)
{
	locale_t found;
	struct err err = {0};

	if (c->locale == NULL)
		return;
	found = newlocale(LC_ALL_MASK, c->locale, (locale_t)0);
	if (found != (locale_t)0) {
		freelocale(found);
		return;
	}
	err_setx(&err, EINVAL,
		"%s: there is no such locale on this machine; \"locale -a\" "
		"lists them",
		c->locale);
	config_blame(c, "Locale", err.text);
}

void
python_check(struct config *c)
{
	struct python_choice choice = {0};
	const char *about = NULL;
	struct err err = {0};

	if (is_asked_for(c)) {
		if (make_choice(&choice, c, false, &about, &err) < 0)
			config_blame(
				c, about != NULL ? about : "Python", err.text);
		else
			entrance_check(c, &choice.facts);
	}
	choice_fini(&choice);
	check_locale(c);
	if (c->environment_file != NULL)
		envfile_check(c);
}

/* ----------------------------------------------------------------------------- */

/* Said once, and not again by each reload. */
static void
say_notice(struct master *m, const char *notice)
{
	if (strcmp(m->python_notice, notice) == 0)
		return;
	strcpy(m->python_notice, notice);
	if (notice[0] != '\0')
		log_warnx("master", "%s", notice);
}

static int
choose(struct generation *g, bool needs_shared, struct err *err)
{
	struct err why = {0};
	const char *about;
	int rc = make_choice(&g->python, g->config, needs_shared, &about, &why);

	if (rc < 0)
		return err_setx(err, -rc, "%s%s%s", about != NULL ? about : "",
			about != NULL ? " " : "", why.text);
	return environment_make(g, err);
}

int
python_choose(struct master *m, struct generation *g, struct err *err)
{
	int rc = choose(g, m->needs_shared, err);

	if (rc == 0)
		say_notice(m, g->python.notice);
	return rc;
}

int
python_choose_alone(struct generation *g, struct err *err)
{
	return choose(g, false, err);
}

const struct python_choice *
python_of(const struct master *m, unsigned generation)
{
	return m->next != NULL && generation == m->next->number
		       ? &m->next->python
		       : &m->now->python;
}

static struct generation *
find_generation(const struct master *m, unsigned number)
{
	if (m->next != NULL && number == m->next->number)
		return m->next;
	return number == m->now->number ? m->now : NULL;
}

static void
say_stays(const struct generation *g, const char *library)
{
	log_warnx("master",
		"%s was loaded beside the children's own Python, so that "
		"extension modules may meet two of them; %s",
		library,
		g->config->lib_python != CHOICE_AUTO
			? "write \"LibPython auto\" to have the shared library "
			  "alone"
			: "there is no program of the children with the shared "
			  "library alone: \"scons libpython=auto install\" "
			  "builds one where the installation has it");
}

/* Told once, whatever can be done. */
void
python_needs_shared(struct master *m, unsigned generation, const char *library)
{
	struct generation *g = find_generation(m, generation);
	struct python_choice choice = {0};
	const char *about;

	if (m->needs_shared || g == NULL || facts_is_shared(&g->python.facts))
		return;
	m->needs_shared = true;
	if (make_choice(&choice, g->config, true, &about, NULL) < 0)
		return;
	if (!facts_is_shared(&choice.facts)) {
		say_stays(g, library);
		choice_fini(&choice);
		return;
	}
	log_notice("master",
		"%s was loaded beside the children's own Python: the next ones "
		"have the shared library",
		library);
	choice_fini(&g->python);
	g->python = choice;
}

void
python_forget(struct generation *g)
{
	choice_fini(&g->python);
	environment_free(g);
}
