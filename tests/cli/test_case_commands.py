"""`cryoscope case` as a user runs it: a store of its own, real archives, nothing in the way."""

from __future__ import annotations

import contextvars
import hashlib
import json
import os
import stat
import subprocess
import tarfile
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pyrage
import pytest
from click.testing import CliRunner

from cryoscope.cli import cryoscope
from cryoscope.cli.case import COMMANDS
from cryoscope.cli.failure import report
from cryoscope.cli.kubectl import plugin
from cryoscope.settings import settings
from cryoscope.workflows.case_add import Adding, facts_of, keep_in
from cryoscope.workflows.schemas import NOUNS, json_schema
from cryoscope.workflows.store import store_for
from cryoscope.workflows.vouched import vouched
from far_server import serving
from json_schema import problems
from tests.evidence import store_contract

SHA256 = "e51b73f6bf138c94db63478d45b4a9b62cdd97a29de83cd951f1d8a56f67bd84"


Ran = subprocess.CompletedProcess[bytes]


class Place(store_contract.Place):
    """Its commands run in this process: what a case needs is imported once, not with every command."""

    def ran(self, *arguments: str | Path, **more: str) -> Ran:
        settings.cache_clear()
        return contextvars.copy_context().run(self._ran, [str(each) for each in arguments], more)

    def _ran(self, arguments: Sequence[str], more: dict[str, str]) -> Ran:
        with CliRunner().isolation(env=self.variables | more) as (out, err, _):
            try:
                code = cryoscope.main(arguments, prog_name="cryoscope", standalone_mode=False)
            except BaseException as error:
                code = report(error)
            finally:
                settings.cache_clear()
            return Ran(arguments, code or 0, out.getvalue(), err.getvalue())


@pytest.fixture
def place(tmp_path: Path) -> Place:
    found = Place(tmp_path)
    found.run("case", "new", "night", "--description", "ticket 4711")
    return found


