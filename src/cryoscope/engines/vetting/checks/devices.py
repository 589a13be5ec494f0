"""Devices of the spec, and what its control group lets through."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cryoscope.checkpoint.container.dumps import objects, take
from cryoscope.engines.vetting.case import SPEC, Case, shown
from cryoscope.engines.vetting.checks.check import Check
from cryoscope.engines.vetting.edits import of_json
from cryoscope.engines.vetting.records import Fix, Found
from cryoscope.engines.vetting.trees import DEVICES, PTS


def look(case: Case) -> Iterator[Found]:
    """`linux.devices` and `linux.resources.devices`."""
    for device in objects(take(case.spec, "linux", "devices", kind=list)):
        path = shown(device.get("path"))
        if not _harmless(case, device):
            what = f"brings the device {path} ({shown(device.get('major'))}:{shown(device.get('minor'))})"
            yield case.of_spec("spec.devices", what, "linux.devices", Fix(SPEC, change=_without(case)))
    for rule in objects(take(case.spec, "linux", "resources", "devices", kind=list)):
        if rule.get("allow") and not _harmless(case, rule):
            major, minor = shown(rule.get("major", "*")), shown(rule.get("minor", "*"))
            what = f"lets the container use the devices {shown(rule.get('type', 'a'))} {major}:{minor}"
            fix = Fix(SPEC, change=_without(case))
            yield case.of_spec("spec.device-rules", what, "linux.resources.devices", fix)


def _harmless(case: Case, device: dict[str, Any]) -> bool:
    major, minor = device.get("major"), device.get("minor")
    if device.get("path") in case.policy.devices and device.get("path"):
        return True
    if not isinstance(major, int) or device.get("type") in ("b", "a", None):
        return device.get("access") == "m"
    return (major, minor) in DEVICES or major in PTS


def _without(case: Case) -> Any:
    def change(spec: Any) -> None:
        for path in (("linux",), ("linux", "resources")):
            above = take(spec, *path, kind=dict) or {}
            listed = objects(above.get("devices"))
            if listed:
                refused = path[-1] == "linux"
                above["devices"] = [
                    one for one in listed if _harmless(case, one) or (not refused and not one.get("allow"))
                ]

    return of_json(change)


CHECK = Check("the devices of the spec", look)
