"""What is left of a process that crashes: no image of its memory, where keys and prompts stand in the clear."""

import resource


def forbid() -> None:
    """For this process and its children. Whoever needs a core file may raise the limit again: `prlimit --core`.

    One byte and not none: Linux writes no file of so little, and takes 1 for "nor to a program" as well, where
    `core_pattern` is a pipe and no other limit counts (core(5); do_coredump in fs/coredump.c).
    """
    _, most = resource.getrlimit(resource.RLIMIT_CORE)
    least = 1 if most == resource.RLIM_INFINITY else min(1, most)
    resource.setrlimit(resource.RLIMIT_CORE, (least, most))