@pytest.fixture(scope="module")
def read_only(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Place:
    """A case with one piece for tests that add nothing to it but entries of its log."""
    found = Place(tmp_path_factory.mktemp("place"))
    found.run("case", "new", "night")
    found.run("case", "add", "night", data / "crio-counter.tar")
    return found


def actions(place: Place, case: str = "night") -> list[str]:
    [log] = place.json("case", "log", case)
    return [entry["action"] for entry in log["entries"]]


def test_a_case_from_its_making_to_its_end(place: Place, data: Path) -> None:
    archives = [data / "crio-counter.tar", data / "podman-kitchen-sink.tar.zst", data / "docker-looper"]
    added = place.json("case", "add", "night", *archives)
    assert [part["address"] for part in added] == [f"case://night/{p['piece']['sha256'][:12]}" for p in added]
    assert added[0]["piece"]["sha256"] == SHA256
    assert [part["piece"]["engine"] for part in added] == ["cri-o", "podman", "docker"]
    assert added[0]["piece"]["pod"] == "counters"

    own = place.json("ps", archives[1])[0]["processes"]
    kept = place.json("ps", added[1]["address"])[0]["processes"]
    assert [each["cmdline"] for each in kept] == [each["cmdline"] for each in own]
    place.run("search", "-t", "MARKER", added[0]["address"])
    place.run("env", "--reveal", added[0]["address"])
    assert place.run("cat", added[0]["address"], "spec.dump").startswith(b"{")
    place.run("case", "note", "night", "seen", "--piece", SHA256[:6])
    place.run("case", "hold", "night", SHA256[:6], "--reason", "court")
    place.run("case", "verify", "night")
    place.run("case", "export", "night", "-o", place.folder / "bundle")
    before = ["new", "add", "add", "add", "read", "search", "reveal", "reveal", "note", "hold", "verify"]
    assert actions(place) == [*before, "export"]

    [gone] = place.json("case", "prune", "night", "--keep", "1", "--apply")
    assert [each["name"] for each in gone["gone"]] == ["podman-kitchen-sink.tar.zst"]
    assert set(place.states("night").values()) == {"kept", "pruned"}
    assert place.states("night")[SHA256] == "kept"
    assert actions(place)[-2:] == ["prune", "pruned"]
    refused = place.ran("ps", added[1]["address"])
    assert (refused.returncode, b"was pruned" in refused.stderr) == (1, True)
    place.run("case", "verify", "night")


def test_the_same_archive_again_is_no_error_and_no_second_blob(place: Place, data: Path) -> None:
    archive = data / "crio-counter.tar"
    first, second = (place.json("case", "add", "night", archive)[0] for _ in range(2))
    assert (first.get("new", True), second["new"]) == (True, False)
    assert second["address"] == first["address"]
    blobs = [path for path in (place.home / "blobs" / "cases").rglob("*") if path.is_file()]
    assert len(blobs) == 1
    assert actions(place) == ["new", "add"]
    place.run("case", "new", "day")
    assert place.json("case", "add", "day", archive)[0].get("new", True)


def test_what_was_pruned_can_be_added_again(place: Place, data: Path) -> None:
    archive = data / "crio-counter.tar"
    place.run("case", "add", "night", archive)
    place.run("case", "prune", "night", "--larger", "1", "--apply")
    assert place.states("night") == {SHA256: "pruned"}
    place.run("case", "add", "night", archive)
    assert place.states("night") == {SHA256: "kept"}
    place.run("ps", f"case://night/{SHA256[:8]}")
    place.run("case", "verify", "night")


def test_encrypted_evidence_is_listed_and_verified_without_its_key_and_read_with_it(
    tmp_path: Path, data: Path
) -> None:
    identity = pyrage.x25519.Identity.generate()
    key = tmp_path / "key.txt"
    key.write_text(f"# made for a test\n{identity}\n")
    place = Place(tmp_path, more=f'[encryption]\nrecipients = ["{identity.to_public()}"]')
    place.run("case", "new", "night")
    for name in ("crio-counter.tar", "podman-looper-crun.tar.gz"):
        place.run("case", "add", "night", data / name)
    [part] = place.json("case", "show", "night")
    assert {tuple(piece["stored"]["forms"]) for piece in part["pieces"]} == {("zstd-frames", "age"), ("age",)}
    assert not any(b"MARKER" in path.read_bytes() for path in place.home.rglob("*.age"))
    place.run("case", "verify", "night")
    without = place.ran("ps", f"case://night/{SHA256[:8]}")
    assert (without.returncode, b"$CRYOSCOPE_IDENTITIES" in without.stderr) == (1, True)
    assert b"evidence.no-identity" in place.ran("ps", "-f", "json", f"case://night/{SHA256[:8]}").stdout
    for piece in part["pieces"]:
        shown = place.ran("ps", f"case://night/{piece['sha256']}", CRYOSCOPE_IDENTITIES=str(key))
        assert shown.returncode == 0, shown
        assert shown.stdout == place.run("ps", data / piece["name"])
    [verified] = place.json("case", "verify", "night", "--identity", key)
    assert verified["members"] > 40
    place.run("case", "export", "night", "--plain", "--identity", key, "-o", tmp_path / "plain")
    [exported] = (tmp_path / "plain" / "evidence").glob(f"{SHA256}*")
    assert hashlib.sha256(exported.read_bytes()).hexdigest() == SHA256


def test_what_is_no_checkpoint_is_refused_unless_it_is_wanted_as_it_is(place: Place, data: Path) -> None:
    other = place.folder / "other.tar"
    with tarfile.open(other, "w") as tar:
        tar.add(data / "README.md", "README.md")
    refused = place.ran("case", "add", "night", other)
    assert (refused.returncode, b"--as-is" in refused.stderr) == (1, True)
    assert actions(place) == ["new"]
    place.run("case", "add", "night", other, "--as-is")
    assert actions(place) == ["new", "add"]


def test_what_cannot_be_added_says_why_and_promises_nothing(read_only: Place, data: Path) -> None:
    before = actions(read_only)
    for what, code, said in (
        (data / "README.md", 1, b"is no archive"),
        ("-", 2, b"save it to a file"),
        ("case://night/e51b", 2, b"is evidence already"),
    ):
        for more in ((), ("--as-is",)):
            refused = read_only.ran("case", "add", "night", what, *more)
            assert (refused.returncode, said in refused.stderr) == (code, True), refused
            assert b"--as-is" not in refused.stderr
    assert actions(read_only) == before


def test_an_export_that_cannot_begin_is_not_in_the_log(read_only: Place) -> None:
    before = actions(read_only)
    there, new = str(read_only.folder), str(read_only.folder / "new")
    assert read_only.ran("case", "export", "night", "-o", there).returncode == 2
    assert read_only.ran("case", "export", "night", "-o", new, "--recipient", "age1bad").returncode == 2
    assert actions(read_only) == before


def test_the_query_of_an_address_which_may_sign_it_is_kept_nowhere(place: Place, data: Path) -> None:
    with serving() as far:
        far.files["/web.tar"] = (data / "crio-counter.tar").read_bytes()
        signed = f"{far.url}/web.tar?X-Amz-Signature=c0ffee"
        added = place.ran("case", "add", "night", signed, "-f", "json")
        shown = place.ran("ps", signed, "-f", "jsonl")
        missing = place.ran("ps", signed.replace("web", "nothing"), "-f", "json")
    assert [each.returncode for each in (added, shown, missing)] == [0, 0, 1]
    assert json.loads(added.stdout)["archives"][0]["piece"]["name"] == "web.tar"
    kept = [path.read_bytes() for path in place.home.rglob("*") if path.is_file()]
    said = [text for each in (added, shown, missing) for text in (each.stdout, each.stderr)]
    assert not any(b"c0ffee" in text for text in [*kept, *said])


def test_a_file_of_a_bundle_is_vouched_for_as_it_was_given_and_as_it_was_stored(
    place: Place, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in place.variables.items():
        monkeypatch.setenv(name, value)
    archive = str(data / "crio-counter.tar")
    facts = msgspec.structs.replace(facts_of(archive), capture={"engine": "cri-o"})
    with store_for("capture", "night") as store:
        keep_in(store, "night", archive, facts, Adding(), action="capture")
    place.run("case", "export", "night", "-o", place.folder / "stored")
    place.run("case", "export", "night", "-o", place.folder / "plain", "--plain")
    files = [file for name in ("stored", "plain") for file in (place.folder / name / "evidence").iterdir()]
    assert [file.suffix for file in files] == [".zst", ".tar"]
    assert all(vouched(str(file)) for file in files)
    for file in files:
        file.write_bytes(file.read_bytes()[:-1] + b"!")
    assert not any(vouched(str(file)) for file in files)


def test_a_narrow_terminal_shows_what_a_piece_is_called_by_whole(
    read_only: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cryoscope.cli.output.terminal_width", lambda: 60)
    for words in (["show", "night"], ["prune", "night", "--larger", "1", "--per", "all"]):
        lines = read_only.run("case", *words).decode().splitlines()
        assert max(map(len, lines)) <= 60, lines
        assert SHA256[:12] in lines[1].replace("…", ""), lines


def test_the_shell_completes_what_stands_behind_case(monkeypatch: pytest.MonkeyPatch) -> None:
    from click.shell_completion import ShellComplete

    for group in (cryoscope, plugin):
        asking = ShellComplete(group, {}, "cryoscope", "_CRYOSCOPE_COMPLETE")
        assert {each.value for each in asking.get_completions(["case"], "")} == {*COMMANDS}
        assert "--expect-head" in {each.value for each in asking.get_completions(["case", "verify"], "--")}


def test_a_damaged_archive_is_kept_and_its_damage_told(place: Place, data: Path) -> None:
    [added] = place.json("case", "add", "night", data / "truncated-by-full-disk.tar")
    assert added["damaged"]
    [shown] = place.json("case", "show", "night", added["piece"]["sha256"])
    assert shown["manifest"]["damaged"]
    place.run("case", "verify", "night")


def test_an_altered_byte_ends_with_1_and_names_the_member(place: Place, data: Path) -> None:
    place.run("case", "add", "--no-frames", "night", data / "crio-counter.tar")
    [blob] = (place.home / "blobs" / "cases" / "night").iterdir()
    members = {each["name"]: each for each in place.json("ls", data / "crio-counter.tar")[0]["members"]}
    with open(blob, "r+b") as file:
        file.seek(members["checkpoint/pages-1.img"]["offset"] + 5000)
        byte = file.read(1)[0]
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte ^ 1]))
    [found] = place.json("case", "verify", "night", code=1)
    assert not found["holds"]
    assert "checkpoint/pages-1.img" in {problem.get("member") for problem in found["problems"]}
    told = store_contract.Place.ran(place, "case", "verify", "night")  # in a process of its own
    assert (told.returncode, b"WRONG" in told.stdout) == (1, True)


