"""A system call filter for bubblewrap: what no judged program needs and kernels have been broken by.

Classic BPF over ``struct seccomp_data`` (linux/seccomp.h): number at offset 0, architecture at 4, arguments from 16.
"""

import json
import platform
import struct

_ARCHITECTURES = {
    # AUDIT_ARCH_*; then the numbers of unshare, setns, clone, clone3 and of the denied calls
    "x86_64": 0xC000003E,
    "aarch64": 0xC00000B7,
}

_CLONE = {"x86_64": 56, "aarch64": 220}
_CLONE3 = 435  # the same everywhere; its flags are in memory, out of the filter's sight, and libc falls back to clone
_NEW_NAMESPACE = 0x7E020000  # CLONE_NEW{NS,CGROUP,UTS,IPC,USER,PID,NET}

_DENIED = {
    "x86_64": {
        "ptrace": 101, "syslog": 103, "pivot_root": 155, "acct": 163, "mount": 165, "umount2": 166, "swapon": 167,
        "reboot": 169, "init_module": 175, "quotactl": 179, "add_key": 248, "request_key": 249, "keyctl": 250,
        "unshare": 272, "perf_event_open": 298, "open_by_handle_at": 304, "setns": 308, "process_vm_readv": 310,
        "process_vm_writev": 311, "finit_module": 313, "kexec_file_load": 320, "bpf": 321, "userfaultfd": 323,
    },
    "aarch64": {
        "pivot_root": 41, "mount": 40, "umount2": 39, "quotactl": 60, "acct": 89, "unshare": 97, "kexec_load": 104,
        "init_module": 105, "syslog": 116, "ptrace": 117, "reboot": 142, "add_key": 217, "request_key": 218,
        "keyctl": 219, "swapon": 224, "perf_event_open": 241, "open_by_handle_at": 265, "setns": 268,
        "process_vm_readv": 270, "process_vm_writev": 271, "finit_module": 273, "bpf": 280, "userfaultfd": 282,
        "kexec_file_load": 294,
    },
}  # fmt: skip
_DENIED_EVERYWHERE = {"io_uring_setup": 425, "io_uring_enter": 426, "open_tree": 428, "move_mount": 429, "fsopen": 430}

_ALLOW, _ERRNO, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
_EPERM, _ENOSYS = 1, 38
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_X32 = 0x40000000  # x86-64's second set of system call numbers


def program() -> bytes | None:
    """The filter for this machine's architecture, as bubblewrap's ``--seccomp`` reads it; None where we have none."""
    machine = platform.machine()
    if machine not in _ARCHITECTURES:
        return None
    denied = sorted({*_DENIED[machine].values(), *_DENIED_EVERYWHERE.values()})
    code = [
        _instruction(_LOAD, 4),
        _instruction(_EQUAL, _ARCHITECTURES[machine], 1, 0),
        _instruction(_RETURN, _KILL),
        _instruction(_LOAD, 0),
        _instruction(_AT_LEAST, _X32, 0, 1),
        _instruction(_RETURN, _ERRNO | _ENOSYS),
        _instruction(_EQUAL, _CLONE3, 0, 1),
        _instruction(_RETURN, _ERRNO | _ENOSYS),
    ]
    for number in denied:
        code += [_instruction(_EQUAL, number, 0, 1), _instruction(_RETURN, _ERRNO | _EPERM)]
    code += [
        _instruction(_EQUAL, _CLONE[machine], 0, 3),
        _instruction(_LOAD, 16),
        _instruction(_ANY_BIT, _NEW_NAMESPACE, 0, 1),
        _instruction(_RETURN, _ERRNO | _EPERM),
        _instruction(_RETURN, _ALLOW),
    ]
    return b"".join(code)


def docker_profile() -> str:
    """The same refusals as a Docker profile, for a runtime whose own kernel stands before the host's (gVisor).

    Docker's default lets a program trace its neighbours, which a test program in the same sandbox must not fear.
    Without clone3: gVisor has none, and would refuse it with EPERM, after which libc does not fall back to clone.
    """
    refused = sorted({*_DENIED["x86_64"], *_DENIED["aarch64"], *_DENIED_EVERYWHERE})
    flags = [1 << bit for bit in range(32) if _NEW_NAMESPACE >> bit & 1]
    rules: list[dict[str, object]] = [{"names": refused, "action": "SCMP_ACT_ERRNO", "errnoRet": _EPERM}]
    for flag in flags:
        has_flag = {"index": 0, "value": flag, "valueTwo": flag, "op": "SCMP_CMP_MASKED_EQ"}
        rules.append({"names": ["clone"], "action": "SCMP_ACT_ERRNO", "errnoRet": _EPERM, "args": [has_flag]})
    return json.dumps({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": rules})


def _instruction(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("<HBBI", code, if_true, if_false, value)
