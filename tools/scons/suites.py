"""How the build runs tests."""

import glob
import os
import subprocess
import sys

from SCons.Script import Action, Alias, AlwaysBuild

import checks

UNIT_TEST_SECONDS = 120


def test_environment(env):
    """What a test program finds around it."""
    found = dict(checks.environment(env))
    if env['sanitize']:
        top = env.Dir('#').get_abspath()
        # Python's own allocator would hide its blocks from the sanitizer.
        found['PYTHONMALLOC'] = 'malloc'
        version = '-3.12' if env['PYTHON_VERSION'] >= (3, 12) else ''
        found['LSAN_OPTIONS'] = (f'suppressions="{top}/tests/support/lsan{version}.supp":'
                                 'print_suppressions=0')
        found['UBSAN_OPTIONS'] = 'print_stacktrace=1'
    return found


def say(lines):
    """All at once: other tests run beside this one, and speak too."""
    sys.stdout.write('\n'.join(lines) + '\n')
    sys.stdout.flush()


def run_unit_test(target, source, env):
    """Run one program: its summary when it passes, everything when not."""
    program = source[0].get_abspath()
    name = os.path.relpath(program, env.Dir('#').get_abspath())
    try:
        run = subprocess.run([program], env=test_environment(env), text=True, errors='replace',
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, timeout=UNIT_TEST_SECONDS,
                             cwd=env.Dir('#').get_abspath())
    except subprocess.TimeoutExpired as late:
        output = (late.output or b'').decode(errors='replace')
        print(f'{output}{name}: not done after {UNIT_TEST_SECONDS} s')
        return 1
    lines = run.stdout.splitlines()
    if run.returncode == 0:
        kept = [line for line in lines if line.startswith('[==') and 'run' in line.lower()
                and 'Running' not in line or 'PASSED' in line or 'SKIPPED' in line
                or 'left out: ' in line]
        say([f'  test     {name}'] + ['  ' + line for line in kept])
        with open(str(target[0]), 'w', encoding='utf-8') as stamp:
            stamp.write(run.stdout)
    else:
        say(without_successes(lines) + [f'{name}: status {run.returncode}'])
    return int(run.returncode != 0)


def without_successes(lines):
    """cmocka's output without the pairs of lines that say that all is well."""
    kept = []
    for line in lines:
        if line.startswith('[       OK ]'):
            if kept and kept[-1].startswith('[ RUN'):
                kept.pop()
            continue
        kept.append(line)
    return kept


def unit_test_action():
    return Action(run_unit_test, None)


def cmocka_is_missing(env):
    """Only who asks for tests needs cmocka."""

    def refuse(target, source, env):
        from checks import Missing
        missing = Missing()
        missing.add('cmocka, for the unit tests', 'cmocka')
        missing.report()

    AlwaysBuild(env.Alias('test', [], Action(refuse, None)))


def check(env, folder, passed, programs):
    """The alias "check": what needs the programs runs one after another."""
    top = env.Dir('#').get_abspath()
    around = dict(env['ENV'], WSGID_BUILD=os.path.join(top, folder), PYTHONDONTWRITEBYTECODE='1')
    python = '/usr/bin/python3' if os.path.exists('/usr/bin/python3') else sys.executable
    stages = []
    for tool in ('check_layers.py', 'check_directives.py'):
        if os.path.exists(f'{top}/tools/{tool}'):
            stages.append([python, f'{top}/tools/{tool}'])
    # As tools/test does: tests that measure something run behind the others, one by one.
    for suite, *words in (('tools',), ('e2e', '-n', '4', '-m', 'not alone'),
                          ('e2e', '-m', 'alone')):
        if glob.glob(f'{glob.escape(top)}/tests/{suite}/test_*.py'):
            stages.append([python, '-m', 'pytest', '-p', 'no:cacheprovider', *words,
                           f'{top}/tests/{suite}'])

    def run(target, source, env):
        for words in stages:
            print('  check    ' + ' '.join(words[1:]))
            sys.stdout.flush()
            status = subprocess.run(words, env=around, cwd=top).returncode
            if status != 0:
                return status
        return 0

    AlwaysBuild(Alias('check', [passed, programs, Alias('test')], Action(run, None)))