def test_an_older_store_that_was_put_back_is_found_with_the_witness(place: Place, data: Path) -> None:
    catalogue = place.home / "catalogue.sqlite"
    older = catalogue.read_bytes()
    place.run("case", "add", "night", data / "crio-counter.tar")
    witness = place.run("case", "head", "night").decode().strip()
    place.run("case", "verify", "night", "--expect-head", witness)
    for beside in place.home.glob("catalogue.sqlite*"):
        beside.unlink()
    catalogue.write_bytes(older)
    [found] = place.json("case", "verify", "night", "--expect-head", witness, code=1)
    assert "custody.rolled-back" in {problem["code"] for problem in found["problems"]}


def test_a_file_with_the_witnesses_of_months_is_taken_as_it_is(place: Place, data: Path) -> None:
    catalogue = place.home / "catalogue.sqlite"
    place.run("case", "new", "day")
    older = catalogue.read_bytes()
    kept = place.folder / "witnesses"
    for _ in range(2):
        place.run("case", "note", "night", "x")
        with open(kept, "ab") as file:
            file.write(place.run("case", "head"))
    assert len(kept.read_text().splitlines()) == 4
    assert [each["archive"] for each in place.json("case", "verify", "--expect-head", kept)] == [
        "case://day",
        "case://night",
    ]
    place.run("case", "verify", "night", "--expect-head", kept)
    place.run("case", "export", "night", "-o", place.folder / "bundle")
    place.run("case", "verify", "--bundle", place.folder / "bundle", "--expect-head", kept)
    place.run("case", "new", "unseen")
    assert b"no witness of case unseen" in place.ran("case", "verify", "unseen", "--expect-head", kept).stderr
    for beside in place.home.glob("catalogue.sqlite*"):
        beside.unlink()
    catalogue.write_bytes(older)
    [found] = place.json("case", "verify", "night", "--expect-head", kept, code=1)
    assert "custody.rolled-back" in {problem["code"] for problem in found["problems"]}


