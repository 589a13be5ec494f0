"""The tables agree with themselves, and importing them costs nothing."""

from __future__ import annotations

import subprocess
import sys

import pytest

from cryoscope.checkpoint import criu
from cryoscope.checkpoint.criu.extras import EXTRAS
from cryoscope.checkpoint.criu.images import HEADS, IMAGE_TYPES, by_file_name
from cryoscope.checkpoint.criu.messages import message_class
from cryoscope.checkpoint.criu.schema import SCALARS, schema
from cryoscope.checkpoint.criu.shown import DICTS, FLAGS


def test_every_type_of_a_field_exists() -> None:
    tables = schema()
    for name, fields in tables.messages.items():
        for field in fields:
            assert field.type in SCALARS or field.type in tables.enums or field.type in tables.messages, name
            assert field.label in ("!", "?", "*")


def test_numbers_and_names_are_unique_in_a_message() -> None:
    for name, fields in schema().messages.items():
        assert len({field.number for field in fields}) == len(fields), name
        assert len({field.name for field in fields}) == len(fields), name


def test_every_option_is_known() -> None:
    for fields in schema().messages.values():
        for field in fields:
            for option in field.shown:
                kind, _, what = option.partition(":")
                assert kind in ("hex", "ip", "dev", "odev", "flags", "dict", "conv")
                assert kind != "flags" or what in FLAGS
                assert kind != "dict" or field.name in DICTS
                assert kind != "conv" or what == "unix_name"


def test_no_field_has_a_name_that_json_uses_for_itself() -> None:
    for kind in IMAGE_TYPES:
        for index in (0, 1):
            assert not {f.name for f in schema().messages[kind.message_at(index)]} & {"extra"}
    assert not any(f.name.startswith("_") for fields in schema().messages.values() for f in fields)


@pytest.mark.parametrize("name", sorted(schema().messages))
def test_every_message_is_built_as_the_table_says(name: str) -> None:
    numbers = {field.number: field.name for field in schema().messages[name]}
    assert {field.number: field.name for field in message_class(name).DESCRIPTOR.fields} == numbers


def test_defaults() -> None:
    assert message_class("reg_file_entry")().mnt_id == -1
    assert message_class("user_x86_regs_entry")().mode == 1  # NATIVE
    assert message_class("packet_sock_entry")().fanout == 0xFFFFFFFF
    assert message_class("user_desc_t")().read_exec_only is True


def test_image_types() -> None:
    assert len({kind.magic for kind in IMAGE_TYPES}) == len({kind.name for kind in IMAGE_TYPES}) == 68
    assert len({kind.pattern for kind in IMAGE_TYPES}) == 68
    for kind in IMAGE_TYPES:
        assert kind.message in schema().messages
        assert not kind.then or kind.then in schema().messages
        assert not kind.extra or kind.extra in EXTRAS
        assert kind.head in HEADS
        assert criu.by_name(kind.name) is kind
        assert criu.image_type(kind.magic) is kind


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("core-17.img", "CORE"),
        ("checkpoint/pagemap-shmem-3.img", "PAGEMAP"),
        ("eventpoll-tfd.img", "EVENTPOLL_TFD"),
        ("eventpoll.img", "EVENTPOLL_FILE"),
        ("tty.img", "TTY_FILES"),
        ("signal-p-4.img", "SIGNAL"),
        ("ghost-file-1a.img", "GHOST_FILE"),
        ("stats-dump", "STATS"),
        ("ipcns-shm-11.img", "IPCNS_SHM"),
        ("pages-1.img", None),
        ("descriptors.json", None),
    ],
)
def test_file_names(file: str, name: str | None) -> None:
    kind = by_file_name(file)
    assert (kind and kind.name) == name


@pytest.mark.parametrize(
    "file",
    [
        "pages-1.img",
        "x/ifaddr-10.img",
        "route6-1",
        "tmpfs-dev-3.tar.gz.img",
        "amdgpu-kfd-1.img",
        "netns-ct-4.img",
    ],
)
def test_raw_files_say_what_they_are(file: str) -> None:
    assert criu.is_raw(file)


def test_images_are_not_raw() -> None:
    assert criu.is_raw("core-1.img") is None
    assert criu.is_raw("netns-10.img") is None


def test_importing_the_room_imports_nothing_heavy() -> None:
    code = (
        "import sys; from cryoscope.checkpoint import criu;"
        "criu.ImageSet, criu.parse, criu.pagemap, criu.names;"
        "print([m for m in ('numpy', 'google.protobuf', 'socket', 'ipaddress') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_the_room_has_what_it_exports() -> None:
    for name in criu.__all__:
        assert getattr(criu, name) is not None
    with pytest.raises(AttributeError):
        _ = criu.nothing


def test_a_protobuf_without_its_c_core_does() -> None:
    from cryoscope.checkpoint.criu import messages

    classes = messages._from_public_api(messages._file_descriptor(schema()))
    data = classes["core_entry"](mtype=3).SerializePartialToString()
    assert classes["core_entry"].FromString(data).mtype == 3
    assert message_class("core_entry").FromString(data).mtype == 3


def test_other_users_of_protobuf_are_not_disturbed() -> None:
    code = (
        "from cryoscope.checkpoint.criu.messages import message_class; message_class('core_entry')(mtype=1);"
        "from google.protobuf import json_format, struct_pb2; s = struct_pb2.Struct(); s.update({'a': 1});"
        "print(json_format.MessageToDict(s), message_class('mm_entry')().mm_brk)"
    )
    out = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True
    )
    assert out.stdout.strip() == "{'a': 1.0} 0"
