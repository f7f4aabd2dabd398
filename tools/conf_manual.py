#!/usr/bin/python3
"""Write the manual page of the configuration, src/wsgid/wsgid.conf.5.

    tools/conf_manual.py [--wsgid PROGRAM] > src/wsgid/wsgid.conf.5

What a directive is comes from the table, as "wsgid -L" prints it; only what one line of help
cannot say stands here, in MORE.  tools/check_directives.py says when the page is out of date.
"""

import argparse
import sys
import textwrap

import check_directives

DATE = 'November 26, 2026'

# The first directive of each section.
SECTIONS = {
    'Listen': 'The network',
    'MPM': 'The processes',
    'Timeout': 'HTTP',
    'TrustedProxies': 'Behind a proxy',
    'WSGIApplication': 'The application',
    'Python': 'Python',
    'ErrorLog': 'Logs',
}

HEAD = r"""
.\" Written by tools/conf_manual.py from the table of directives: change that.
.Dd {date}
.Dt WSGID.CONF 5
.Os
.Sh NAME
.Nm wsgid.conf
.Nd the configuration of wsgid
.Sh DESCRIPTION
.Xr wsgid 8
reads the file that
.Fl c
names, or
.Pa /etc/wsgid/wsgid.conf
when no application is named either.
Two lines are enough:
.Bd -literal -offset indent
WSGIApplication shop.wsgi:application
Listen          127.0.0.1:8000
.Ed
.Pp
The syntax is Apache's.
A line has one directive and its values, separated by spaces; names are
matched without case.
A value with spaces stands in
.Qq quotes ;
a backslash at the end of a line continues it; a line that begins with # is a
comment.
Relative paths begin at the directory of the file.
.Pp
A time is a number with
.Cm ms , s , min
or
.Cm h ,
and without one it is seconds; a size is bytes, or a number with
.Cm k , m
or
.Cm g .
.Cm auto
is a value where the default depends on the machine.
.Pp
Each directive is also an option of
.Xr wsgid 8
and an environment variable, in each of its spellings; variables of one
directive that differ in value are a mistake, but for those that others have,
.Ev WSGI_APP
and
.Ev WEB_CONCURRENCY ,
which are weaker.
The command line is stronger than the environment, and that is stronger than
the file.
Weaker than all is
.Ev WSGID_DEFAULT_LISTEN
and the like, for who makes an image: a default instead of wsgid's own.
All mistakes are listed at once, with file and line;
.Ql wsgid -t
looks for them and does nothing else.
.Pp
These give the file its shape:
.Bl -tag -width Ds
.It Ic Include Ar file , Ic IncludeOptional Ar file
Read other files: a file, all of a directory, or a pattern such as
.Pa conf.d/*.conf .
.Ic Include
insists that there is what it names; a directory may be empty, as for Apache.
.It Ic Define Ar name Op Ar value
From here on
.Ql ${{name}}
is the value, and
.Ic <IfDefine Ar name Ns Ic >
holds.
A value that the command line gives it, with
.Fl D Ar name Ns = Ns Ar value ,
is stronger.
.Ql ${{name}}
of what is not defined is the environment variable of that name.
.It Ic UnDefine Ar name
Take it back.
.It Ic <IfDefine Oo \&! Oc Ns Ar name Ns Ic > No ... Ic </IfDefine>
What is between counts only where the name is defined, by
.Ic Define
or with
.Fl D
on the command line; or, with !, where it is not.
.El
.Pp
A changed file counts from the next reload on (see
.Xr wsgictl 8 ) ,
except for the directives that say otherwise.
"""

NO_RANGE = '0 to 2147483647'

