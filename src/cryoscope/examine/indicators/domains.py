"""Which names are domain names: top-level domains, and which of them mean something else in programs.

IANA lists some 1,400; here are all codes of countries and those of the others that are in use.
"""

from __future__ import annotations

import re

COUNTRIES = frozenset(
    b"ac ad ae af ag ai al am ao aq ar as at au aw ax az ba bb bd be bf bg bh bi bj bm bn bo br bs bt bw "
    b"by bz ca cc cd cf cg ch ci ck cl cm cn co cr cu cv cw cx cy cz de dj dk dm do dz ec ee eg er es et "
    b"eu fi fj fk fm fo fr ga gd ge gf gg gh gi gl gm gn gp gq gr gs gt gu gw gy hk hm hn hr ht hu id ie "
    b"il im in io iq ir is it je jm jo jp ke kg kh ki km kn kp kr kw ky kz la lb lc li lk lr ls lt lu lv "
    b"ly ma mc md me mg mh mk ml mm mn mo mp mq mr ms mt mu mv mw mx my mz na nc ne nf ng ni nl no np nr "
    b"nu nz om pa pe pf pg ph pk pl pm pn pr ps pt pw py qa re ro rs ru rw sa sb sc sd se sg sh si sk sl "
    b"sm sn so sr ss st su sv sx sy sz tc td tf tg th tj tk tl tm tn to tr tt tv tw tz ua ug uk us uy uz "
    b"va vc ve vg vi vn vu wf ws ye yt za zm zw".split()
)
COMMON = frozenset(
    b"com net org edu gov mil int arpa biz info name pro museum aero coop jobs mobi travel tel cat asia "
    b"post app dev page cloud online site website store shop tech xyz top club vip work life live world "
    b"today email digital network systems solutions services company agency center media news blog host "
    b"hosting space fun icu wang win bid loan stream download men date racing review party trade science "
    b"click link rocks ninja guru zone tools software games run codes build academy support help onion "
    b"internal local lan corp home cluster svc".split()
)
PLAIN = frozenset(b"com net org edu gov mil onion".split()) | frozenset(
    b"de uk fr nl ru cn jp br au eu kr cz dk hu tr ua nz za mx il vn tw hk sg th bg kz lt lv ee gr".split()
)
"""Those that a name with two parts is believed to be one for: of others, attributes of objects
(`logging.info`, `java.io`) and names of files (`a.py`, `b.so`) look alike."""
HOSTED = frozenset(
    b"io info dev app co me ai xyz top online site cloud biz su pw cc ch es se it at "
    b"internal local svc".split()
)
"""Further ones that a name may end in that begins like that of a host, or as those inside of clusters do."""
HOSTS = re.compile(
    rb"(?i)^(?:www|api|mail|smtp|imap|ftp|mx|ns|cdn|git|registry|docker|dns|vpn|static|auth|login)\d*\."
)
INTERNAL = re.compile(rb"\.(?:svc|svc\.cluster\.local|internal|onion)$")
LABEL = re.compile(rb"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
NO_NAMES = frozenset(
    b"java.net java.com commons.net system.net asp.net vb.net ado.net "
    b"example.com example.org example.net".split()
)


def domain(name: bytes) -> bytes | None:
    """A name in the spelling by which it is counted, or None where it cannot be one of the DNS."""
    lower = name.lower().rstrip(b".")
    labels = lower.split(b".")
    if not 2 <= len(labels) <= 12 or len(lower) > 253 or not all(map(LABEL.fullmatch, labels)):
        return None
    top = labels[-1]
    return lower if top in COUNTRIES or top in COMMON or top.startswith(b"xn--") else None


def bare(name: bytes) -> bytes | None:
    """As `domain`, for a name that nothing around it says is one."""
    found = domain(name)
    if found is None or found in NO_NAMES or name != found:
        return None
    labels = found.split(b".")
    if (HOSTS.match(found) and len(labels) > 2) or INTERNAL.search(found):
        return found
    long_enough = len(labels[-2]) >= 3 or len(labels) > 2
    return found if labels[-1] in PLAIN and long_enough and not labels[-2].isdigit() else None