def test_another_place_believes_a_bundle_only_with_the_key(place: Place, data: Path, tmp_path: Path) -> None:
    place.run("case", "add", "night", data / "crio-counter.tar")
    bundle = place.folder / "bundle"
    place.run("case", "export", "night", "-o", bundle)
    key = tmp_path / "night.pub"
    key.write_text(place.json("case", "keys")[0]["public"])
    (tmp_path / "elsewhere").mkdir()
    other = Place(tmp_path / "elsewhere")
    other.run("case", "verify", "--bundle", bundle, code=1)
    other.run("case", "verify", "--bundle", bundle, "--trusted-key", key)
    assert len(other.json("case", "keys", "--trust", key)[0]["trusted"]) == 2
    other.run("case", "verify", "--bundle", bundle)
    checked = subprocess.run(["sha256sum", "-c", "--quiet", "SHA256SUMS"], cwd=bundle, check=False)
    assert checked.returncode == 0


def test_the_reason_comes_from_an_option_before_behind_or_the_environment(read_only: Place) -> None:
    read_only.run("case", "verify", "night", "--reason", "behind")
    read_only.run("--reason", "before", "ps", "case://night/e51b")
    read_only.ran("ps", "case://night/e51b", CRYOSCOPE_REASON="around")
    [log] = read_only.json("case", "log", "night")
    assert [entry["reason"] for entry in log["entries"][-3:]] == ["behind", "before", "around"]


def test_a_role_that_does_not_allow_it_refuses_and_the_log_says_so(tmp_path: Path, data: Path) -> None:
    place = Place(tmp_path)
    place.run("case", "new", "night")
    place.run("case", "add", "night", data / "crio-counter.tar")
    place.settings.write_text('[roles.reader]\nusers = ["*"]\nmay = ["read"]\n')
    place.run("ps", "case://night/e51b")
    for arguments in (
        ("search", "-t", "x", "case://night/e51b"),
        ("ps", "--reveal", "case://night/e51b"),
        ("ps", "--reveal", data / "crio-counter.tar"),
        ("cat", data / "crio-counter.tar", "spec.dump"),
        ("case", "export", "night", "-o", tmp_path / "out"),
        ("case", "prune", "night", "--keep", "1", "--apply"),
        ("case", "verify", "day", "night"),
        ("capture", "podman://nothing", "--case", "night"),
        ("case", "new", "day"),
        ("capture", "podman://nothing"),
    ):
        refused = place.ran(*arguments)
        assert refused.returncode == 4, refused
        assert b"no role lets" in refused.stderr
    assert not (tmp_path / "out").exists()
    place.settings.write_text("")
    [log] = place.json("case", "log", "night")
    told = [entry["details"]["action"] for entry in log["entries"] if entry["action"] == "refused"]
    assert told == ["search", "reveal", "export", "prune", "verify", "capture"]
    assert b"no role for capture" in place.run("case", "log", "night")