# Behind the help; mdoc.
MORE = {
    'User': """
Without it, it is root where
.Ic AllowRoot
is on, and for process 1 of a container, which says so in a warning.
Where that is another than who started wsgid,
.Ev HOME
is that user's home directory for the application, and
.Ev USER , USERNAME
and
.Ev LOGNAME ,
where there are such, are that user's name, unless
.Ic EnvironmentFile
says otherwise.
Of the capabilities that wsgid was started with the application has none.
""",
    'AllowRoot': """
Process 1 of a container that is started as root needs it not: there the
application runs as root, with a warning, unless
.Ic User
is another.
""",
    'Listen': """
A port alone, as in
.Ql Listen 8000 ,
is all addresses; an IPv6 address stands in brackets.
A Unix socket is made with the given mode (0666) and owner; one that a dead
server has left behind is replaced, one that is in use is not.
The lines of a stronger source replace those of a weaker one.
.Ev WSGID_LISTEN
has one address or several, with commas or spaces between them;
.Ev PORT
counts where nothing else says where to listen, and is weaker than all but
.Ev WSGID_DEFAULT_LISTEN .
A reload takes addresses away and adds others, but none that the kernel refuses
beside those of before it: from 127.0.0.1:8000 to 8000, which has that in it, it
takes a stop and a start.
A socket file that is there gets the mode, owner and group that its line says
now; what the line does not say, the file keeps.
.br
Where
.Xr systemd 1
passes sockets, they stand for
.Ic Listen
where none is written, and
.Ev PORT
is not asked; one that is written must be one of them, by its address or as
.Ql fd:NAME
by its
.Cm FileDescriptorName= ,
and each of them must be asked for, or nothing starts: see
.Xr wsgid 8 .
.Cm ProxyProtocol= Ns Cm On , Cm Off
or
.Cm Optional
behind the address is
.Ic ProxyProtocol
for this listener, and
.Cm Scheme= Ns Cm https
tells applications that its clients came with https, where who has ended TLS
cannot say so.
""",
    'EnvironmentFile': r"""
As
.Pa .env
files have them: a line may begin with export, # and ; begin comments, and a
value may stand in quotes, over several lines.
Between single quotes every character is itself; between double ones \e" \e\e
\e$ and \e` are what follows the backslash, and \en, \et and \er a new line, a
tab and a return.
$NAME is nothing special.
What stands in the file is stronger than what wsgid was started with.
.br
It may be root's alone, who reads it; over symbolic links in the directory of
another user it is opened as
.Ic ErrorLog
is.
Where
.Ic User
is another than root, who starts the server, children are that user already when
what the loader obeys, as
.Ev LD_PRELOAD ,
is obeyed: it is right that the file belongs to that user.
The program of the children must then be one that the user can execute, and on
newer kernels their rings are charged to the user's locked memory: the limit is
raised to 256 MiB where root may do that.
""",
    'WSGIScriptReloading': """
It begins with nothing of what was in it before; requests that are still in the
old one go on with that.
What the script imports stays loaded.
""",
    'WSGIReload': """
On a terminal
.Fn breakpoint
debugs there, too, but not
.Fn pdb.set_trace ,
nor where children are another user's, as root's are: see
.Xr wsgid 8 .
""",
    'ListenCoresBucketsRatio': """
On a machine of very many CPUs that all accept, the one listening socket is
what they wait for.
Apache's documentation recommends 8: there are as many buckets as that goes
into the CPUs that wsgid may use.
Each address of
.Ic Listen
has a socket in each bucket, to which the kernel deals the connections, and
each bucket has children of its own, at least one; where the other directives
ask for fewer, they are raised, but for
.Ic ServerLimit ,
which is the most that there are of buckets, too.
As long as a bucket has no child that is ready, its clients are served by the
children of the others, and so they are, with a delay of milliseconds, when
all of its children are busy.
It does not apply to Unix sockets, to sockets that
.Xr systemd 1
passes, nor with a
.Ic Mutex .
""",
    'ListenBacklog': """
The default is the kernel's own bound since Linux 5.4.
Apache's is 511, which a thousand clients that come at once overflow: those that
find no place have to try again, and that takes longer than to serve them.
""",
    'AcceptFilter': """
A client that says nothing, such as a browser's connection in advance or a check
whether the port is open, wakes no child then, and one that does say something
wakes it once instead of twice.
It is Apache's directive and Linux's
.Dv TCP_DEFER_ACCEPT :
after 30 seconds a child gets the silent client as well, and
.Ic RequestReadTimeout
begins.
Until then he is in no status, and a stop closes nothing for him: he learns of
it by what he sends.
For who opens connections in stock and minds that, such as some load balancers,
there is
.Ql AcceptFilter http none .
For sockets passed by
.Xr systemd 1
the unit decides, by
.Cm DeferAcceptSec= .
""",
    'SendBufferSize': """
512 bytes or more.
It counts for TCP, and for the connections that come after a reload too.
A size that is given is fixed: the system's own buffers grow with the need, so
that a slow or distant client is served faster than with most sizes that can
be chosen here.
The kernel's
.Va net.core.wmem_max
bounds it, which is said in the error log.
""",
    'ReceiveBufferSize': """
As
.Ic SendBufferSize ;
the bound is
.Va net.core.rmem_max .
""",
    'Mutex': """
Apache's word for what it is for,
.Cm mpm-accept ,
may stand behind it, and the file may be a word of its own.
Of Apache's other words
.Cm yes
is
.Cm default ,
.Cm file
is
.Cm fcntl
and
.Cm sem
is
.Cm posixsem .
.Cm default
and
.Cm none
are no lock at all: the kernel wakes one child for a client, and with several
addresses the children wait for one set of them, which is faster than any lock.
The others are taken, as in Apache, by children that have several listeners;
with one listener none is needed, which the log and
.Xr wsgictl 8
status say.
.Cm fcntl
and
.Cm flock
lock a file, by default one in memory; a file that is named must be on a local
file system.
The memory of
.Cm pthread
and
.Cm posixsem
and the semaphore of
.Cm sysvsem
can be written, or removed, by every process of the children's user, and any
lock can be held by one child for ever: only
.Cm default
and
.Cm none
are for applications that are not trusted.
The semaphore of
.Cm sysvsem
outlives a server of which all processes were killed, as the kernel knows no
way to remove it with its last user.
The next server with the same
.Ic RunDirectory
removes it; so does systemd at the end of a unit with
.Li RemoveIPC=yes
and a
.Li User= ,
as
.Pa wsgid.service
is, but not of one that is root's; else only
.Xr ipcrm 1
does.
A mutex that answers with an error is made anew, and the children that have it
are replaced.
""",
    'Processes': """
It stands for
.Ic StartServers , MaxRequestWorkers
and the spare servers or threads.
Where a stronger source has one of these, as the command line has
.Fl \\-max\\-request\\-workers
beside
.Ev WEB_CONCURRENCY ,
that counts, and the pool grows and shrinks after all.
""",
    'MPM': """
What only the other one uses is ignored, with a warning unless it says what is
so without it, as the default does.
With worker, children cost less memory for each request that runs at the same
time, but those of one child share Python's global lock.
""",
    'Timeout': """
A client takes a response when its kernel acknowledges bytes of it, even where
this kernel has no room yet for the rest.
One that takes nothing is found out at most a quarter of the time later.
.Pp
Of a Unix socket the kernel counts whole pieces, of some 36 KiB: a reader is
seen to take something when he has read all of one.
Who needs longer than this time for that, as one who reads 300 bytes a second
with 60 s, is given up as if he took nothing; a proxy that reads as fast as it
can is never meant.
""",
    'MaxRequestWorkers': """
With worker it counts threads: a multiple of
.Ic ThreadsPerChild ,
to which another number is lowered, or raised where it is less than those of one
child.
Where
.Ic ThreadsPerChild
is
.Cm auto ,
it is at most this number: with 4 a child has 4 threads instead of 8.
""",
    'RestartInterval': """
As after
.Ic MaxRequests ,
its replacement serves before it is told to go, and it has
.Ic WorkerDrainTimeout
to finish what it has, so that its clients lose nothing.
It is looked at between requests, and while there are none.
""",
    'MountPoint': r"""
Clients ask for /shop/cart, and a proxy in front leaves it so: with
.Ql MountPoint /shop
.Ev SCRIPT_NAME
is /shop and
.Ev PATH_INFO
/cart, so that the application builds the links that it should.
/shop itself has no
.Ev PATH_INFO ,
and /shopping is another path.
It is compared when the percent codes of a request are decoded; write it as it
is then.
Logs and
.Ev REQUEST_URI
have the whole path, and
.Ic WSGIWarmUp
needs it.
A proxy that cuts the path off says so with X-Forwarded-Prefix
.Pq Ic TrustedProxyHeaders ,
and needs no
.Ic MountPoint ;
where there are both,
.Ev SCRIPT_NAME
is the one behind the other.
""",
    'WSGIWarmUp': r"""
It is a GET of the path, with the host and scheme of the URL or
.Ql localhost
and http, that each child makes of itself when it has imported the application;
with
.Ic WSGIPreloadApplication
it is the template that does, once for all: what the application does only when
it is first asked, its children then have in common, memory too, but as with the
import not the threads and connections.
.Pp
The answer goes nowhere and stands in no access log.
It must have a status below 400, or its generation does not serve: a start
fails, and a reload leaves things as they are;
.Ql wsgid \-\-check
asks as well.
Once a child of the generation has served, one that comes later and is answered
otherwise warns of that and serves.
If such a child does not come out of it at all, those of the next five minutes
leave it out; a template, as long as it lives.
With
.Ic WSGIReload
a bad answer is never more than a warning.
.Ic StartupTimeout
is for the import and this together.
.Pp
The request's User-Agent ends in
.Ql (WSGIWarmUp) .
A comma in a URL is written as %2C.
Where the application looks at the host, as Django does with ALLOWED_HOSTS, the
URL names it, and where it sends those who come by http to https, that:
.Ql WSGIWarmUp https://www.example.com/ .
.Ql none
takes back what a weaker source says.
""",
    'MaxMemoryPerChild': """
What it still shares with a template
.Pq Ic WSGIPreloadApplication
or has of libraries together with others is not counted, as a replacement would
have just that as well.
The memory is looked at once a second, or each ten where it is large and mostly
shared, between requests, and while there are none.
A child that has so many before its first request is not replaced for that,
which is warned of.
Each replacement is a line of level notice.
""",
    'GracefulShutdownTimeout': """
Then the server has ended: children that are still there are killed.
Children that have lost their master, which was killed, have as long.
Those that only wait for a client leave a quarter of the time earlier, but at
most two seconds, so that Python can finish.
.Ql wsgictl stop
says by when that is.
""",
    'RequestTimeout': """
The request itself goes on, and is killed with its child
.Ic WorkerDrainTimeout
after the other child is ready, if it has not ended by then.
""",
    'WorkerDrainTimeout': """
Then it is killed; as with
.Ic GracefulShutdownTimeout ,
one that only waits for a client leaves a little earlier.
""",
    'SignalStyle': """
Apache's
.Dv TERM
stops at once, and its
.Dv HUP
ends all children before new ones start.
""",
    'RunDirectory': """
Servers of other users than root use
.Pa $XDG_RUNTIME_DIR/wsgid .
Where there is none of these, the server runs without, and
.Xr wsgictl 8
cannot find it.
Where root starts the server, the directory should be root's, as that of
.Ic ErrorLog :
who can write there can take the server's place before
.Xr wsgictl 8 .
""",
    'ControlGroup': """
They can reload, scale and stop the server, but not choose what it runs.
The control socket and the scoreboard belong to the group then.
A master that is not root's can only name a group of its own user.
""",
    'ScoreBoardFile': """
Its directory must exist; the pages of the children are beside it, under its
name and a number.
NAME.scoreboard in
.Ic RunDirectory
becomes a symbolic link to it, so that
.Xr wsgictl 8
finds it.
A file that another running server has is refused, and so is one that is no
scoreboard.
""",
    'ChDir': """
A symbolic link on the way is followed anew at each start of a child, and so at
each reload; with
.Ic WSGIPreloadApplication
at a reload only.
Without it wsgid is where it was started.
Where the shell came there by a link, as with
.Dl cd /srv/shop/current && wsgid shop:app
a reload goes where the link leads by then, as
.Ev PWD
has it, and so does what is relative on the command line; children that are
started between two reloads do not.
""",
    'Locale': """
Python takes no more than its character set from it; for the order of words,
numbers and dates an application calls locale.setlocale(locale.LC_ALL, '').
""",
    'CoreDumpDirectory': """
The user of the children must be able to write there.
The limit of a coredump's size is raised to the hard limit, and a child may be
dumped although it has changed its user; so other processes of that user may
then attach to it, too.
The directory is entered when a fatal signal comes, after Python has written
its traceback to the error log; until then the child is where
.Ic ChDir
says.
Only a
.Va kernel.core_pattern
that is a relative name leaves the place to the process; the error log says
where a coredump went.
""",
    'RequestBodyBuffer': """
So a slow client costs memory and no worker, but for one that waits for 100
Continue: it is told to go on when the application reads, as with mod_wsgi, and
the worker waits for its body.
nginx before it has told the client already, and has the body.
""",
    'RequestBodySpool': """
So a slow client with a large body costs no worker either, but disk:
.Ic RequestBodySpool
for each connection.
The file has no name, and is in
.Pa $TMPDIR , /var/tmp
or
.Pa /tmp ,
as the user of the children can write there; where none can be written, or the
disk is full, the error log says so and the application reads the rest by
itself, as it does with larger bodies.
""",
    'ResponseBufferSize': """
What an application yields or writes is sent at once; what its client does not
take is kept up to this size and goes on by itself while the application makes
the next piece, so a response that ends meanwhile costs its worker no waiting.
Beyond it the application waits until there is room, at most
.Ic Timeout
without any; with 0 it waits for each piece.
Pieces that follow one another within a millisecond are sent together: small
ones (16 KiB) up to this size, of larger ones, which are not copied, up to 16
or 1 MiB.
A thread that looks each millisecond sends what there is, so none of them waits
for an application that takes its time; with 0 each is sent alone.
The first piece is sent alone, unless those of sixteen responses before came as
closely; where that one takes its time, it is sent within some ten milliseconds.
A crash may lose what came within the last two milliseconds, or those ten.
A body that is there as a whole (a list, a file, the last piece of a
Content-Length) is never waited for, however large it is.
Called
.Cm response-buffer-size
by mod_wsgi.
""",
    'RequestReadTimeout': """
As Apache's mod_reqtimeout has it.
.Ql header=20-40,MinRate=500
is 20 seconds for a head, and a second more for each 500 bytes of it, but never
more than 40; without the second number there is no such bound, without
.Cm MinRate
no more time.
A part that is not named keeps what a line before has said, or else its default,
and 0 is no limit but
.Ic Timeout ,
which is for each piece.
The time of a head begins with the connection, or with the first byte of a
later request; that of a body behind the head, and it stands still while an
application that reads a large body by itself does something else.
No process or thread waits for a slow client before its request is whole,
except for such a body.
""",
    'TrustedProxies': """
They say with header fields from whom a request is
.Pq Ic TrustedProxyHeaders
or, if
.Ic ProxyProtocol
is on, a connection.
.Ql unix:\\&
is whoever connects to a Unix socket of ours.
Where nobody is trusted, or somebody else connects, these fields are taken out
of the request: no application can be made to believe them.
.Pp
X-Forwarded-For and RFC 7239's Forwarded are read from the right, past all that
are trusted themselves: the next address is the client's.
Scheme, host, port and prefix are those that stand at the same place.
The application finds them in
.Ev REMOTE_ADDR , REMOTE_PORT , wsgi.url_scheme , REQUEST_SCHEME , HTTP_HOST ,
.Ev SERVER_NAME , SERVER_PORT
and
.Ev SCRIPT_NAME ;
the access log has the client as %a and %h.
X-Forwarded-Prefix is what the proxy has cut off the path: PATH_INFO does not
begin with it.
What does not make sense is as if it were not there.
.Cm *
trusts everybody, and is for a network that nobody else can reach.
""",
    'TrustedProxyHeaders': """
A proxy passes on what its client sends, unless it sets the field itself: with
one that sets X-Forwarded-For alone everybody chooses X-Forwarded-Host.
So name here what yours sets, and all of it; the default is what most set.
X-Forwarded-Host, X-Forwarded-Port, X-Forwarded-Prefix and Forwarded are the
others that say something to the server.
Forwarded counts where X-Forwarded-For, X-Forwarded-Proto or X-Forwarded-Host,
each for its part, are not there.
.Pp
X-Real-IP and any other name that begins with X-Forwarded- may be named too,
as X-Forwarded-User of oauth2-proxy and X-Forwarded-Client-Cert of Envoy: such
a field is passed to the application as it came, and says nothing to the server.
Those that are not named are taken out.
Of several lines the last one holds.
""",
    'ProxyProtocol': """
Versions 1 and 2, as HAProxy
.Pq send-proxy, send-proxy-v2 ,
nginx
.Pq proxy_protocol on
and the balancers of the clouds send them; it needs
.Ic TrustedProxies .
The client of the header takes the place of who is connected, for all requests
of the connection, and https that of http where the header says that the client
came with TLS; HAProxy does with send-proxy-v2-ssl, version 1 cannot, and then
there is
.Cm Scheme= Ns Cm https
of
.Ic Listen .
With
.Cm On
every connection must begin with a header: others are answered 400, and who is
not trusted 403.
With
.Cm Optional
a connection of somebody trusted may; others are served as they are.
""",
    'LogFormat': r"""
The items are Apache's:
.Bl -column -offset indent "%{name}i" "its own words"
.It Li \&%h , \&%a Ta the client's address; %{c}a is who is connected
.It Li \&%A , \&%p Ta our own address and port; %{remote}p is the client's port
.It Li \&%t Ta the time; %{format}t by strftime(3), and sec, msec, usec; %{zone}t +hh:mm
.It Li \&%r Ta the request line
.It Li \&%m , \&%U , \&%q , \&%H Ta its method, path (as it came; Apache decodes it), query string, protocol
.It Li \&%v , \&%V Ta the name of the host that was asked, without a port
.It Li \&%s , \&%>s Ta the status of the response
.It Li \&%B , \&%b Ta bytes of the response's body, 0 or - when there are none
.It Li \&%I , \&%O , \&%S Ta bytes received, sent, both, with heads
.It Li \&%D , \&%T Ta how long it took, in microseconds and in seconds
.It Li \&%{ms}T Ta how long it took, in ms, us or s
.It Li \&%{name}i , \&%{name}o Ta a header field of the request, of the response; several of one name with commas
.It Li \&%{name}C Ta a cookie
.It Li \&%u , \&%l Ta the user that the client names, and - for what nobody asks any more
.It Li \&%k Ta how many requests the connection had before
.It Li \&%X Ta the connection at the end: X aborted, + kept, - closed
.It Li \&%P Ta the child's pid; %{tid}P its thread
.It Li \&%L Ta the request's number
.It Li \&%% Ta a percent sign
.El
.Pp
The user is the name of
.Ql Authorization: Basic ,
as nginx and gunicorn log it, and not verified: whether the password is right
only the application knows.
Where clients send a key as their name, leave
.Ql \&%u
out;
.Cm json
has none.
.Pp
Quotes, backslashes and all bytes that are no printable ASCII are escaped as by
Apache, \exhh, which JSON does not know.
In a format that begins with
.Ql {\(dq
they are escaped as in JSON: valid UTF-8 stays, other bytes are \eu00hh, and
an item behind a colon that has no value is null.
.Cm json
is such a format: an object a line, with time, client, host, method, path,
query, protocol, status, bytes, bytes_out, duration_us, referer, user_agent,
request_id and pid.
""",
    'ErrorLog': """
A server that root starts opens its logs as root.
Their directories should be root's: who can write there can remove them, and put
something else in their place.
Where the way to one leads over symbolic links in the directory of another user,
it is opened with that user's rights, so that the links give nobody more than he
has, and refused where others than that user may write as well; links to
.Pa /dev/stderr ,
.Pa /dev/stdout
and
.Pa /dev/null
are followed everywhere.
""",
    'CustomLog': """
The directory is better root's, as that of
.Ic ErrorLog .
.br
The line of a request is written when the application is done with it.
Where more than 16 KiB of the response are left then, it is written when all of
that is with the kernel, or the client will not have it:
.Ql \\&%D ,
.Ql \\&%O
and
.Ql \\&%X
say how that went.
.br
Where it is a pipe or a terminal, as standard output mostly is, and nobody reads
it, the workers wait until somebody does, in state L, as Apache's do.
Then a graceful stop takes all of
.Ic GracefulShutdownTimeout
and counts their requests as cut off, as nobody can tell which of their clients
still wait.
So let something read it all the time, as a log collector does, or let it be a
file.
.br
.Ql wsgictl reopen-logs
opens all logs anew after they were rotated.
""",
    'LogLevel': """
What an application prints, and writes to
.Va wsgi.errors ,
is of level info, and never left out; an exception that it lets out, with its
traceback, is an error.
A line that begins with a level as
.Xr sd-daemon 3
has it and [app], as in
.Ql <4>[app] text ,
is of that level; below 3 are errors, too.
.Ql wsgictl log-level
changes it while the server runs.
""",
}

