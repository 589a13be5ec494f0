"""Files of rules are validated whole: each mistake is named with its line, and what may have been meant."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryoscope import limits
from cryoscope.errors import UsageError
from cryoscope.examine.findings.rules import OPERATORS, SUBJECTS, Rule, described, load_rules
from cryoscope.examine.findings.rules.grammar import LISTS, NEEDED

HEAD = """\
- name: one
  title: One
  severity: low
  why: Because.
  for: process
"""


def rule(when: str = "{comm: {eq: sh}}", head: str = HEAD) -> str:
    return f"{head}  when: {when}\n"


def load(text: str) -> list[Rule]:
    return load_rules(text, "mine.yaml")


def problem(text: str) -> tuple[str, str, str]:
    """Code, message and hint of the error that a text gives."""
    with pytest.raises(UsageError) as caught:
        load(text)
    assert caught.value.message.startswith("mine.yaml: ")
    return caught.value.code, caught.value.message.removeprefix("mine.yaml: "), caught.value.hint


def test_a_rule_with_everything() -> None:
    (found,) = load(
        rule() + "  next: [look, 'look again']\n  techniques: [T1059, T1059.004]\n  references: [a book]\n"
    )
    assert (found.name, found.title, found.severity, found.about) == ("one", "One", "low", "process")
    assert (found.next, found.techniques) == (["look", "look again"], ["T1059", "T1059.004"])
    assert (found.references, found.origin, found.line) == (["a book"], "mine.yaml", 1)


MISTAKES = {
    # the file
    "": ("rules.shape", "line 1: the file is nothing", "a list of rules"),
    "{}": ("rules.shape", "line 1: the file is a mapping", "a list of rules"),
    "- 1": ("rules.shape", "line 1: a rule is a number", ""),
    "- [": ("rules.yaml", "line 1: ", ""),
    "a: b: c": ("rules.yaml", "line 1: ", ""),
    "\t- a": ("rules.yaml", "line 1: ", ""),
    "- a\n- \x07": ("rules.yaml", "special characters", ""),
    rule() + "---\n" + rule(): ("rules.yaml", "line 7: a second document", "---"),
    # traps of YAML
    rule("&x {comm: {eq: sh}}"): ("rules.yaml", "line 6: anchors and aliases", "quote"),
    rule("*x"): ("rules.yaml", "line 6: anchors and aliases", ""),
    rule("!!python/object/apply:os.system [id]"): ("rules.yaml", "line 6: the tag", "quotes"),
    rule("{comm: !!str sh}"): ("rules.yaml", "line 6: the tag", ""),
    rule("{comm: {eq: a}, comm: {eq: b}}"): ("rules.yaml", "line 6: comm stands here again", "line 6"),
    rule() + "  why: Again.\n": ("rules.yaml", "line 7: why stands here again", "line 4"),
    rule("{1: {eq: a}}"): ("rules.yaml", "line 6: a key is a number", "quote"),
    rule("{[a]: {eq: a}}"): ("rules.yaml", "line 6: a key is a list", ""),
    # the words of a rule
    rule() + "  wy: x\n": ("rules.key", "line 7: rules have no wy", "did you mean why?"),
    rule() + "  xyzzy: x\n": ("rules.key", "line 7: rules have no xyzzy", "there are name, title"),
    HEAD: ("rules.key", "line 1: the rule has no when", "it needs name"),
    rule(head=HEAD.replace("One", "''")): ("rules.value", "line 2: title is a text", ""),
    rule(head=HEAD.replace("title: One", "title: [One]")): ("rules.value", "line 2: title is a list", ""),
    rule(head=HEAD.replace("One", "yes " * 2000)): ("rules.limit", "line 2: title is longer", ""),
    rule(head=HEAD.replace("name: one", "name: One!")): ("rules.value", "line 1: One! is no name", "words"),
    rule(head=HEAD.replace("low", "hihg")): ("rules.value", "line 3: severity is not hihg", "mean high?"),
    rule(head=HEAD.replace("process", "proces")): ("rules.value", "line 5: for is not proces", "process?"),
    rule() + "  techniques: [T1]\n": ("rules.value", "line 7: T1 is no technique", "T1059.004"),
    rule() + "  next: look\n": ("rules.value", "line 7: next takes a list", ""),
    rule() + rule(): ("rules.name", "line 7: the name one is taken: line 1 has it", "unique"),
    # conditions
    rule("[]"): ("rules.condition", "line 6: a condition is a list", "FIELD: {OPERATOR: VALUE}"),
    rule("{}"): ("rules.condition", "line 6: a condition is a mapping", ""),
    rule("{all: {comm: {eq: a}}}"): ("rules.condition", "line 6: all is a mapping", "takes a list"),
    rule("{any: []}"): ("rules.condition", "line 6: any is a list", "takes a list"),
    rule("{not: [{comm: {eq: a}}]}"): ("rules.condition", "line 6: a condition is a list", ""),
    rule("{comm: sh}"): ("rules.condition", "line 6: comm is compared with a text", "exists: true"),
    rule("{com: {eq: sh}}"): ("rules.field", "line 6: there is no field com", "did you mean comm?"),
    rule("\n    comm: {eq: sh}\n    credentials: {eq: 1}"): (
        "rules.field",
        "line 8: there is no field credentials",
        "did you mean credentials.",
    ),
    rule("{comm.x: {eq: sh}}"): ("rules.field", "line 6: there is no field comm.x", ""),
    rule("{command.x: {eq: sh}}"): ("rules.field", "line 6: there is no field command.x", ""),
    rule("{__class__: {eq: sh}}"): ("rules.field", "line 6: there is no field __class__", ""),
    rule("{comm_base64: {eq: sh}}"): ("rules.field", "line 6: there is no field comm_base64", ""),
    rule("{fds.fd: {eq: 1}}"): ("rules.field", "line 6: there is no field fds.fd", ""),
    rule("{comm: {startwith: sh}}"): (
        "rules.operator",
        "line 6: there is no operator startwith",
        "did you mean startswith?",
    ),
    rule("{comm: {gt: 1}}"): ("rules.operator", "line 6: gt is for number, comm is text", ""),
    rule("{pid: {contains: a}}"): ("rules.operator", "line 6: contains is for text, pid is number", ""),
    rule("{comm: {eq: 1}}"): ("rules.value", "line 6: eq takes text here, not a number", "quote it"),
    rule("{comm: {eq: [a]}}"): ("rules.value", "line 6: eq takes text here, not a list", ""),
    rule("{pid: {eq: true}}"): ("rules.value", "line 6: eq takes number here, not true or false", ""),
    rule("{exe_deleted: {eq: 1}}"): ("rules.value", "line 6: eq takes true or false here", ""),
    rule("{comm: {in: sh}}"): ("rules.value", "line 6: in takes a list, not a text", "[a, b]"),
    rule("{comm: {in: []}}"): ("rules.value", "line 6: in has 0 values", ""),
    rule("{comm: {contains: ''}}"): ("rules.value", "line 6: contains takes no empty text", ""),
    rule("{comm: {exists: 1}}"): ("rules.value", "line 6: exists is a number", "true or"),
    rule("{comm: {exists: false, eq: a}}"): ("rules.value", "line 6: exists: false leaves nothing", ""),
    rule("{comm: {matches: '('}}"): ("rules.expression", "line 6: ( is no regular expression", "backtrack"),
    rule(r"{comm: {matches: '(a)\1'}}"): ("rules.expression", "line 6: an expression holds a back", ""),
    rule("{comm: {cidr: 10.0.0.1/8}}"): ("rules.value", "line 6: 10.0.0.1/8 is no network", "10.0.0.0/8"),
    rule("{comm: {cidr: here}}"): ("rules.value", "line 6: here is no network", ""),
}


@pytest.mark.parametrize("text", MISTAKES)
def test_a_mistake_is_named_with_its_line(text: str) -> None:
    code, message, hint = problem(text)
    wanted = MISTAKES[text]
    assert code == wanted[0]
    assert wanted[1] in message
    assert wanted[2] in hint


def deep(levels: int) -> str:
    return rule("{not: " * levels + "{comm: {eq: a}}" + "}" * levels)


BOUNDS = {
    "deep": deep(limits.RULES_DEPTH),
    "brackets": "[" * 50_000,
    "long": "#" + "x" * limits.RULES_FILE,
    "many values": f"- {[0] * limits.RULES_NODES}",
    "many rules": "".join(rule(head=HEAD.replace("one", f"n{n}", 1)) for n in range(limits.RULES + 1)),
    "many conditions": rule(str({"all": [{"comm": {"eq": "a"}}] * limits.RULE_CONDITIONS})),
    "a long text": rule(f"{{comm: {{eq: {'x' * (limits.RULE_WORDS + 1)}}}}}"),
}


@pytest.mark.parametrize("name", BOUNDS)
def test_what_is_too_much_is_refused(name: str) -> None:
    assert problem(BOUNDS[name])[0] == "rules.limit"


def test_what_is_not_too_much_is_taken() -> None:
    assert load(deep(limits.RULES_DEPTH - 8))


def test_an_alias_bomb_is_not_even_unfolded() -> None:
    bomb = "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\n"
    assert problem(bomb)[1].startswith("line 1: anchors and aliases")


@pytest.mark.parametrize("word", ["no", "on", "NO", "y", "0777x", "1:20", "2026-11-22", "1_000", "=", ".inf"])
def test_plain_words_stay_words(word: str) -> None:
    assert load(rule(f"{{comm: {{eq: {word}}}}}"))


@pytest.mark.parametrize("number", ["0x7f00", "0o17", "-3", "+3", "1.5", "1e3", "007"])
def test_numbers_are_numbers(number: str) -> None:
    assert load(rule(f"{{pid: {{gt: {number}}}}}"))


WORDS = st.sampled_from(
    ["all", "any", "not", "comm", "pid", "name", "when", "for", *OPERATORS, "exists", *SUBJECTS]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=12,
)


@given(st.one_of(st.text(max_size=80), JSON.map(json.dumps), JSON.map(lambda when: rule(json.dumps(when)))))
def test_whatever_is_given_it_is_rules_or_a_usage_error(text: str) -> None:
    found, said = [], "mine.yaml: "
    try:
        found = load(text)
    except UsageError as error:
        said = error.message
    assert all(isinstance(one, Rule) for one in found)
    assert said.startswith("mine.yaml: ")


DOCS = (Path(__file__).parents[3] / "docs" / "rules.md").read_text()


def test_every_operator_and_key_is_documented() -> None:
    for name in [*OPERATORS, "exists", *NEEDED, *LISTS]:
        assert f"| `{name}` |" in DOCS, name


@pytest.mark.parametrize("name", SUBJECTS)
def test_every_field_is_documented(name: str) -> None:
    """What stands below the heading of a subject are its fields, by what their values are."""
    section = DOCS.partition(f"### `{name}`\n")[2].partition("\n#")[0]
    assert SUBJECTS[name].about in section
    for extra, said in SUBJECTS[name].extras.items():
        assert f"- `{extra}`: {said.about}\n" in section
    kinds: dict[str, list[str]] = {}
    for field, kind in described(SUBJECTS[name]):
        kinds.setdefault(kind, []).append(f"`{field}`")
    for kind, fields in kinds.items():
        line = f"\n{kind.capitalize()}: {', '.join(fields)}.\n"
        assert line in section, "run scripts/rules_fields.py"
    assert section.count("`") == 2 * (sum(map(len, kinds.values())) + len(SUBJECTS[name].extras))