def test_a_role_with_a_word_that_is_no_action_is_an_error(tmp_path: Path) -> None:
    place = Place(tmp_path, more='[roles.a]\nusers = ["*"]\nmay = ["raed"]')
    wrong = place.ran("case", "list")
    assert (wrong.returncode, b"raed" in wrong.stderr) == (2, True)


def test_a_budget_refuses_what_would_break_it_before_anything_is_written(tmp_path: Path, data: Path) -> None:
    place = Place(tmp_path, more='[budget]\nstore = "10KiB"')
    place.run("case", "new", "night")
    refused = place.ran("case", "add", "night", data / "crio-counter.tar")
    assert refused.returncode == 4
    assert not [path for path in (place.home / "blobs").rglob("*") if path.is_file()]


def test_keys_and_evidence_are_nobody_elses(place: Place, data: Path) -> None:
    place.run("case", "add", "night", data / "crio-counter.tar")
    for path in place.home.rglob("*"):
        wanted = 0o700 if path.is_dir() else 0o600
        assert stat.S_IMODE(path.stat().st_mode) == wanted, path
    [key] = (place.folder / "config").rglob("signing.pem")
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert b"PRIVATE" not in place.run("case", "keys")


WRONG = {
    "no case of that name": (["case", "show", "nihgt"], 1, "case list"),
    "no piece of that name": (["case", "show", "night", "nothing"], 1, "case show night"),
    "no case at all": (["ps", "case://nowhere/x"], 1, "case list"),
    "no piece in the address": (["ps", "case://night"], 2, "case://CASE/PIECE"),
    "a name that is a way out": (["case", "new", "../day"], 2, "letters, digits"),
    "a case that is there": (["case", "new", "night"], 1, ""),
    "a hold that is not": (["case", "release", "night"], 1, ""),
    "a note that says nothing": (["case", "note", "night", " "], 2, ""),
    "no witness": (["case", "verify", "night", "--expect-head", "x"], 2, "cryoscope-head/1"),
    "no rule": (["case", "prune", "night"], 2, "--keep"),
    "no age": (["case", "prune", "night", "--older", "long"], 2, ""),
    "no bundle": (["case", "verify", "--bundle", "nowhere"], 2, "case export"),
    "no key": (["case", "keys", "--trust", "nowhere"], 2, ""),
    "evil words": (["case", "show", "a\x1b[31m\nb"], 1, ""),
}


def test_an_error_of_a_case_is_one_line_and_a_hint(place: Place) -> None:
    for arguments, code, hint in WRONG.values():
        each = place.ran(*arguments)
        said = each.stderr.decode()
        lines = said.splitlines()
        assert each.returncode == code, each
        assert 1 <= len(lines) <= 2, each
        assert lines[0].startswith("cryoscope: "), each
        assert hint in said, each
        assert "\x1b" not in said, each


FORM = "FORM"


def test_every_command_of_cases_says_json_as_its_schema_has_it(place: Place, data: Path) -> None:
    asked: dict[str, list[str | Path]] = {
        "add": ["night", data / "crio-counter.tar"],
        "new": [FORM],
        "list": [],
        "show": ["night", "e51b"],
        "log": ["night"],
        "note": ["night", "x"],
        "hold": ["night", "e51b"],
        "release": ["night", "e51b"],
        "verify": ["night"],
        "head": [],
        "export": ["night", "-o", place.folder / FORM],
        "prune": ["night", "--keep", "9"],
        "keys": [],
    }
    assert asked.keys() == COMMANDS.keys()
    for name, words in asked.items():
        for form in ("json", "jsonl"):
            said = place.run("case", name, *(str(word).replace(FORM, form) for word in words), "-f", form)
            documents = [json.loads(line) for line in (said.splitlines() if form == "jsonl" else [said])]
            nouns = {each["schema"].removeprefix("cryoscope.").removesuffix("/1") for each in documents}
            assert nouns <= {*NOUNS}, name
            if form == "json":
                assert problems(documents[0], json_schema(*nouns)) == [], name


def test_a_store_that_is_not_there_has_no_cases_and_is_not_made(tmp_path: Path) -> None:
    place = Place(tmp_path)
    assert place.json("case", "list") == []
    assert not place.home.exists()