TAIL = r"""
.Sh FILES
.Bl -tag -width Ds
.It Pa /etc/wsgid/wsgid.conf
The default; where it is installed, it has all directives with their defaults.
.El
.Sh EXAMPLES
.Bd -literal -offset indent
WSGIApplication   shop.wsgi:application
WSGIPythonHome    /srv/shop/venv
ChDir             /srv/shop
User              shop

Listen            "unix:/run/shop/shop.sock" mode=0660 group=www-data
MaxRequestWorkers 16

ErrorLog          /var/log/wsgid/shop-error.log
CustomLog         /var/log/wsgid/shop-access.log combined

<IfDefine DEBUG>
LogLevel          debug
</IfDefine>
.Ed
.Ss Behind nginx
.Bd -literal -offset indent
# wsgid.conf
Listen              "unix:/run/shop/shop.sock" mode=0660 group=www-data
TrustedProxies      unix:
TrustedProxyHeaders X-Forwarded-For X-Forwarded-Proto

# nginx
upstream shop {
    server unix:/run/shop/shop.sock;
    keepalive 32;
}
map $http_host $shop_host {
    default $http_host;     # with its port, which $host has not
    ""      $host;          # HTTP/1.0 without Host: the server_name
}
server {
    server_name shop.example;
    location / {
        proxy_pass http://shop;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_set_header Host $shop_host;
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        proxy_set_header X-Forwarded-Proto $scheme;
    }
}
.Ed
.Pp
A server that root starts makes such a socket file, in a directory that is
there.
The units that come with wsgid run it as another user, who cannot give it away:
leave
.Ic Listen
out, and let
.Pa wsgid@shop.socket
make
.Pa /run/wsgid/shop.sock
for the group of its
.Cm SocketGroup= ,
www-data.
.Pp
An application below a path needs X-Forwarded-Prefix in
.Ic TrustedProxyHeaders
too, and
.Bd -literal -offset indent
    location /shop/ {
        proxy_pass http://shop/;
        proxy_set_header X-Forwarded-Prefix /shop;
        ...
.Ed
.Pp
or, with a
.Cm proxy_pass
that has no path,
.Ql MountPoint /shop .
.Pp
Every proxy must let go of an idle connection before the server does, after less
than
.Ic KeepAliveTimeout ,
75 s: else it sends a request into one that is being closed, and its client gets
a 502.
nginx's
.Cm keepalive_timeout
of an upstream is 60 s.
.Ss Behind HAProxy
.Bd -literal -offset indent
# wsgid.conf
Listen              10.0.0.3:8000
TrustedProxies      10.0.0.2
TrustedProxyHeaders X-Forwarded-For X-Forwarded-Proto

# HAProxy, which speaks HTTP
backend shop
    mode http
    option forwardfor
    http-request set-header X-Forwarded-Proto https if { ssl_fc }
    http-request set-header X-Forwarded-Proto http unless { ssl_fc }
    server shop 10.0.0.3:8000

# or ends TLS and passes bytes; wsgid.conf: ProxyProtocol On
backend shop
    mode tcp
    server shop 10.0.0.3:8000 send-proxy-v2-ssl
.Ed
.Ss Behind Apache
.Bd -literal -offset indent
# wsgid.conf
Listen              127.0.0.1:8000
TrustedProxies      127.0.0.1
TrustedProxyHeaders X-Forwarded-For X-Forwarded-Proto

# Apache, with mod_proxy_http and mod_headers
ProxyPreserveHost   On
RequestHeader       set X-Forwarded-Proto expr=%{REQUEST_SCHEME}
ProxyPass           / http://127.0.0.1:8000/ ttl=60
.Ed
.Ss Behind Caddy
It sets X-Forwarded-For and X-Forwarded-Proto itself, and keeps idle connections
for two minutes unless it is told otherwise:
.Bd -literal -offset indent
shop.example {
    reverse_proxy 127.0.0.1:8000 {
        transport http {
            keepalive 60s
        }
    }
}
.Ed
.Ss \&In Kubernetes
The ingress controller connects from the network of the pods, the probes of the
kubelet from the node, and both without a header of the PROXY protocol.
.Bd -literal -offset indent
Listen              8000
TrustedProxies      10.244.0.0/16
TrustedProxyHeaders X-Forwarded-For X-Forwarded-Proto X-Forwarded-Host
CustomLog           -
.Ed
.Pp
A balancer in front that sends the PROXY protocol, past any ingress, needs
.Ql ProxyProtocol Optional ,
or the probes would fail.
.Pp
A pod is told to end while others still send it clients: so it waits first, and
has time for that, for
.Ic GracefulShutdownTimeout
and two seconds more.
.Bd -literal -offset indent
spec:
  terminationGracePeriodSeconds: 37
  containers:
  - env:
    - {name: WSGID_GRACEFUL_SHUTDOWN_TIMEOUT, value: 30s}
    lifecycle:
      preStop: {exec: {command: [sleep, "5"]}}
    readinessProbe: {exec: {command: [wsgictl, status, --ready]}}
.Ed
.Pp
A livenessProbe has nothing to add: what crashes or hangs is replaced by wsgid
itself, and a container that is ended for being busy loses its requests.
.Ql wsgictl stop
is no preStop, as it would be killed with the process that it waits for.
.Sh SEE ALSO
.Xr wsgictl 8 ,
.Xr wsgid 8
"""


def text(words: str) -> str:
    """Lines of text that mdoc takes for nothing else: a line a sentence."""
    lines = []
    for sentence in words.replace('\\', r'\e').split('; '):
        lines += textwrap.wrap(sentence + ';', 78, break_on_hyphens=False)
    lines[-1] = lines[-1].rstrip(';') + '.'
    return '\n'.join(r'\&' + line if line[:1] in ".'" else line for line in lines)


def words_of(line: str) -> str:
    """Words of a macro's line: what would be punctuation or a macro is not."""
    return ' '.join(r'\&' + word if len(word) < 3 and not word.isalnum() else word
                    for word in line.replace('\\', r'\e').split())


def entry(row) -> str:
    lines = [f'.It Ic {row.name}' + (f' Ar {words_of(row.metavar)}' if row.metavar else '')]
    lines.append(text(row.help))
    if row.alias:
        lines.append(f'Apache\'s older name\n.Ic {row.alias}\nis the same.')
    if row.name in MORE:
        lines.append(MORE[row.name].strip('\n'))
    lines.append('.br')
    facts = [f'Default: {row.default}' if row.default != 'none' else 'No default']
    facts += [fact for fact in row.facts
              if not fact.startswith('a change needs') and fact != NO_RANGE]
    lines.append(text('; '.join(facts)))
    if any(fact.startswith('a change needs') for fact in row.facts):
        lines.append('A change needs a stop and a start.')
    options = ' , '.join('Fl ' + name[1:].replace('-', r'\-') for name in row.options)
    lines += ['.br', f'.{options} ;']
    lines.append('.Ev ' + ' , '.join(row.environments))
    return '\n'.join(lines)


def page(directives: list) -> str:
    parts = [HEAD.format(date=DATE).strip('\n')]
    opened = False
    for row in directives:
        if row.name in SECTIONS:
            if opened:
                parts.append('.El')
            parts.append(f'.Sh {SECTIONS[row.name].upper()}\n.Bl -tag -width Ds')
            opened = True
        parts.append(entry(row))
    parts.append('.El')
    parts.append(TAIL.strip('\n'))
    return '\n'.join(parts) + '\n'


def main() -> int:
    parser = argparse.ArgumentParser(description='Write wsgid.conf.5 on standard output.')
    parser.add_argument('--wsgid', metavar='PROGRAM', help='the program to ask for its list')
    program = parser.parse_args().wsgid or check_directives.find_program()
    if program is None:
        print('conf_manual: no wsgid is built; build it first, with "scons build"',
              file=sys.stderr)
        return 2
    sys.stdout.write(page(check_directives.read_list(program)))
    return 0


if __name__ == '__main__':
    sys.exit(main())
